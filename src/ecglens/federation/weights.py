"""Weights of a network as records of a message, and what of a network is exchanged."""

import numpy as np
import torch
from flwr.app import Array, ArrayRecord
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.models.train.checkpoint import match_memory_order

__all__ = [
    "get_arrays",
    "list_parameters",
    "list_shared",
    "load_tensors",
    "make_record",
    "read_record",
    "select_last_layers",
]


def list_shared(network: nn.Module, *, local_norms: bool = False) -> tuple[str, ...]:
    """List the names of the weights that are exchanged: all of floating point, so no counts of batches.

    Args:
        network: Network.
        local_norms: Whether batch normalizations stay at the site (FedBN; Li et al., arXiv 2102.07623).
    """
    local = _norm_names(network) if local_norms else frozenset()
    state = network.state_dict()
    return tuple(name for name, value in state.items() if value.is_floating_point() and name not in local)


def list_parameters(network: nn.Module) -> frozenset[str]:
    """List the names of the weights that are trained by gradients, without statistics of normalizations."""
    return frozenset(name for name, _ in network.named_parameters())


def select_last_layers(network: nn.Module, labels: int) -> None:
    """Freeze all weights but those of the layers that compute the labels.

    Raises:
        TrainingError: No linear layer computes the labels.
    """
    last = [part for part in network.modules() if isinstance(part, nn.Linear) and part.out_features == labels]
    if not last:
        raise TrainingError(
            f"Expected a model whose last layers compute {labels} labels, got one without such a layer; leave out the "
            "fine-tuning."
        )
    network.requires_grad_(False)
    for part in last:
        part.requires_grad_(True)


def get_arrays(network: nn.Module, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Copy weights by name, on the CPU."""
    state = network.state_dict()
    return {name: state[name].detach().cpu().contiguous().clone() for name in names}


def load_tensors(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load weights by name; those that are missing are not changed.

    Raises:
        TrainingError: A name or a shape is not that of the network.
    """
    own = network.state_dict()
    for name, value in tensors.items():
        if name not in own or own[name].shape != value.shape:
            raise TrainingError(
                f"Expected the weights of this model, got '{name}' with shape {tuple(value.shape)}; use the same "
                "recipe at the server and at every site."
            )
    with torch.no_grad():
        for name, value in tensors.items():
            own[name].copy_(match_memory_order(value, own[name]))


def make_record(tensors: dict[str, Tensor]) -> ArrayRecord:
    """Put weights into a record of a message."""
    return ArrayRecord({name: Array(np.ascontiguousarray(value.numpy())) for name, value in tensors.items()})


def read_record(record: ArrayRecord) -> dict[str, Tensor]:
    """Read weights from a record of a message, as float32."""
    return {name: torch.from_numpy(array.numpy().astype(np.float32)) for name, array in record.items()}


def _norm_names(network: nn.Module) -> frozenset[str]:
    return frozenset(
        f"{prefix}.{name}" if prefix else name
        for prefix, part in network.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
        for name in part.state_dict()
    )
