"""Where a training runs: one device, or the processes that ``torchrun`` started."""

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
    """The processes that train together.

    Attributes:
        rank: Number of this one.
        size: How many there are.
        device: Of this one.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.size > 1:
            distributed.barrier()

    def told(self, value: Any) -> Any:
        """The first process's ``value``, in every process; what the others give is not looked at."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


ALONE = World(0, 1, torch.device("cpu"))
"""One process on the CPU."""


@contextmanager
def training_world(device: str = "auto") -> Iterator[World]:
    """Join the processes that ``torchrun`` started, or be alone.

    Args:
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises:
        TrainingError: There is no such device.
    """
    if not distributed.is_torchelastic_launched():
        yield World(0, 1, choose_device(device))
        return
    distributed.init_process_group()
    try:
        rank, size = distributed.get_rank(), distributed.get_world_size()
        here = choose_device(device)
        if here.type == "cuda" and ":" not in device:
            here = torch.device("cuda", rank % torch.cuda.device_count())
            torch.cuda.set_device(here)
        yield World(rank, size, here)
    finally:
        distributed.destroy_process_group()


def choose_device(name: str) -> torch.device:
    """A device by name; ``"auto"`` is a GPU where there is one.

    Raises:
        TrainingError: There is no such device here.
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
    """The number type of a forward pass in mixed precision, or ``None`` for float32 all through.

    Args:
        precision: ``"auto"`` is bfloat16 where the device has instructions for it; a CPU without them is several times
            slower in bfloat16 than in float32.
        device: Where the pass runs.

    Raises:
        TrainingError: The precision is not to be had on the device.
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
