"""Training at one site in one round, by the loops of :mod:`ecglens.models.train`."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.federation.weights import load_tensors, select_last_layers
from ecglens.labels import SUPERCLASSES
from ecglens.models.train.checkpoint import load_state, save_state
from ecglens.models.train.cut_beats import BeatCutter
from ecglens.models.train.loop import compute_logits, train
from ecglens.models.train.prepared import Prepared
from ecglens.models.train.recipe import Phase, Recipe, Selection
from ecglens.models.train.run import build_model, page_logits
from ecglens.models.train.signal_model import FitSettings, fit_signal_model
from ecglens.models.train.signal_model import compute_logits as compute_signal_logits
from ecglens.models.train.signal_run import build_network, make_whole_input
from ecglens.models.train.signal_set import SignalSet

__all__ = [
    "LocalTask",
    "LocalWeights",
    "Order",
    "PageTask",
    "SignalTask",
    "fit_site",
    "open_network",
    "recipe_of_round",
]

_log = logging.getLogger(__name__)
_FEWEST = 2
"""Rows below which a site does not train: statistics of a batch need two."""


@dataclass(frozen=True, slots=True)
class Order:
    """Order of a server to a site for one round.

    Attributes:
        round: Number of the round, from 1.
        epochs: Passes over the site's rows.
        learning_rate: Learning rate.
        trunk: Share of the backbone that is trained, for models with one.
        proximal: Weight of the distance from the server's weights in the loss (FedProx, arXiv 1812.06127).
        seed: Random seed of the round; each site adds its own number.
        last_layers: Whether only the layers that compute the labels are trained.
    """

    round: int
    epochs: int
    learning_rate: float
    trunk: float = 1.0
    proximal: float = 0.0
    seed: int = 0
    last_layers: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the order in plain types."""
        return asdict(self)


class LocalTask(Protocol):
    """Data of one site and the loop that trains on it."""

    @property
    def labels(self) -> int:
        """Number of labels."""

    def build(self) -> nn.Module:
        """Build the network; its weights are replaced."""

    def count(self) -> int:
        """Return the number of rows that the site trains on."""

    def fit(self, network: nn.Module, order: Order, folder: Path, penalty: Callable[[], Tensor] | None) -> nn.Module:
        """Train the network for one round and return the trained one."""

    def count_answers(self, network: nn.Module) -> NDArray[np.intp]:
        """Count the labels and answers of the site's test rows, ``(labels, labels)``; rows are true labels."""


@dataclass(frozen=True, slots=True, eq=False)
class PageTask:
    """Pages of one site, for any recipe of the zoo.

    Attributes:
        prepared: Prepared pages of the table.
        learn: ``(n,)``, rows of the table to train on.
        test: ``(m,)``, rows to score.
    """

    prepared: Prepared
    learn: NDArray[np.intp]
    test: NDArray[np.intp]

    @property
    def labels(self) -> int:
        """Number of labels."""
        return len(self.prepared.recipe.labels)

    def build(self) -> nn.Module:
        """Build the network of the recipe."""
        return build_model(self.prepared.recipe, seed=0, initial=False)

    def count(self) -> int:
        """Return the number of pages that the site trains on."""
        return len(self.learn)

    def fit(self, network: nn.Module, order: Order, folder: Path, penalty: Callable[[], Tensor] | None) -> nn.Module:
        """Train the network for one round."""
        recipe = recipe_of_round(self.prepared.recipe, order)
        samples = self.prepared.samples(self.learn, damaged=True)
        train(network, samples, None, recipe, seed=order.seed, folder=folder, penalty=penalty)
        return network

    def compute_logits(self, network: nn.Module, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Compute logits of pages, ``(pages, rows of a page, labels)``."""
        logits = compute_logits(network, self.prepared.samples(rows))
        return logits.reshape(len(rows), len(self.prepared.recipe.input.rows), -1)

    def count_answers(self, network: nn.Module) -> NDArray[np.intp]:
        """Count the labels and answers of the site's test pages."""
        counts = np.zeros((self.labels, self.labels), np.intp)
        if len(self.test):
            answers = page_logits(self.compute_logits(network, self.test), self.prepared.recipe.input).argmax(axis=1)
            np.add.at(counts, (self.prepared.targets[self.test], answers), 1)
        return counts


@dataclass(frozen=True, slots=True, eq=False)
class SignalTask:
    """Signals of one site, for the model of signals of any recorder.

    Attributes:
        data: Records.
        cutter: Cuts the beats of these records.
        learn: ``(n,)``, places of the records to train on.
        test: ``(m,)``, places of the records to score.
        settings: How the network is trained.
    """

    data: SignalSet
    cutter: BeatCutter
    learn: NDArray[np.int64]
    test: NDArray[np.int64]
    settings: FitSettings = FitSettings()

    @property
    def labels(self) -> int:
        """Number of superclasses."""
        return len(SUPERCLASSES)

    def build(self) -> nn.Module:
        """Build the network."""
        return build_network()

    def count(self) -> int:
        """Return the number of records that the site trains on."""
        return len(self.learn)

    def fit(self, network: nn.Module, order: Order, folder: Path, penalty: Callable[[], Tensor] | None) -> nn.Module:
        """Train the network for one round; the result has averaged weights."""
        defaults = self.settings
        settings = FitSettings(
            epochs=order.epochs,
            batch=min(defaults.batch, len(self.learn)),
            learning_rate=order.learning_rate,
            weight_decay=defaults.weight_decay,
            averaging=defaults.averaging,
            digitized=defaults.digitized,
            smoothing=defaults.smoothing,
            mixing=defaults.mixing,
        )
        with torch.random.fork_rng([]):
            return fit_signal_model(
                network, self.data, self.cutter, self.learn, settings=settings, seed=order.seed, penalty=penalty
            )

    def compute_logits(self, network: nn.Module, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute logits of whole recordings, ``(records, labels)``."""
        return compute_signal_logits(network, np.stack([make_whole_input(self.data.signals[row]) for row in rows]))

    def count_answers(self, network: nn.Module) -> NDArray[np.intp]:
        """Count right and wrong answers of each superclass: ``(labels, 2)`` would not be square, so it is diagonal."""
        counts = np.zeros((self.labels, self.labels), np.intp)
        if len(self.test):
            answers = self.compute_logits(network, self.test) > 0
            truth = self.data.targets[self.test] > 0
            for label in range(self.labels):
                counts[label, label] = int((answers[:, label] == truth[:, label]).sum())
        return counts


class LocalWeights:
    """Weights that never leave a site, stored by round so that a round can be repeated.

    Args:
        folder: Folder of the site.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, before: int) -> dict[str, Tensor]:
        """Load the weights after the last round before another one; empty if there is none.

        Raises:
            TrainingError: The file cannot be read.
        """
        rounds = [number for number in self._rounds() if number < before]
        if not rounds:
            return {}
        return load_state(self._path(max(rounds)))[1].get("weights", {})

    def save(self, number: int, tensors: dict[str, Tensor]) -> None:
        """Store the weights after a round, and remove those that no round can need any more."""
        save_state(self._path(number), {"round": number}, {"weights": tensors})
        for old in self._rounds():
            if old < number - 1:
                self._path(old).unlink(missing_ok=True)

    def _rounds(self) -> list[int]:
        return sorted(int(path.stem.rpartition("-")[2]) for path in self._folder.glob("local-*.safetensors"))

    def _path(self, number: int) -> Path:
        return self._folder / f"local-{number:05d}.safetensors"


def fit_site(
    task: LocalTask,
    shared: dict[str, Tensor],
    order: Order,
    folder: Path,
    *,
    start: dict[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Train at a site for one round.

    Args:
        task: Data of the site.
        shared: Weights from the server; the site sends those with the same names, and its others stay at the site.
        order: What to do.
        folder: Folder of the site, for its own weights and the checkpoint of the round.
        start: Weights that a site without own ones begins with.

    Returns:
        The weights to send.

    Raises:
        TrainingError: The site has too few rows, the weights are those of another model, or the loss is not finite.
    """
    if task.count() < _FEWEST:
        raise TrainingError(f"Expected at least {_FEWEST} recordings to train on, got {task.count()}; add some.")
    network = open_network(task, shared, order.round, folder, start=start)
    if order.last_layers:
        select_last_layers(network, task.labels)
    penalty = _proximal_penalty(network, order.proximal) if order.proximal else None
    place = folder / f"round-{order.round:05d}"
    network = task.fit(network, order, place, penalty)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    local = {name: value for name, value in state.items() if name not in shared}
    if any(value.is_floating_point() for value in local.values()):
        LocalWeights(folder).save(order.round, local)
    shutil.rmtree(place, ignore_errors=True)
    return {name: state[name].clone() for name in shared}


def open_network(
    task: LocalTask,
    shared: dict[str, Tensor],
    number: int,
    folder: Path,
    *,
    start: dict[str, Tensor] | None = None,
) -> nn.Module:
    """Build a site's network before a round: the server's weights, and its own where they stay at the site.

    Arguments and errors are those of :func:`fit_site`; ``number`` is that of the round.
    """
    network = task.build()
    load_tensors(network, {**(start or {}), **LocalWeights(folder).load(number), **shared})
    return network


def recipe_of_round(recipe: Recipe, order: Order) -> Recipe:
    """Return the recipe of one round: constant learning rate, no selection of an epoch, one phase."""
    plan = recipe.optimization.model_copy(
        update={"epochs": order.epochs, "schedule": "constant", "learning_rate": order.learning_rate}
    )
    phase = Phase(epochs=order.epochs, trunk=order.trunk)
    return recipe.model_copy(update={"optimization": plan, "selection": Selection(), "phases": (phase,)})


def _proximal_penalty(network: nn.Module, weight: float) -> Callable[[], Tensor]:
    """Return a function of half the squared distance from the weights at the start of the round."""
    pairs = [(value, value.detach().clone()) for value in network.parameters() if value.requires_grad]

    def penalty() -> Tensor:
        return 0.5 * weight * torch.stack([(value - start).square().sum() for value, start in pairs]).sum()

    return penalty
