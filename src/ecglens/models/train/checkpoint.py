"""Files of a training run: weights and checkpoints in safetensors, each written completely or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ecglens.documents import parse_json
from ecglens.errors import TrainingError

__all__ = ["load_state", "load_weights", "save_state", "save_weights", "write_whole"]

Tensors = Mapping[str, Mapping[str, Tensor]]

_FORMAT = "ecglens-checkpoint-1"


def save_state(path: Path, plain: Mapping[str, Any], tensors: Tensors) -> None:
    """Write a checkpoint.

    Args:
        path: File to write; an older one is replaced atomically.
        plain: Values that JSON can store; floats are restored bit for bit.
        tensors: Groups of tensors by name.

    Raises:
        TrainingError: The file cannot be written; an older one is not changed.
    """
    flat = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, members in tensors.items()
        for name, tensor in members.items()
    }
    write_whole(path, save(flat, {"format": _FORMAT, "plain": json.dumps(plain)}))


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Read a checkpoint that :func:`save_state` wrote.

    Returns:
        The plain values and the groups of tensors.

    Raises:
        TrainingError: The file is not such a checkpoint.
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
            return parse_json(notes["plain"]), tensors
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise TrainingError(
            f"Expected a checkpoint in '{path}', but it cannot be read as one; remove it to train this part again."
        ) from error


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a model's weights and buffers.

    Raises:
        TrainingError: The file cannot be written.
    """
    write_whole(path, save({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}))


def load_weights(path: Path, model: nn.Module) -> None:
    """Load weights from a file into a model.

    Raises:
        TrainingError: The file cannot be read or contains the weights of another model.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"Expected the weights of this model in '{path}', but they cannot be read or do not fit."
        ) from error


def match_memory_order(value: Tensor, model_value: Tensor) -> Tensor:
    """Copy ``value`` to the device and memory order of ``model_value``, because results can depend on that order."""
    return torch.empty_like(model_value, dtype=value.dtype).copy_(value)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: it is complete or does not exist.

    Raises:
        TrainingError: The file cannot be written; an older one is not changed.
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
            f"{len(content) / 1e6:.1f} MB could not be written to '{path}': {error.strerror}; the file that was there "
            "before is unchanged. Free some space and run the command again with --resume."
        ) from error
