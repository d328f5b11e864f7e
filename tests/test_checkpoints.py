import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training.loop.checkpoint import save_model, save_run
from training.weight_parts import cut_weights, join_weights
from var_core import CheckpointError, SamplingOptions, VARPipeline, generators_from_seeds
from var_core.model_info import read_model_info

WEIGHTS = Path("transformer") / "diffusion_pytorch_model.safetensors"
CONFIG = Path("transformer") / "config.json"


@pytest.fixture
def folder(pipeline: VARPipeline, tmp_path: Path) -> Path:
    pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refused(folder: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        VARPipeline.from_pretrained(folder)


def change_weights(folder: Path, change: callable) -> None:
    state = load_file(folder / WEIGHTS)
    change(state)
    save_file(state, folder / WEIGHTS)


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | values))


def test_a_saved_model_draws_the_same_pictures(pipeline: VARPipeline, folder: Path) -> None:
    again = VARPipeline.from_pretrained(folder)
    label = {"emoji": "cat", "style": "flat"}
    pictures = [
        p([label], generator=generators_from_seeds([3]), output_type="pt").images
        for p in (pipeline, again)
    ]
    assert torch.equal(*pictures)
    assert again.labels.resolve({"emoji": "pear"}) == (1, 3, 3)


def test_a_saved_model_holds_no_pickle(folder: Path) -> None:
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {
        ".json",
        ".safetensors",
    }


@pytest.mark.parametrize("way", ["loaded", "cast", "half", "double"])
def test_no_dtype_rounds_codes_sums_over_scales_and_pixels(
    way: str, pipeline: VARPipeline, folder: Path
) -> None:
    before = {key: value.clone() for key, value in pipeline.tokenizer.state_dict().items()}
    wanted = {"half": torch.float16, "double": torch.float64}.get(way, torch.bfloat16)
    if way == "loaded":
        pipeline = VARPipeline.from_pretrained(folder, torch_dtype=wanted)
    elif way == "cast":
        pipeline.tokenizer.decoder.conv_out.bias.grad = torch.ones(3)
        assert pipeline.to(wanted) is pipeline
    else:
        getattr(pipeline.tokenizer, way)()
        getattr(pipeline.transformer, way)()
    assert pipeline.transformer.dtype == pipeline.tokenizer.dtype == wanted
    for key, value in pipeline.tokenizer.state_dict().items():
        is_exact = key.startswith(("quantizer.", "decoder.conv_out."))
        assert torch.equal(value, before[key] if is_exact else before[key].to(wanted))
        assert value.dtype == (torch.float32 if is_exact else wanted)
    assert {one.device.type for one in pipeline.tokenizer.to("meta").parameters()} == {"meta"}


def test_a_missing_folder_and_missing_files_are_named(folder: Path) -> None:
    refused(folder / "nowhere", "there is no model folder")
    (folder / WEIGHTS).unlink()
    refused(folder, "safetensors is missing")
    shutil.rmtree(folder / "tokenizer")
    refused(folder, "tokenizer")


def test_missing_surplus_and_misshapen_weights_are_named(folder: Path) -> None:
    def change(state: dict) -> None:
        state["extra.weight"] = torch.zeros(1)
        del state["head.bias"]
        state["head.weight"] = state["head.weight"][:, :5].contiguous()

    change_weights(folder, change)
    refused(
        folder,
        r"head.bias is missing; extra.weight is not part of the model; "
        r"head.weight has shape \(32, 5\) instead of \(32, 32\)",
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder: Path, value: float) -> None:
    change_weights(folder, lambda state: state["head.bias"].__setitem__(3, value))
    refused(folder, "head.bias holds values that are not finite")


def test_weights_of_8_bits_are_refused(folder: Path) -> None:
    small = torch.zeros(32).to(torch.float8_e4m3fn)
    change_weights(folder, lambda state: state.update({"head.bias": small}))
    refused(folder, "head.bias holds torch.float8_e4m3fn instead of floating-point numbers")


@pytest.mark.parametrize("name", ["model.bin", "model.PTH", "transformer/weights.pkl"])
def test_pickles_in_the_folder_are_refused_unread(folder: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path(folder / "executed").touch, ())

    (folder / name).write_bytes(pickle.dumps(Bomb()))
    refused(folder, "only safetensors are loaded")
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".SAFETENSORS", ".pth", ".bin"])
def test_weights_that_are_a_pickle_run_nothing_whatever_their_name(
    folder: Path, suffix: str
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path(folder / "executed").touch, ())

    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).with_suffix(suffix).write_bytes(pickle.dumps({"head.bias": Bomb()}))
    with pytest.raises(CheckpointError):
        VARPipeline.from_pretrained(folder)
    assert not (folder / "executed").exists()


def test_a_truncated_file_is_damaged(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    refused(folder, "damaged")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dropout": 0.1}, "'dropout' is not a setting"),
        ({"width": 2**31}, "width must be a whole number from 1 to 8192, got 2147483648"),
        ({"depth": "2"}, "depth must be a whole number"),
        ({"num_heads": 3}, "multiple of num_heads"),
        ({"sides": [1, 2, 3, 5]}, "shape"),
        ({"_class_name": "MultiScaleVQVAE"}, "not a VARTransformer"),
    ],
)
def test_bad_settings_are_refused_before_loading(folder: Path, values: dict, message: str) -> None:
    change_config(folder, **values)
    refused(folder, message)


def test_json_that_is_broken_or_repeats_a_key_is_refused(folder: Path) -> None:
    (folder / CONFIG).write_text('{"depth": 2, "depth": 3}')
    refused(folder, "occurs twice")
    (folder / CONFIG).write_text("{")
    refused(folder, "not valid JSON")


def test_unknown_entries_of_the_index_are_refused(folder: Path) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scheduler": ["os", "system"]}))
    refused(folder, "'scheduler' is not known")


def test_labels_that_do_not_fit_are_refused(folder: Path) -> None:
    path = folder / "labels.json"
    content = json.loads(path.read_text())
    content["attributes"][2]["values"].append("new")
    path.write_text(json.dumps(content))
    refused(folder, "label counts")


def test_a_model_is_described_without_its_weights(folder: Path, pipeline: VARPipeline) -> None:
    (folder / WEIGHTS).unlink()
    info = read_model_info(folder)
    assert info.labels.to_json()["attributes"] == pipeline.labels.to_json()["attributes"]
    assert info == replace(pipeline.info, name=folder.name, labels=info.labels)
    assert info.schedule == pipeline.transformer.schedule
    assert info.image_shape == pipeline.image_shape and info.options == SamplingOptions(top_k=32)
    assert info.options.top_k == info.vocab_size == 32  # the default is larger than the codebook
    weights = [*pipeline.tokenizer.parameters(), *pipeline.transformer.parameters()]
    assert info.num_parameters == sum(weight.numel() for weight in weights)
    (folder / CONFIG).write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        read_model_info(folder)


def test_who_may_read_the_settings_may_read_the_weights(
    pipeline: VARPipeline, folder: Path, tmp_path: Path
) -> None:
    save_model(pipeline.transformer, tmp_path / "network")
    save_run(tmp_path / "run", 1, {"weights": {"a": torch.zeros(2)}}, {})
    cut_weights(tmp_path / "network", tmp_path / "parts")
    join_weights(tmp_path / "parts", tmp_path / "joined")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".safetensors"]) == 6
    (tmp_path / "any").touch()
    assert {path.stat().st_mode for path in files} == {(tmp_path / "any").stat().st_mode}
