"""Train a network on beats that are cut as pages show them, with several labels for each record."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecglens.models.inputs.recipes import RHYTHM_ROWS
from ecglens.models.train.cut_beats import BeatCutter
from ecglens.models.train.signal_set import SignalSet

__all__ = ["DEFAULTS", "FitSettings", "compute_logits", "fit_signal_model"]

_ROWS = 64


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Settings with which a network is trained.

    Attributes:
        epochs: Times that each record is seen, each time cut again.
        batch: Records of one step.
        learning_rate: Highest rate, reached after a tenth of the steps; a half cosine leads from it to 0.
        weight_decay: Of AdamW.
        averaging: Share of the averaged weights that each step leaves as it is; the averaged weights are the result.
        digitized: Share of the records with a digitized page that are seen as that page shows them.
        smoothing: Targets are this far from 0 and 1.
        mixing: Both parameters of the beta distribution by which two records are mixed (arXiv 1710.09412).
    """

    epochs: int = 20
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    averaging: float = 0.99
    digitized: float = 0.5
    smoothing: float = 0.02
    mixing: float = 0.4


DEFAULTS = FitSettings()


def fit_signal_model(
    network: nn.Module,
    data: SignalSet,
    cutter: BeatCutter,
    rows: NDArray[np.int64],
    *,
    settings: FitSettings = DEFAULTS,
    pages: NDArray[np.float32] | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    penalty: Callable[[], Tensor] | None = None,
) -> nn.Module:
    """Train a network on some records.

    Args:
        network: Reads what the cutter makes; it is changed.
        data: Records and their superclasses.
        cutter: Cuts the beats of these records.
        rows: Which of them to train on.
        settings: How it is trained.
        pages: ``(records, rows, samples)``, each record as it was digitized from a page; zeros where it was not.
        seed: Random seed of order, cuts and dropout.
        report: Takes a line after each epoch.
        penalty: Returns a scalar tensor on the weights, which is added to the loss of each step.

    Returns:
        The network with averaged weights, ready to answer.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    averaged = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * max(1, len(rows) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / steps))
    done = 0
    for epoch in range(settings.epochs):
        network.train()
        order, losses = rng.permutation(rows), []
        for start in range(0, max(1, len(order) - settings.batch + 1), settings.batch):
            batch = order[start : start + settings.batch]
            inputs = cutter.cut(batch, rng)
            if pages is not None:
                _show_pages(inputs, pages[batch], settings.digitized, rng)
            targets = data.targets[batch] * (1 - 2 * settings.smoothing) + settings.smoothing
            inputs, targets = _mix(inputs, targets, settings.mixing, rng)
            logits = network(torch.from_numpy(inputs))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(targets))
            if penalty is not None:
                loss = loss + penalty()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
            _average(averaged, network, min(settings.averaging, (1 + done) / (10 + done)))
            losses.append(loss.item())
        report(f"epoch {epoch + 1} of {settings.epochs}: loss {np.mean(losses):.4f}")
    return averaged


def compute_logits(network: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the logits of some inputs."""
    network.eval()
    with torch.inference_mode():
        parts = [network(torch.from_numpy(inputs[start : start + _ROWS])) for start in range(0, len(inputs), _ROWS)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


def _show_pages(
    inputs: NDArray[np.float32], pages: NDArray[np.float32], share: float, rng: np.random.Generator
) -> None:
    """Replace some inputs by the record's digitized page."""
    chosen = (rng.random(len(inputs)) < share) & pages.any(axis=(1, 2))
    inputs[chosen] = pages[chosen]


def _mix(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], mixing: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mix each record with another one; a mask of the mixture is the lesser of both."""
    leads = (inputs.shape[1] - RHYTHM_ROWS) // 2
    others = rng.permutation(len(inputs))
    share = rng.beta(mixing, mixing, (len(inputs), 1)).astype(np.float32)
    mixed = share[..., None] * inputs + (1 - share[..., None]) * inputs[others]
    masks = slice(leads, 2 * leads)
    mixed[:, masks] = np.minimum(inputs[:, masks], inputs[others, masks])
    return mixed, share * targets + (1 - share) * targets[others]


def _average(averaged: nn.Module, network: nn.Module, share: float) -> None:
    """Move the averaged weights a step towards the network's."""
    with torch.no_grad():
        pairs = zip(averaged.state_dict().values(), network.state_dict().values(), strict=True)
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, 1 - share)
            else:
                mean.copy_(value)


def _rate(done: float) -> float:
    """Return the learning rate at a share of the steps, as a part of the highest."""
    warm = 0.1
    return done / warm if done < warm else 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))
