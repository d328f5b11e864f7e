"""The decoder on a GPU in several layouts: `python -m tests.benchmarks.gpu_decoder`.

As the product runs it, with channels last, with the fastest kernels that cuDNN finds, compiled, and
as a CUDA graph: to see what the product should do.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.report import LoneRow, host, one_by_one, print_lone_rows, write_json
from var_core import MultiScaleVQVAE
from var_core.devices import pick_device

PLAIN = "plain"


def maker_of(
    tokenizer: MultiScaleVQVAE, latent: Tensor, searches: bool = False, is_graph: bool = False
) -> Callable[[], Callable[[], object]]:
    """What makes a step that decodes.

    Args:
        tokenizer: with its weights in the layout to time.
        latent: of the pictures.
        searches: whether cuDNN tries its kernels first.
        is_graph: whether the step replays a CUDA graph.
    """

    @torch.inference_mode()
    def decode() -> Tensor:
        before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, searches
        try:
            return tokenizer.decode_latent(latent)
        finally:
            torch.backends.cudnn.benchmark = before

    def graph() -> Callable[[], object]:
        decode()
        recorded = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(recorded):
            decode()
        return recorded.replay

    return graph if is_graph else lambda: decode


def makers(
    plain: MultiScaleVQVAE,
    turned: MultiScaleVQVAE,
    compiled: MultiScaleVQVAE,
    latent: Tensor,
) -> dict[str, Callable[[], Callable[[], object]]]:
    """All ways, by name."""
    found = {
        PLAIN: maker_of(plain, latent),
        "cuDNN searches": maker_of(plain, latent, searches=True),
        "channels last": maker_of(turned, latent),
        "channels last, cuDNN searches": maker_of(turned, latent, searches=True),
    }
    if latent.device.type == "cuda":
        found["channels last, graph"] = maker_of(turned, latent, is_graph=True)
    return found | {"channels last, compiled": maker_of(compiled, latent)}


def measure(
    shape: Shape,
    batches: Sequence[int],
    runs: int,
    compiler: str,
    device: torch.device,
    file: Path | None,
) -> None:
    """Time all ways; print tables and write them as they come."""
    plain = recast(random_pipeline(shape, device), torch.bfloat16)
    turned, compiled = (recast(plain, torch.bfloat16) for _ in range(2))
    for one in (turned, compiled):
        one.tokenizer.decoder.to(memory_format=torch.channels_last)
    compiled.tokenizer.decoder.compile(dynamic=False, backend=compiler)
    networks = plain.tokenizer, turned.tokenizer, compiled.tokenizer
    tables: dict[str, list[LoneRow]] = {}
    for size in batches:
        side = shape.sides[-1]
        latent = torch.randn(size, plain.tokenizer.quantizer.code_dim, side, side, device=device)
        rows = one_by_one(makers(*networks, latent), PLAIN, size, runs, device, 2.0)
        tables[f"batch {size}"] = rows
        print_lone_rows(f"decoder, batch {size}", rows)
        if file:
            write_json(file, {"host": host(device)}, tables)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides)
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 64], help="pictures at once")
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    device = pick_device()
    shape = Shape(1, tuple(arguments.sides), tuple(arguments.channels))
    words = arguments.batch, arguments.runs, arguments.compiler
    measure(shape, *words, device, arguments.json)


if __name__ == "__main__":
    main()
