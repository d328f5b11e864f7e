"""The site: one page for each model, all with the same tabs, which `add_tabs` in app.py lists."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import gradio as gr
from gradio.events import api as add_endpoint

from var_core.official.catalogue import ModelCard
from var_core.serving.all_endpoints import Api
from var_core.serving.engine import Engine
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.metrics import JobMetrics
from var_core.web.ask import Ask
from var_core.web.blocks import ClientAddress, GuardedBlocks
from var_core.web.controls import Controls
from var_core.web.header import header_html
from var_core.web.widgets import scripted_html

SPARE_THREADS = 32  # for calls that answer at once; every job that waits holds one more


class Page:
    """The page of one model, inside the blocks of a site.

    Args:
        site: the site that it belongs to.
        engine: engine that draws.
        add_tabs: builds the tabs of a page; the list of tabs is `add_tabs` in app.py.

    Attributes:
        blocks: gradio's blocks.
        folder: folder for finished pictures.
        client: function that returns the address of the client who asks.
        ask: what to draw, above all tabs.
        tabs: all tabs.
    """

    def __init__(self, site: "Site", engine: Engine, add_tabs: Callable[["Page"], None]) -> None:
        self.engine = engine
        self.blocks, self.folder, self.client = site.blocks, site.folder, site.blocks.client
        info = engine.info
        header = header_html(info, engine.device.type, site.names, site.missing)
        scripted_html(header, ("memory.js", "header.js"), "header")
        self.ask = Ask(Controls(info))
        with gr.Tabs(selected="draw", overflow_behavior="wrap", elem_id="tabs") as self.tabs:
            add_tabs(self)  # and nothing else: gradio counts the children of this block

    def turn(self, *, is_owed: bool = False) -> AbstractContextManager[None]:
        """As `Engine.turn`, for the client whose handler runs."""
        return self.engine.turn(self.client(), is_owed=is_owed)


class Site:
    """One page for each model, at its own address, and the endpoints for programs.

    Args:
        engines: one engine for each model; the page of the first one is the front page.
        add_tabs: builds the tabs of a page; the list of tabs is `add_tabs` in app.py.
        folder: folder for finished pictures.
        metrics: counts refused calls and logs errors.
        num_proxies: number of trusted proxies in front of the server.
        missing: models that are not installed.
        max_waiting: number of jobs that may wait for the engines.

    Attributes:
        blocks: gradio's blocks of all pages.
        names: names of the models.
        pages: the pages.
        num_threads: number of threads for all calls.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        add_tabs: Callable[[Page], None],
        folder: Path,
        metrics: JobMetrics,
        num_proxies: int = 0,
        missing: Sequence[ModelCard] = (),
        max_waiting: int = QueueLimits.waiting,
    ) -> None:
        self.engines, self.folder, self.missing = engines, folder, missing
        self.names = [engine.info.name for engine in engines]
        self.blocks = GuardedBlocks(metrics, ClientAddress(num_proxies), "VAR Studio")
        self.pages: list[Page] = []
        for name, engine in zip(self.names, engines, strict=True):
            is_first = not self.pages
            if not is_first:
                self.blocks.route(name, f"/{name}")
            with self.blocks:
                self.pages.append(Page(self, engine, add_tabs))
                prefix = "" if is_first else f"{name.replace('-', '_')}_"
                add_endpoints(Api(engine, self.blocks.client), prefix)
        self.num_threads = max_waiting + SPARE_THREADS
        self.blocks.queue(max_size=self.num_threads, api_open=False, default_concurrency_limit=1)


def add_endpoints(endpoints: Api, prefix: str) -> None:
    """Offer functions to programs, under their names behind a prefix."""
    for endpoint in endpoints.queued():  # the engine has its own queue, so gradio sets no limit
        add_endpoint(endpoint, api_name=prefix + endpoint.__name__, concurrency_limit=None)
    for endpoint in endpoints.immediate():
        add_endpoint(endpoint, api_name=prefix + endpoint.__name__, queue=False)
