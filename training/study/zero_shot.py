"""What a trained VAR does that nobody taught it: in-painting, out-painting, another thing."""

from pathlib import Path
from typing import Any

from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.edit_figures import edit_figure, outpaint_figure
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import load_scene_judge
from training.evaluation.scenes.measured_model import Bench
from training.study.points_file import PointsFile
from training.study.settings import PYRAMID, StudySettings
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.devices import pick_device
from var_core.files import sha256_of
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline

NUM_CASES = 100  # edits, and scenes that are continued


def claim_judge(settings: StudySettings, points: PointsFile) -> None:
    """Note who judges.

    Raises:
        ValueError: if the points there are were judged by somebody else, or the file is missing.
    """
    load_scene_judge(settings.judge)  # so that a missing or damaged one is refused at once
    points.claim("judge", sha256_of(Path(settings.judge))[:16])


def zero_shot_figures(
    settings: StudySettings, scenes: ScenePictures, folder: Path
) -> dict[str, Any]:
    """Edits of real scenes: an area is drawn anew, or both sides are added.

    Args:
        settings: judge and tokenizer.
        scenes: scenes of the tokenizer's side.
        folder: folder of the run of the network.

    Returns:
        `edits`: whether a masked thing became another one that was named, and how the border of
        the mask looks; `outpainting`: whether both new sides show the place and time of the middle.

    Raises:
        ValueError: if the network or the judge cannot be used.
    """
    pipeline = VARPipeline(
        load_tokenizer(settings.kept_tokenizer(PYRAMID)),
        load_transformer(folder / "transformer"),
        LabelSpace.from_json(scenes.label_names),
        scenes.menu_phrases(),
    ).to(pick_device())
    judge = load_scene_judge(settings.judge).to(pick_device())
    bench = Bench(pipeline, judge, scenes, Path(settings.nets), NUM_CASES)
    file = FiguresFile(folder / "zero-shot.json", {})
    return {"edits": edit_figure(bench, file), "outpainting": outpaint_figure(bench, file)}
