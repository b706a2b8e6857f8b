"""Federated training of a recipe on this machine, with simulated sites and the protocols of :mod:`ecglens.datasets`.

The run folder is that of :mod:`ecglens.models.train.folder`, so that reports and exports read it. In addition::

    RUN/federation.json                          settings of the federated training
    RUN/seed0/calibration.json                   accuracy and calibration of each site
    RUN/seed0/fold3/sites.json                   rows of each site
    RUN/seed0/fold3/rounds.safetensors           state after the last finished round
    RUN/seed0/fold3/rounds.json                  figures of the rounds
    RUN/seed0/fold3/site0/...                    what stays at a site
    RUN/final/...                                the same for the model of all recordings

A run that was killed resumes at the round and gives the same weights on the CPU.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from flwr.clientapp.typing import Mod
from numpy.typing import NDArray
from torch import Tensor, nn

from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Fold
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation.calibration import SiteCalibration, calibrate_sites
from ecglens.federation.client import OpenSite, make_client_app
from ecglens.federation.local import PageTask, fit_site, open_network
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.plan import FederationPlan, make_orders, make_tuning_order
from ecglens.federation.privacy import client_mods, make_secure_combination
from ecglens.federation.rounds import RoundFigures, RoundPlan, run_rounds
from ecglens.federation.sites import Site, make_sites
from ecglens.federation.strategies import make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared, load_tensors
from ecglens.models.train.checkpoint import load_weights, save_weights, write_whole
from ecglens.models.train.devices import ALONE
from ecglens.models.train.folder import Plan
from ecglens.models.train.loop import LAST, train
from ecglens.models.train.prepared import Prepared
from ecglens.models.train.recipe import Recipe, Selection
from ecglens.models.train.run import (
    ANSWERS,
    FINAL,
    Listener,
    RunContext,
    build_model,
    fold_folder,
    load_answers,
    load_final,
    make_split,
    page_logits,
    prepare_rows,
    write_answers,
)

__all__ = ["Faults", "calibrate_run", "check_federation", "divide", "simulate", "start_federation"]

SETTINGS = "federation.json"


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of simulated sites, for tests and benchmarks.

    Attributes:
        dead: Indices of sites whose ClientApp fails in every round.
        late: Indices of sites whose replies never come in time.
        poisoned: Indices of sites that send outliers: the update with its sign changed and ten times as large.
        not_a_number: Indices of sites that send NaN.
    """

    dead: tuple[int, ...] = ()
    late: tuple[int, ...] = ()
    poisoned: tuple[int, ...] = ()
    not_a_number: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """Everything that a worker process needs to run any site."""

    recordings: Recordings
    recipe: Recipe
    cache: Path
    sites: tuple[Site, ...]
    folder: Path
    plan: FederationPlan
    faults: Faults


def check_federation(recordings: Recordings, recipe: Recipe, protocol: Plan, plan: FederationPlan) -> None:
    """Check that a federated run is possible, before any work is done.

    Raises:
        TrainingError: The settings cannot be used together or with these recordings.
        DatasetError: A column is missing.
    """
    plan.check()
    divide(recordings, plan, recordings.canonical_indices(), seed=0)
    if protocol.protocol.startswith("leave-one-out") and (plan.strategy.local_norms or plan.tune_epochs):
        raise TrainingError(
            "Expected a model of all sites when a site is left out, got one with parts of its own at each site; use a "
            "strategy other than fedbn, without fine-tuning."
        )


def start_federation(out: Path, plan: FederationPlan) -> None:
    """Store the settings in a run folder, or check that they are those of the run in it.

    Raises:
        TrainingError: The folder contains a federated run with other settings.
    """
    text = json.dumps(plan.to_dict(), indent=1, sort_keys=True)
    path = out / SETTINGS
    if path.exists():
        if parse_json(path.read_bytes()) != parse_json(text):
            raise TrainingError(f"'{out}' contains a federated run with other settings; choose another folder.")
    else:
        write_whole(path, text.encode())


def divide(recordings: Recordings, plan: FederationPlan, rows: NDArray[np.intp], *, seed: int) -> tuple[Site, ...]:
    """Divide rows of a table among sites; see :func:`ecglens.federation.sites.make_sites`."""
    labels, groups = recordings.column("label"), recordings.column("group")
    return make_sites(plan.sites, labels, groups, recordings.column, rows=rows, seed=seed)


def simulate(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    protocol: Plan,
    plan: FederationPlan,
    *,
    seeds: Sequence[int],
    context: RunContext,
    workers: int = 1,
    fit: bool = False,
    faults: Faults | None = None,
) -> None:
    """Train each fold by rounds over simulated sites, and store the logits of its test pages.

    Sites are divided once for each seed, over all recordings; a fold takes its test rows away from each site.

    Args:
        recordings: Table with one row per file.
        recipe: Recipe to train; its selection of an epoch is not used.
        out: Run folder created by :func:`ecglens.models.train.folder.start_run`.
        protocol: Evaluation protocol.
        plan: Settings of the federated training.
        seeds: Seeds of sites, folds and weights.
        context: Cache and listener; sites train on the CPU.
        workers: Number of processes that run sites; 1 runs them one after the other in this process, as secure
            aggregation always does.
        fit: Whether to train a model on all recordings too.
        faults: Faults of sites, for tests.

    Raises:
        TrainingError: The training fails, or too few sites reply.
        DatasetError: The recordings cannot be split in this way.
    """
    start_federation(out, plan)
    parts: list[tuple[str, Fold, Path, int, int]] = []
    for seed in seeds:
        split = make_split(recordings, recipe, protocol, seed=seed)
        split.save(out / f"seed{seed}" / "split.json", recordings)
        for number, fold in enumerate(split.folds):
            title = f"seed {seed}, fold {number + 1} of {len(split.folds)}"
            parts.append((title, fold, fold_folder(out, seed, number), 1000 * seed + number, seed))
    if fit:
        if plan.strategy.local_norms or plan.tune_epochs:
            raise TrainingError("Expected one model to fit on all recordings, but each site would have its own.")
        everything = Fold(recordings.canonical_indices(), np.empty(0, dtype=np.intp), "all")
        parts.append(("all recordings", everything, out / FINAL, 0, 0))
    parts = [part for part in parts if not (part[2] / (ANSWERS if len(part[1].test) else LAST)).exists()]
    if not parts:
        return
    rows = np.unique(np.concatenate([side for _, fold, *_ in parts for side in (fold.train, fold.test)]))
    prepared = prepare_rows(recordings, recipe, rows, context)
    for title, fold, folder, seed, site_seed in parts:
        context.listener.stage(title)
        sites = divide(recordings, plan, recordings.canonical_indices(), seed=site_seed)
        _run_fold(prepared, fold, folder, plan, sites, context, title, seed, workers, faults or Faults())


def calibrate_run(
    recordings: Recordings, recipe: Recipe, out: Path, plan: FederationPlan, *, seed: int
) -> tuple[SiteCalibration, ...]:
    """Compute accuracy and calibration of each site's test pages in a finished run, and store them with it.

    Args:
        recordings: Table that the run was trained on.
        recipe: Recipe of the run.
        out: Run folder.
        plan: Settings of the federated training.
        seed: Seed of the folds.

    Raises:
        TrainingError: The run is not finished for this seed.
    """
    answers = load_answers(recordings, out, seed=seed)
    targets = np.array([recipe.labels.index(recordings[int(row)].label) for row in answers.rows], dtype=np.intp)
    sites = divide(recordings, plan, recordings.canonical_indices(), seed=seed)
    places = {site.name: np.isin(answers.rows, site.rows) for site in sites}
    figures = calibrate_sites(targets, page_logits(answers.logits, recipe.input), answers.folds, places)
    content = json.dumps([each.to_dict() for each in figures], indent=1).encode()
    write_whole(out / f"seed{seed}" / "calibration.json", content)
    return figures


def _run_fold(
    prepared: Prepared,
    fold: Fold,
    folder: Path,
    plan: FederationPlan,
    sites: tuple[Site, ...],
    context: RunContext,
    title: str,
    seed: int,
    workers: int,
    faults: Faults,
) -> None:
    """Run the rounds of one fold, and store what its models answer."""
    recipe, listener = prepared.recipe, context.listener
    learning = _training_sites(prepared.recordings, sites, fold, listener)
    _write_sites(folder, prepared.recordings, learning)
    plain = Recordings(tuple(replace(row, extra={}) for row in prepared.recordings))  # worker processes get it
    world = _World(plain, recipe, context.cache, learning, folder, plan, faults)
    network = _initial_network(prepared, plan, fold, folder, seed)
    names = list_shared(network, local_norms=plan.strategy.local_norms)
    own = tuple(name for name in list_shared(network) if name not in names)
    strategy = make_strategy(plan.strategy, list_parameters(network), sites=len(learning))
    orders = make_orders(recipe, plan, seed=seed)
    rounds = RoundPlan(orders, min_sites=min(plan.strategy.min_sites, len(learning)), timeout_s=plan.timeout_s)
    with _open_sites(world, prepared, 1 if plan.secure else workers) as (run_site, executor):
        weights, figures = run_rounds(
            LocalGrid(run_site, len(learning), executor=executor, silent=faults.late),
            strategy,
            get_arrays(network, names),
            rounds,
            folder,
            start=get_arrays(network, own) if own else None,
            combine=make_secure_combination(plan.timeout_s) if plan.secure else None,
            on_round=lambda figures: listener.steps(figures.round, len(orders), float("nan")),
        )
    _write_rounds(folder, figures)
    load_tensors(network, weights)
    if len(fold.test):
        logits = _answer(prepared, fold, network, weights, sites, learning, folder, plan, len(orders), seed)
        write_answers(folder / ANSWERS, rows=fold.test, logits=logits)
        answers = page_logits(logits, recipe.input).argmax(1)
        right = float((answers == prepared.targets[fold.test]).mean())
        listener.line(f"{title}, {len(learning)} sites: {right:.1%} of {len(fold.test)} test pages correct")
    else:
        save_weights(folder / LAST, network)
        listener.line(f"fitted on all {len(fold.train)} recordings of {len(learning)} sites")


def _training_sites(
    recordings: Recordings, sites: tuple[Site, ...], fold: Fold, listener: Listener
) -> tuple[Site, ...]:
    """Take the test rows away from the sites, and leave out sites that have too few rows then."""
    parts = [Site(site.name, np.intersect1d(site.rows, fold.train)) for site in sites]
    usable = tuple(site for site in parts if len(site.rows) >= 2)
    for site in parts:
        if len(site.rows) < 2:
            listener.line(f"{site.name} has {len(site.rows)} recordings to train on and is left out of {fold.name}.")
    if len(usable) < 2:
        raise TrainingError(f"Expected at least two sites with recordings to train on, got {len(usable)}; use others.")
    return usable


def _initial_network(prepared: Prepared, plan: FederationPlan, fold: Fold, folder: Path, seed: int) -> nn.Module:
    """Build the network with its initial weights: random, those of a run, or trained on the shared recordings."""
    recipe = prepared.recipe
    if plan.start is not None:
        return load_final(recipe, Path(plan.start))
    network = build_model(recipe, seed=seed)
    if not plan.shared:
        return network
    place = folder / "shared"
    if (place / LAST).exists():
        load_weights(place / LAST, network)
        return network
    rows = _share(prepared.recordings, fold, plan.shared, np.random.default_rng(seed))
    alone = recipe.model_copy(update={"selection": Selection()})
    train(network, prepared.samples(rows, damaged=True), None, alone, seed=seed, folder=place)
    return network


def _share(recordings: Recordings, fold: Fold, share: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Choose a share of the groups of each label of a fold's training side, at least one for each label."""
    chosen: set[str] = set()
    for label in sorted({recordings[int(row)].label for row in fold.train}):
        groups = sorted({recordings[int(row)].group for row in fold.train if recordings[int(row)].label == label})
        chosen |= {groups[place] for place in rng.permutation(len(groups))[: max(1, round(share * len(groups)))]}
    return np.array([row for row in fold.train if recordings[int(row)].group in chosen], dtype=np.intp)


def _answer(
    prepared: Prepared,
    fold: Fold,
    network: nn.Module,
    weights: dict[str, Tensor],
    sites: tuple[Site, ...],
    learning: tuple[Site, ...],
    folder: Path,
    plan: FederationPlan,
    last: int,
    seed: int,
) -> NDArray[np.float32]:
    """Compute the logits of a fold's test pages: by the common model, or by the model of the page's own site."""
    common = PageTask(prepared, fold.train, fold.test).compute_logits(network, fold.test)
    if not plan.strategy.local_norms and not plan.tune_epochs:
        return common
    logits, names = common.copy(), [site.name for site in learning]
    for site in sites:
        here = np.flatnonzero(np.isin(fold.test, site.rows))
        if site.name not in names or not len(here):
            continue  # the site could not train, so the common model answers its pages
        index = names.index(site.name)
        task, place = PageTask(prepared, learning[index].rows, fold.test[here]), folder / f"site{index}"
        own = open_network(task, weights, last + 1, place)
        if plan.tune_epochs:
            order = make_tuning_order(plan, prepared.recipe.optimization, after=last, seed=seed)
            all_names = list_shared(own)
            load_tensors(own, fit_site(task, get_arrays(own, all_names), order, place / "tuned"))
        logits[here] = task.compute_logits(own, task.test)
    return logits


@contextmanager
def _open_sites(
    world: _World, prepared: Prepared, workers: int
) -> Iterator[tuple[Callable[[int, Message], Message], ProcessPoolExecutor | None]]:
    """Yield a function that runs a site, and the processes in which it runs if there are several."""
    if workers < 2:
        runner = _SiteRunner(world, prepared)
        yield runner, None
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _open_worker, (world,))
    with executor:
        yield _run_in_worker, executor


class _SiteRunner:
    """Runs the ClientApp of any site of a world."""

    def __init__(self, world: _World, prepared: Prepared) -> None:
        self._world, self._prepared = world, prepared
        self._states = [RecordDict() for _ in world.sites]
        mods: list[Mod] = [
            *client_mods(secure=world.plan.secure, clips=world.plan.strategy.noise > 0),
            _make_fault_mod(world.faults),
        ]
        self._app = make_client_app(self._open, mods=mods, secure=world.plan.secure)

    def __call__(self, index: int, message: Message) -> Message:
        """Run the ClientApp of a site on a message, with the state that the site had before."""
        context = Context(
            run_id=1, node_id=index + 1, node_config={"site": index}, state=self._states[index], run_config={}
        )
        reply = self._app(message, context)
        self._states[index] = context.state
        return reply

    def _open(self, context: Context) -> OpenSite:
        index = int(context.node_config["site"])
        site = self._world.sites[index]
        task = PageTask(self._prepared, site.rows, np.empty(0, dtype=np.intp))
        return OpenSite(task, self._world.folder / f"site{index}", index)


_runner: list[_SiteRunner] = []
"""The runner of a worker process."""


def _open_worker(world: _World) -> None:
    torch.set_num_threads(1)
    context = RunContext(ALONE, world.cache, Listener())
    rows = np.concatenate([site.rows for site in world.sites])
    _runner[:] = [_SiteRunner(world, prepare_rows(world.recordings, world.recipe, rows, context))]


def _run_in_worker(index: int, message: Message) -> Message:
    return _runner[0](index, message)


def _make_fault_mod(faults: Faults) -> Mod:
    def fail(message: Message, context: Context, call_next: Any) -> Message:
        index = int(context.node_config["site"])
        if index in faults.dead:
            raise TrainingError("A simulated site failed.")
        reply: Message = call_next(message, context)
        if index in faults.poisoned or index in faults.not_a_number:
            _poison(reply, message, np.nan if index in faults.not_a_number else -10.0)
        return reply

    return fail


def _poison(reply: Message, message: Message, factor: float) -> None:
    """Multiply the update in a reply."""
    for name, record in reply.content.array_records.items():
        before = message.content.array_records[name]
        for key, array in list(record.items()):
            start = before[key].numpy()
            record[key] = type(array)((start + factor * (array.numpy() - start)).astype(start.dtype))


def _write_sites(folder: Path, recordings: Recordings, sites: tuple[Site, ...]) -> None:
    keys = recordings.keys()
    content = [{"name": site.name, "files": [keys[int(row)] for row in site.rows]} for site in sites]
    write_whole(folder / "sites.json", json.dumps(content, indent=1).encode())


def _write_rounds(folder: Path, figures: Sequence[RoundFigures]) -> None:
    write_whole(folder / "rounds.json", json.dumps([each.to_dict() for each in figures], indent=1).encode())
