"""The processes of a run, as Accelerate makes them: device, tracker, shared work."""

import os
from collections.abc import Iterator
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, ProjectConfiguration
from torch import Tensor
from torch.utils.data import DataLoader

from training.loop.run_settings import RunSettings
from var_core.devices import pick_device

# what `accelerate launch` can ask for beside processes and precision, and what is there instead
NOT_TAKEN = {
    "ACCELERATE_USE_FSDP": "--shard spreads the weights over the processes (FSDP2)",
    "ACCELERATE_USE_DEEPSPEED": "--shard spreads the weights over the processes (FSDP2)",
    "ACCELERATE_USE_MEGATRON_LM": "--shard spreads the weights over the processes (FSDP2)",
    "ACCELERATE_USE_TP": "--shard spreads the weights over the processes (FSDP2)",
    "ACCELERATE_DYNAMO_BACKEND": "--compile compiles the network",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "--accumulate does that",
}
UNSET = ("", "0", "1", "no", "false", "none")
SWITCHES = ("ACCELERATE_USE",)  # beginnings of variables for which 1 means yes


def check_launcher() -> None:
    """Refuse what a launcher was configured for and this trainer does by options of its own.

    Raises:
        ValueError: naming the variable and the option.
    """
    for name, instead in NOT_TAKEN.items():
        value = os.environ.get(name, "").lower()
        is_set = value not in UNSET or (value == "1" and name.startswith(SWITCHES))
        if is_set:
            raise ValueError(f"{name}={os.environ[name]} is not taken: {instead}")


def new_accelerator(settings: RunSettings, *handlers: Any) -> Accelerator:
    """The processes of a run, which are told of no precision: runs see to that themselves.

    Accelerate has one precision for all that a process ever does, a study trains networks of two.

    Args:
        settings: settings of the run.
        handlers: settings of data-parallel training.

    Raises:
        ValueError: if a launcher asks for what is not taken.
    """
    check_launcher()
    place = ProjectConfiguration(settings.out, logging_dir=f"{settings.out}/tensorboard")
    return Accelerator(
        cpu=pick_device().type == "cpu",
        mixed_precision="no",
        gradient_accumulation_steps=settings.accumulate,
        log_with=None if settings.tracker == "none" else settings.tracker,
        project_config=place,
        dataloader_config=DataLoaderConfiguration(non_blocking=True),
        kwargs_handlers=list(handlers),
    )


def dealt(accelerator: Accelerator, count: int, at_once: int) -> Iterator[Tensor]:
    """Numbers from 0 to `count`, dealt to the processes in parts of equal size.

    All processes get equally many, some of them a second time; `gather` leaves these out.

    Args:
        accelerator: the run's processes.
        count: how many numbers.
        at_once: largest part.
    """
    size = min(at_once, -(-count // accelerator.num_processes))
    loader = DataLoader(cast(Any, range(count)), batch_size=max(1, size))
    yield from cast(Any, accelerator.prepare_data_loader(loader, device_placement=False))


def gathered(accelerator: Accelerator, measured: Tensor) -> Tensor:
    """The results of all processes for their parts of `dealt`, on the CPU."""
    return cast(Tensor, accelerator.gather_for_metrics(measured.contiguous())).cpu()


def device_name(device: torch.device) -> str:
    """A device in words, as "NVIDIA H100 80GB HBM3" or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
