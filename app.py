"""VAR Studio: the tabs of its page, the engines that draw, and how both are served.

Run `python app.py`. Nothing leaves the machine.
"""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
import torch

from var_core.devices import pick_device, pick_dtype
from var_core.exit_codes import EXIT_BAD_INPUT, EXIT_PORT_IN_USE
from var_core.model_info import read_model_info
from var_core.official.catalogue import MODELS, models_folder
from var_core.pipeline import VARPipeline
from var_core.serving.engine import LocalEngine, Memory
from var_core.serving.fair_queue import Turns
from var_core.serving.metrics import Journal, log_to_stderr
from var_core.serving.temp_files import Cache
from var_core.serving.zero_gpu import IS_LENT
from var_core.web.arguments import Arguments, parse_arguments
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_tab import EditTab
from var_core.web.look_inside_tab import LookInsideTab
from var_core.web.page import Page, Site
from var_core.web.server import launch

MEMORY_SHARE = 0.5  # share of the machine's memory for the weights of all models together


def add_tabs(page: Page) -> None:
    """The tabs of one model's page, from left to right."""
    draw = DrawTab(page)
    EditTab(page, draw)
    LookInsideTab(page, draw)


def make_engines(arguments: Arguments, journal: Journal, turns: Turns) -> list[LocalEngine]:
    """One engine for each installed model; they share the queue and the memory.

    Raises:
        ValueError: if a model folder is missing or damaged.
    """
    device = pick_device()
    dtype = pick_dtype(device, arguments.precision)
    memory = Memory(MEMORY_SHARE * psutil.virtual_memory().total)
    engines: dict[str, LocalEngine] = {}
    for folder in model_folders(arguments.model):
        info = read_model_info(folder)
        load = partial(load_model, folder, device)
        if info.name not in engines:
            engines[info.name] = LocalEngine(info, load, turns, journal, memory, device, dtype)
    return list(engines.values())


def model_folders(first: Path) -> list[Path]:
    """Folders of the models to offer: the given one, then the other installed ones."""
    if IS_LENT:  # a GPU is lent only to models that are loaded at the start
        return [first]
    models = models_folder()
    return [first, *(card.folder(models) for card in MODELS if card.is_installed(models))]


def load_model(folder: Path, device: torch.device, dtype: torch.dtype) -> VARPipeline:
    """A model with its weights, laid out for drawing."""
    pipeline = VARPipeline.from_pretrained(folder, torch_dtype=dtype).to(device)
    pipeline.pack()
    return pipeline


def serve(arguments: Arguments) -> None:
    """Serve the page until the process is interrupted.

    Raises:
        ValueError: if a model folder is missing or damaged.
        OSError: if a port is taken.
    """
    journal, turns = Journal(), Turns(arguments.limits)
    engines = make_engines(arguments, journal, turns)
    missing = [card for card in MODELS if not card.is_installed(models_folder())]
    log_to_stderr()
    with Cache() as cache:
        os.environ["GRADIO_TEMP_DIR"] = str(cache.folder)
        pictures = cache.folder / "pictures"
        pictures.mkdir()
        engines[0].prepare()  # the front page can draw as soon as it opens
        journal.watch("running", "Jobs that run", lambda: turns.counts()[0])
        journal.watch("waiting", "Jobs that wait", lambda: turns.counts()[1])
        journal.watch("cache_bytes", "Uploads and finished pictures", cache.size)
        site = Site(
            engines,
            add_tabs,
            pictures,
            journal,
            arguments.num_proxies,
            () if IS_LENT else missing,
        )
        if arguments.metrics_port is not None:
            journal.serve(arguments.metrics_port)
        launch(site, arguments.host, arguments.port, block=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page as the command line says; returns the exit code."""
    try:
        serve(parse_arguments(argv))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT if isinstance(error, ValueError) else EXIT_PORT_IN_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
