"""The page: pick what to draw, and watch a picture sharpen through the model's true scales.

Run `python app.py`; nothing leaves the machine.
"""

import argparse
import contextlib
import contextvars
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it on import

import gradio as gr
import psutil
import torch
from starlette.middleware import Middleware

from var_core import VARPipeline
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.editing import MAX_BEST_OF
from var_core.jobs.parsing import MAX_COUNT, MAX_SWEEP, SAMPLING_OPTIONS
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress
from var_core.jobs.reconstruction import Reconstruction
from var_core.labels import Attribute
from var_core.locations import assets_folder
from var_core.model_info import read_model_info
from var_core.official.catalogue import EMBEDDED_FOLDER, MODELS, ModelCard, models_folder
from var_core.ranges import check_float, check_int
from var_core.sampling import random_seed
from var_core.serving.api import Api
from var_core.serving.engine import LocalEngine, Memory
from var_core.serving.fair_queue import BusyError, LateError, Limits, Turns
from var_core.serving.http_guard import Guard
from var_core.serving.metrics import Journal, log_to_stderr
from var_core.serving.temp_files import MAX_AGE_SECONDS, Cache
from var_core.serving.zero_gpu import IS_LENT
from var_core.web.controls import ANY, BALANCED, MAX_PAUSE, PRESETS
from var_core.web.draw_handlers import Moment, Studio
from var_core.web.edit_handlers import Canvas, EditMoment, Retouch
from var_core.web.history import History, check_place, forget
from var_core.web.html import history_html, models_html, strip_html

ASSETS = assets_folder()
MEMORY_SHARE = 0.5  # of the machine's memory, for the weights of all models together
MAX_THREADS = 64  # every job that runs or waits holds one
EXIT_BAD_INPUT = 2
EXIT_PORT_IN_USE = 4
ENGINE = {"concurrency_limit": None}  # the engine has a queue of its own
DRAWING = ENGINE | {
    "trigger_mode": "once",
    "show_progress": "minimal",
    "api_visibility": "private",
}
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
SPOKEN = QUICK | {"queue": True, "concurrency_limit": None}  # may say something: words need a queue
CLIENT: contextvars.ContextVar[str] = contextvars.ContextVar("client", default="")
UNFIT = "A value does not fit the page. Reload the page and try again."


class GuardedBlocks(gr.Blocks):
    """Blocks that count the values of a call, name its client, and show no foreign error.

    `CLIENT` holds the address of whoever asks, for as long as a handler runs.

    Args:
        journal: hears what is refused and what fails.
        num_proxies: trusted proxies in front of the server: the client's address is the one that
            the outermost of them has seen. 0 takes the address of the connection.
        options: of `gr.Blocks`.
    """

    def __init__(self, journal: Journal, num_proxies: int = 0, **options: object) -> None:
        super().__init__(**options)
        self.journal = journal
        self.num_proxies = num_proxies

    async def preprocess_data(self, *values: object, **named: object) -> list[object]:
        """As in `gr.Blocks`; what the components refuse is said in our words."""
        try:
            return await super().preprocess_data(*values, **named)
        except Exception as error:
            self.journal.refuse("handler")
            raise gr.Error(UNFIT, print_exception=False) from error

    async def call_function(self, *values: object, **named: object) -> dict:
        """As in `gr.Blocks`; what a handler or the disk refuses is one sentence on the page."""
        try:
            return await super().call_function(*values, **named)
        except ValueError as error:
            if not isinstance(error, BusyError | LateError):
                self.journal.refuse("handler")
            raise gr.Error(str(error), print_exception=False) from error
        except OSError as error:
            self.journal.fault(error)
            words = f"The picture could not be saved: {error.strerror}. Free some space, try again."
            raise gr.Error(words, print_exception=False) from error

    async def process_api(self, block_fn: object, inputs: list, *rest: object, **named: object):
        """As in `gr.Blocks`."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        request = named.get("request", rest[1] if len(rest) > 1 else None)
        iterator = named.get("iterator", rest[2] if len(rest) > 2 else None)
        if iterator is None and len(inputs) != len(function.inputs):
            self.journal.refuse("handler")
            words = f"This call takes {len(function.inputs)} values, not {len(inputs)}."
            raise gr.Error(words, print_exception=False)
        CLIENT.set(address_of(request, self.num_proxies))
        try:
            return await super().process_api(block_fn, inputs, *rest, **named)
        except gr.Error:
            raise
        except Exception as error:
            reference = self.journal.fault(error)
            words = f"Something went wrong here. Reference: {reference}"
            raise gr.Error(words, print_exception=False) from error


def address_of(request: object, num_proxies: int) -> str:
    """The address of a client, or "" if nobody knows.

    Args:
        request: of gradio.
        num_proxies: trusted proxies; each adds the address that it has seen at the end of the
            header X-Forwarded-For, and what stands before these is the client's own invention.
    """
    if not isinstance(request, gr.Request) or request.client is None:
        return ""
    if num_proxies:
        seen = str(request.headers.get("x-forwarded-for", "")).split(",")
        if len(seen) >= num_proxies and seen[-num_proxies].strip():
            return seen[-num_proxies].strip()
    return str(request.client.host)


def shelf_html(history: History) -> str:
    """The history as the page shows it."""
    return history_html([(entry.thumbnail, entry.words) for entry in history])


def widgets(moment: Moment) -> tuple:
    """Updates of stage, strip, status, seed, scale, files, run, history and shelf."""
    parts = (moment.picture, moment.strip, moment.status, moment.seed, moment.scale)
    files: object = moment.files
    if files is not None:
        files = gr.Files(list(files) or None, visible=bool(files))
    shelf = None if moment.history is None else shelf_html(moment.history)
    updates = (*parts, files, moment.run, moment.history, shelf)
    return tuple(gr.skip() if update is None else update for update in updates)


def edit_widgets(moment: EditMoment) -> tuple:
    """Updates of stage, strip, status, seed, before-and-after and result of the Edit tab."""
    pair = None if moment.before is None else (moment.before, moment.picture)
    parts = (moment.picture, moment.strip, moment.status, moment.seed, pair, moment.result)
    return tuple(gr.skip() if part is None else part for part in parts)


@contextlib.contextmanager
def used_up(path: str) -> Iterator[str]:
    """An upload that nobody needs any more afterwards."""
    try:
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def dice_button(name: str) -> gr.Button:
    """A small button that picks a value at random."""
    looks = {"elem_classes": "dice", "min_width": 44, "scale": 0}
    return gr.Button("\N{GAME DIE}", elem_id=f"dice-{name}", **looks)


def scripted(script: str, html: str, name: str) -> gr.HTML:
    """HTML whose buttons a script of the assets answers."""
    return gr.HTML(html, elem_id=name, js_on_load=(ASSETS / script).read_text("utf-8"))


class Site:
    """One page for each model, at its own address; `demo` is the result.

    Args:
        studios: the handlers of each model; the first one's page is the front page.
        journal: hears what is refused and what fails.
        num_proxies: trusted proxies in front of the server.
        missing: models that are not installed.
    """

    def __init__(
        self,
        studios: Sequence[Studio],
        journal: Journal,
        num_proxies: int = 0,
        missing: Sequence[ModelCard] = (),
    ) -> None:
        self.engine = studios[0].engine
        self.demo = GuardedBlocks(journal, num_proxies, title="VAR Studio")
        self.names = [studio.model_name for studio in studios]
        self.pages = []
        for number, studio in enumerate(studios):
            if number:
                self.demo.route(studio.model_name, f"/{studio.model_name}")
            with self.demo:
                self.pages.append(Page(self, studio, missing, number == 0))
        self.demo.queue(max_size=MAX_THREADS, api_open=False, default_concurrency_limit=1)


class Page:
    """The widgets of one model and what they set off, inside the blocks of a site.

    Args:
        site: they belong to.
        studio: its handlers answer.
        missing: models that are not installed.
        is_first: whether it is the front page.
    """

    def __init__(
        self, site: Site, studio: Studio, missing: Sequence[ModelCard], is_first: bool
    ) -> None:
        self.demo = site.demo
        self.is_first = is_first
        self.studio = studio
        self.controls = studio.controls
        self.retouch = Retouch(
            studio.engine, studio.model_name, studio.folder, studio.controls, studio.client
        )
        self.total = len(studio.sides)
        self.inputs: dict[str, gr.components.Component] = {}  # under the names of the controls
        engine = studio.engine
        gr.Markdown(
            f"# VAR Studio\nPictures drawn coarse to fine, in {self.total} scales. Model "
            f"`{studio.model_name}`, {engine.info.image_size} px, on {engine.device.type}."
        )
        self._build_models(site.names, missing)
        self.run = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        self.history = gr.State((), time_to_live=MAX_AGE_SECONDS)
        self.place = gr.State(0)
        self.result = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        self.canvas = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        self.edited = gr.State(None, time_to_live=MAX_AGE_SECONDS)
        with gr.Tabs(selected="draw", elem_id="tabs") as self.tabs:
            with gr.Tab("Draw", id="draw"), gr.Row(elem_id="main"):
                with gr.Column(scale=2, min_width=300, elem_id="controls"):
                    self._build_controls()
                with gr.Column(scale=3, min_width=320, elem_id="stage-column"):
                    self._build_stage()
                    with gr.Column(elem_id="history-column"):
                        self._build_history()
            with gr.Tab("Edit", id="edit"), gr.Row(elem_id="edit-main"):
                self._build_edit()
            with gr.Tab("Tokenizer", id="tokenizer"):
                self._build_tokenizer()
        self.download = gr.DownloadButton(elem_id="download", visible="hidden")
        self._connect_drawing()
        self._connect_controls()
        self._connect_stage()
        self._connect_edit()
        self._connect_tokenizer()
        self._connect_api()

    def _build_models(self, names: Sequence[str], missing: Sequence[ModelCard]) -> None:
        """The other models: those that are there as links, the others with how to get them."""
        if not missing and len(names) == 1:
            return
        with gr.Accordion("Models", open=False, elem_id="models"):
            gr.HTML(models_html(names, self.studio.model_name, missing))

    def _build_controls(self) -> None:
        defaults = dict(zip(self.controls.names, self.controls.defaults(), strict=True))
        inputs, attributes = self.inputs, self.studio.labels.attributes
        self.dice = {}
        for attribute in attributes:
            name = attribute.name
            with gr.Row(equal_height=False, elem_classes="with-dice"):
                inputs[name] = self._label_picker(attribute, name, 160)
                self.dice[name] = dice_button(name)
        with gr.Row(elem_classes="with-dice"):
            inputs["seed"] = gr.Number(
                defaults["seed"], label="Seed", precision=0, elem_id="seed", min_width=120
            )
            self.new_seed = dice_button("seed")
        with gr.Row(elem_id="seed-row"):
            self.keep_seed = gr.Checkbox(
                False, label="Keep this seed", elem_id="keep-seed", container=False, min_width=130
            )
            self.reuse = gr.Button("Last seed", size="sm", elem_id="reuse", min_width=90, scale=0)
        inputs["count"] = gr.Slider(
            1, MAX_COUNT, defaults["count"], step=1, label="Pictures", elem_id="count"
        )
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", variant="stop", elem_id="stop")
            self.styles = gr.Button(
                f"Every {attributes[-1].name}",
                elem_id="styles",
                visible=len(attributes[-1].values) <= MAX_COUNT,
            )
        with gr.Accordion("More options", open=False, elem_id="more"):
            self.preset = gr.Dropdown(
                list(PRESETS), value=BALANCED, label="Preset", elem_id="preset"
            )
            self._build_options(defaults)
        with gr.Accordion("Compare guidance and seeds", open=False, elem_id="sweep-box"):
            self.guidances = gr.Textbox(
                "0, 1.5, 3, 6",
                label="Guidance of each row",
                info=f"at most {MAX_SWEEP} numbers, commas between them",
                elem_id="guidances",
            )
            self.num_seeds = gr.Slider(
                1, MAX_SWEEP, 3, step=1, label="Seeds, counting up", elem_id="num-seeds"
            )
            self.sweep = gr.Button("Draw the grid", elem_id="sweep")
        with gr.Row(elem_id="exchange"):
            self.drop = gr.UploadButton(
                "Settings from a PNG", file_types=[".png"], elem_id="drop", size="sm"
            )
            self.link = gr.Button("Copy link", elem_id="link", size="sm")
        gr.Markdown(
            "Ctrl+Enter draws, Esc stops. Drop a PNG that was drawn here anywhere on this page to "
            "get its settings back.",
            elem_id="hints",
        )

    def _label_picker(self, attribute: Attribute, elem_id: str, min_width: int) -> gr.Dropdown:
        return gr.Dropdown(
            self.controls.choices(attribute),
            value=ANY,
            label=attribute.name.capitalize(),
            elem_id=elem_id,
            min_width=min_width,
        )

    def _build_options(self, defaults: dict[str, object]) -> None:
        def slider(
            name: str, low: float, high: float, default: object, step: float, label: str, info: str
        ) -> None:
            self.inputs[name] = gr.Slider(
                low,
                high,
                default,
                step=step,
                label=label,
                info=info,
                elem_id=name.replace("_scale", ""),
                interactive=True,
            )

        for one in self.studio.engine.info.option_fields:
            if one.is_switch:
                self.inputs[one.name] = gr.Checkbox(
                    one.default, label=one.label, info=one.help, elem_id=one.name
                )
            else:
                low, high = one.shown or (one.low, one.high)
                slider(one.name, low, high, one.default, one.step, one.label, one.help)
        self.inputs["precision"] = gr.Radio(
            list(PRECISIONS),
            value=defaults["precision"],
            label="Precision",
            info="bf16 is faster where the processor has it; seeds mean other pictures in it",
            elem_id="precision",
        )
        words = "0 draws as fast as it can"
        pause = defaults["pause"]
        slider("pause", 0, MAX_PAUSE, pause, 0.05, "Pause after each scale (s)", words)
        self.inputs["with_recipe"] = gr.Checkbox(
            defaults["with_recipe"],
            label="Settings inside the PNG",
            info="labels, seed and options, nothing about you",
            elem_id="with_recipe",
        )

    def _build_stage(self) -> None:
        self.stage = gr.Image(
            label="Picture",
            format="jpeg",
            elem_id="stage",
            interactive=False,
            height=400,
            show_label=False,
            alt_text="The picture at the chosen scale",
            buttons=["download", "fullscreen"],
        )
        self.status = gr.HTML("Ready: choose what to draw, or leave it open", elem_id="status")
        self.strip = scripted("strip.js", strip_html([], self.studio.sides), "strip")
        with gr.Row(elem_id="scale-row"):
            self.scale = gr.Slider(
                1,
                self.total,
                self.total,
                step=1,
                label="Look at scale",
                info="the picture as it is after so many scales",
                elem_id="scale",
            )
            self.redraw = gr.Button(
                "Redraw from an earlier scale", interactive=False, elem_id="redraw", min_width=160
            )
        with gr.Row():
            self.animate = gr.Button("Save animation", size="sm", elem_id="animate")
            self.send_edit = gr.Button("Send to Edit", size="sm", elem_id="send-edit")
            self.use = gr.Button("Send to Tokenizer", size="sm", elem_id="use")
        self.files = gr.Files(label="Pictures", visible=False, interactive=False, elem_id="files")

    def _build_history(self) -> None:
        gr.Markdown("### Drawn so far", elem_id="history-title")
        self.shelf = scripted("history.js", history_html([]), "history")
        self.archive = gr.Button("Download all (zip)", size="sm", elem_id="archive")

    def _build_edit(self) -> None:
        """Left the picture and its mask, right what to draw and the result."""
        info, attributes = self.studio.engine.info, self.studio.labels.attributes
        cells = info.schedule.final_side
        # sent with every picture: an update that comes before the tab is shown replaces all
        self.geometry = {"model": info.image_size, "cells": cells}
        with gr.Column(scale=3, min_width=320, elem_id="edit-picture"):
            self.painter = gr.HTML(
                "",
                html_template=(ASSETS / "painter.html").read_text("utf-8"),
                js_on_load=(ASSETS / "painter.js").read_text("utf-8"),
                elem_id="painter",
                picture="",
                shown=[1, 1],
                full=[1, 1],
                **self.geometry,
            )
            with gr.Row(elem_id="edit-files"):
                self.open = gr.UploadButton(
                    "Open a picture", file_types=["image"], elem_id="open", size="sm"
                )
                self.load_mask = gr.UploadButton(
                    "Load a mask", file_types=["image"], elem_id="load-mask", size="sm"
                )
                self.grow_mask = gr.Button("Grow", size="sm", elem_id="grow", min_width=60)
                self.shrink_mask = gr.Button("Shrink", size="sm", elem_id="shrink", min_width=60)
        with gr.Column(scale=3, min_width=320, elem_id="edit-controls"):
            with gr.Row(elem_id="edit-labels"):
                self.edit_labels = {
                    attribute.name: self._label_picker(attribute, f"edit-{attribute.name}", 120)
                    for attribute in attributes
                }
            with gr.Row():
                self.edit_seed = gr.Number(
                    7, label="Seed", precision=0, elem_id="edit-seed", min_width=100
                )
                self.edit_keep = gr.Checkbox(
                    False, label="Keep this seed", elem_id="edit-keep", min_width=130
                )
            with gr.Row(elem_id="edit-actions"):
                self.redraw_mask = gr.Button(
                    "Redraw the painted area", variant="primary", elem_id="redraw-mask"
                )
                self.edit_stop = gr.Button("Stop", variant="stop", elem_id="edit-stop")
            self.edit_status = gr.HTML(
                "Open a picture, paint what to change; with labels left at any, "
                "what is kept decides",
                elem_id="edit-status",
            )
            self.edit_stage = gr.Image(
                label="Result",
                format="jpeg",
                elem_id="edit-stage",
                interactive=False,
                height=300,
                show_label=False,
                alt_text="The edited picture",
                buttons=["download", "fullscreen"],
            )
            self.edit_strip = gr.HTML(strip_html([], self.studio.sides), elem_id="edit-strip")
            with gr.Row(elem_id="use-row"):
                self.use_edited = gr.Button("Use as input", size="sm", elem_id="use-edited")
                self.keep_mask = gr.Checkbox(
                    False, label="Keep the mask", elem_id="keep-mask", min_width=120
                )
            with gr.Accordion("Before and after", open=False, elem_id="compare-box"):
                self.compare = gr.ImageSlider(
                    label="Before and after",
                    show_label=False,
                    format="png",
                    interactive=False,
                    elem_id="compare",
                    buttons=[],
                )
            with gr.Accordion("Add at the sides", open=False, elem_id="outpaint-box"):
                with gr.Row():
                    self.sides = [
                        gr.Slider(
                            0,
                            512,
                            info.image_size // 2 if side == "right" else 0,
                            step=1,
                            label=f"{side.capitalize()} (pixels)",
                            elem_id=f"side-{side}",
                            min_width=130,
                        )
                        for side in ("left", "top", "right", "bottom")
                    ]
                self.outpaint = gr.Button("Add", elem_id="outpaint")
            with gr.Accordion("Vary", open=False, elem_id="vary-box"):
                self.keep_scales = gr.Slider(
                    1,
                    self.total - 1,
                    (self.total + 1) // 2,
                    step=1,
                    label="Scales to keep",
                    info="few keep colours and places only, many nearly everything",
                    elem_id="keep-scales",
                )
                self.vary = gr.Button("Vary the picture", elem_id="vary")
            with gr.Accordion("How it is drawn", open=False, elem_id="edit-more"):
                self.best_of = gr.Slider(
                    1,
                    MAX_BEST_OF,
                    1,
                    step=1,
                    label="Best of",
                    info="candidates; the model picks the one that fits what is kept",
                    elem_id="best-of",
                )
                gr.Markdown("Guidance, Top-k and the rest are those of the Draw tab.")

    def _build_tokenizer(self) -> None:
        gr.Markdown(
            "Drop any picture: the tokenizer turns its central square into token maps, coarse to "
            "fine, and back. What it cannot reconstruct, no drawing can show."
        )
        with gr.Row():
            self.source = gr.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                label="Your picture",
                alt_text="Your picture",
                height=260,
                elem_id="source",
            )
            shown = functools.partial(gr.Image, interactive=False, height=260, buttons=[])
            words = "The reconstruction at the chosen scale"
            self.frame = shown(label="Reconstruction", alt_text=words, elem_id="frame")
            words = "Where the reconstruction differs from your picture"
            self.error = shown(label="Error, four times enlarged", alt_text=words, elem_id="error")
        self.report = gr.HTML("", elem_id="report")
        with gr.Row(elem_id="look-row"):
            self.look = gr.Slider(
                1, self.total, self.total, step=1, label="Look at scale", elem_id="look"
            )
            self.send = gr.Button("Branch from this scale", elem_id="send", min_width=160)
        gr.Markdown("### Reconstruction after each scale")
        self.frames = scripted("strip.js", strip_html([], self.studio.sides), "frames")
        gr.Markdown("### Token maps: like colours are like codes")
        self.tokens = gr.HTML("", elem_id="tokens")

    def _connect_drawing(self) -> None:
        studio = self.studio
        inputs = [*self.inputs.values(), self.keep_seed, self.run, self.scale]
        inputs += [self.guidances, self.num_seeds, self.history]
        seed = self.inputs["seed"]
        self.shown = [self.stage, self.strip, self.status, seed, self.scale, self.files, self.run]
        self.shown += [self.history, self.shelf]
        engine = {"outputs": self.shown, "show_progress_on": self.status, **DRAWING}

        def draw(what: str, *values: object) -> Iterator[tuple]:
            yield from map(widgets, studio.draw(what, *values))

        def draw_again(place: int, history: History) -> Iterator[tuple]:
            yield from map(widgets, studio.draw_again(place, history))

        def pick(history: History, event: gr.EventData) -> tuple:
            place = check_place(history, event.place)
            return place, True, *history[place].values

        buttons = {
            "pictures": self.generate,
            "styles": self.styles,
            "grid": self.sweep,
            "rest": self.redraw,
        }
        running = [
            button.click(draw, [gr.State(what), *inputs], **engine)
            for what, button in buttons.items()
        ]
        chosen = [self.place, self.keep_seed, *self.inputs.values()]
        picked = self.shelf.restore(pick, self.history, chosen, **SPOKEN)
        running.append(picked.success(draw_again, [self.place, self.history], **engine))

        def stopped(run: JobProgress | None) -> tuple:
            return widgets(studio.stopped(run))

        self.stop.click(None, None, None, cancels=running).then(  # which has the last word
            stopped, self.run, self.shown, **QUICK
        )

    def _connect_controls(self) -> None:
        studio, controls, values = self.studio, self.controls, list(self.inputs.values())
        dropdowns = [self.inputs[name] for name in controls.attributes]
        seed, keep = self.inputs["seed"], self.keep_seed

        def restore(path: str) -> tuple:
            with used_up(path):
                found, moment = studio.restore(path)
            gr.Info(moment.status)
            stage, strip, status, _, *rest = widgets(moment)  # the seed is among the values
            return *found, True, stage, strip, status, *rest

        def from_link(request: gr.Request) -> list[object]:
            query = dict(request.query_params)
            found, refused = controls.from_query(query)
            for sentence in refused:
                gr.Warning(sentence)
            return [*found, "seed" in query]

        def last_seed(run: JobProgress | None) -> tuple[int, bool]:
            return studio.last_seed(run), True

        for name, button in self.dice.items():
            roll = functools.partial(controls.roll, name)
            button.click(listed(roll), dropdowns, dropdowns, **QUICK)
        self.new_seed.click(lambda: (random_seed() // 2, True), None, [seed, keep], **QUICK)
        self.reuse.click(last_seed, self.run, [seed, keep], **SPOKEN)
        seed.input(None, None, keep, js="() => true", **QUICK)
        sampling = [self.inputs[name] for name in SAMPLING_OPTIONS]
        self.preset.input(controls.preset, self.preset, sampling, **QUICK)
        restored = [*values, keep, *(part for part in self.shown if part is not seed)]
        self.drop.upload(restore, self.drop, restored, **SPOKEN | ENGINE)
        self.demo.load(from_link, None, [*values, keep], **SPOKEN)
        link = f"(...values) => varStudio.link({controls.names}, values)"
        self.link.click(None, values, None, js=link)
        self._follow(dropdowns)

    def _connect_stage(self) -> None:
        studio = self.studio

        def scrub(run: JobProgress | None, scale: int) -> object:
            return gr.skip() if run is None else studio.scrub(run, scale)

        def forget_entry(history: History, event: gr.EventData) -> tuple[History, str]:
            history = forget(history, event.place)
            return history, shelf_html(history)

        def use(run: JobProgress | None, scale: int) -> tuple[object, str]:
            return gr.Tabs(selected="tokenizer"), studio.frame_file(run, scale)

        looked_at = [self.run, self.scale]
        self.scale.change(
            None, self.scale, self.redraw, js=f"scale => varStudio.redraw(scale, {self.total})"
        )
        self.scale.input(scrub, looked_at, self.stage, **QUICK)
        self.strip.pick(picked_scale, None, self.scale, **QUICK).then(
            scrub, looked_at, self.stage, **QUICK
        )
        for button, handler, state in (
            (self.animate, studio.animate, self.run),
            (self.archive, studio.archive, self.history),
        ):
            button.click(handler, state, self.download, **SPOKEN).success(
                None, None, None, js="() => varStudio.save()"
            )
        kept = [self.history, self.shelf]
        self.shelf.forget(forget_entry, self.history, kept, **QUICK)
        self.use.click(use, looked_at, [self.tabs, self.source], **SPOKEN)

    def _connect_edit(self) -> None:
        retouch, studio = self.retouch, self.studio

        def painted(canvas: Canvas, picture: str, mask: str = "") -> object:
            shape = {"shown": canvas.shown, "full": canvas.size}
            return gr.update(value=mask, picture=picture, **shape, **self.geometry)

        def opened(path: str) -> tuple:
            with used_up(path):  # a clean copy is kept
                canvas, picture, words = retouch.open(path)
            return canvas, painted(canvas, picture), words

        def load_mask(canvas: Canvas | None, path: str) -> str:
            with used_up(path):
                return retouch.mask_from_file(canvas, path)

        def change(task: str, canvas: Canvas | None, mask: str, *values: object) -> Iterator[tuple]:
            sides, (keep_scales, best_of, keep_seed), rest = values[:4], values[4:7], values[7:]
            moments = retouch.edit(
                task, canvas, mask, sides, keep_scales, best_of, keep_seed, list(rest)
            )
            yield from map(edit_widgets, moments)

        def take_over(result: Canvas | None, mask: str, keep: bool) -> tuple:
            canvas, picture = retouch.take_over(result)
            return canvas, painted(canvas, picture, mask if keep else "")

        def send(run: JobProgress | None, scale: int) -> tuple:
            canvas, picture, words = retouch.open(studio.frame_file(run, scale))
            return gr.Tabs(selected="edit"), canvas, painted(canvas, picture), words

        own = {**self.edit_labels, "seed": self.edit_seed}
        values = [own.get(name, widget) for name, widget in self.inputs.items()]
        given = [self.canvas, self.painter, *self.sides]
        given += [self.keep_scales, self.best_of, self.edit_keep, *values]
        shown = [self.edit_stage, self.edit_strip, self.edit_status, self.edit_seed]
        shown += [self.compare, self.edited]
        buttons = {"redraw": self.redraw_mask, "outpaint": self.outpaint, "vary": self.vary}
        running = [
            button.click(
                change,
                [gr.State(task), *given],
                shown,
                show_progress_on=self.edit_status,
                **DRAWING,
            )
            for task, button in buttons.items()
        ]
        self.edit_stop.click(None, None, None, cancels=running).then(
            lambda: "Stopped", None, self.edit_status, **QUICK
        )
        board = [self.canvas, self.painter]
        self.open.upload(opened, self.open, [*board, self.edit_status], **SPOKEN)
        self.load_mask.upload(load_mask, [self.canvas, self.load_mask], self.painter, **SPOKEN)
        for button, step in ((self.grow_mask, 1), (self.shrink_mask, -1)):
            grow = functools.partial(retouch.grow, pixels=step)
            button.click(grow, self.painter, self.painter, **SPOKEN)
        taken = [self.edited, self.painter, self.keep_mask]
        self.use_edited.click(take_over, taken, board, **SPOKEN)
        self.send_edit.click(
            send, [self.run, self.scale], [self.tabs, *board, self.edit_status], **SPOKEN
        )
        self.edit_seed.input(None, None, self.edit_keep, js="() => true", **QUICK)
        self._follow(list(self.edit_labels.values()))

    def _follow(self, dropdowns: list[gr.Dropdown]) -> None:
        """Keep labels that imply each other together."""
        implies, controls = self.studio.labels.implies, self.controls
        for column, dropdown in enumerate(dropdowns):
            if any(column == source for source, _ in implies):
                dropdown.input(listed(controls.follow_finer), dropdowns, dropdowns, **QUICK)
            elif any(column == target for _, target in implies):
                dropdown.input(listed(controls.follow_coarser), dropdowns, dropdowns, **QUICK)

    def _connect_tokenizer(self) -> None:
        studio = self.studio

        def look(result: Reconstruction | None, scale: int) -> tuple[object, object]:
            return (None, None) if result is None else studio.look(result, scale)

        def analyse(path: str | None) -> tuple:
            if path is None:
                return strip_html([], studio.sides), "", "", None, self.total
            try:
                *shown, result = studio.tokenize(path)
            except ValueError:
                Path(path).unlink(missing_ok=True)
                raise
            write_png(Path(path), result.source, None)  # its metadata is nobody's business
            return *shown, result, self.total

        def branch_off(result: Reconstruction | None, scale: int) -> tuple:
            return gr.Tabs(selected="draw"), *widgets(studio.branch_off(result, scale))

        looked_at, shown = [self.result, self.look], [self.frame, self.error]
        self.source.change(
            analyse,
            self.source,
            [self.frames, self.tokens, self.report, self.result, self.look],
            show_progress="hidden",
            api_visibility="private",
            **ENGINE,
        ).success(look, looked_at, shown, **QUICK)
        self.look.input(look, looked_at, shown, **QUICK)
        self.frames.pick(picked_scale, None, self.look, **QUICK).then(
            look, looked_at, shown, **QUICK
        )
        self.send.click(branch_off, looked_at, [self.tabs, *self.shown], **SPOKEN)

    def _connect_api(self) -> None:
        api = Api(self.studio.engine, self.studio.model_name, self.studio.client)
        drawing = (api.generate, api.stream, api.styles, api.sweep, api.redraw)
        prefix = "" if self.is_first else f"{self.studio.model_name.replace('-', '_')}_"
        for endpoint in (*drawing, api.edit, api.outpaint, api.vary, api.tokenize):
            gr.api(endpoint, api_name=prefix + endpoint.__name__, **ENGINE)
        for endpoint in (api.recipe, api.about):
            gr.api(endpoint, api_name=prefix + endpoint.__name__, queue=False)


def picked_scale(event: gr.EventData) -> int:
    """The scale whose thumbnail was clicked."""
    return event.scale


def listed(handler: Callable[[list[str]], list[str]]) -> Callable:
    """A handler of separate values from one of a list."""
    return lambda *values: handler(values)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serve VAR Studio.")
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER, help="model folder")
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 by default")
    parser.add_argument("--port", type=int, help="7860 by default, or the next free one")
    parser.add_argument("--precision", choices=PRECISIONS, default=setting("PRECISION", "auto"))
    limits, proxies = Limits(), int("SPACE_ID" in os.environ)
    number = {"type": int, "metavar": "N"}
    parser.add_argument(
        "--queue",
        **number,
        default=setting("QUEUE", limits.waiting),
        help=f"jobs that may wait; {limits.waiting} by default",
    )
    parser.add_argument(
        "--per-client",
        **number,
        default=setting("PER_CLIENT", limits.per_client),
        help=f"jobs of one address, drawing and waiting; {limits.per_client} by default",
    )
    parser.add_argument(
        "--proxies",
        **number,
        default=setting("PROXIES", proxies),
        help="trusted proxies in front; they tell the address. 0 by default, on a Space 1",
    )
    parser.add_argument(
        "--sharpen-seconds",
        type=float,
        metavar="S",
        default=setting("SHARPEN_SECONDS", limits.sharpen_seconds),
        help="time after a drawing that turns the sketches of its scales into true decodes; "
        f"{limits.sharpen_seconds} by default",
    )
    parser.add_argument(
        "--metrics-port",
        **number,
        default=setting("METRICS_PORT"),
        help="serve Prometheus metrics on this port, to this machine only; off by default",
    )
    return parser.parse_args(argv)


def setting(name: str, default: object = None) -> object:
    """A default of the command line, from the environment where a Space's settings put it."""
    return os.environ.get(f"VAR_STUDIO_{name}", default)


def page_theme() -> gr.themes.Base:
    """Gradio's soft theme, offline, with colours that WCAG AA calls readable."""
    return gr.themes.Soft(
        spacing_size="sm", font=["system-ui", "sans-serif"], font_mono=["monospace"]
    ).set(
        block_label_text_color="*primary_700",
        block_title_text_color="*primary_700",
        block_info_text_color="*neutral_600",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        checkbox_label_background_fill_selected="*primary_600",
        block_border_width="1px",
        input_border_width="1px",
        input_border_color="*neutral_400",
        checkbox_border_color="*neutral_500",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )


def launch(site: Site, host: str | None, port: int | None, block: bool) -> None:
    """Serve the page with nothing open that it does not need.

    Raises:
        OSError: if the port is taken.
    """
    journal = site.demo.journal
    guard = Middleware(
        Guard,
        is_ready=site.engine.is_ready,
        refused=functools.partial(journal.refuse, "door"),
        fault=journal.fault,
        pages=site.names[1:],
    )
    site.demo.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=not block,
        theme=page_theme(),
        css_paths=ASSETS / "style.css",
        js=f"() => {{{(ASSETS / 'page.js').read_text('utf-8')}}}",
        footer_links=[],
        max_file_size="10mb",
        max_threads=MAX_THREADS,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        state_session_capacity=500,
        show_error=False,
        strict_cors=True,
        app_kwargs={
            "middleware": [guard],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    )


def model_places(first: Path) -> dict[str, Path]:
    """Names and folders of the models to offer: the one that was asked for, then all installed."""
    places = {first.name: first}
    if not IS_LENT:  # what is not loaded at the start cannot be lent a GPU
        for card in MODELS:
            if card.is_installed(models_folder()):
                places.setdefault(card.name, card.folder(models_folder()))
    return places


def load_model(folder: Path, device: torch.device, dtype: torch.dtype) -> VARPipeline:
    """A model with its weights, laid out for drawing."""
    pipeline = VARPipeline.from_pretrained(folder, torch_dtype=dtype).to(device)
    pipeline.pack()
    return pipeline


def main(argv: list[str] | None = None) -> int:
    """Load the model, serve the page; returns the exit code."""
    arguments = parse_args(argv)
    device = pick_device()
    try:
        limits = Limits(
            waiting=check_int("queue", arguments.queue, 1, MAX_THREADS // 2),
            per_client=check_int("per-client", arguments.per_client, 1, MAX_THREADS // 2),
            sharpen_seconds=check_float("sharpen-seconds", arguments.sharpen_seconds, 0, 3600),
        )
        num_proxies = check_int("proxies", arguments.proxies, 0, 8)
        dtype = pick_dtype(device, arguments.precision)
        places = model_places(arguments.model)
        infos = {name: read_model_info(place) for name, place in places.items()}
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    log_to_stderr()
    journal = Journal()
    with Cache() as cache:
        os.environ["GRADIO_TEMP_DIR"] = str(cache.folder)
        pictures = cache.folder / "pictures"
        pictures.mkdir()
        turns, memory = Turns(limits), Memory(MEMORY_SHARE * psutil.virtual_memory().total)
        engines = {
            name: LocalEngine(
                info,
                functools.partial(load_model, places[name], device),
                turns,
                journal,
                memory,
                device,
                dtype,
            )
            for name, info in infos.items()
        }
        try:
            next(iter(engines.values())).prepare()  # ready when the page is
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_BAD_INPUT
        journal.watch("running", "Jobs that run", lambda: turns.counts()[0])
        journal.watch("waiting", "Jobs that wait", lambda: turns.counts()[1])
        journal.watch("cache_bytes", "Uploads and finished pictures", cache.size)
        studios = [Studio(engine, name, pictures, CLIENT.get) for name, engine in engines.items()]
        missing = [card for card in MODELS if not card.is_installed(models_folder())]
        site = Site(studios, journal, num_proxies, () if IS_LENT else missing)
        try:
            if arguments.metrics_port is not None:
                journal.serve(check_int("metrics-port", arguments.metrics_port, 1, 65535))
            launch(site, arguments.host, arguments.port, block=True)
        except OSError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_PORT_IN_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
