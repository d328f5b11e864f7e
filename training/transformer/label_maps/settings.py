"""The settings of runs with label maps."""

from dataclasses import dataclass

from training.loop.command_line import Settings
from var_core.option_fields import option

GROUP = "label maps (data of categories, things and styles)"


@dataclass(frozen=True, kw_only=True)
class LabelMapSettings(Settings):
    """Settings that matter where a fine label implies a coarse one and the last is a style."""

    label_map_rank: int = option(
        352, "length of the codes of the label maps; 0: no maps", GROUP, low=0
    )
    label_pairs: bool = option(True, "a code for every pair of the last two labels", GROUP)
    borrow: float = option(0.35, "chance of the code of another style", GROUP, low=0, high=1)
    label_std: float = option(0.06, "deviation of the first label tables", GROUP, low=0)
    drop_fine: float = option(0.07, "chance of no fine label", GROUP, low=0, high=1)
    drop_coarse: float = option(
        0.3, "chance of no coarse label where the fine one is dropped", GROUP, low=0, high=1
    )
    drop_style: float = option(0.05, "chance of no style", GROUP, low=0, high=1)
