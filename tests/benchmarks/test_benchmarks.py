"""The benchmarks of drawing and starting, at sizes that take no time, on the CPU."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.benchmarks import draw, report, serve, startup, versus_dit, versus_official
from tests.benchmarks.draw import TimedDrawing
from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.parts import MATRIX_PRODUCT, PARTS, count_flops, time_parts, weight_bytes
from tests.benchmarks.visitors import KINDS
from tests.clients import served
from var_core import VARPipeline
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.local_engine import LocalEngine

TINY = ["--sides", "1", "2", "--runs", "1"]
SMALL = Shape(1, (1, 2), (32, 32))
CPU = torch.device("cpu")
CHECKOUT = os.environ.get("VAR_OFFICIAL", "")  # whose code is run: nobody's but the user's choice
needs_checkout = pytest.mark.skipif(
    not CHECKOUT, reason="VAR_OFFICIAL names no checkout of FoundationVision/VAR"
)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (draw, versus_dit, versus_official, serve, startup):
        monkeypatch.setattr(module, "pick_device", lambda: CPU)
    monkeypatch.setattr(report, "PROBE_SIDES", {"cpu": 32})
    monkeypatch.setattr(report, "PROBE_BYTES", {"cpu": 1 << 12})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "figures.json"


def names(rows: list[dict]) -> list[str]:
    return [row["name"] for row in rows]


def test_drawing_is_timed_in_all_ways_and_by_part(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--depth 1 --channels 32 32 --batch 1 2 --precision fp32 bf16 --backends math xformers"
    draw.main([*words.split(), *TINY, "--json", str(file)])
    figures, printed = json.loads(file.read_text()), capsys.readouterr().out
    ways = (draw.FIRST, draw.PREVIEWS, draw.WHOLE, f"{draw.WHOLE}, math")
    for size in (1, 2):
        rows = figures[f"batch {size}"]
        assert names(rows) == [f"{p}, {way}" for p in ("fp32", "bf16") for way in ways]
        assert all(row["median_ms"] > 0 and row["name"] in printed for row in rows)
        for precision in ("fp32", "bf16"):
            title = f"batch {size}, {precision}"
            assert set(figures["facts"][title]) == {
                "previews cost %",
                "pictures a second",
                "matrix products %",
                "peak MiB",
            }
            parts = figures[f"{title}, parts"]
            assert title in printed and names(parts) == [*PARTS, "rest", "whole"]
            *all_parts, whole = parts
            assert sum(part["whole_ms"] for part in all_parts) == pytest.approx(whole["whole_ms"])
            assert len(whole["scales_ms"]) == 2 and whole["floor_ms"] > 0
        single, double = (figures[f"batch {n}, fp32, parts"][-1] for n in (1, size))
        assert double["gflop"] == pytest.approx(size * single["gflop"])
        assert double["megabytes"] == single["megabytes"]
    assert set(figures["rates"]) == {"fp32", "bf16"}
    assert "xformers: left out" in printed  # it has no kernel for the CPU


def test_the_embedded_model_is_timed_by_default(
    pipeline: VARPipeline, tmp_path: Path, file: Path
) -> None:
    assert draw.parse_args([]).model == EMBEDDED_FOLDER
    pipeline.save_pretrained(tmp_path / "tiny")
    words = f"--model {tmp_path / 'tiny'} --batch 1 --runs 1 --precision bf16 --json {file}"
    draw.main(words.split())
    figures = json.loads(file.read_text())
    assert figures["model"]["model"] == "tiny"
    assert names(figures["batch 1"]) == [
        f"bf16, {way}" for way in (draw.FIRST, draw.PREVIEWS, draw.WHOLE)
    ]


def test_every_kernel_counts_the_same_operations() -> None:
    pipeline = random_pipeline(SMALL)
    fused, plain = (
        count_flops(pipeline, TimedDrawing(pipeline, 1, backend).whole)
        for backend in ("sdpa", "math")
    )
    assert fused == plain
    blocks = 2 * 12 * SMALL.width**2 * 4 * 2  # FLOPs of the linears: 4 tokens, two branches
    head, inputs = 2 * SMALL.width * 4096 * 4, 2 * 32 * SMALL.width * 4 * 2  # branches mix before
    attention = 2 * 2 * SMALL.width * 4 * 5 * 2
    assert fused["transformer", 1] == blocks + head + inputs + attention
    assert fused["decoder", 0] == 0 < fused["decoder", 1]


def test_weights_are_read_once_a_scale_and_half_of_them_in_half_the_bits() -> None:
    pipeline = random_pipeline(SMALL)
    full, half = weight_bytes(pipeline), weight_bytes(recast(pipeline, torch.bfloat16))
    exact = {("decoder", 1): 4 * 3 * (9 * SMALL.channels[0] + 1)}  # the last convolution
    assert all(full[key] - half[key] == half[key] - exact.get(key, 0) for key in full)
    modulation = 4 * 8 * SMALL.width * (SMALL.width + 1)  # of the block and of the head
    assert full["transformer", 0] - full["transformer", 1] == modulation


def test_measuring_parts_changes_nothing() -> None:
    pipeline = random_pipeline(SMALL)
    drawing, before = TimedDrawing(pipeline, 2), dict(vars(pipeline.transformer))
    taken, whole = time_parts(pipeline, drawing.whole, CPU)
    assert dict(vars(pipeline.transformer)) == before
    assert {part for part, _ in taken} == set(PARTS)
    assert 0 < sum(taken.values()) < whole


@pytest.mark.parametrize(
    ("operator", "is_product"),
    [
        ("aten::addmm", True),
        ("aten::mm", True),
        ("aten::bmm", True),
        ("aten::mkldnn_convolution", True),
        ("aten::_slow_conv2d_forward", True),
        ("mkldnn::_linear_pointwise", True),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", True),
        ("aten::_efficient_attention_forward", True),
        ("aten::upsample_bilinear2d", False),
        ("aten::addcmul", False),
        ("aten::sort", False),
        ("aten::native_layer_norm", False),
    ],
)
def test_matrix_products_are_told_by_their_names(operator: str, is_product: bool) -> None:
    assert bool(MATRIX_PRODUCT.search(operator)) == is_product


def test_peak_memory_sees_what_a_call_takes_and_gives_back() -> None:
    nothing = report.peak_memory(lambda: None, CPU)
    assert report.peak_memory(lambda: torch.ones(1 << 26), CPU) > nothing + 200


def test_a_folder_without_the_official_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        versus_official.main(["--official", str(tmp_path)])
    assert "holds no checkout of the official code" in capsys.readouterr().err


def test_the_official_code_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        versus_official.main([])
    assert "--official" in capsys.readouterr().err


@needs_checkout
def test_both_sides_draw_the_same_and_are_timed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"--official {CHECKOUT} --depth 1 --channels 32 32 64 64 128 --batch 1 2"
    versus_official.main([*words.split(), *TINY, "--json", str(file)])
    figures, printed = json.loads(file.read_text()), capsys.readouterr().out
    assert names(figures["agreement"]) == [
        "best code, batch 1",
        "best code, batch 2",
        "same seed, batch 1",
    ]
    for found in figures["agreement"]:
        assert found["equal_tokens"] == found["num_tokens"] > 0
        assert found["logits"] < 1e-5 and found["picture"] < 1e-4
    for size in (1, 2):
        for base in (versus_official.DEFAULT, versus_official.AUTOCAST):
            rows = figures[f"batch {size}, against {base}"]
            assert names(rows) == [
                "official, fp32",
                "official, bf16 autocast",
                "official, bf16 autocast, weights cast once",
                "ours, fp32",
                "ours, fp32, previews",
                "ours, bf16",
                "ours, bf16, previews",
            ]
            assert {row["name"]: row["times"] for row in rows}[base] == 1
            assert all(row["name"] in printed for row in rows)


@needs_checkout
def test_a_shape_that_the_official_code_cannot_have_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        versus_official.main(["--official", CHECKOUT, "--channels", "32", "32"])
    assert "no such levels" in capsys.readouterr().err


def test_the_times_of_many_steps_follow_from_the_measured_ones(file: Path) -> None:
    words = "--depth 1 --channels 32 32 --dit-layers 1 --dit-heads 1 --dit-channels 32 32"
    versus_dit.main([*words.split(), *TINY, "--json", str(file)])
    figures = json.loads(file.read_text())
    few = versus_dit.MEASURED_STEPS
    for precision in ("fp32", "bf16"):
        measured, longer = (
            {row["name"].removesuffix(f", {precision}"): row for row in figures[title]}
            for title in (f"{precision}, measured", f"{precision}, from measured steps")
        )
        assert list(measured) == ["ours, d1", f"DiT, {few} steps", "DiT, one step"]
        assert list(longer) == ["ours, d1", "DiT, 25 steps", "DiT, 250 steps"]
        assert longer["ours, d1"] == measured["ours, d1"] and longer["ours, d1"]["times"] == 1
        expected = measured[f"DiT, {few} steps"]["median_ms"]
        expected += (250 - few) * measured["DiT, one step"]["median_ms"]
        assert longer["DiT, 250 steps"]["median_ms"] == pytest.approx(expected)


def test_the_way_to_the_first_picture_is_timed(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the server that the tests share, and with an import that is short."""

    @contextlib.contextmanager
    def shared() -> Iterator[tuple[str, float]]:
        yield url, 1.0

    monkeypatch.setattr(startup, "served", shared)
    monkeypatch.setattr(startup, "IMPORTS", ("json",))
    startup.main(["--runs", "1", "--json", str(file)])
    rows = json.loads(file.read_text())["startup"]
    assert names(rows) == [
        "command to page",
        *(
            f"{n} call: {what}"
            for n in ("first", "second")
            for what in ("first preview", "whole picture")
        ),
        "import json",
    ]
    for preview, whole in (rows[1:3], rows[3:5]):
        assert preview["median_ms"] < whole["median_ms"]


def test_a_server_is_started_waited_for_and_stopped() -> None:
    command = ("-m", "http.server", "--bind", "127.0.0.1")
    with startup.served(command) as (address, until_page):
        assert until_page > 0
        with pytest.raises(OSError, match="501"):  # it has no questions
            startup.ask(address)
    with pytest.raises(RuntimeError, match="did not start"), startup.served(("-c", "exit(1)")):
        pass


@pytest.fixture
def busy(embedded: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load script has its server in this process, which starts quickly."""

    @contextlib.contextmanager
    def app_process(log: Path, *options: str) -> Iterator[tuple[str, SimpleNamespace]]:
        assert options[:2] == ("--proxies", "1")
        engine = LocalEngine(embedded.info, lambda dtype: embedded)
        log.write_text("")
        with served(engine, tmp_path, num_proxies=1) as url:
            yield url, SimpleNamespace(pid=os.getpid())

    monkeypatch.setattr(serve, "app_process", app_process)


@pytest.mark.slow
@pytest.mark.usefixtures("busy")
def test_a_server_under_load_is_set_against_its_engine_alone(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve.main(["--visitors", "3", "--seconds", "0.3", "--runs", "1", "--json", str(file)])
    figures, printed = json.loads(file.read_text()), capsys.readouterr().out
    facts, rows = figures["facts"], figures["latency"]
    assert set(names(rows)) <= set(KINDS) and names(rows)
    assert all(0 < row["median_ms"] <= row["p95_ms"] and row["alone_ms"] > 0 for row in rows)
    assert facts["share %"] > 0 and facts["exceptions"] == 0 and facts["refusals"] == {}
    assert facts["finished by visitor"][0] >= 1 and "finished by visitor" in printed
    assert [one["answers"] for one in figures["memory"]][-1] == sum(row["count"] for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("busy")
def test_the_memory_of_a_server_is_watched_over_many_visitors(file: Path) -> None:
    words = f"--requests {3 * len(KINDS)} --pages 2 --visitors 2 --runs 1 --json {file}"
    serve.main(words.split())
    figures = json.loads(file.read_text())
    rows = {row["name"]: row["count"] for row in figures["latency"]}
    assert rows == dict.fromkeys(KINDS, 3) and figures["facts"]["exceptions"] == 0
    seen = [one["answers"] for one in figures["memory"]]
    assert seen == [0, 0, *(len(KINDS) * (number + 1) for number in range(serve.ROUNDS))]
    assert all(one["MiB"] > 0 and one["descriptors"] > 0 for one in figures["memory"])
