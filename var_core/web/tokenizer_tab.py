"""The Tokenizer tab: what the tokenizer makes of any picture."""

from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component

from var_core.jobs.png_recipe import write_png
from var_core.jobs.reconstruction import Reconstruction
from var_core.serving.temp_files import MAX_AGE_SECONDS
from var_core.web.draw_tab import DrawTab
from var_core.web.events import LATEST, QUICK, SPOKEN, Updates, Values
from var_core.web.html import strip_html
from var_core.web.page import Page
from var_core.web.tokenizer_handlers import TokenizerHandlers
from var_core.web.widgets import picked_scale, scale_strip, sentence


class TokenizerTab:
    """A picture, its reconstruction after each scale, and its token maps.

    Args:
        page: the page that it belongs to.
        draw: the Draw tab; it sends pictures here, and goes on from a scale of a picture.
    """

    def __init__(self, page: Page, draw: DrawTab) -> None:
        self.page = page
        self.handlers = TokenizerHandlers(page.engine, page.folder, page.client)
        self.total = len(self.handlers.sides)
        with gr.Tab("Tokenizer", id="tokenizer"):
            gr.Markdown(
                "Drop any picture: the tokenizer turns its central square into token maps, coarse "
                "to fine, and back. What it cannot reconstruct, no drawing can show."
            )
            self.result = gr.State(None, time_to_live=MAX_AGE_SECONDS)
            self._build()
        self._connect(draw)

    def _build(self) -> None:
        with gr.Row():
            self.source = gr.Image(
                type="filepath",
                image_mode=None,  # else gradio decodes it, however large it is
                sources=["upload", "clipboard"],
                label="Your picture",
                alt_text="Your picture",
                height=260,
                elem_id="source",
            )
            result = partial(gr.Image, interactive=False, height=260, buttons=[])
            self.frame = result(
                label="Reconstruction",
                alt_text="The reconstruction at the chosen scale",
                elem_id="frame",
            )
            self.error = result(
                label="Error, four times enlarged",
                alt_text="Where the reconstruction differs from your picture",
                elem_id="error",
            )
        self.report = sentence("", elem_id="report")
        with gr.Row(elem_id="look-row"):
            self.scale = gr.Slider(
                1, self.total, self.total, step=1, label="Look at scale", elem_id="look"
            )
            self.branch = gr.Button("Branch from this scale", elem_id="send", min_width=160)
        gr.Markdown("### Reconstruction after each scale")
        self.strip = scale_strip(self.handlers.sides, "frames")
        gr.Markdown("### Token maps: like colours are like codes")
        self.tokens = gr.HTML("", elem_id="tokens")

    def _connect(self, draw: DrawTab) -> None:
        looked_at: list[Component] = [self.result, self.scale]
        shown: list[Component] = [self.frame, self.error]
        analysis = [self.strip, self.tokens, self.report, self.result, self.scale]
        self.source.change(self.analyse, {self.source}, analysis, **SPOKEN).success(
            self.look, {*looked_at}, shown, **QUICK
        )
        self.scale.input(self.look, {*looked_at}, shown, **LATEST)
        self.strip.pick(picked_scale, None, self.scale, **LATEST).then(
            self.look, {*looked_at}, shown, **QUICK
        )
        self.branch.click(
            partial(self.branch_off, draw), {*looked_at}, [self.page.tabs, *draw.shown], **SPOKEN
        )
        draw.stage.send_look.click(
            partial(self.take_drawn, draw),
            {*draw.stage.looked_at},
            [self.page.tabs, self.source],
            **SPOKEN,
        )

    def analyse(self, values: Values) -> Updates:
        """Show what the tokenizer makes of a picture; without a picture, nothing."""
        path: str | None = values[self.source]
        if path is None:
            return {
                self.strip: strip_html([], self.handlers.sides),
                self.tokens: "",
                self.report: "",
                self.result: None,
                self.scale: self.total,
            }
        try:
            analysis = self.handlers.analyse(path)
        except ValueError:
            Path(path).unlink(missing_ok=True)
            raise
        write_png(Path(path), analysis.result.source, None)  # the upload may hold private metadata
        return {
            self.strip: analysis.strip,
            self.tokens: analysis.tokens,
            self.report: analysis.report,
            self.result: analysis.result,
            self.scale: self.total,
        }

    def look(self, values: Values) -> Updates:
        """Show the reconstruction and its error at the chosen scale."""
        result: Reconstruction | None = values[self.result]
        if result is None:
            return {self.frame: None, self.error: None}
        frame, error = self.handlers.look(result, values[self.scale])
        return {self.frame: frame, self.error: error}

    def branch_off(self, draw: DrawTab, values: Values) -> Updates:
        """Let the Draw tab go on from the chosen scale."""
        moment = self.handlers.branch_off(values[self.result], values[self.scale])
        return {self.page.tabs: gr.Tabs(selected="draw"), **draw.updates(moment)}

    def take_drawn(self, draw: DrawTab, values: Values) -> Updates:
        """Look inside a picture of the Draw tab."""
        progress, scale = values[draw.stage.progress], values[draw.stage.scale]
        path = draw.handlers.frame_file(progress, scale, values[draw.stage.selected])
        return {self.page.tabs: gr.Tabs(selected="tokenizer"), self.source: path}
