"""Models take turns in memory."""

from dataclasses import replace

import torch

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline
from var_core.serving.model_cache import ModelCache


def model() -> VARPipeline:
    return VARPipeline(make_tokenizer(), make_transformer(), make_labels())


def test_the_oldest_model_gives_way_where_there_is_no_room() -> None:
    loads: list[str] = []

    def load(name: str) -> object:
        return lambda dtype: loads.append(name) or model().to(dtype)

    info = model().info
    memory = ModelCache(2.5 * info.size_bytes(torch.float32))

    def use(name: str) -> VARPipeline:
        return memory.pipeline(replace(info, name=name), torch.float32, load(name))

    ask = [use(name) for name in "abab"]
    assert loads == ["a", "b"] and ask[0] is ask[2]
    use("c")
    assert memory.names() == ["b", "c"]
    use("a")
    assert memory.names() == ["c", "a"] and loads == ["a", "b", "c", "a"]


def test_what_is_needed_is_loaded_even_if_it_is_too_large() -> None:
    info = model().info
    size = info.size_bytes(torch.float32)
    memory = ModelCache(size / 2)
    assert memory.pipeline(replace(info, name="a"), torch.float32, lambda dtype: model())
    memory.pipeline(replace(info, name="b"), torch.float32, lambda dtype: model())
    assert memory.names() == ["b"]  # one at a time
    assert info.size_bytes(torch.bfloat16) == size / 2
