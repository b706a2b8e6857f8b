"""Devices and processes of a training run: one device, or the processes that ``torchrun`` started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

from ecglens.errors import TrainingError

__all__ = ["ALONE", "World", "choose_device", "choose_forward_dtype", "training_world"]


@dataclass(frozen=True, slots=True)
class World:
    """Processes that train together.

    Attributes:
        rank: Number of this process.
        size: Number of processes.
        device: Device of this process.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the first process, which writes files and reports progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        if self.size > 1:
            distributed.barrier()

    def broadcast(self, value: Any) -> Any:
        """Return the first process's ``value`` in every process; the values of the others are ignored."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


ALONE = World(0, 1, torch.device("cpu"))
"""World of one process on the CPU."""


@contextmanager
def training_world(device: str = "auto") -> Iterator[World]:
    """Join the processes that ``torchrun`` started, or run as one process.

    Args:
        device: Name of the device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Yields:
        The processes and the device.

    Raises:
        TrainingError: There is no such device.
    """
    if not distributed.is_torchelastic_launched():
        yield World(0, 1, choose_device(device))
        return
    distributed.init_process_group()
    try:
        rank, size = distributed.get_rank(), distributed.get_world_size()
        own_device = choose_device(device)
        if own_device.type == "cuda" and ":" not in device:
            own_device = torch.device("cuda", rank % torch.cuda.device_count())
            torch.cuda.set_device(own_device)
        yield World(rank, size, own_device)
    finally:
        distributed.destroy_process_group()


def choose_device(name: str) -> torch.device:
    """Choose a device by name; ``"auto"`` is a GPU if there is one.

    Raises:
        TrainingError: There is no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"Expected a device such as auto, cpu, cuda or cuda:1, but '{name}' cannot be used here."
        ) from error
    return device


def choose_forward_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Choose the number type of a forward pass in mixed precision, or ``None`` for float32 throughout.

    Args:
        precision: ``"auto"`` is bfloat16 if the device has instructions for it; a CPU without them is several times
            slower in bfloat16 than in float32.
        device: Device of the forward pass.

    Raises:
        TrainingError: The device does not support the precision.
    """
    if precision == "float16":
        if device.type != "cuda":
            raise TrainingError("Precision float16 needs a GPU; set optimization.precision to auto.")
        return torch.float16
    if precision == "bfloat16" or (precision == "auto" and _has_bfloat16(device)):
        return torch.bfloat16
    return None


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
