"""What a run does: a model for each fold of its protocol, and one that is fitted on everything.

What exists in the run's folder is not done again; see :mod:`ecglens.models.train.folder`.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecglens.datasets import splits
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Fold, Split
from ecglens.errors import DatasetError, TrainingError
from ecglens.models.aggregate import aggregate
from ecglens.models.inputs import InputRecipe, LeadCrops
from ecglens.models.train.checkpoint import load_weights, write_whole
from ecglens.models.train.devices import World
from ecglens.models.train.fitter import check_phases
from ecglens.models.train.folder import Plan, check_labels
from ecglens.models.train.history import Figures, History, draw_curves, open_tensorboard, write_history
from ecglens.models.train.loop import BEST, LAST, compute_logits, train
from ecglens.models.train.prepared import Prepared, prepare
from ecglens.models.train.recipe import Recipe
from ecglens.models.zoo import build, check_weights

__all__ = [
    "Answers",
    "Listener",
    "RunContext",
    "load_answers",
    "build_model",
    "check_run",
    "cross_validate",
    "fit_all",
    "load_final",
    "page_logits",
    "prepare_rows",
    "make_split",
]

ANSWERS, FINAL = "answers.npz", "final"


class Listener:
    """Hears how far a run is; this one says nothing."""

    def stage(self, title: str) -> None:
        """A part of the run begins."""

    def pages(self, done: int, total: int) -> None:
        """Pages prepared."""

    def steps(self, done: int, total: int, loss: float) -> None:
        """Steps of the part done, and the running epoch's loss."""

    def epoch(self, figures: Figures) -> None:
        """An epoch is finished."""

    def line(self, text: str) -> None:
        """Something is finished that stays to be read."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where a run is done, and who hears of it.

    Attributes:
        world: The processes and their device.
        cache: Folder of prepared pages.
        listener: Hears what is done.
        workers: Processes that prepare pages.
        board: Also write events for TensorBoard.
    """

    world: World
    cache: Path
    listener: Listener
    workers: int = 1
    board: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers of one seed's models on pages that they have not seen.

    Attributes:
        rows: ``(pages,)``, rows of the table.
        logits: ``(pages, rows of a page, labels)`` float32.
        folds: ``(pages,)``, the fold in which each page was unseen.
    """

    rows: NDArray[np.intp]
    logits: NDArray[np.float32]
    folds: NDArray[np.intp]


def check_run(recordings: Recordings, recipe: Recipe, plan: Plan, seeds: Sequence[int]) -> None:
    """Make sure, before any work, that a run can be done.

    Args:
        recordings: One row a file.
        recipe: What to train.
        plan: What to score.
        seeds: Of folds and weights.

    Raises:
        TrainingError: Labels, model, options or pretrained weights do not fit or are not here.
        DatasetError: The recordings cannot be split so.
    """
    check_labels(recordings, recipe)
    check_weights(recipe.model, recipe.options)
    with torch.device("meta"):
        model = build_model(recipe, seed=0, initial=False)
    if recipe.options.get("weights") is not None:
        build_model(recipe, seed=0)
    check_phases(model, recipe)
    for seed in seeds:
        split = make_split(recordings, recipe, plan, seed=seed)
        for number, fold in enumerate(split.folds):
            by_file = split.protocol == splits.AS_PUBLISHED
            _sides(recordings, recipe, fold, seed=1000 * seed + number, by_file=by_file)


def make_split(recordings: Recordings, recipe: Recipe, plan: Plan, *, seed: int) -> Split:
    """The folds of one seed.

    Raises:
        DatasetError: The recordings cannot be split so.
    """
    split = _drawn(recordings, recipe, plan, seed=seed)
    splits.check_disjoint(recordings, split)
    return split


def _drawn(recordings: Recordings, recipe: Recipe, plan: Plan, *, seed: int) -> Split:
    name, _, column = plan.protocol.partition(":")
    if name == "honest":
        return Split(name, seed, splits.honest(recordings, seed=seed, folds=plan.folds))
    if name == splits.AS_PUBLISHED:
        return Split(name, seed, splits.as_published(recordings, seed=seed, test_fraction=recipe.test_fraction))
    if name == "given":
        return Split(name, seed, splits.from_split_column(recordings))
    if name == "leave-one-out":
        return Split(plan.protocol, seed, splits.leave_one_out(recordings, column or "batch"))
    if Path(plan.protocol).is_file():
        return Split.load(plan.protocol, recordings)
    raise TrainingError(
        "Expected the protocol honest, as-published, given, leave-one-out:COLUMN or the file of a split, but got "
        f"'{plan.protocol}'."
    )


def cross_validate(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    plan: Plan | None = None,
    *,
    seeds: Sequence[int],
    context: RunContext,
) -> None:
    """Train a model for each fold and keep its answers on the fold's unseen pages.

    Args:
        recordings: One row a file.
        recipe: What to train.
        out: Run folder made by :func:`start_run`.
        plan: What to score.
        seeds: Of folds and weights.
        context: Where to train.

    Raises:
        TrainingError: A page cannot be used or the training fails.
        DatasetError: The recordings cannot be split so.
    """
    plan = plan or Plan()
    kept = {seed: make_split(recordings, recipe, plan, seed=seed) for seed in seeds}
    pending = [
        (seed, number, fold)
        for seed, split in kept.items()
        for number, fold in enumerate(split.folds)
        if not (_fold_folder(out, seed, number) / ANSWERS).exists()
    ]
    if not pending:
        return
    if context.world.is_first:
        for seed, split in kept.items():
            split.save(out / f"seed{seed}" / "split.json", recordings)
    needed = np.unique(np.concatenate([side for _, _, fold in pending for side in (fold.train, fold.test)]))
    prepared = prepare_rows(recordings, recipe, needed, context)
    for seed, number, fold in pending:
        if kept[seed].protocol != splits.AS_PUBLISHED:
            _check_content(prepared, fold)
        folder = _fold_folder(out, seed, number)
        of = f"seed {seed}, fold {number + 1} of {len(kept[seed].folds)}"
        by_file = kept[seed].protocol == splits.AS_PUBLISHED
        model = _fit(prepared, fold, folder, context, seed=1000 * seed + number, of=of, by_file=by_file)
        logits = compute_logits(model, prepared.samples(fold.test), device=context.world.device)
        logits = logits.reshape(len(fold.test), len(recipe.input.rows), -1)
        if context.world.is_first:
            _write_answers(folder / ANSWERS, rows=fold.test, logits=logits)
        context.world.wait()
        right = float((page_logits(logits, recipe.input).argmax(1) == prepared.targets[fold.test]).mean())
        context.listener.line(f"{of}: {right:.1%} of {len(fold.test)} unseen pages right")


def fit_all(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    *,
    seed: int,
    context: RunContext,
) -> None:
    """Fit the recipe on one file of every recording and keep the weights in ``RUN/final``.

    Arguments and errors are those of :func:`cross_validate`.
    """
    if (out / FINAL / _kept(recipe)).exists():
        return
    everything = Fold(recordings.canonical_indices(), np.empty(0, dtype=np.intp), "all")
    prepared = prepare_rows(recordings, recipe, everything.train, context)
    _fit(prepared, everything, out / FINAL, context, seed=seed, of="all recordings", by_file=False)
    context.listener.line(f"fitted on all {len(everything.train)} recordings")


def load_final(recipe: Recipe, out: Path) -> nn.Module:
    """The model that was fitted on everything.

    Raises:
        TrainingError: The run has none.
    """
    weights = out / FINAL / _kept(recipe)
    if not weights.is_file():
        raise TrainingError(f"'{out}' has no model that was fitted on everything; finish the run with --fit --resume.")
    model = build_model(recipe, seed=0, initial=False)
    load_weights(weights, model)
    return model.eval()


def load_answers(recordings: Recordings, out: Path, *, seed: int) -> Answers:
    """Answers of one seed's folds together.

    Args:
        recordings: The table that the run was made from.
        out: Run folder.
        seed: Of the folds.

    Raises:
        TrainingError: The run is not finished for this seed.
    """
    folder = out / f"seed{seed}"
    if not (folder / "split.json").exists():
        known = ", ".join(sorted(path.name.removeprefix("seed") for path in out.glob("seed*"))) or "none"
        raise TrainingError(f"'{out}' has no finished folds of seed {seed}; it has seeds {known} (--seeds).")
    split = Split.load(folder / "split.json", recordings)
    parts = []
    for number, fold in enumerate(split.folds):
        path = folder / f"fold{number}" / ANSWERS
        if not path.exists():
            raise TrainingError(
                f"Fold {number + 1} of {len(split.folds)} of seed {seed} in '{out}' is not finished; "
                "go on with --resume."
            )
        with np.load(path) as data:
            if not np.array_equal(data["rows"], fold.test):
                raise TrainingError(f"The answers in '{path}' are of other pages than the fold's; remove them.")
            parts.append((data["rows"], data["logits"], np.full(len(fold.test), number)))
    rows, logits, folds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(rows, kind="stable")
    return Answers(rows[order].astype(np.intp), logits[order].astype(np.float32), folds[order].astype(np.intp))


def page_logits(logits: NDArray[np.float32], recipe: InputRecipe) -> NDArray[np.float32]:
    """Logits of pages from those of their rows, as the recipe adds them up.

    Args:
        logits: ``(pages, rows, labels)``.
        recipe: Of the input; only lead crops have several rows.

    Returns:
        ``(pages, labels)`` float32.
    """
    if isinstance(recipe, LeadCrops) and recipe.aggregate == "majority":
        votes = aggregate(logits, "majority")
        return np.log(votes + 0.5 / len(recipe.rows)).astype(np.float32)
    return np.asarray(logits.mean(axis=1), dtype=np.float32)


def _fit(
    prepared: Prepared,
    fold: Fold,
    folder: Path,
    context: RunContext,
    *,
    seed: int,
    of: str,
    by_file: bool,
) -> nn.Module:
    """Train on one side of a fold, or load what was trained."""
    recipe, world = prepared.recipe, context.world
    model = build_model(recipe, seed=seed, initial=not (folder / LAST).exists()).to(world.device)
    if (folder / _kept(recipe)).exists():
        load_weights(folder / _kept(recipe), model)
        return model.eval()
    learn, choose = _sides(prepared.recordings, recipe, fold, seed=seed, by_file=by_file)
    _check_each_label(prepared, learn, of)
    write = open_tensorboard(folder / "events") if context.board and world.is_first else None
    context.listener.stage(of)

    def on_epoch(history: History) -> None:
        context.listener.epoch(history[-1])
        if world.is_first:
            write_history(folder / "history.csv", history)
        if write is not None:
            write(history[-1])

    history = train(
        model,
        prepared.samples(learn, damaged=True),
        None if choose is None else prepared.samples(choose),
        recipe,
        seed=seed,
        folder=folder,
        world=world,
        on_step=context.listener.steps,
        on_epoch=on_epoch,
    )
    if world.is_first:
        draw_curves(folder / "curves.png", history, f"{recipe.title}: {of}")
    return model


def prepare_rows(recordings: Recordings, recipe: Recipe, rows: NDArray[np.intp], context: RunContext) -> Prepared:
    """Prepare the pages of some rows of a table; see :func:`ecglens.models.train.prepared.prepare`."""
    context.listener.stage("preparing pages")
    return prepare(
        recordings,
        recipe,
        rows,
        cache=context.cache,
        workers=context.workers,
        world=context.world,
        progress=context.listener.pages,
    )


def build_model(recipe: Recipe, *, seed: int, initial: bool = True) -> nn.Module:
    """The recipe's model.

    Args:
        recipe: Which.
        seed: Of its first weights.
        initial: Whether the weights matter; pretrained ones are not fetched where they will be replaced.
    """
    options = (
        recipe.options if initial else {name: value for name, value in recipe.options.items() if name != "weights"}
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = build(recipe.model, labels=len(recipe.labels), shapes=recipe.input.shapes, **options)
    return model.to(memory_format=torch.channels_last)


def _kept(recipe: Recipe) -> str:
    return BEST if recipe.selection.keep == "best" else LAST


def _fold_folder(out: Path, seed: int, number: int) -> Path:
    return out / f"seed{seed}" / f"fold{number}"


def _write_answers(path: Path, **arrays: NDArray[np.generic]) -> None:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    write_whole(path, stream.getvalue())


def _sides(
    recordings: Recordings, recipe: Recipe, fold: Fold, *, seed: int, by_file: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Rows to learn from, and those to choose by where the recipe chooses."""
    if not recipe.selection.fraction:
        return fold.train, None
    try:
        return splits.inner(recordings, fold, seed=seed, fraction=recipe.selection.fraction, by_file=by_file)
    except DatasetError as error:
        raise TrainingError(
            f"The training side of {fold.name or 'a fold'} cannot be split again to choose an epoch. {error} "
            "Or choose none: --set selection={}"
        ) from error


def _check_content(prepared: Prepared, fold: Fold) -> None:
    """Refuse a fold on both sides of which a file of the same content stands: the table does not know of the copy."""
    shared = np.intersect1d(prepared.places[fold.train], prepared.places[fold.test])
    if shared.size:
        row = next(row for row in fold.test if prepared.places[row] == shared[0])
        raise TrainingError(
            f"Expected every page on one side, but {shared.size} stand on both sides as copies, such as "
            f"'{prepared.recordings[int(row)].path.name}'; run ecglens audit and train on its recordings.csv."
        )


def _check_each_label(prepared: Prepared, learn: NDArray[np.intp], of: str) -> None:
    counts = np.bincount(prepared.targets[learn], minlength=len(prepared.recipe.labels))
    empty = [label for label, count in zip(prepared.recipe.labels, counts, strict=True) if not count]
    if empty:
        raise TrainingError(
            f"The training side of {of} has no recording labelled '{empty[0]}'; add recordings or ask for another "
            "split."
        )
