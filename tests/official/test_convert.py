"""Official checkpoints become model folders, whole or not at all."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.official.parity_models import CASES, GOLDEN, load_case, official_state
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from var_core import VARPipeline, generators_from_seeds
from var_core.checkpoints import CheckpointError
from var_core.command_line.main import main
from var_core.files import sha256_of
from var_core.official.convert import class_names, convert


def write_pair(folder: Path, name: str = "tiny", **changes: object) -> dict[str, Path]:
    """Official files of a parity case; changes replace or remove (None) weights."""
    shapes = json.loads((GOLDEN / f"{name}.keys.json").read_text())
    paths = {}
    for part in ("tokenizer", "transformer"):
        state = official_state(shapes[part])
        for key, value in changes.items():
            if key in state and value is None:
                del state[key]
            elif key in state:
                state[key] = value
        paths[part] = folder / f"{part}.pth"
        torch.save(state, paths[part])
    return paths


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, Path]:
    return write_pair(tmp_path)


def sides_of(name: str) -> tuple[int, ...]:
    return load_case(name).transformer.schedule.sides


@pytest.mark.parametrize("name", CASES)
def test_converted_folders_compute_the_official_figures(name: str, tmp_path: Path) -> None:
    case = load_case(name)
    paths = write_pair(tmp_path, name)
    heads = case.transformer.config.num_heads
    convert(**paths, out=tmp_path / "model", sides=sides_of(name), num_heads=heads)
    pipeline = VARPipeline.from_pretrained(tmp_path / "model")
    for part in ("tokenizer", "transformer"):
        expected, found = getattr(case, part).state_dict(), getattr(pipeline, part).state_dict()
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    settings = dict(pipeline.transformer.config)
    for key in ("depth", "width", "num_heads", "mlp_ratio", "shared_modulation", "qk_norm"):
        assert settings[key] == case.transformer.config[key], key
    with torch.inference_mode():
        tokens = pipeline.tokenizer.encode(case.images()).token_maps
    for index, found in enumerate(tokens):
        assert torch.equal(found.flatten(1), case.figures[f"encode/tokens_{index}"].flatten(1))


def test_training_checkpoints_are_unwrapped(pair: dict[str, Path], tmp_path: Path) -> None:
    for part, name in (("tokenizer", "vae_local"), ("transformer", "var_wo_ddp")):
        state = torch.load(pair[part], weights_only=True)
        torch.save({"epoch": 3, "trainer": {name: state, "opt": {}}}, pair[part])
    convert(**pair, out=tmp_path / "model", sides=sides_of("tiny"))
    assert VARPipeline.from_pretrained(tmp_path / "model").transformer.config.depth > 0


def test_files_of_the_old_format_are_read_too(pair: dict[str, Path], tmp_path: Path) -> None:
    for path in pair.values():
        state = torch.load(path, weights_only=True)
        torch.save(state, path, _use_new_zipfile_serialization=False)
    convert(**pair, out=tmp_path / "model", sides=sides_of("tiny"))


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path("executed").touch, ())


def broken(pair: dict[str, Path], part: str, change: Callable) -> None:
    state = torch.load(pair[part], weights_only=True)
    change(state)
    torch.save(state, pair[part])


def first(state: dict, ending: str) -> str:
    return next(key for key in state if key.endswith(ending))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p["tokenizer"].unlink(), "there is no file"),
        (lambda p: p["tokenizer"].write_bytes(p["tokenizer"].read_bytes()[:5000]), "is damaged"),
        (lambda p: p["tokenizer"].write_bytes(b""), "is damaged"),
        (lambda p: p["tokenizer"].write_bytes(p["transformer"].read_bytes()), "no official token"),
        (lambda p: p["transformer"].write_bytes(p["tokenizer"].read_bytes()), "no official transf"),
        (
            lambda p: p["transformer"].write_bytes(pickle.dumps(Bomb(), protocol=2)),
            "or holds more than weights",
        ),
        (lambda p: torch.save({"w": Bomb()}, p["transformer"]), "or holds more than weights"),
        (lambda p: torch.save([1, 2], p["transformer"]), "holds no weights"),
        (lambda p: torch.save({"trainer": {"opt": {}}}, p["transformer"]), "without a transformer"),
        (lambda p: broken(p, "transformer", lambda s: s.pop("head.bias")), "head.bias is missing"),
        (
            lambda p: broken(p, "transformer", lambda s: s.update(odd=s["head.bias"])),
            "'odd' is not a",
        ),
        (
            lambda p: broken(p, "transformer", lambda s: s["head.bias"].fill_(float("nan"))),
            "head.bias holds values that are not finite",
        ),
        (
            lambda p: broken(
                p, "tokenizer", lambda s: s.update({"quant_conv.bias": torch.zeros(3)})
            ),
            r"pre_quant.bias has shape \(3,\) instead of",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_writes_nothing(
    pair: dict[str, Path],
    tmp_path: Path,
    spoil: object,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil(pair)
    before = set(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=message):
        convert(**pair, out=tmp_path / "model", sides=sides_of("tiny"))
    assert set(tmp_path.iterdir()) == before  # nothing written, nothing executed


def test_many_wrong_keys_are_named_up_to_five(pair: dict[str, Path], tmp_path: Path) -> None:
    def drop(state: dict) -> None:
        for key in [key for key in state if ".ffn." in key]:
            if "fc1.weight" not in key:
                del state[key]

    broken(pair, "transformer", drop)
    with pytest.raises(CheckpointError) as caught:
        convert(**pair, out=tmp_path / "model", sides=sides_of("tiny"))
    assert str(caught.value).count("is missing") == 5
    assert re.search(r"and \d+ more$", str(caught.value))


def test_hashes_and_scales_are_checked(
    pair: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["convert", "--out", str(tmp_path / "model")]
    for part, path in pair.items():
        words += [f"--{part}", str(path)]
    assert main([*words]) == 2
    assert "no published list of scales" in capsys.readouterr().err
    assert main([*words, "--scales", "1,2,3,5"]) == 2
    assert "the scales 1, 2, 3, 5 have 39 tokens" in capsys.readouterr().err
    scales = ["--scales", ",".join(map(str, sides_of("tiny")))]
    assert main([*words, *scales, "--tokenizer-sha256", "0" * 64]) == 2
    assert "has the SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    right = ["--tokenizer-sha256", sha256_of(pair["tokenizer"]).upper()]
    assert main([*words, *scales, *right]) == 0
    assert main([*words, *scales]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(
    pair: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("var_core.weight_files.save_file", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space left"):
        convert(**pair, out=tmp_path / "model", sides=sides_of("tiny"))
    assert set(tmp_path.iterdir()) == before


def test_imagenet_has_a_thousand_names_that_are_found_by_synonym() -> None:
    labels = class_names(1000)
    (attribute,) = labels.attributes
    assert len(set(attribute.values)) == 1000
    assert attribute.values[0] == "tench" and attribute.values[207] == "golden retriever"
    assert "man-eater" in labels.tags["class"][2]
    assert class_names(7).attributes[0].values == tuple("0123456")


def scaled(name: str, part: str, depth: int, width: int, sides: tuple[int, ...]) -> dict:
    """Official keys with the shapes of a published model, from those of a small case.

    Args:
        name: the case; its form of modulation and attention is taken.
        part: "tokenizer" (published width) or "transformer".
        depth: blocks of the transformer.
        width: of the transformer.
        sides: scales.
    """
    small = json.loads((GOLDEN / f"{name}.keys.json").read_text())[part]
    case, length = load_case(name), sum(side * side for side in sides)
    if part == "tokenizer":
        sizes = {case.tokenizer.config.code_dim: 32}
        grown = {
            key: [sizes.get(size, 5 * size if size % 32 == 0 else size) for size in shape]
            for key, shape in small.items()
        }
        grown["quantize.embedding.weight"] = [4096, 32]
        grown["quantize.ema_vocab_hit_SV"] = [len(sides), 4096]
        return grown
    old = case.transformer.config.width
    grown = {}
    for key, shape in small.items():
        numbers = range(depth) if key.startswith("blocks.0.") else ()
        if not key.startswith("blocks."):
            grown[key] = [size // old * width if size % old == 0 else size for size in shape]
        for number in numbers:
            own = key.replace("blocks.0.", f"blocks.{number}.")
            grown[own] = [size // old * width if size % old == 0 else size for size in shape]
            if key.endswith("scale_mul_1H11"):
                grown[own] = [1, width // 64, 1, 1]
    return grown | {
        "pos_start": [1, 1, width],
        "pos_1LC": [1, length, width],
        "lvl_1L": [1, length],
        "attn_bias_for_masking": [1, 1, length, length],
        "lvl_embed.weight": [len(sides), width],
        "class_emb.weight": [1001, width],
        "word_embed.weight": [width, 32],
        "head.weight": [4096, width],
        "head.bias": [4096],
    }


def write_random(path: Path, shapes: dict) -> None:
    """Values of a sound size under official keys."""
    state = {}
    for key, shape in shapes.items():
        is_norm = "norm" in key and key.endswith("weight")
        state[key] = torch.ones(shape) if is_norm else torch.randn(shape) * 0.02
    torch.save(state, path)


MEASURED = """
import time
started = time.monotonic()
{code}
seconds = time.monotonic() - started
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line) / 1024
print(f"{{seconds:.1f}} s, peak {{peak:.0f}} MiB")
"""


def measured(code: str) -> tuple[str, float]:
    """What a fresh interpreter says at its end, and its peak memory in MiB."""
    command = [sys.executable, "-c", MEASURED.format(code=code)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert found.returncode == 0, found.stderr[-2000:]
    said = found.stdout.strip().split("\n")[-1]
    print(code.split("\n")[-1], said)
    return said, float(said.split("peak ")[1].split()[0])


@pytest.mark.slow
def test_a_full_size_d16_is_converted_and_draws_within_two_gigabytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for part in ("tokenizer", "transformer"):
        shapes = scaled("tiny", part, 16, 1024, (1, 2, 3, 4, 5, 6, 8, 10, 13, 16))
        write_random(tmp_path / f"{part}.pth", shapes)
    files = f"Path({str(tmp_path)!r})"
    measured(
        "from pathlib import Path; from var_core.official.convert import convert\n"
        f"at = {files}; convert(at / 'tokenizer.pth', at / 'transformer.pth', at / 'model')"
    )
    _, peak = measured(
        "import torch; from var_core import VARPipeline, generators_from_seeds\n"
        f"pipeline = VARPipeline.from_pretrained({str(tmp_path / 'model')!r}, torch.bfloat16)\n"
        "image = pipeline(['tench'], generator=generators_from_seeds([1])).images[0]\n"
        f"assert image.size == (256, 256); image.save({str(tmp_path / 'out.png')!r})"
    )
    assert peak < 2048
    assert VARPipeline.from_pretrained(tmp_path / "model").labels.attributes[0].values[0] == "tench"


def draw_512(tmp_path: Path) -> tuple[VARPipeline, Image.Image]:
    """A model with the scales of d36, narrow; and its first picture."""
    sides = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)
    shapes = scaled("tiny_b", "transformer", 2, 64, sides)
    write_random(tmp_path / "transformer.pth", shapes)
    small = json.loads((GOLDEN / "tiny_b.keys.json").read_text())["tokenizer"]
    code_dim = load_case("tiny_b").tokenizer.config.code_dim
    shapes["word_embed.weight"] = [64, code_dim]
    shapes["head.weight"], shapes["head.bias"] = (
        [small["quantize.embedding.weight"][0], 64],
        [small["quantize.embedding.weight"][0]],
    )
    write_random(tmp_path / "transformer.pth", shapes)
    write_random(tmp_path / "tokenizer.pth", small)
    convert(tmp_path / "tokenizer.pth", tmp_path / "transformer.pth", tmp_path / "model")
    pipeline = VARPipeline.from_pretrained(tmp_path / "model")
    config = pipeline.transformer.config
    assert pipeline.image_shape == (512, 512) and tuple(config.sides) == sides
    assert config.shared_modulation and config.depth == 2
    image = pipeline(["tench"], generator=generators_from_seeds([1])).images[0]
    assert image.size == (512, 512)
    return pipeline, image


def test_a_model_of_512_pixels_draws_and_decodes(tmp_path: Path) -> None:
    draw_512(tmp_path)


@pytest.mark.slow
def test_512_pixels_go_through_previews_and_editing(tmp_path: Path) -> None:
    pipeline, _ = draw_512(tmp_path)
    generator = generators_from_seeds([1])
    previews = list(pipeline.stream(["tench"], generator=generator))
    assert [one.images[0].size for one in previews] == [(512, 512)] * 10
    mask = np.zeros((512, 512), bool)
    mask[100:300, 100:300] = True
    edited = pipeline.edit(previews[-1].images[0], mask, ["goldfish"], generator=generator)
    before, after = np.asarray(previews[-1].images[0]), np.asarray(edited.images[0])
    assert np.array_equal(before[:70], after[:70]) and (before != after)[mask].any()
