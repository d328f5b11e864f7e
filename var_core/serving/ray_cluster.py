"""Starts a Ray of the server's own, or joins a cluster, and has replicas run there.

A Ray of its own listens on this machine alone, and answers only to its own secret. Nothing is
reported to anybody, and no log of Ray gets words of visitors.
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import ray
import torch
from ray import serve
from ray.exceptions import AuthenticationError, RayError
from ray.serve.config import AutoscalingConfig
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatus, LoggingConfig

from var_core.model_info import ModelInfo, read_model_info
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.installed_engines import ModelFolders
from var_core.serving.metrics import LOOPBACK, PlaceHandler
from var_core.serving.ray_door import DoorHandle
from var_core.serving.ray_replica import Replica
from var_core.serving.replica_settings import ReplicaSettings, read_replicas
from var_core.serving.temp_files import TempFolder

APP = "var-studio"
RAY_BYTES = 600_000_000  # of a replica without weights, most of it torch
STORE_BYTES = 128 * 2**20  # shared memory for large pictures on their way
CHECK_SECONDS = 2.0  # between two checks of a replica; three that fail end it
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0  # before a replica that nobody needs ends
CLIENT = "ray://"
START_TRIES = 4
LATE_START = "timed out during startup"  # what Ray says
SHORT = Path("/tmp")  # names of sockets have at most 107 bytes


def application(
    folders: ModelFolders,
    precision: str,
    settings: ReplicaSettings,
    num_threads: int = 0,
    num_cores: int = 0,
) -> serve.Application:
    """The replicas as an application of Ray Serve.

    Args:
        folders: models of the server, on every machine of the cluster.
        precision: what the precision "auto" of a request means, one of PRECISIONS.
        settings: how many replicas there are.
        num_threads: number of threads of a replica; 0 leaves it to Ray.
        num_cores: cores of this machine, where replicas draw on it; 0 where they are elsewhere.
    """
    scaling = AutoscalingConfig(
        min_replicas=settings.least,
        max_replicas=settings.most,
        target_ongoing_requests=1,
        upscale_delay_s=CHECK_SECONDS,
        downscale_delay_s=IDLE_SECONDS,
    )
    seconds = QueueLimits.seconds
    deployment = serve.deployment(
        name="replica",
        num_replicas=settings.most if settings.is_fixed else None,
        autoscaling_config=None if settings.is_fixed else scaling,
        max_ongoing_requests=1,  # whoever is free draws next
        ray_actor_options={"num_cpus": 1, "num_gpus": int(torch.cuda.is_available())},
        health_check_period_s=CHECK_SECONDS,
        health_check_timeout_s=CONNECT_SECONDS,
        graceful_shutdown_timeout_s=seconds,  # what is being drawn is finished
        logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING"),
    )(Replica)
    return deployment.bind(folders, precision, num_threads, num_cores, seconds)


def build(arguments: Mapping[str, str]) -> serve.Application:
    """The application that `serve.yaml` describes.

    Args:
        arguments: values of `model`, `adapter`, `clips`, `precision` and `replicas`, which mean
            what the options of the server mean; all may be left out.
    """
    unknown = arguments.keys() - {"model", "adapter", "clips", "precision", "replicas"}
    if unknown:
        raise ValueError(f"unknown arguments: {', '.join(sorted(unknown))}")
    paths = {name: Path(arguments[name]) for name in ("clips", "adapter") if arguments.get(name)}
    folders = ModelFolders(Path(arguments.get("model", EMBEDDED_FOLDER)), **paths)
    settings = read_replicas(str(arguments.get("replicas", "1")), None)
    return application(folders, arguments.get("precision", "auto"), settings)


@contextlib.contextmanager
def running_replicas(
    folders: ModelFolders, precision: str, settings: ReplicaSettings
) -> Iterator[DeploymentHandle | DoorHandle]:
    """Replicas in a Ray of its own, which ends with this, or in a cluster, where they stay.

    An application that runs in the cluster already is used as it is.

    Raises:
        ValueError: if the cluster cannot be reached, or has no room for them.
    """
    info = read_model_info(folders.first)
    _keep_words_out_of_logs()
    with contextlib.ExitStack() as stack:
        with _own_signals():
            if settings.address is None:
                _check_memory(info, settings.most, psutil.virtual_memory().available)
                files = TempFolder(SHORT if SHORT.is_dir() else None)
                stack.push(files)  # and nothing sweeps it meanwhile
                stack.callback(ray.shutdown)
                _start(settings.most, files.folder)
            else:
                stack.callback(ray.shutdown)
                _join(settings.address)
        serve.start(proxy_location="Disabled")
        found = serve.status().applications.get(APP)
        if found is None or found.status == ApplicationStatus.DELETING:
            threads = cores = 0
            if settings.address is None:
                cores = torch.get_num_threads()
                threads = max(1, cores // settings.most)
            else:
                _check_cluster(info, settings.most)
            with _plain_start():
                serve.run(
                    application(folders, precision, settings, threads, cores),
                    name=APP,
                    route_prefix=None,  # reached by handles alone
                )
        _keep_words_out_of_logs()
        handle = serve.get_app_handle(APP)
        is_outside = (settings.address or "").startswith(CLIENT)
        yield DoorHandle(handle, APP) if is_outside else handle


def is_running() -> bool:
    """Whether the replicas are there, or start when somebody needs one."""
    found = serve.status().applications.get(APP)
    return found is not None and found.status == ApplicationStatus.RUNNING


def _start(num_replicas: int, folder: Path) -> None:
    """Start a Ray of this process's own.

    Raises:
        ValueError: if this machine is too busy for it.
    """
    for name, value in (
        ("RAY_AUTH_TOKEN", secrets.token_hex(32)),  # a Ray of its own asks for it
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_prestart_worker_first_driver", "0"),  # no processes but those that draw
        ("RAY_worker_niceness", "0"),  # what draws is no less urgent than the page
        ("RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS", "1"),  # one that hangs finishes nothing
    ):
        os.environ.setdefault(name, value)
    this = psutil.Process()
    for _ in range(START_TRIES):
        before = this.children()
        try:
            ray.init(
                "local",
                num_cpus=max(os.cpu_count() or 1, num_replicas),
                include_dashboard=False,
                configure_logging=False,
                log_to_driver=False,
                object_store_memory=STORE_BYTES,
                _node_ip_address=LOOPBACK,
                _temp_dir=str(folder),
            )
            return
        except Exception as error:  # Ray gives its processes 30 seconds, and has no narrower word
            if LATE_START not in str(error):
                raise
            for one in set(this.children()) - set(before):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
    raise ValueError(
        f"Ray did not start within 30 seconds, tried {START_TRIES} times: this machine is too busy"
    )


def _join(address: str) -> None:
    """Join a cluster.

    Raises:
        ValueError: if it cannot be reached, or speaks another version.
    """
    place = address.removeprefix(CLIENT)
    if address != "auto":
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except (OSError, ValueError, OverflowError) as error:
            raise ValueError(f"no Ray answers at {address!r:.80}: see --address") from error
    try:
        ray.init(address, configure_logging=False, log_to_driver=False)
    except ConnectionError as error:
        raise ValueError(f"no Ray answers at {address!r:.80}: see --address") from error
    except (RuntimeError, RayError) as error:
        if "ersion mismatch" in str(error):
            told = f"has another version of Ray or Python than this server, Ray {ray.__version__}"
        elif isinstance(error, AuthenticationError):
            told = "wants another token: see RAY_AUTH_TOKEN"
        else:
            told = "cannot be joined: is this machine a part of it?"
        raise ValueError(f"the cluster at {address!r:.80} {told}") from error


def _check_memory(info: ModelInfo, num_replicas: int, free: float) -> None:
    """Check that there is memory for so many replicas.

    Raises:
        ValueError: if there is not.
    """
    needed = num_replicas * (RAY_BYTES + 2 * info.size_bytes(torch.float32))
    if needed > free:
        raise ValueError(
            f"{num_replicas} replicas need {needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are free: ask for fewer"
        )


def _check_cluster(info: ModelInfo, num_replicas: int) -> None:
    """Check that a cluster has room for so many replicas.

    Raises:
        ValueError: if it has not.
    """
    room = ray.cluster_resources()
    _check_memory(info, num_replicas, room.get("memory", 0.0))
    if num_replicas > room.get("CPU", 0.0):
        raise ValueError(
            f"{num_replicas} replicas need {num_replicas} processors, "
            f"the cluster has {room.get('CPU', 0.0):g}: ask for fewer"
        )


@contextlib.contextmanager
def _plain_start() -> Iterator[None]:
    """One sentence where Serve has pages."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            "the replicas do not start: has every machine this package and the models?"
        ) from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _keep_words_out_of_logs() -> None:
    """Log where Ray fails, not what it says."""
    for name in ("ray", "ray.serve"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [PlaceHandler(logging.ERROR)], False
