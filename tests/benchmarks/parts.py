"""Where drawing spends its time: calls are wrapped from outside, the product stays as it is."""

import contextlib
import math
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from unittest import mock

import torch
from torch import nn
from torch.autograd.profiler_util import EventList
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from tests.benchmarks.report import Rates
from var_core import VARPipeline
from var_core.sampling import sampler

PARTS = ("transformer", "sampling", "quantizer", "decoder")
MATRIX_PRODUCT = re.compile(
    r"(addmm|bmm|matmul|conv|::mm|::_?linear|scaled_dot_product|attention_forward|flash)"
)
Amounts = Mapping[tuple[str, int], float]  # by part and scale


@dataclass(frozen=True)
class PartRow:
    """One part of drawing.

    Attributes:
        name: of the part.
        scales_ms: milliseconds at each scale.
        whole_ms: at all of them.
        gflop: floating-point operations of its matrix products, 10^9.
        megabytes: weights that it must read, 10^6.
        floor_ms: what these must take at the rates of the machine, scale by scale.
    """

    name: str
    scales_ms: tuple[float, ...]
    whole_ms: float
    gflop: float = 0.0
    megabytes: float = 0.0
    floor_ms: float = 0.0


class PartMeter:
    """Adds up what each part of drawing takes at each scale.

    Args:
        pipeline: draws.
        read: a quantity that only grows, such as a clock.
    """

    def __init__(self, pipeline: VARPipeline, read: Callable[[], float]) -> None:
        transformer, tokenizer = pipeline.transformer, pipeline.tokenizer
        self.read = read
        self.scale = 0
        self.taken: dict[tuple[str, int], float] = defaultdict(float)
        self.watched = {
            "transformer": (transformer, ("embed", "new_cache", "predict_scale", "logits")),
            "sampling": (sampler, ("apply_guidance", "filter_logits", "draw_tokens")),
            "quantizer": (tokenizer.quantizer, ("next_input", "embed", "add_scale")),
            "decoder": (tokenizer, ("decode_latent",)),
        }

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Count what happens inside."""
        with contextlib.ExitStack() as patches:
            for part, (owner, names) in self.watched.items():
                for name in names:
                    call = self._counted(part, name, getattr(owner, name))
                    patches.enter_context(mock.patch.object(owner, name, call))
            yield

    def _counted(self, part: str, name: str, call: Callable) -> Callable:
        def counted(*arguments: object, **named: object) -> object:
            if name == "next_input":  # the first call at each scale
                self.scale = arguments[1]
            before = self.read()
            result = call(*arguments, **named)
            self.taken[part, self.scale] += self.read() - before
            return result

        return counted


def time_parts(
    pipeline: VARPipeline, draw: Callable[[], object], device: torch.device
) -> tuple[Amounts, float]:
    """Milliseconds of each part at each scale in one drawing, and those of all of it."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return 1000 * time.perf_counter()

    meter = PartMeter(pipeline, clock)
    started = clock()
    with meter.watching():
        draw()
    return meter.taken, clock() - started


def count_flops(pipeline: VARPipeline, draw: Callable[[], object]) -> Amounts:
    """Floating-point operations of the matrix products of one drawing; FLOP = 2 x MAC."""

    def flash_on_cpu(q: tuple, k: tuple, v: tuple, *_: object, **__: object) -> int:
        return sdpa_flop_count(q, k, v)

    def packed_linear(inputs: tuple, weight: tuple, *_: object, **__: object) -> int:
        return 2 * math.prod(inputs) * weight[0]

    kernels = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: flash_on_cpu,
        torch.ops.mkldnn._linear_pointwise: packed_linear,
    }
    counter = FlopCounterMode(display=False, custom_mapping=kernels)
    meter = PartMeter(pipeline, counter.get_total_flops)
    with counter, meter.watching():
        draw()
    return meter.taken


def weight_bytes(pipeline: VARPipeline) -> Amounts:
    """Bytes of weights that a drawing must read: blocks and head once a scale, the rest once."""

    def size(*modules: nn.Module | None) -> int:
        parameters = [p for m in modules if m is not None for p in m.parameters()]
        return sum(p.numel() * p.element_size() for p in parameters)

    transformer, tokenizer = pipeline.transformer, pipeline.tokenizer
    num_scales = transformer.schedule.num_scales
    own = [block.modulation for block in transformer.blocks]
    once = size(transformer.block_modulation, transformer.head_modulation, *own)
    again = size(transformer.blocks, transformer.head) - size(*own)
    read: dict[tuple[str, int], float] = defaultdict(float)
    for scale_index in range(num_scales):
        read["transformer", scale_index] = again + (once if scale_index == 0 else 0)
    read["decoder", num_scales - 1] = size(tokenizer.decoder, tokenizer.post_quant)
    return read


def part_rows(
    taken: Amounts, whole_ms: float, flops: Amounts, read: Amounts, rates: Rates, num_scales: int
) -> list[PartRow]:
    """All parts, what is left over, and the whole.

    Args:
        taken: milliseconds.
        whole_ms: of the drawing.
        flops: of the same number of pictures.
        read: bytes; however many pictures, the weights need not be read more than once a scale.
        rates: of the machine in the dtype of the weights.
        num_scales: K.
    """
    rows = []
    for part in PARTS:
        keys = [(part, scale_index) for scale_index in range(num_scales)]
        floors = [
            max(flops.get(key, 0) / rates.gflops, read.get(key, 0) / rates.gigabytes) / 1e6
            for key in keys
        ]
        scales = tuple(taken.get(key, 0.0) for key in keys)
        gflop = sum(flops.get(key, 0) for key in keys) / 1e9
        megabytes = sum(read.get(key, 0) for key in keys) / 1e6
        rows.append(PartRow(part, scales, sum(scales), gflop, megabytes, sum(floors)))
    rows.append(PartRow("rest", (), whole_ms - sum(row.whole_ms for row in rows)))
    scales = tuple(map(sum, zip(*(row.scales_ms for row in rows[:-1]), strict=True)))
    sums = [sum(getattr(r, n) for r in rows) for n in ("gflop", "megabytes", "floor_ms")]
    return [*rows, PartRow("whole", scales, whole_ms, *sums)]


def print_parts(title: str, rows: list[PartRow], sides: tuple[int, ...]) -> None:
    """One line a part, one column a scale."""
    heads = [*(f"{side}x{side}" for side in sides), "whole", "GFLOP", "MB", "floor"]
    print(f"\n{title}\n{'':11}" + "".join(f" {head:>8}" for head in heads))
    for row in rows:
        cells = [f"{t:8.2f}" for t in row.scales_ms] or [" " * 8] * len(sides)
        cells.append(f"{row.whole_ms:8.1f}")
        last = (row.gflop, row.megabytes, row.floor_ms)
        cells += [f"{value:8.1f}" if value else f"{'-':>8}" for value in last]
        print(f"{row.name:11} " + " ".join(cells))


def matrix_share(draw: Callable[[], object], device: torch.device) -> float:
    """Share of matrix products, attention included, in the time of all operators.

    On a GPU in that of its kernels. The profiler slows the small operators down: the true share is
    a little larger.
    """
    gpu = device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else it reports its start and stop
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * gpu
    with profile(activities=activities) as profiler:
        draw()
    return share_of(
        profiler.key_averages(), "self_device_time_total" if gpu else "self_cpu_time_total"
    )


def share_of(events: EventList, measure: str) -> float:
    """Share of matrix products in the time of the operators of a profile."""
    operators = [e for e in events if e.device_type == torch.autograd.DeviceType.CPU]
    times = {event.key: getattr(event, measure) for event in operators}
    products = sum(value for key, value in times.items() if MATRIX_PRODUCT.search(key))
    return products / max(sum(times.values()), 1e-9)
