"""The sampling options: how tokens are drawn. A new option is a new field here.

Flags, sliders, endpoints, links and recipes follow from the field (`option_fields.py`). What the
option does to the logits is in `logits.py`. `VARPipeline.__call__` (`pipeline.py`) names it too,
and its limits are tested in `tests/jobs/test_parsing.py`.
"""

from dataclasses import dataclass, replace

from var_core.option_fields import check_options, option
from var_core.ranges import check_int

MAX_TOP_K = 65536


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How tokens are drawn: this is the one place where a sampling option is written down.

    `option_fields(SamplingOptions)` gives the ranges and words to command line, API and page.

    Raises:
        ValueError: on construction, if a value is out of its range or not finite.
    """

    # t at the last scale, ramped up from 0: logits are (1 + t) * conditional - t * unconditional
    guidance_scale: float = option(
        1.5,
        "0 ignores the labels' pull, high values exaggerate it",
        label="Guidance",
        low=0.0,
        high=20.0,
        step=0.1,
    )
    # divides the logits before the filters
    temperature: float = option(
        1.0,
        "below 1 tamer, above 1 wilder",
        label="Temperature",
        low=0.01,
        high=10.0,
        step=0.05,
        shown=(0.1, 2.0),
    )
    top_k: int = option(
        900,
        "draw among so many of the likeliest codes; 0 is off",
        label="Top-k",
        low=0,
        high=MAX_TOP_K,
        step=1,
    )
    top_p: float = option(
        0.5,
        "draw among the likeliest codes of this mass; 0 is off",
        label="Top-p",
        low=0.0,
        high=1.0,
        step=0.05,
    )
    # by Gumbel weights
    smooth: bool = option(False, "mix codes instead of drawing one; for looks only", label="Smooth")

    def __post_init__(self) -> None:
        check_options(self)

    def fitted(self, vocab_size: int) -> "SamplingOptions":
        """These options for a codebook; the default top_k is clamped to it.

        Raises:
            ValueError: if another top_k exceeds the number of codes.
        """
        if self.top_k == DEFAULTS.top_k:
            return replace(self, top_k=min(self.top_k, vocab_size))
        check_int("top_k", self.top_k, 0, vocab_size)
        return self


DEFAULTS = SamplingOptions()
