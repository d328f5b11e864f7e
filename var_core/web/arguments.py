"""The command line of the page, and the environment variables that set its defaults."""

import argparse
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from var_core.devices import PRECISIONS
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.ranges import check_float, check_int
from var_core.serving.fair_queue import MAX_WAITING, QueueLimits
from var_core.serving.replica_settings import ReplicaSettings, read_replicas

ENGINES = ("local", "ray")
MAX_PROXIES = 8
MAX_PORT = 65535
MAX_SHARPEN_SECONDS = 3600


@dataclass(frozen=True)
class Arguments:
    """What the command line says.

    Attributes:
        model: folder of the model on the front page.
        adapter: folder of an adapter of that model; None for none.
        host: address to listen on; None takes 127.0.0.1.
        port: port to listen on; None takes 7860 or the next free one.
        precision: one of PRECISIONS.
        limits: limits of the queue.
        num_proxies: number of trusted proxies in front of the server.
        metrics_port: port for Prometheus; None serves no metrics.
        mcp: whether assistants find tools.
        clips: folder of a model of clips, for Animate on the page and its endpoint; None for none.
        replicas: replicas that draw, through Ray; None draws in this process.
    """

    model: Path
    adapter: Path | None
    host: str | None
    port: int | None
    precision: str
    limits: QueueLimits
    num_proxies: int
    metrics_port: int | None
    mcp: bool
    clips: Path | None = None
    replicas: ReplicaSettings | None = None


def parse_arguments(argv: Sequence[str] | None = None) -> Arguments:
    """Read the command line.

    Args:
        argv: words of the command line; None takes those of the process.

    Raises:
        ValueError: if a value is out of range.
    """
    given = _parser().parse_args(argv)
    if given.precision not in PRECISIONS:  # argparse does not check defaults
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}")
    replicas = _replicas(given.engine, given.replicas, given.address)
    limits = QueueLimits(
        running=1 if replicas is None else replicas.most,
        waiting=check_int("queue", given.queue, 1, MAX_WAITING),
        per_client=check_int("per-client", given.per_client, 1, MAX_WAITING),
        sharpen_seconds=check_float(
            "sharpen-seconds", given.sharpen_seconds, 0, MAX_SHARPEN_SECONDS
        ),
    )
    for name, port in (("port", given.port), ("metrics-port", given.metrics_port)):
        if port is not None:
            check_int(name, port, 1, MAX_PORT)
    if given.host is not None:
        check_host(given.host)
    return Arguments(
        model=given.model,
        adapter=given.adapter,
        host=given.host,
        port=given.port,
        precision=given.precision,
        limits=limits,
        num_proxies=check_int("proxies", given.proxies, 0, MAX_PROXIES),
        metrics_port=given.metrics_port,
        mcp=given.mcp,
        clips=given.clips,
        replicas=replicas,
    )


def _replicas(engine: str, count: str | None, address: str | None) -> ReplicaSettings | None:
    """The replicas of `--engine ray`; None for an engine of this process.

    Raises:
        ValueError: if there are none for what else is said.
    """
    if engine not in ENGINES:  # argparse does not check defaults
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}")
    if engine == "ray":
        return read_replicas("1" if count is None else count, address)
    for name, value in (("replicas", count), ("address", address)):
        if value is not None:
            raise ValueError(f"--{name} needs --engine ray")
    return None


def check_host(host: str) -> None:
    """Check that this machine can listen on an address.

    Raises:
        ValueError: if it cannot.
    """
    name = host.removeprefix("[").removesuffix("]")
    try:
        family, kind, _, _, address = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except (OSError, ValueError) as error:  # a ValueError for a name that cannot be encoded
        raise ValueError(
            f"host must be an address or a name of this machine, got {host!r:.80}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    limits = QueueLimits()
    parser = argparse.ArgumentParser(description="Serve VAR Studio.")
    _add_models(parser)
    _add_replicas(parser)
    parser.add_argument("--host", help="address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, metavar="N", help="default: 7860, or the next free one")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=_setting("PRECISION", PRECISIONS[0]),
        help="numbers that the networks compute with; default: %(default)s",
    )
    parser.add_argument(
        "--queue",
        type=int,
        metavar="N",
        default=_setting("QUEUE", limits.waiting),
        help=f"number of jobs that may wait, up to {MAX_WAITING}; default: %(default)s",
    )
    parser.add_argument(
        "--per-client",
        type=int,
        metavar="N",
        default=_setting("PER_CLIENT", limits.per_client),
        help="jobs of one address, drawing and waiting; default: %(default)s",
    )
    parser.add_argument(
        "--proxies",
        type=int,
        metavar="N",
        default=_setting("PROXIES", int("SPACE_ID" in os.environ)),
        help="trusted proxies in front, which report the client's address; default: %(default)s",
    )
    parser.add_argument(
        "--sharpen-seconds",
        type=float,
        metavar="S",
        default=_setting("SHARPEN_SECONDS", limits.sharpen_seconds),
        help="time after a drawing that turns the sketches of its scales into true decodes; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="N",
        default=_setting("METRICS_PORT"),
        help="serve Prometheus metrics on this port, to this machine only; default: off",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help="offer drawing as tools of the Model Context Protocol, at /mcp; needs the extra mcp",
    )
    return parser


def _setting(name: str, default: object = None) -> object:
    """The value of an environment variable, which a Space sets, or a default."""
    return os.environ.get(f"VAR_STUDIO_{name}", default)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=Path,
        default=EMBEDDED_FOLDER,
        metavar="FOLDER",
        help=f"model folder; default: {EMBEDDED_FOLDER.name}, which comes with VAR Studio",
    )
    parser.add_argument(
        "--adapter",
        type=Path,
        metavar="FOLDER",
        help="what training.lora wrote: the front page also draws this new thing; default: none",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="FOLDER",
        help="model of clips: Animate on the page, endpoint animate",
    )


def _add_replicas(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=_setting("ENGINE", ENGINES[0]),
        help="where pictures are drawn: in this process, or by replicas, which needs the extra "
        "ray; default: %(default)s",
    )
    parser.add_argument(
        "--replicas",
        metavar="N",
        default=_setting("REPLICAS"),
        help="processes that draw, each with a GPU if there are any; 0-4 follows the queue; "
        "default: 1",
    )
    parser.add_argument(
        "--address",
        default=_setting("ADDRESS"),
        help="Ray cluster to join: auto, 10.0.0.1:6379, ray://10.0.0.1:10001; "
        "default: one of its own",
    )
