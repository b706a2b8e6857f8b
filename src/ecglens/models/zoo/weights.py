"""Pretrained weights of backbones: from timm's hub, or from a file.

A file may come from timm (``.safetensors``, ``.pth``) or be an EfficientNet of ``efficientnet_pytorch``, whose layers
have other names in the same order. Files are read as arrays only; code in them is never run.
"""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.settings import load_settings

__all__ = ["IMAGENET", "find_weights", "load_weights"]

IMAGENET = "imagenet"

_SECONDS = 10.0
_STATE_KEYS = ("state_dict", "model")
_OTHER_EFFICIENTNET = "_conv_stem.weight"


def find_weights(name: str, weights: str | None) -> Path | None:
    """Find the file with a backbone's weights, and fetch it from the hub if it is missing.

    Args:
        name: Name in timm.
        weights: ``None`` for random weights, ``"imagenet"``, or a file.

    Returns:
        Path of the file; ``None`` for random weights.

    Raises:
        TrainingError: There is no such file and the hub cannot be reached.
    """
    if weights is None:
        return None
    if weights != IMAGENET:
        path = Path(weights)
        if not path.is_file():
            raise TrainingError(
                f"Expected the option weights to be {IMAGENET} or a file, but there is no file '{weights}'."
            )
        return path
    config: Any = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise TrainingError(f"There are no weights of '{name}' on timm's hub; leave the option weights out.")
    repository, file = config.hf_hub_id, config.hf_hub_filename or "model.safetensors"
    own = load_settings().models_dir / IMAGENET / f"{config.architecture}.{config.tag}.safetensors"
    if own.is_file():
        return own
    try:
        return _fetch(repository, file)
    except Exception as error:  # errors of the hub's client and of its transport have no common base class
        raise TrainingError(
            f"The ImageNet weights of '{name}' are missing and cannot be fetched; download "
            f"{_address(repository, file)} and put it at '{own}', or set the option weights to the file."
        ) from error


def load_weights(name: str, weights: str | None, **options: Any) -> nn.Module:
    """Create a network of timm, without its classifier, and load its weights.

    Args:
        name: Name in timm.
        weights: As for :func:`find_weights`.
        **options: Options of ``timm.create_model``.

    Raises:
        TrainingError: There are no such weights, or they do not fit.
    """
    path = find_weights(name, weights)
    if path is None:
        network: nn.Module = timm.create_model(name, pretrained=False, **{**options, "num_classes": 0})
        return network
    state = _read_state(path)
    if _OTHER_EFFICIENTNET in state:
        state = _rename(state, name, path)
    for head in (True, False):
        try:
            return _create(name, state, options, head=head)
        except (RuntimeError, KeyError, ValueError) as error:
            fault = error
    raise TrainingError(f"The weights in '{path.name}' are not those of a '{name}'; name another file.") from fault


def _create(name: str, state: dict[str, Tensor], options: dict[str, Any], *, head: bool) -> nn.Module:
    """Create a network from all entries of ``state``, with the classifier of its original labels or without one.

    When timm drops a classifier, it no longer checks which entries fit; so the classifier is removed before.
    """
    config: Any = timm.get_pretrained_cfg(name)
    entries: dict[str, Any] = dict(state)
    if not head:
        names = (config.classifier,) if isinstance(config.classifier, str) else config.classifier or ()
        entries = {key: value for key, value in state.items() if key.rpartition(".")[0] not in names}
    labels = config.num_classes if head else 0
    overlay = {"state_dict": entries, "num_classes": labels}
    model: Any = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay=overlay, **{**options, "num_classes": labels}
    )
    model.reset_classifier(0)
    network: nn.Module = model
    return network


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, TypeError) as error:
        raise TrainingError(f"The weights in '{path.name}' cannot be read; fetch the file again.") from error
    except (
        Exception
    ) as error:  # pickle's error, which means that the file contains more than arrays, has no common base
        raise TrainingError(f"'{path.name}' contains more than weights, so it was not read.") from error
    for key in _STATE_KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise TrainingError(f"'{path.name}' contains no named weights; fetch the file again.")
    return state


def _fetch(repository: str, file: str) -> Path:
    """Fetch a file from the hub or its cache; if the hub cannot be reached, fail at once without retries."""
    from huggingface_hub import get_session, hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached)
    get_session().head(_address(repository, file), timeout=_SECONDS)
    return Path(hf_hub_download(repository, file))


def _address(repository: str, file: str) -> str:
    from huggingface_hub import hf_hub_url

    return str(hf_hub_url(repository, file))


def _rename(state: dict[str, Tensor], name: str, path: Path) -> dict[str, Tensor]:
    """Rename the weights of ``efficientnet_pytorch`` to timm's names: both have the same layers in the same order."""
    own: dict[str, Tensor] = timm.create_model(name, pretrained=False).state_dict()
    if _kinds(own) != _kinds(state):
        raise TrainingError(f"The weights in '{path.name}' are not those of a '{name}'; name another file.")
    return dict(zip(own, state.values(), strict=True))


def _kinds(state: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
    """List the kind of each entry (weight, running_mean ...) and its shape."""
    return [(key.rpartition(".")[2], value.shape) for key, value in state.items()]
