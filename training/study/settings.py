"""The settings of the study: of sizes, and of methods."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from training.loop.command_line import Settings
from training.loop.run_settings import FILES, MACHINE, PROGRESS, STEPS
from training.study.sizes import MLP_RATIO, Size
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings
from var_core.option_fields import about, option

SIZES = "sizes"
KINDS = ("pictures", "captions")
PYRAMID, RASTER = "pyramid-tokenizer", "raster-tokenizer"
OF_TOKENIZERS = ("sides", "level_channels", "vocab_size", "code_dim", "tokenizer_steps")
COMMON = ("pool", "validation", "batch_size", "rate_factor", "mixed_precision", *OF_TOKENIZERS)
SEEDED = 2  # smallest sizes that are trained with several seeds
LOGGED = 20  # steps between lines of a log
NUM_MEASURED = 16  # points of a curve, about
AVERAGE_DECAY = 0.99  # of rivals: about the last hundred steps
QUICK = {
    "width_per_depth": 16,
    "pool": 4096,
    "batch_size": 64,
    "level_channels": (32, 64),
    "tokenizer_steps": 40,
}
QUICK_SIZES = QUICK | {"depths": (1, 2, 3, 4), "seeds": 1}
QUICK_RIVALS = QUICK | {
    "depths": (5,),
    "drawings": 24,
    "only": "methods",
}


@dataclass(frozen=True, kw_only=True)
class StudySettings(Settings):
    """What every command of the study is told."""

    data: str = field(metadata=about("folder of training.prepare.scenes", FILES))
    out: str = field(metadata=about("folder of the runs and their scenes", FILES))
    results: str = option(
        "",
        "folder that points, fits and plots are kept in; from one under version control, another "
        "machine goes on. As a rule, that of the runs",
        FILES,
    )
    judge: str = option(
        "",
        "file of training.evaluation.scenes.judge; without it, nobody says what drawings show",
        FILES,
    )
    nets: str = option("data/nets", "folder of training.prepare.nets; none: no distances", FILES)
    pool: int = option(
        40960, "scenes, none shown twice, those for validation included", STEPS, low=1
    )
    validation: int = option(512, "scenes to measure with", STEPS, low=1)
    batch_size: int = option(16, "scenes a step", STEPS, low=1)
    rate_factor: float = option(1.0, "factor on the learning rate of the rule", STEPS, low=0)
    budget_minutes: float = option(
        0.0,
        "time after which the command stops; it goes on when run again. 0: none",
        PROGRESS,
        low=0,
    )
    sides: tuple[int, ...] = option(
        (1, 2, 3, 4, 5, 6, 8), "sides of the token maps of VAR, coarse to fine", SIZES, low=1
    )
    level_channels: tuple[int, ...] = option(
        (64, 96), "channels of each level of the tokenizers", SIZES, low=1
    )
    vocab_size: int = option(2048, "codes of the tokenizers", SIZES, low=2)
    code_dim: int = option(32, "width of a code", SIZES, low=1)
    tokenizer_steps: int = option(3000, "steps of each tokenizer", STEPS, low=1)
    save_every: int = option(200, "steps between checkpoints", PROGRESS, low=1)
    quick: bool = option(False, "a small study that shows how it works", PROGRESS)
    mixed_precision: str = option(
        "no", "precision that networks learn in", MACHINE, choices=("no", "bf16")
    )
    compile: bool = option(False, "compile the networks", MACHINE)

    @property
    def results_folder(self) -> Path:
        """Folder of points, fits and plots."""
        return Path(self.results or self.out)

    def kept_tokenizer(self, name: str) -> Path:
        """Folder of a trained tokenizer, beside the points: other machines go on with the same."""
        return self.results_folder / "tokenizers" / name

    def pool_folder(self, name: str) -> Path:
        """Folder of the tokens that a tokenizer makes of the scenes."""
        return Path(self.out) / name / "pool"

    @property
    def steps(self) -> int:
        """Steps of a run: every training scene once."""
        return max(1, (self.pool - self.validation) // self.batch_size)

    @property
    def evaluate_every(self) -> int:
        """Steps between the points of a curve."""
        return LOGGED * max(1, round(self.steps / NUM_MEASURED / LOGGED))

    def values(self, names: Sequence[str]) -> dict[str, Any]:
        """Some settings as they stand in JSON."""
        found = {name: getattr(self, name) for name in names}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    def run_settings(
        self, folder: str, size: Size, seed: int, tokenizer: str = PYRAMID
    ) -> TransformerSettings:
        """Settings of the run of one size: the same for all but for size, rate and seed."""
        steps = self.steps
        return TransformerSettings(
            data=self.data,
            out=f"{self.out}/{folder}",
            tokenizer=str(self.kept_tokenizer(tokenizer)),
            pool=self.pool,
            pool_folder=str(self.pool_folder(tokenizer)),
            depth=size.depth,
            width=size.width,
            num_heads=size.num_heads,
            mlp_ratio=MLP_RATIO,
            steps=steps,
            batch_size=self.batch_size,
            learning_rate=self.rate_factor * size.highest_rate,
            table_rate_factor=1.0,
            warmup_steps=max(1, steps // 20),
            final_ratio=0.02,
            weight_decay=0.05,
            grad_clip=2.0,
            ema_decay=0.0,  # an average lags, the more so the shorter the run
            drop_path=0.0,  # no scene comes twice
            drop_each=0.0,
            evaluate_every=self.evaluate_every,
            save_every=self.save_every,
            tracker="none",
            mixed_precision=self.mixed_precision,
            compile=self.compile,
            seed=seed,
        )

    def tokenizer_settings(self, name: str) -> TokenizerSettings:
        """Settings of a tokenizer: that of a raster has the finest of the scales alone."""
        steps = self.tokenizer_steps
        return TokenizerSettings(
            data=self.data,
            out=f"{self.out}/{name}",
            nets=self.nets,
            sides=self.sides if name == PYRAMID else self.sides[-1:],
            level_channels=self.level_channels,
            vocab_size=self.vocab_size,
            code_dim=self.code_dim,
            steps=steps,
            quantize_after=min(150, steps // 4),
            warmup_steps=min(100, steps // 4),
            evaluate_every=steps,
            save_every=self.save_every,
            tracker="none",
            mixed_precision=self.mixed_precision,
        )


@dataclass(frozen=True, kw_only=True)
class ScalingSettings(StudySettings):
    """What the study of sizes is told."""

    depths: tuple[int, ...] = option(
        (2, 3, 4, 5, 6, 8, 10), "sizes, by number of blocks", SIZES, low=1, high=64
    )
    width_per_depth: int = option(
        32, "channels for each block; published: 64", SIZES, low=1, high=128
    )
    seeds: int = option(3, f"runs of each of the {SEEDED} smallest sizes", SIZES, low=1)
    only: str = option(
        "",
        "what to learn: scenes, or their captions as text; as a rule, both",
        SIZES,
        choices=("", *KINDS),
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of networks to train."""
        return (self.only,) if self.only else KINDS

    @property
    def about(self) -> dict[str, Any]:
        """What the points of a study have in common."""
        return self.values((*COMMON, "width_per_depth"))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All sizes, the smallest first."""
        return tuple(Size(depth, self.width_per_depth) for depth in sorted(set(self.depths)))

    def resolved(self) -> Self:
        """The settings of the small study where it is asked for."""
        return replace(self, quick=False, **QUICK_SIZES) if self.quick else self


@dataclass(frozen=True, kw_only=True)
class RivalSettings(StudySettings):
    """What the comparison of methods is told."""

    depths: tuple[int, ...] = option((4, 6), "sizes, by number of blocks", SIZES, low=1, high=64)
    width_per_depth: int = option(
        32, "channels for each block; published: 64", SIZES, low=1, high=128
    )
    drawings: int = option(
        400, "drawings that a Frechet distance is measured with", PROGRESS, low=20
    )
    only: str = option(
        "",
        "what to train: the methods, or VAR without one of its parts; as a rule, both",
        SIZES,
        choices=("", "methods", "ablations"),
    )

    @property
    def about(self) -> dict[str, Any]:
        """What the points of a comparison have in common."""
        return self.values((*COMMON, "width_per_depth", "drawings"))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All sizes, the smallest first."""
        return tuple(Size(depth, self.width_per_depth) for depth in sorted(set(self.depths)))

    def resolved(self) -> Self:
        """The settings of the small comparison where it is asked for."""
        return replace(self, quick=False, **QUICK_RIVALS) if self.quick else self
