"""The page: pick what to draw, and watch a picture sharpen through the model's true scales.

Run `python app.py`; nothing leaves the machine.
"""

import argparse
import base64
import functools
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it on import

import gradio as gr
from PIL import Image

from var_core import VARPipeline
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.labels import Attribute
from var_core.ranges import check_float, check_int
from var_core.sampling import MAX_SEED, SamplingOptions, random_seed
from var_core.sampling.logits import MAX_GUIDANCE
from var_core.serving.recipe import read_recipe, recipe_of, write_png
from var_core.serving.runs import (
    MAX_COUNT,
    Request,
    Run,
    branch,
    count_up,
    draw_run,
    style_sheet,
)

ASSETS = Path(__file__).resolve().parent / "assets"
EMBEDDED_MODEL = ASSETS / "models" / "emoji64"
ANY = ""  # the dropdown value that leaves an attribute open
CONTROLS = (  # after the attributes, in this order, under their names in recipes and links
    "seed",
    "guidance_scale",
    "pause",
    "count",
    "temperature",
    "top_k",
    "top_p",
    "smooth",
)
MAX_PAUSE = 1.0
MAX_QUEUE = 32
KEEP_FILES_SECONDS = 3600
EXIT_BAD_INPUT = 2
EXIT_PORT_IN_USE = 4


def choices_of(pipeline: VARPipeline, attribute: Attribute) -> list[tuple[str, str]]:
    """Dropdown entries of an attribute, the open one first; shown tags can be searched."""
    shown = list(attribute.values)
    if characters := pipeline.labels.characters.get(attribute.name):
        shown = [f"{symbol} {name}" for symbol, name in zip(characters, shown, strict=True)]
    if tags := pipeline.labels.tags.get(attribute.name):
        shown = [
            f"{name} ({', '.join(words)})" if words else name
            for name, words in zip(shown, tags, strict=True)
        ]
    return [(f"any {attribute.name}", ANY), *zip(shown, attribute.values, strict=True)]


def strip_html(thumbnails: list[str], sides: tuple[int, ...]) -> str:
    """The row of all scales; those not drawn yet are empty frames, so nothing jumps."""
    cells = []
    for index, side in enumerate(sides):
        picture = "<span></span>"
        if index < len(thumbnails):
            text = f"preview after scale {index + 1}, {side} by {side} tokens"
            picture = f'<img src="{thumbnails[index]}" alt="{text}">'
        cells.append(f"<figure>{picture}<figcaption>{side}&times;{side}</figcaption></figure>")
    return f'<div class="scale-strip">{"".join(cells)}</div>'


def data_url(image: Image.Image) -> str:
    """A picture as a PNG data URL, pixel for pixel."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def clear_errors(handler: Callable) -> Callable:
    """Show what a handler refuses as one sentence on the page."""

    @functools.wraps(handler)
    def guarded(*values: object) -> object:
        try:
            return handler(*values)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return guarded


class Studio:
    """The handlers of the page, around one pipeline.

    Values of the controls come as a list: one per attribute, then seed, guidance, pause, count,
    temperature, top-k, top-p, smooth.

    Args:
        pipeline: draws.
        model_name: shown on the page and written into recipes.
        folder: where finished pictures go.
    """

    def __init__(self, pipeline: VARPipeline, model_name: str, folder: Path) -> None:
        self.pipeline = pipeline
        self.model_name = model_name
        self.folder = folder
        self.names = [attribute.name for attribute in pipeline.labels.attributes]
        self.sides = pipeline.transformer.schedule.sides
        self.draw = self._streaming(self._drawing)
        self.draw_styles = self._streaming(self._styles)
        self.redraw = self._streaming(self._redrawing)

    def defaults(self) -> list[object]:
        """Values of the controls at the start."""
        options = self.pipeline.options()
        return [
            *[ANY] * len(self.names),
            *(7, options.guidance_scale, 0.15, 1, options.temperature, options.top_k),
            *(options.top_p, options.smooth),
        ]

    def _drawing(self, values: list[object], *_: object) -> Request:
        label, seed, count, options = self._read(values)
        return count_up(label, seed, count, options)

    def _styles(self, values: list[object], *_: object) -> Request:
        label, seed, _, options = self._read(values)
        return style_sheet(label, self.pipeline.labels.counts[-1], seed, options)

    def _redrawing(self, values: list[object], run: Run | None, scale: object) -> Request:
        label, *_ = self._read(values)
        return branch(run, scale, label, random_seed() // 2)

    def _read(
        self, values: list[object]
    ) -> tuple[tuple[int, ...], object, object, SamplingOptions]:
        """Label, seed, count and options of the controls."""
        chosen, rest = values[: len(self.names)], values[len(self.names) :]
        label = self.pipeline.labels.resolve(
            {name: value or None for name, value in zip(self.names, chosen, strict=True)}
        )
        seed, guidance, _, count, temperature, top_k, top_p, smooth = rest
        return (
            label,
            seed,
            count,
            self.pipeline.options(guidance, top_k, top_p, temperature, smooth),
        )

    def _streaming(self, request_of: Callable[..., Request]) -> Callable:
        """A handler that streams what `request_of` asks for.

        It takes the controls, the last run and the scale of the scrubber, and yields the picture so
        far (at last the path of a PNG), the strip, the status, the scrubber, the files, the run.
        """

        def handler(*values: object) -> Iterator[tuple]:
            *controls, run, scale = values
            try:
                request = request_of(controls, run, scale)
                pause = check_float("pause", controls[len(self.names) + 2], 0.0, MAX_PAUSE)
                runs = draw_run(self.pipeline, request)
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from error
            yield from self._stream(runs, pause)

        return handler

    def _stream(self, runs: Iterator[Run], pause: float) -> Iterator[tuple]:
        total = len(self.sides)
        started, paused = time.monotonic(), 0.0
        thumbnails: list[str] = []
        for run in runs:
            number = len(run.frames)
            sheet = run.sheet(number)
            thumbnails.append(data_url(sheet))
            strip = strip_html(thumbnails, self.sides)
            if number < total:
                status = f"Scale {number} of {total}"
                yield sheet, strip, status, gr.skip(), gr.skip(), gr.skip()
                time.sleep(pause)
                paused += pause
        seconds = time.monotonic() - started - paused
        try:
            paths = self._save(run)
        except OSError as error:
            message = (
                f"The picture could not be saved: {error.strerror}. Free some space, try again."
            )
            raise gr.Error(message, print_exception=False) from error
        names = self.pipeline.labels.names(run.labels[0]).values()
        drawn = ", ".join(name for name in names if name) or "anything"
        if len(run.labels) > 1:
            drawn = f"{len(run.labels)} pictures, the first {drawn}"
        status = f"Done in {seconds:.2f} s, seed {run.request.seeds[0]}: {drawn}"
        files = gr.Files(paths[:-1] or paths, visible=len(run.labels) > 1)
        yield paths[-1], strip, status, total, files, run

    def _save(self, run: Run) -> list[str]:
        """Write every picture, and of several a sheet; returns the paths, the sheet last."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))  # of this very request
        request, paths = run.request, []
        for index, image in enumerate(run.frames[-1]):
            label, seed = request.labels[index], request.seeds[index]
            kept = [tokens[index] for tokens in request.keep]
            recipe = recipe_of(self.pipeline, self.model_name, label, seed, request.options, kept)
            words = [name or "any" for name in self.pipeline.labels.names(label).values()]
            plain = "-".join("".join(c if c.isalnum() else "-" for c in word) for word in words)
            paths.append(folder / f"{plain[:80]}-seed{seed}.png")
            write_png(paths[-1], image, recipe)
        if len(paths) > 1:
            paths.append(folder / "sheet.png")
            write_png(paths[-1], run.sheet(len(self.sides)), None)
        return [str(path) for path in paths]

    def scrub(self, run: Run | None, scale: int) -> Image.Image | dict:
        """The true decode after a scale."""
        if run is None:
            return gr.skip()
        return run.sheet(check_int("scale", scale, 1, len(run.frames)))

    def restore(self, path: str) -> list[object]:
        """Values of the controls from the recipe in a PNG file.

        Raises:
            ValueError: if there is none, or it is damaged or of another model.
        """
        recipe = read_recipe(path)
        if recipe is None:
            raise ValueError(f"{Path(path).name} holds no recipe of VAR Studio")
        if recipe.get("model") != self.model_name:
            raise ValueError(f"{Path(path).name} was drawn by model {recipe.get('model')!r}")
        if "kept" in recipe:
            gr.Info("This picture went on from an earlier one; its coarse scales are not restored.")
        values = [recipe["labels"].get(name) or ANY for name in self.names]
        start = dict(zip(CONTROLS, self.defaults()[len(self.names) :], strict=True))
        found = {name: recipe.get(name, value) for name, value in start.items()}
        values += [*found.values()]
        return self._checked(values)

    def from_link(self, request: gr.Request) -> list[object]:
        """Values of the controls from the query string; what is missing or wrong stays as it is."""
        values = self.defaults()
        asked = dict(request.query_params)
        for index, name in enumerate([*self.names, *CONTROLS]):
            if name not in asked:
                continue
            text, changed = asked[name], list(values)
            try:
                changed[index] = text if index < len(self.names) else _parsed(text, values[index])
                self._checked(changed)
            except ValueError as error:
                gr.Warning(f"The link's {name} was left out: {error}")
                continue
            values = changed
        return self._checked(values)

    def _checked(self, values: list[object]) -> list[object]:
        """The controls' values with implied attributes filled in.

        Raises:
            ValueError: if one is out of range, or the model does not know it.
        """
        label, seed, count, _ = self._read(values)
        check_int("seed", seed, 0, MAX_SEED)
        check_int("count", count, 1, MAX_COUNT)
        check_float("pause", values[len(self.names) + 2], 0.0, MAX_PAUSE)
        names = [name or ANY for name in self.pipeline.labels.names(label).values()]
        return [*names, *values[len(names) :]]

    def sweep(self) -> None:
        """Delete finished pictures that are an hour old."""
        for folder in self.folder.iterdir():
            if time.time() - folder.stat().st_mtime > KEEP_FILES_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def follow_emoji(self, *chosen: str) -> list[object]:
        """After a finer attribute was picked: set the coarser ones it implies."""
        values = dict(zip(self.names, chosen, strict=True))
        for (source, target), table in self.pipeline.labels.implies.items():
            attribute = self.pipeline.labels.attributes[source]
            if values[attribute.name]:
                implied = table[attribute.index(values[attribute.name])]
                coarser = self.pipeline.labels.attributes[target]
                values[coarser.name] = coarser.values[implied]
        return list(values.values())

    def follow_category(self, *chosen: str) -> list[object]:
        """After a coarser attribute was picked: open finer ones that contradict it."""
        values = dict(zip(self.names, chosen, strict=True))
        for (source, target), table in self.pipeline.labels.implies.items():
            finer = self.pipeline.labels.attributes[source]
            coarser = self.pipeline.labels.attributes[target]
            if values[finer.name]:
                implied = coarser.values[table[finer.index(values[finer.name])]]
                if values[coarser.name] != implied:
                    values[finer.name] = ANY
        return list(values.values())


def _parsed(text: str, like: object) -> object:
    """A value of a link, as the type of the control it is for."""
    if isinstance(like, bool):
        return text == "true"
    return int(text) if isinstance(like, int) else float(text)


def build_demo(studio: Studio) -> gr.Blocks:
    """Lay out the page."""
    pipeline = studio.pipeline
    total = len(studio.sides)
    start = studio.defaults()[len(studio.names) :]
    with gr.Blocks(title="VAR Studio", delete_cache=(600, KEEP_FILES_SECONDS)) as demo:
        gr.Markdown(
            f"# VAR Studio\nA picture drawn coarse to fine, in {total} scales. "
            f"Model `{studio.model_name}`, {pipeline.image_size} px, on {pipeline.device.type}."
        )
        run = gr.State(None, time_to_live=KEEP_FILES_SECONDS)
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=300, elem_id="controls"):
                dropdowns = [
                    gr.Dropdown(
                        choices_of(pipeline, attribute),
                        value=ANY,
                        label=attribute.name.capitalize(),
                        elem_id=attribute.name,
                    )
                    for attribute in pipeline.labels.attributes
                ]
                with gr.Row(equal_height=True):
                    seed = gr.Number(start[0], label="Seed", precision=0, elem_id="seed")
                    dice = gr.Button("Random seed", elem_id="dice", min_width=120)
                count = gr.Slider(1, MAX_COUNT, start[3], step=1, label="Pictures", elem_id="count")
                with gr.Row(elem_id="actions"):
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
                    styles = gr.Button(
                        f"Every {studio.names[-1]}",
                        elem_id="styles",
                        visible=pipeline.labels.counts[-1] <= MAX_COUNT,
                    )
                with gr.Accordion("More options", open=False, elem_id="more"):
                    rest = build_options(pipeline, start)
                with gr.Row():
                    drop = gr.UploadButton(
                        "Settings from a PNG", file_types=[".png"], elem_id="drop", size="sm"
                    )
                    link = gr.Button("Copy link", elem_id="link", size="sm")
            with gr.Column(scale=3, min_width=320):
                stage = gr.Image(
                    label="Picture",
                    format="png",
                    elem_id="stage",
                    interactive=False,
                    height=400,
                    buttons=["download", "fullscreen"],
                )
                strip = gr.HTML(strip_html([], studio.sides), elem_id="strip", padding=False)
                status = gr.Textbox(
                    "Ready", label="Status", elem_id="status", interactive=False, max_lines=2
                )
                with gr.Row(equal_height=True):
                    scale = gr.Slider(
                        1,
                        total,
                        total,
                        step=1,
                        label="Look at scale",
                        info="the true picture after so many scales",
                        elem_id="scale",
                    )
                    redraw = gr.Button("Redraw from this scale", elem_id="redraw", min_width=160)
                files = gr.Files(label="Pictures", visible=False, elem_id="files")
        guidance, pause, *others = rest
        controls = [*dropdowns, seed, guidance, pause, count, *others]
        running = [
            button.click(
                handler,
                [*controls, run, scale],
                [stage, strip, status, scale, files, run],
                concurrency_id="engine",
                concurrency_limit=1,
                trigger_mode="once",
                show_progress="hidden",
                api_visibility="private",
            )
            for button, handler in (
                (generate, studio.draw),
                (styles, studio.draw_styles),
                (redraw, studio.redraw),
            )
        ]
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        stop.click(lambda: "Stopped", None, status, cancels=running, **quick)
        dice.click(random_seed, None, seed, **quick)
        scale.input(clear_errors(studio.scrub), [run, scale], stage, **quick)
        drop.upload(clear_errors(studio.restore), drop, controls, **quick)
        names = [*studio.names, *CONTROLS]
        link.click(None, controls, None, js=f"(...values) => varStudioLink({names}, values)")
        demo.load(studio.from_link, None, controls, **quick)
        implied = {target for _, target in pipeline.labels.implies}
        implying = {source for source, _ in pipeline.labels.implies}
        for column, dropdown in enumerate(dropdowns):
            if column in implying:
                dropdown.input(studio.follow_emoji, dropdowns, dropdowns, **quick)
            elif column in implied:
                dropdown.input(studio.follow_category, dropdowns, dropdowns, **quick)
        gr.Timer(600).tick(studio.sweep, queue=False, api_visibility="private")
    return demo.queue(max_size=MAX_QUEUE, api_open=False, default_concurrency_limit=1)


def build_options(pipeline: VARPipeline, start: list[object]) -> list[gr.components.Component]:
    """Controls that most people leave alone: guidance, pause, temperature, filters, smooth."""
    _, guidance, pause, _, temperature, top_k, top_p, smooth = start
    slider = functools.partial(gr.Slider, interactive=True)
    return [
        slider(
            0,
            MAX_GUIDANCE,
            guidance,
            step=0.1,
            elem_id="guidance",
            label="Guidance",
            info="0 ignores the labels' pull, high values exaggerate it",
        ),
        slider(
            0,
            MAX_PAUSE,
            pause,
            step=0.05,
            elem_id="pause",
            label="Pause after each scale (s)",
            info="0 draws as fast as it can",
        ),
        slider(
            0.1,
            2,
            temperature,
            step=0.05,
            elem_id="temperature",
            label="Temperature",
            info="below 1 tamer, above 1 wilder",
        ),
        slider(
            0,
            pipeline.transformer.config.vocab_size,
            top_k,
            step=1,
            elem_id="top_k",
            label="Top-k",
            info="draw among so many of the likeliest codes; 0 is off",
        ),
        slider(
            0,
            1,
            top_p,
            step=0.05,
            elem_id="top_p",
            label="Top-p",
            info="draw among the likeliest codes of this mass; 0 is off",
        ),
        gr.Checkbox(
            smooth,
            label="Smooth",
            info="mix codes instead of drawing one; for looks only",
            elem_id="smooth",
        ),
    ]


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serve VAR Studio.")
    parser.add_argument("--model", type=Path, default=EMBEDDED_MODEL, help="model folder")
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 by default")
    parser.add_argument("--port", type=int, help="7860 by default, or the next free one")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    return parser.parse_args(argv)


def launch(demo: gr.Blocks, host: str | None, port: int | None, block: bool) -> None:
    """Serve the page with nothing open that it does not need.

    Raises:
        OSError: if the port is taken.
    """
    demo.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=not block,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css_paths=ASSETS / "style.css",
        js=(ASSETS / "page.js").read_text("utf-8"),
        footer_links=[],
        max_file_size="10mb",
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        state_session_capacity=500,
        show_error=False,
        strict_cors=True,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )


def main(argv: list[str] | None = None) -> int:
    """Load the model, serve the page; returns the exit code."""
    arguments = parse_args(argv)
    device = pick_device()
    try:
        dtype = pick_dtype(device, arguments.precision)
        pipeline = VARPipeline.from_pretrained(arguments.model, torch_dtype=dtype).to(device)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    with tempfile.TemporaryDirectory(prefix="var-studio-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        demo = build_demo(Studio(pipeline, arguments.model.name, pictures))
        try:
            launch(demo, arguments.host, arguments.port, block=True)
        except OSError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_PORT_IN_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
