"""Calls that no page would make end in a refusal, and never as a fault of the server."""

import asyncio
from pathlib import Path

import fastapi
import gradio as gr
from gradio.block_function import BlockFunction

import app
from var_core.serving.local_engine import LocalEngine
from var_core.web.page import Site
from var_core.web.sessions import PageState

FILE = {"path": "/nowhere", "meta": {"_type": "gradio.FileData"}}
ODD = (None, True, -1, 1.5, "x", "", [], {}, [None], {"a": {"b": 1}}, 10**30, "\0", FILE, [FILE])
TOLD = ("place", "scale", "run", "number", "query", "row", "column", "token", "left")
EVENTS = (None, {}, [], "x", 3, {"place": 0, "scale": {}, "number": [], "query": 3})
SCOPE = {"type": "http", "client": ("127.0.0.9", 1), "headers": [], "query_string": b""}
MOST_STEPS = 30  # of a handler that draws; more do not come


def num_faults(engine: LocalEngine) -> int:
    labels = {"where": "fault"}
    return int(engine.metrics.registry.get_sample_value("var_studio_refused_total", labels) or 0)


async def call(blocks: gr.Blocks, function: BlockFunction, values: list, told: object) -> None:
    """Call a function as gradio's routes do, until it has given all its values."""
    state, iterator = PageState(blocks), None
    for _ in range(MOST_STEPS):
        try:
            said = await blocks.process_api(
                function,
                values,
                state=state,
                iterator=iterator,
                request=gr.Request(fastapi.Request(SCOPE)),
                event_data=gr.EventData(None, told),
                event_id="e",
            )
        except gr.Error:
            return
        iterator = said.get("iterator")
        if not said.get("is_generating"):
            return


def test_no_value_and_no_event_is_a_fault_of_the_server(
    engine: LocalEngine, tmp_path: Path
) -> None:
    blocks = Site([engine], app.add_tabs, tmp_path, engine.metrics).blocks

    # several buttons may share what they do
    handlers = {getattr(one.fn, "__code__", None): one for one in blocks.fns.values()}
    engine.queue.close()  # values are judged before anybody draws

    async def all_calls() -> None:
        for function in filter(lambda one: one.fn is not None, handlers.values()):
            defaults = [getattr(one, "value", None) for one in function.inputs]
            for told in EVENTS:
                await call(blocks, function, list(defaults), told)
            for odd in ODD:
                await call(blocks, function, [odd] * len(defaults), None)
                for place in range(len(defaults)):
                    values = [*defaults[:place], odd, *defaults[place + 1 :]]
                    await call(blocks, function, values, dict.fromkeys(TOLD, odd))
            assert num_faults(engine) == 0, function.fn

    asyncio.run(all_calls())
