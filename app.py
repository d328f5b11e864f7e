"""The page: pick what to draw, and watch a picture sharpen through the model's true scales.

Run `python app.py`; nothing leaves the machine.
"""

import argparse
import base64
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it on import

import gradio as gr
from PIL import Image

from var_core import VARPipeline, generators_from_seeds
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.labels import Attribute
from var_core.pipeline import DEFAULTS
from var_core.ranges import check_float, check_int
from var_core.sampling import MAX_SEED, random_seed
from var_core.sampling.logits import MAX_GUIDANCE
from var_core.serving.recipe import recipe_of, write_png

ASSETS = Path(__file__).resolve().parent / "assets"
EMBEDDED_MODEL = ASSETS / "models" / "emoji64"
ANY = ""  # the dropdown value that leaves an attribute open
MAX_PAUSE = 1.0
MAX_QUEUE = 32
KEEP_FILES_SECONDS = 3600
EXIT_BAD_INPUT = 2
EXIT_PORT_IN_USE = 4


def choices_of(pipeline: VARPipeline, attribute: Attribute) -> list[tuple[str, str]]:
    """Dropdown entries of an attribute, the open one first."""
    characters = pipeline.labels.characters.get(attribute.name)
    shown = attribute.values
    if characters:
        shown = [f"{c} {name}" for c, name in zip(characters, attribute.values, strict=True)]
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


class Studio:
    """The handlers of the page, around one pipeline.

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

    def draw(self, *values: object) -> Iterator[tuple[object, str, str]]:
        """Stream one picture: label values, then seed, guidance and pause.

        Yields:
            The picture so far (at last the path of the finished PNG), the strip, the status.
        """
        *chosen, seed, guidance, pause = values
        try:
            label = self.pipeline.labels.resolve(
                {name: value or None for name, value in zip(self.names, chosen, strict=True)}
            )
            seed = check_int("seed", seed, 0, MAX_SEED)
            pause = check_float("pause", pause, 0.0, MAX_PAUSE)
            previews = self.pipeline.stream(
                [label], guidance, generator=generators_from_seeds([seed], self.pipeline.device)
            )
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error
        options = self.pipeline.options(guidance_scale=guidance)
        recipe = recipe_of(self.pipeline, self.model_name, label, seed, options)
        started = time.monotonic()
        thumbnails: list[str] = []
        for preview in previews:
            image = preview.images[0]
            thumbnails.append(data_url(image))
            strip = strip_html(thumbnails, self.sides)
            if preview.number < preview.total:
                yield image, strip, f"Scale {preview.number} of {preview.total}"
                time.sleep(pause)
        seconds = time.monotonic() - started - pause * (len(self.sides) - 1)
        path = self.finished_path(label, seed)
        try:
            write_png(path, image, recipe)
        except OSError as error:
            message = (
                f"The picture could not be saved: {error.strerror}. Free some space, try again."
            )
            raise gr.Error(message, print_exception=False) from error
        yield str(path), strip, f"Done in {seconds:.2f} s, seed {seed}"

    def finished_path(self, label: tuple[int, ...], seed: int) -> Path:
        """Where a finished picture goes; the folder is of this very request."""
        words = [name or "any" for name in self.pipeline.labels.names(label).values()]
        plain = "-".join("".join(c if c.isalnum() else "-" for c in word) for word in words)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        return folder / f"{plain[:80]}-seed{seed}.png"

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


def build_demo(studio: Studio) -> gr.Blocks:
    """Lay out the page."""
    pipeline = studio.pipeline
    implied = {target for _, target in pipeline.labels.implies}
    implying = {source for source, _ in pipeline.labels.implies}
    with gr.Blocks(title="VAR Studio", delete_cache=(600, KEEP_FILES_SECONDS)) as demo:
        gr.Markdown(
            f"# VAR Studio\nA picture drawn coarse to fine, in {len(studio.sides)} scales. "
            f"Model `{studio.model_name}`, {pipeline.image_size} px, on {pipeline.device.type}."
        )
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
                with gr.Row():
                    seed = gr.Number(7, label="Seed", precision=0, elem_id="seed")
                    dice = gr.Button("Random seed", elem_id="dice", min_width=120)
                guidance = gr.Slider(
                    0,
                    MAX_GUIDANCE,
                    DEFAULTS.guidance_scale,
                    step=0.1,
                    elem_id="guidance",
                    label="Guidance",
                    info="0 ignores the labels' pull, high values exaggerate it",
                )
                pause = gr.Slider(
                    0,
                    MAX_PAUSE,
                    0.15,
                    step=0.05,
                    elem_id="pause",
                    label="Pause after each scale (s)",
                    info="0 draws as fast as it can",
                )
                with gr.Row():
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
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
        outputs = [stage, strip, status]
        running = gr.on(
            [generate.click],
            studio.draw,
            [*dropdowns, seed, guidance, pause],
            outputs,
            concurrency_id="engine",
            concurrency_limit=1,
            trigger_mode="once",
            show_progress="hidden",
            api_visibility="private",
        )
        stop.click(
            lambda: "Stopped",
            None,
            status,
            cancels=[running],
            queue=False,
            api_visibility="private",
        )
        dice.click(random_seed, None, seed, queue=False, api_visibility="private")
        for column, dropdown in enumerate(dropdowns):
            follow = None
            if column in implying:
                follow = studio.follow_emoji
            elif column in implied:
                follow = studio.follow_category
            if follow is not None:
                dropdown.input(
                    follow,
                    dropdowns,
                    dropdowns,
                    queue=False,
                    show_progress="hidden",
                    api_visibility="private",
                )
        gr.Timer(600).tick(studio.sweep, queue=False, api_visibility="private")
    return demo.queue(max_size=MAX_QUEUE, api_open=False, default_concurrency_limit=1)


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
