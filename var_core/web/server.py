"""Starts the server of a site, with nothing open that the page does not need."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

from gradio.http_server import LOCALHOST_NAME, Server
from starlette.middleware import Middleware
from uvicorn.config import HTTP_PROTOCOLS, LOOP_FACTORIES

from var_core.images import MAX_FILE_BYTES
from var_core.serving.agent_guide import agent_guide
from var_core.serving.all_endpoints import Api
from var_core.serving.calls import SiteMap
from var_core.serving.connections import ConnectionLimit, room_for_connections
from var_core.serving.fair_queue import FairQueue
from var_core.serving.http_guard import HttpGuard
from var_core.serving.origins import Surroundings, listens_locally
from var_core.serving.page_cache import PageCache
from var_core.serving.stop_signals import wait_until
from var_core.serving.tool_server import ToolServer
from var_core.serving.uploads import Uploads
from var_core.web.assets import read_asset, style_paths
from var_core.web.call_queue import CallQueue
from var_core.web.page import Site
from var_core.web.sessions import Sessions
from var_core.web.theme import page_theme
from var_core.web.words import translations

MAX_SESSIONS = 500  # visitors whose values are kept
END_SECONDS = 2  # for what still listens, before it is cut off
SCRIPTS = (
    "words.js",
    "search.js",
    "notices.js",
    "run_queue.js",
    "address.js",
    "page.js",
)  # page.js sets up what is left


def launch(site: Site, host: str | None, port: int | None, tools: ToolServer | None = None) -> str:
    """Serve a site from threads of its own; returns the address of its page.

    Args:
        site: the site.
        host: address to listen on; None takes 127.0.0.1.
        port: port to listen on; None takes 7860 or the next free one.
        tools: answers assistants; None leaves their door closed.

    Raises:
        OSError: if the port is taken.
    """
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # uvicorn believes nobody; `Surroundings` decides
    sessions = Sessions(site.blocks, MAX_SESSIONS)
    with _plain_port_error(host, port), _plain_uvicorn():
        site.blocks.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,  # else gradio advises to publish the page
            theme=page_theme(),
            css_paths=style_paths(),
            i18n=translations(),
            js=f"() => {{{''.join(map(read_asset, SCRIPTS))}}}",
            footer_links=[],
            max_file_size=MAX_FILE_BYTES,
            max_threads=site.num_threads,
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            state_session_capacity=MAX_SESSIONS,
            show_error=False,
            strict_cors=True,
            _frontend=False,  # else gradio gives up where its page takes longer than three seconds
            app_kwargs={
                "middleware": _middleware(site, sessions, host or LOCALHOST_NAME, tools),
                "docs_url": None,
                "redoc_url": None,
                "openapi_url": None,
            },
        )
    site.blocks.app.state_holder = sessions
    sessions.set_blocks(site.blocks)
    _limit_connections(site.blocks.server, site.blocks.client.num_proxies)
    assert site.blocks.local_url is not None
    return site.blocks.local_url


def _middleware(
    site: Site, sessions: Sessions, host: str, tools: ToolServer | None
) -> list[Middleware]:
    """What stands before the application, the outermost first."""
    metrics, site_map = site.blocks.metrics, map_of(site)
    guard = Middleware(
        HttpGuard,
        is_ready=lambda: site.engines[0].is_ready() and metrics.health.is_well(site.folder),
        refused=partial(metrics.refuse, "door"),
        fault=metrics.fault,
        uploads=Uploads(site.folder, MAX_FILE_BYTES),
        site=site_map,
        surroundings=Surroundings(
            is_local=listens_locally(host), has_proxy=site.blocks.client.num_proxies > 0
        ),
        find_client=site.blocks.client.find_in,
        page_calls=sessions.announce,
        direct_calls=lambda client, size: calls_of(site).direct(client, size),
        guide=agent_guide(Api(site.engines[0]), tools is not None),
        tools=tools,
    )
    return [guard, Middleware(PageCache, pages=site_map.pages)]


def calls_of(site: Site) -> CallQueue:
    """The queue of the calls of all pages."""
    calls = site.blocks._queue
    assert isinstance(calls, CallQueue)
    return calls


def map_of(site: Site) -> SiteMap:
    """What there is on a site for others to open and to call."""
    endpoints = site.blocks.get_api_info()["named_endpoints"]
    return SiteMap(
        pages=frozenset(site.names[1:]),
        numbers=frozenset(number for number, one in site.blocks.fns.items() if one.fn is not None),
        endpoints={
            name.removeprefix("/"): {
                one["parameter_name"]: one.get("parameter_has_default", False)
                for one in described["parameters"]
            }
            for name, described in endpoints.items()
        },
    )


def drain(site: Site, queue: FairQueue, seconds: float) -> None:
    """Take no new jobs, finish those that are here, and stop listening.

    Args:
        site: the site, which was launched.
        queue: queue of its engines.
        seconds: time for the jobs, at most.
    """
    queue.close()
    blocks = site.blocks
    events = blocks._queue.active_jobs
    wait_until(lambda: queue.counts() == (0, 0) and not any(events), seconds)
    loop, calls = blocks.server.servers[0].get_loop(), calls_of(site)
    blocks.server.config.timeout_graceful_shutdown = END_SECONDS
    calls.close()
    loop.call_soon_threadsafe(blocks.app.stop_event.set)  # ends the heartbeats of open pages
    loop.call_soon_threadsafe(calls.forget_all)
    blocks.close(verbose=False)


def _limit_connections(server: Server, num_proxies: int) -> None:
    """Bound the connections of a running server, in all and of each address.

    Behind a proxy all of them come from its address.
    """
    make = cast(Callable[..., asyncio.Protocol], server.config.http_protocol_class)
    parts = {
        "config": server.config,
        "server_state": server.server_state,
        "app_state": server.lifespan.state,
    }
    # what asyncio shows of a listening socket cannot accept
    listeners = [
        cast(socket.socket, getattr(one, "_sock", one))
        for part in server.servers
        for one in part.sockets
    ]
    most = room_for_connections()
    share = most if num_proxies else max(1, most // 2)
    limit = ConnectionLimit(listeners, partial(make, **parts), most, share)
    server.servers[0].get_loop().call_soon_threadsafe(limit.start)


@contextmanager
def _plain_uvicorn() -> Iterator[None]:
    """Have uvicorn take asyncio and h11, also where uvloop and httptools are installed.

    Those lie beside us as soon as another package wants them. Nobody may listen beside the loop of
    uvloop, as `ConnectionLimit` does; and what is refused should not depend on the parser.
    """
    kept = LOOP_FACTORIES["auto"], HTTP_PROTOCOLS["auto"]
    LOOP_FACTORIES["auto"], HTTP_PROTOCOLS["auto"] = (
        LOOP_FACTORIES["asyncio"],
        HTTP_PROTOCOLS["h11"],
    )
    try:
        yield
    finally:
        LOOP_FACTORIES["auto"], HTTP_PROTOCOLS["auto"] = kept


@contextmanager
def _plain_port_error(host: str | None, port: int | None) -> Iterator[None]:
    """Name our own options where gradio cannot listen and advises its own."""
    try:
        yield
    except OSError as error:
        if "empty port" not in str(error):
            raise
        where = f"{host or '127.0.0.1'}, port {port or '7860 and those after it'}"
        raise OSError(
            f"cannot listen on {where}: taken, or not of this machine; see --host and --port"
        ) from error
