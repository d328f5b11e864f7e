"""Whatever an official file holds, the converter works or says in one sentence why not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.official.test_convert import sides_of, write_pair
from var_core.command_line.main import main
from var_core.official.convert import convert

SPOILT: dict[str, Callable[[Tensor], Tensor | None]] = {
    "missing": lambda value: None,
    "a scalar": lambda value: torch.tensor(1.0),
    "without width": lambda value: value[..., :0],
    "sparse": lambda value: value.to_sparse(),
    "flat": lambda value: value.flatten(),
    "deep": lambda value: value[None, None],
    "without values": lambda value: torch.empty_like(value, device="meta"),
    "of 8 bits": lambda value: value.to(torch.float8_e4m3fn),
    "complex": lambda value: value.to(torch.complex64),
    "claimed": lambda value: torch.zeros(1).expand(700_000_000_000),  # 2.8 TB in 4 bytes
}
KEYS = (
    "pos_1LC",
    "lvl_embed.weight",
    "class_emb.weight",
    "word_embed.weight",
    "head.weight",
    "pos_start",
    "blocks.0.ffn.fc1.weight",
    "blocks.0.ada_gss",
    "blocks.0.attn.scale_mul_1H11",
    "quantize.embedding.weight",
    "encoder.down.0.block.0.conv2.weight",
    "post_quant_conv.bias",
)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """Weights of both official files, of two kinds of models."""
    found = {}
    for name in ("tiny", "tiny_b"):
        folder = tmp_path_factory.mktemp(name)
        for part, path in write_pair(folder, name).items():
            found[f"{name} {part}"] = torch.load(path, weights_only=True)
    return found


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("name", ["tiny", pytest.param("tiny_b", marks=pytest.mark.slow)])
def test_any_spoilt_weight_is_one_sentence(
    name: str, kind: str, states: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    paths = {part: tmp_path / f"{part}.pth" for part in ("tokenizer", "transformer")}
    scales = ",".join(map(str, sides_of(name)))
    num_tried = 0
    for key in KEYS:
        for part, path in paths.items():
            state = dict(states[f"{name} {part}"])
            if key in state:
                num_tried += 1
                spoilt = SPOILT[kind](state.pop(key))
                state |= {} if spoilt is None else {key: spoilt}
            torch.save(state, path)
        words = [f"--{part}={path}" for part, path in paths.items()]
        out = tmp_path / f"model {key}"
        code = main(["convert", *words, f"--scales={scales}", f"--out={out}"])
        lines = capsys.readouterr().err.splitlines()
        assert out.exists() == (code == 0)
        if code:
            assert code == 2 and len(lines) == 1 and lines[0].startswith("error: "), (key, lines)
    assert num_tried > 6


def test_a_full_disk_is_said_by_the_converter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    def fail(*_: object) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("var_core.weight_files.save_file", fail)
    with pytest.raises(OSError, match="No space left"):
        convert(**write_pair(tmp_path), out=tmp_path / "model", sides=sides_of("tiny"))
    assert not (tmp_path / "model").exists()


def test_a_flipped_bit_is_found_by_the_checksums_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pair = write_pair(tmp_path)
    path, weights = pair["transformer"], torch.load(pair["transformer"], weights_only=True)
    value = weights["pos_1LC"].numpy().tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(value) + 1] ^= 1
    path.write_bytes(content)
    words = [f"--{part}={one}" for part, one in pair.items()]
    assert main(["convert", *words, f"--out={tmp_path / 'model'}"]) == 2
    assert "transformer.pth is damaged" in capsys.readouterr().err


def test_names_that_are_too_long_are_missing_files(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [f"--{part}={'a' * 300}" for part in ("tokenizer", "transformer")]
    assert main(["convert", *words, f"--out={tmp_path / 'model'}"]) == 2
    assert "error: there is no file aaa" in capsys.readouterr().err
    assert main(["info", "--model", "a" * 300]) == 2
    assert "error: there is no model folder aaa" in capsys.readouterr().err
