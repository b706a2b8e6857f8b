"""Files of a training: weights and checkpoints in safetensors, each whole or not there."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ecglens.errors import TrainingError

__all__ = ["load_state", "load_weights", "save_state", "save_weights", "write_whole"]

Tensors = Mapping[str, Mapping[str, Tensor]]

_FORMAT = "ecglens-checkpoint-1"


def save_state(path: Path, plain: Mapping[str, Any], tensors: Tensors) -> None:
    """Write a checkpoint.

    Args:
        path: Replaced at once, when everything is on the disk.
        plain: What JSON can hold; floats come back bit for bit.
        tensors: Groups of tensors by name.

    Raises:
        TrainingError: The disk does not take it; what was there before is kept.
    """
    flat = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, members in tensors.items()
        for name, tensor in members.items()
    }
    write_whole(path, save(flat, {"format": _FORMAT, "plain": json.dumps(plain)}))


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Read a checkpoint that :func:`save_state` wrote.

    Raises:
        TrainingError: The file is no such checkpoint.
    """
    tensors: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, "pt") as stream:
            notes = stream.metadata() or {}
            if notes.get("format") != _FORMAT:
                raise ValueError("another format")
            for key in stream.keys():  # noqa: SIM118 (not a dictionary)
                group, _, name = key.partition("/")
                tensors.setdefault(group, {})[name] = stream.get_tensor(key)
            return json.loads(notes["plain"]), tensors
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise TrainingError(
            f"Expected a checkpoint in '{path}', but it cannot be read as one; remove it to train this part again."
        ) from error


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a model's weights and buffers.

    Raises:
        TrainingError: The disk does not take them.
    """
    write_whole(path, save({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}))


def load_weights(path: Path, model: nn.Module) -> None:
    """Put weights from a file into a model.

    Raises:
        TrainingError: The file cannot be read or holds another model's weights.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"Expected the weights of this model in '{path}', but they cannot be read or do not fit."
        ) from error


def match_memory_order(value: Tensor, model_value: Tensor) -> Tensor:
    """``value`` with the device and the order in memory of ``model_value``: bits can depend on that order."""
    return torch.empty_like(model_value, dtype=value.dtype).copy_(value)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there.

    Raises:
        TrainingError: The disk does not take it; what was there before is kept.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TrainingError(
            f"{len(content) / 1e6:.1f} MB could not be written to '{path}': {error.strerror}; what was there before is "
            "kept. Make room and run the command again with --resume."
        ) from error
