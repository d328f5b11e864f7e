"""VAR Studio: the tabs of its page, the engines that draw, and how both are served.

Run `python app.py`. Nothing leaves the machine.
"""

from var_core.terminal import be_quiet_while_loading, run_quietly

if __name__ == "__main__":
    be_quiet_while_loading()  # the modules below take seconds

import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from var_core.exit_codes import EXIT_BAD_INPUT, EXIT_PORT_IN_USE
from var_core.official.catalogue import MODELS, models_folder
from var_core.serving.executors import pick_executor
from var_core.serving.fair_queue import FairQueue
from var_core.serving.installed_engines import ModelFolders, started_engines
from var_core.serving.metrics import JobMetrics, log_to_stderr
from var_core.serving.stop_signals import ending_at_signals, wait_for_signal
from var_core.serving.temp_files import TempFolder
from var_core.serving.tool_server import ToolServer
from var_core.web.arguments import Arguments, parse_arguments
from var_core.web.clip_panel import ClipPanel
from var_core.web.compare_tab import CompareTab
from var_core.web.draw_tab import DrawTab
from var_core.web.edit_mode import EditMode
from var_core.web.how_tab import HowTab
from var_core.web.inside_tab import InsideTab
from var_core.web.page import Page, Site
from var_core.web.server import drain, launch


def add_tabs(page: Page) -> None:
    """The tabs of one model's page, from left to right.

    A tab is a class that gets the page and builds one `gr.Tab`, in `var_core/web/NAME_tab.py`.
    """
    draw = DrawTab(page)
    edit = EditMode(page, draw)  # in the Draw tab, in the place of its stage
    if page.engine.animator is not None:
        ClipPanel(page, draw, edit, page.engine.animator)  # below its stage
    CompareTab(page, draw)
    InsideTab(page, draw, edit)
    HowTab()


def serve(arguments: Arguments) -> None:
    """Serve the page until a signal ends the process; what is being drawn then is finished.

    Raises:
        ValueError: if a model folder is missing or damaged.
        OSError: if a port is taken.
    """
    executor = pick_executor()  # before CUDA is used
    limits = arguments.limits
    if arguments.replicas is None:
        limits = replace(limits, running=executor.num_jobs)
    metrics, queue = JobMetrics(), FairQueue(limits)
    folders = ModelFolders(arguments.model, arguments.clips, arguments.adapter)
    how = arguments.precision, executor, metrics, queue, arguments.replicas
    missing = [card for card in MODELS if not card.is_installed(models_folder())]
    refused = partial(metrics.refuse, "handler")
    with started_engines(folders, *how) as engines, TempFolder() as files:
        how_told = engines[0], metrics.fault, refused, limits
        tools = ToolServer(*how_told) if arguments.mcp else None
        log_to_stderr()
        os.environ["GRADIO_TEMP_DIR"] = str(files.pictures)  # whose files gradio shows
        engines[0].prepare()  # the front page can draw as soon as it opens
        metrics.watch("running", "Jobs that run", lambda: queue.counts()[0])
        metrics.watch("waiting", "Jobs that wait", lambda: queue.counts()[1])
        metrics.watch("cache_bytes", "Uploads and finished pictures", files.size)
        site = Site(
            engines,
            add_tabs,
            files.pictures,
            metrics,
            arguments.num_proxies,
            () if executor.is_lent else missing,
            arguments.limits.waiting,
        )
        if arguments.metrics_port is not None:
            metrics.serve(arguments.metrics_port)
        print(
            f"VAR Studio runs at {launch(site, arguments.host, arguments.port, tools)}", flush=True
        )
        gc.freeze()  # all that was loaded stays: no collection need walk through it
        wait_for_signal(partial(drain, site, queue))


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page as the command line says; returns the exit code."""
    return run_quietly(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    try:
        with ending_at_signals():
            serve(parse_arguments(argv))
    except BrokenPipeError:
        raise  # ends the command quietly
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT if isinstance(error, ValueError) else EXIT_PORT_IN_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
