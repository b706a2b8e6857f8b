"""Federated training of the model of signals on this machine, with simulated sites.

The run folder has for each fold the state of the rounds, what stays at each site, and ``answers.npz`` with the logits
of whole recordings; a run that was killed resumes at the round.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from numpy.typing import NDArray
from torch import nn

from ecglens.errors import TrainingError
from ecglens.federation.client import OpenSite, make_client_app
from ecglens.federation.local import Order, SignalTask, open_network
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.plan import FederationPlan
from ecglens.federation.privacy import client_mods, make_secure_combination
from ecglens.federation.rounds import RoundPlan, run_rounds
from ecglens.federation.strategies import make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared, load_tensors
from ecglens.models.train.checkpoint import write_whole
from ecglens.models.train.cut_beats import BeatCutter
from ecglens.models.train.fitter import compute_learning_rates
from ecglens.models.train.recipe import Optimization
from ecglens.models.train.run import write_answers
from ecglens.models.train.signal_model import DEFAULTS, FitSettings
from ecglens.models.train.signal_run import RECIPE, build_network
from ecglens.models.train.signal_set import SignalSet, assign_folds

__all__ = ["SignalAnswers", "place_groups", "simulate_signals"]


@dataclass(frozen=True, slots=True, eq=False)
class SignalAnswers:
    """Answers of each fold's model for the recordings that it was not trained on.

    Attributes:
        rows: ``(answers,)``, places in the data.
        logits: ``(answers, superclasses)`` float32.
        folds: ``(answers,)``.
    """

    rows: NDArray[np.intp]
    logits: NDArray[np.float32]
    folds: NDArray[np.intp]


def place_groups(sites: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Put every group at one site: the one that most of its records name, or the first in the alphabet of several.

    Args:
        sites: Site of each record.
        groups: Group of each record, usually a patient.
    """
    counts: dict[str, dict[str, int]] = {}
    for site, group in zip(sites, groups, strict=True):
        counts.setdefault(group, {}).setdefault(site, 0)
        counts[group][site] += 1
    chosen = {group: min(own, key=lambda site: (-own[site], site)) for group, own in counts.items()}
    return tuple(chosen[group] for group in groups)


def simulate_signals(
    data: SignalSet,
    sites: Sequence[str],
    out: Path,
    plan: FederationPlan,
    *,
    rounds: int,
    folds: int = 5,
    only: Sequence[int] | None = None,
    settings: FitSettings = DEFAULTS,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> SignalAnswers:
    """Train the model of signals by rounds over simulated sites, a model for each fold.

    Args:
        data: Records; those without amplitudes only train.
        sites: Site of each record, from :func:`place_groups`.
        out: Run folder.
        plan: Strategy, epochs in a round and protection; its way to divide a table is not used.
        rounds: Number of rounds.
        folds: Number of folds.
        only: Folds to train, or ``None`` for all.
        settings: How the network is trained at a site.
        seed: Random seed of folds, weights and cuts.
        report: Function that takes a line for each finished fold.

    Raises:
        TrainingError: Fewer than two sites have records, or too few sites reply.
    """
    plan.check()
    if plan.tune_epochs or plan.shared or plan.start is not None:
        raise TrainingError("Expected a plan without fine-tuning and warm start for signals; leave them out.")
    fold_of = assign_folds(data, folds=folds, seed=seed)
    cutter = BeatCutter(data, RECIPE, rng=np.random.default_rng(seed))
    answers = []
    for fold in range(folds) if only is None else only:
        path = out / f"fold{fold}" / "answers.npz"
        if not path.exists():
            tasks = _open_tasks(data, cutter, np.array(sites), fold_of, fold, settings)
            logits = _run_fold(tasks, path.parent, plan, rounds, settings, seed=1000 * seed + fold)
            write_answers(path, rows=np.concatenate([task.test for task in tasks]), logits=logits)
            report(f"fold {fold + 1} of {folds}: {len(tasks)} sites, {rounds} rounds")
        with np.load(path) as stored:
            answers.append((stored["rows"], stored["logits"], np.full(len(stored["rows"]), fold)))
    rows, logits, numbers = (np.concatenate(column) for column in zip(*answers, strict=True))
    return SignalAnswers(rows.astype(np.intp), logits.astype(np.float32), numbers.astype(np.intp))


def _open_tasks(
    data: SignalSet,
    cutter: BeatCutter,
    sites: NDArray[np.str_],
    fold_of: NDArray[np.int64],
    fold: int,
    settings: FitSettings,
) -> list[SignalTask]:
    """Make the task of each site; a site without records to train on is left out, and so are its test records."""
    tasks = []
    for name in sorted(set(sites.tolist())):
        learn = np.flatnonzero((sites == name) & (fold_of != fold))
        if len(learn) >= 2:
            test = np.flatnonzero((sites == name) & (fold_of == fold))
            tasks.append(SignalTask(data, cutter, learn, test, settings))
    if len(tasks) < 2:
        raise TrainingError(f"Expected at least two sites with records to train on, got {len(tasks)}; use others.")
    return tasks


def _run_fold(
    tasks: list[SignalTask], folder: Path, plan: FederationPlan, rounds: int, settings: FitSettings, *, seed: int
) -> NDArray[np.float32]:
    """Run the rounds of one fold, and return the logits of the test records, site by site."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = build_network()
    names = list_shared(network, local_norms=plan.strategy.local_norms)
    own = tuple(name for name in list_shared(network) if name not in names)
    rates = compute_learning_rates(Optimization(schedule="cosine"), settings.learning_rate, rounds)
    orders = tuple(
        Order(round=number, epochs=plan.epochs, learning_rate=rate, seed=seed)
        for number, rate in enumerate(rates, start=1)
    )
    app = make_client_app(
        lambda context: OpenSite(
            tasks[int(context.node_config["site"])],
            folder / f"site{context.node_config['site']}",
            int(context.node_config["site"]),
        ),
        mods=client_mods(secure=plan.secure, clips=plan.strategy.noise > 0),
        secure=plan.secure,
    )
    contexts = [Context(1, index + 1, {"site": index}, RecordDict(), {}) for index in range(len(tasks))]

    def run_site(index: int, message: Message) -> Message:
        return app(message, contexts[index])

    weights, figures = run_rounds(
        LocalGrid(run_site, len(tasks)),
        make_strategy(plan.strategy, list_parameters(network), sites=len(tasks)),
        get_arrays(network, names),
        RoundPlan(orders, min_sites=min(plan.strategy.min_sites, len(tasks)), timeout_s=plan.timeout_s),
        folder,
        start=get_arrays(network, own) if own else None,
        combine=make_secure_combination(plan.timeout_s) if plan.secure else None,
    )
    write_whole(folder / "rounds.json", json.dumps([each.to_dict() for each in figures], indent=1).encode())
    load_tensors(network, weights)

    def answer(index: int, task: SignalTask) -> NDArray[np.float32]:
        model: nn.Module = network
        if plan.strategy.local_norms:
            model = open_network(task, weights, rounds + 1, folder / f"site{index}")
        return task.compute_logits(model, task.test)

    return np.concatenate([answer(index, task) for index, task in enumerate(tasks) if len(task.test)])
