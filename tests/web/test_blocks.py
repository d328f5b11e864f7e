"""What callers see of errors, and whose address a handler finds."""

import asyncio
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import gradio as gr
import pytest
from starlette.datastructures import Headers

from var_core.serving.metrics import JobMetrics
from var_core.web.blocks import ClientAddress, GuardedBlocks


def refuse() -> None:
    raise ValueError("seed must be a whole number")


def lose() -> None:
    raise KeyError("/secret/path")


def fill_disk() -> Iterator[int]:
    yield 1
    raise OSError(28, "No space left on device")


def call(handler: Callable, steps: int = 1, values: tuple = ()) -> None:
    """Call a handler as the queue does."""
    with GuardedBlocks(JobMetrics(), ClientAddress(), "title") as blocks:
        number, button = gr.Number(), gr.Button()
        button.click(handler, None, number)
    iterator = None
    for _ in range(steps):
        result = asyncio.run(blocks.process_api(0, list(values), iterator=iterator))
        iterator = result["iterator"]


def test_what_is_refused_becomes_one_sentence_and_what_fails_a_reference() -> None:
    with pytest.raises(gr.Error, match="seed must be a whole number"):
        call(refuse)
    with pytest.raises(gr.Error, match="The disk of this server is full: nothing can be saved"):
        call(fill_disk, steps=2)
    with pytest.raises(gr.Error, match="takes 0 values, not 2"):
        call(refuse, values=(1, 2))
    with pytest.raises(gr.Error, match=r"Reference: [0-9a-f]{8}'?$") as caught:
        call(lose)
    assert "secret" not in caught.value.message and caught.value.print_exception is False


def paint(colour: str, count: int = 3, mood: str | None = None) -> str:
    return f"{colour} {count} {mood}"


def blocks_of(visibility: str) -> GuardedBlocks:
    """Blocks with one handler, which has defaults."""
    with GuardedBlocks(JobMetrics(), ClientAddress(), "title") as blocks:
        if visibility == "public":
            gr.api(paint)
        else:
            values = [gr.Textbox(), gr.Number(), gr.Textbox()]
            gr.Button().click(paint, values, gr.Textbox(), api_visibility="private")
    return blocks


def test_an_endpoint_fills_in_the_values_that_a_call_leaves_out_at_its_end() -> None:
    blocks = blocks_of("public")

    def ask(*values: object) -> str:
        return asyncio.run(blocks.process_api(0, list(values)))["data"][0]

    assert [ask("red"), ask("red", 5)] == ["red 3 None", "red 5 None"]
    assert ask("red", 5, "calm") == "red 5 calm"
    assert ask("red", None) == "red None None"  # what is given is given
    for values in ((), ("red", 5, "calm", 7)):
        with pytest.raises(gr.Error, match=f"takes 1 to 3 values, not {len(values)}"):
            ask(*values)


def test_the_page_must_send_the_values_of_all_its_widgets() -> None:
    with pytest.raises(gr.Error, match="takes 3 values, not 2"):
        asyncio.run(blocks_of("private").process_api(0, ["red", 5]))


def request_of(*forwarded: str) -> gr.Request:
    """A request over a connection from 10.0.0.1."""
    headers = {"x-forwarded-for": ", ".join(forwarded)} if forwarded else {}
    client = SimpleNamespace(host="10.0.0.1")
    return gr.Request(SimpleNamespace(headers=headers, client=client))


def test_the_address_is_the_one_that_the_outermost_trusted_proxy_has_seen() -> None:
    request = request_of("1.1.1.1", "2.2.2.2", "3.3.3.3")
    found = [ClientAddress(num_proxies).find(request) for num_proxies in range(5)]
    assert found == ["10.0.0.1", "3.3.3.3", "2.2.2.2", "1.1.1.1", "10.0.0.1"]
    assert ClientAddress(1).find(request_of()) == "10.0.0.1"
    assert ClientAddress(1).find(None) == ""


def test_all_lines_of_the_header_count_so_that_none_can_be_put_before_the_last_one() -> None:
    lines = [(b"x-forwarded-for", b"6.6.6.6"), (b"X-Forwarded-For", b"5.5.5.5, 1.1.1.1")]
    headers = Headers(raw=[(name.lower(), value) for name, value in lines])
    request = gr.Request(SimpleNamespace(headers=headers, client=SimpleNamespace(host="10.0.0.1")))
    found = [ClientAddress(num_proxies).find(request) for num_proxies in range(5)]
    assert found == ["10.0.0.1", "1.1.1.1", "5.5.5.5", "6.6.6.6", "10.0.0.1"]


@pytest.mark.parametrize(
    ("spellings", "network"),
    [
        (("9.9.9.7", "9.9.9.7:1", "9.9.9.7:4000", "[::ffff:9.9.9.7]:80"), "9.9.9.7"),
        (("2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:1", "[2001:db8::4]:2"), "2001:db8::/64"),
        (("unknown",), "unknown"),
    ],
)
def test_a_visitor_stays_the_same_behind_another_port(
    spellings: tuple[str, ...], network: str
) -> None:
    assert {ClientAddress(1).find(request_of(one)) for one in spellings} == {network}


def test_no_answer_holds_an_object_of_python() -> None:
    with GuardedBlocks(JobMetrics(), ClientAddress(), "title") as blocks:
        html = gr.HTML(js_on_load="watch('scene', () => trigger('go'))", scene=None)
        gr.Button().click(lambda: gr.update(scene={"a": 1}, visible=False), None, html)
    (said,) = asyncio.run(blocks.process_api(0, []))["data"]
    assert said.keys() == {"__type__", "visible", "props"} and said["__type__"] == "update"
    assert said["props"]["scene"] == {"a": 1} and json.loads(json.dumps(said)) == said


def test_an_address_holds_for_the_handler_that_answers_its_request() -> None:
    address = ClientAddress()

    async def visit(request: gr.Request) -> str:
        address.remember(request)
        await asyncio.sleep(0)
        return address()

    async def visits() -> list[str]:
        return await asyncio.gather(visit(request_of()), asyncio.to_thread(address))

    assert asyncio.run(visits()) == ["10.0.0.1", ""]
    assert address() == ""
