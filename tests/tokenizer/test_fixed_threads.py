"""Pictures do not depend on how many threads of the processor a caller has."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.conftest import ROOT
from var_core import VARPipeline

SCENES = ROOT / "assets" / "models" / "scenes256"  # with attention and large maps


def in_threads(count: int, work: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What a thread finds that has so many threads; this one keeps its own number."""

    def run() -> torch.Tensor:
        torch.set_num_threads(count)
        found = work()
        assert torch.get_num_threads() == count
        return found

    with ThreadPoolExecutor(1) as one:
        return one.submit(run).result()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pictures_are_encoded_and_decoded_to_the_same_bits(dtype: torch.dtype) -> None:
    pipeline = VARPipeline.from_pretrained(SCENES, torch_dtype=dtype)
    pipeline.pack()
    tokenizer = pipeline.tokenizer
    tokenizer.num_threads = 1
    side = tokenizer.schedule.final_shape[-1]
    latent = torch.randn(1, 32, side, side, generator=torch.Generator().manual_seed(0))
    image = latent.new_zeros(1, 3, *tokenizer.image_shape).uniform_(
        -1, 1, generator=torch.Generator().manual_seed(1)
    )
    for work in (
        lambda: tokenizer.decode_latent(latent),
        lambda: tokenizer.sketch_latent(latent),
        lambda: tokenizer.encode_features(image),
        lambda: tokenizer.encode(image).latent,
    ):
        with torch.inference_mode():
            expected = work()
            assert torch.equal(in_threads(2, work), expected)
            assert torch.equal(in_threads(3, work), expected)
