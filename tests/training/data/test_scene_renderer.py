"""Pictures of scenes: pure, alike in any batch, and true to their descriptions."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.data.scenes import SceneRenderer, SpriteTable, build_scene, make_scene, read_table
from training.data.scenes import renderer as renderer_module
from training.data.scenes.description import PLACES, Placement, all_settings
from training.data.scenes.plan import sprite_level

ONE_GREY_LEVEL = 2.0 / 255.0


def test_every_setting_is_painted_within_range(table: SpriteTable, renderer: SceneRenderer) -> None:
    scenes = [
        build_scene(table, 5, index, 0, setting, [index % len(table.things)])
        for index, setting in enumerate(all_settings())
    ]
    images = renderer.render(scenes, side=64)
    assert images.shape == (len(scenes), 3, 64, 64)
    assert images.dtype == torch.float32
    assert images.isfinite().all()
    assert images.abs().max() <= 1.0 + 1e-5
    assert len({image.numpy().tobytes() for image in images}) == len(scenes)


def test_a_scene_looks_the_same_alone_and_in_any_batch(
    table: SpriteTable, renderer: SceneRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = [make_scene(table, 8, index) for index in range(24)]
    alone = torch.cat([renderer.render([scene], side=64) for scene in scenes])
    assert torch.equal(renderer.render(scenes, side=64), alone)
    monkeypatch.setattr(renderer_module, "CPU_BATCH", 24)  # painted together, as on a GPU
    together = renderer.render(scenes, side=64)
    assert (together - alone).abs().max() <= ONE_GREY_LEVEL


@pytest.mark.gpu
def test_a_gpu_paints_the_same_pixels(table: SpriteTable, renderer: SceneRenderer) -> None:
    scenes = [make_scene(table, 8, index) for index in range(64)]
    painted = SceneRenderer(table, "cuda").render(scenes, side=256).cpu()
    assert (painted - renderer.render(scenes, side=256)).abs().max() <= ONE_GREY_LEVEL


def test_other_sizes_show_the_same_scene(table: SpriteTable, renderer: SceneRenderer) -> None:
    scenes = [make_scene(table, 9, index) for index in range(12)]
    large = renderer.render(scenes, side=256)
    for side in (64, 128):
        shrunk = torch.nn.functional.interpolate(large, side, mode="area")
        assert (renderer.render(scenes, side=side) - shrunk).abs().mean() < 0.03


def test_a_thing_is_seen_where_it_was_placed(table: SpriteTable, renderer: SceneRenderer) -> None:
    scene = build_scene(table, 1, 1, 1, ("white", "", ""), [0])
    scene = replace(scene, placements=(Placement(0, 0.25, 0.75, 0.4, "floats"),))
    empty = replace(scene, placements=())
    changed = (renderer.render([scene]) - renderer.render([empty])).abs().amax(1)[0] > 0.02
    rows, columns = changed.nonzero().unbind(1)
    assert abs(columns.float().mean() / 256 - 0.25) < 0.01
    assert abs(rows.float().mean() / 256 - 0.75) < 0.01
    width = (columns.max() - columns.min() + 1) / 256
    assert abs(width - 0.4) < 0.01


def test_a_flipped_thing_is_mirrored(table: SpriteTable, renderer: SceneRenderer) -> None:
    scene = build_scene(table, 1, 1, 1, ("white", "", ""), [0])
    plain, mirrored = (
        renderer.render(
            [replace(scene, placements=(Placement(0, 0.5, 0.5, 0.8, "floats", is_flipped),))]
        )[0, :, 100:156, 60:196]
        for is_flipped in (False, True)
    )
    assert (plain - mirrored.flip(-1)).abs().mean() < 0.02
    assert (plain - mirrored).abs().mean() > 0.1


@pytest.mark.parametrize("place", PLACES)
def test_backdrops_are_smooth(table: SpriteTable, renderer: SceneRenderer, place: str) -> None:
    setting = next(entry for entry in all_settings() if entry[0] == place)
    scene = replace(build_scene(table, 2, 3, 0, setting, [0]), placements=())
    image = renderer.render([scene])
    steps = (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
    assert steps < 0.03


def test_levels_of_the_atlas_follow_the_size() -> None:
    assert [sprite_level(pixels) for pixels in (400.0, 192.0, 96.0, 50.0, 24.0, 3.0, 0.0)] == [
        *(0, 0, 1, 2, 3, 3, 3)
    ]


def test_bad_input_is_one_sentence(
    table: SpriteTable, renderer: SceneRenderer, tmp_path: Path
) -> None:
    scene = make_scene(table, 0, 0)
    with pytest.raises(ValueError, match="side must lie in"):
        renderer.render([scene], side=4)
    with pytest.raises(ValueError, match="style must lie in"):
        renderer.render([replace(scene, style=9)])
    with pytest.raises(ValueError, match="thing must lie in"):
        renderer.render([replace(scene, placements=(Placement(99, 0.5, 0.5, 0.4, "floats"),))])
    folder = tmp_path / "scenes"
    shutil.copytree(table.folder, folder)
    (folder / table.files[3]).write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cannot be read"):
        SceneRenderer(read_table(folder))
