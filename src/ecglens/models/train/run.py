"""Training runs: a model for each fold of the protocol, and one that is fitted on all recordings.

Parts that exist in the run folder are not computed again; see :mod:`ecglens.models.train.folder`.
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
from ecglens.models.train.start import load_start
from ecglens.models.zoo import build, check_weights

__all__ = [
    "ANSWERS",
    "FINAL",
    "Answers",
    "Listener",
    "RunContext",
    "build_model",
    "check_data",
    "check_recipe",
    "check_run",
    "cross_validate",
    "fit_all",
    "fold_folder",
    "load_answers",
    "load_final",
    "make_split",
    "page_logits",
    "prepare_rows",
    "write_answers",
]

ANSWERS, FINAL = "answers.npz", "final"


class Listener:
    """Listener to the progress of a run; this one does nothing."""

    def stage(self, title: str) -> None:
        """Handle the begin of a part of the run."""

    def pages(self, done: int, total: int) -> None:
        """Handle the number of prepared pages."""

    def steps(self, done: int, total: int, loss: float) -> None:
        """Handle the number of finished steps of the part, and the loss of the current epoch."""

    def epoch(self, figures: Figures) -> None:
        """Handle the figures of a finished epoch."""

    def line(self, text: str) -> None:
        """Handle a line that should remain visible."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Environment of a run.

    Attributes:
        world: Processes and their device.
        cache: Folder of prepared pages.
        listener: Listener to the progress.
        workers: Number of processes that prepare pages.
        board: Whether to write events for TensorBoard.
    """

    world: World
    cache: Path
    listener: Listener
    workers: int = 1
    board: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits of one seed's models for the pages of their test sides.

    Attributes:
        rows: ``(pages,)``, rows of the table.
        logits: ``(pages, rows of a page, labels)`` float32.
        folds: ``(pages,)``, the fold in which each page was on the test side.
    """

    rows: NDArray[np.intp]
    logits: NDArray[np.float32]
    folds: NDArray[np.intp]


def check_run(recordings: Recordings, recipe: Recipe, plan: Plan, seeds: Sequence[int]) -> None:
    """Check that a run is possible, before any work is done.

    Args:
        recordings: Table with one row per file.
        recipe: Recipe to train.
        plan: Evaluation protocol.
        seeds: Seeds of folds and weights.

    Raises:
        TrainingError: Labels, model or options do not fit, or pretrained weights are missing.
        DatasetError: The recordings cannot be split in this way.
    """
    check_recipe(recipe)
    check_data(recordings, recipe, plan, seeds)


def check_recipe(recipe: Recipe) -> None:
    """Check what a recipe says by itself, which takes no data and no time.

    Args:
        recipe: Recipe to train.

    Raises:
        TrainingError: Model or options do not fit, or pretrained weights are missing.
    """
    check_weights(recipe.model, recipe.options)
    with torch.device("meta"):
        model = build_model(recipe, seed=0, initial=False)
    if recipe.options.get("weights") is not None:
        build_model(recipe, seed=0)
    check_phases(model, recipe)


def check_data(recordings: Recordings, recipe: Recipe, plan: Plan, seeds: Sequence[int]) -> None:
    """Check that the recordings fit a recipe and can be split.

    Args:
        recordings: Table with one row per file.
        recipe: Recipe to train.
        plan: Evaluation protocol.
        seeds: Seeds of folds and weights.

    Raises:
        TrainingError: Labels do not fit.
        DatasetError: The recordings cannot be split in this way.
    """
    check_labels(recordings, recipe)
    for seed in seeds:
        split = make_split(recordings, recipe, plan, seed=seed)
        for number, fold in enumerate(split.folds):
            by_file = split.protocol == splits.AS_PUBLISHED
            _sides(recordings, recipe, fold, seed=1000 * seed + number, by_file=by_file)


def make_split(recordings: Recordings, recipe: Recipe, plan: Plan, *, seed: int) -> Split:
    """Split the recordings into the folds of one seed.

    Raises:
        TrainingError: There is no such protocol.
        DatasetError: The recordings cannot be split in this way.
    """
    split = _make_unchecked_split(recordings, recipe, plan, seed=seed)
    splits.check_disjoint(recordings, split)
    return split


def _make_unchecked_split(recordings: Recordings, recipe: Recipe, plan: Plan, *, seed: int) -> Split:
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
        "Expected the protocol honest, as-published, given, leave-one-out:COLUMN or the file of a split, got "
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
    """Train a model for each fold and store its logits for the pages of the fold's test side.

    Args:
        recordings: Table with one row per file.
        recipe: Recipe to train.
        out: Run folder created by :func:`ecglens.models.train.folder.start_run`.
        plan: Evaluation protocol.
        seeds: Seeds of folds and weights.
        context: Devices, cache and listener.

    Raises:
        TrainingError: A page cannot be used or the training fails.
        DatasetError: The recordings cannot be split in this way.
    """
    plan = plan or Plan()
    splits_by_seed = {seed: make_split(recordings, recipe, plan, seed=seed) for seed in seeds}
    pending = [
        (seed, number, fold)
        for seed, split in splits_by_seed.items()
        for number, fold in enumerate(split.folds)
        if not (fold_folder(out, seed, number) / ANSWERS).exists()
    ]
    if not pending:
        return
    if context.world.is_first:
        for seed, split in splits_by_seed.items():
            split.save(out / f"seed{seed}" / "split.json", recordings)
    needed = np.unique(np.concatenate([side for _, _, fold in pending for side in (fold.train, fold.test)]))
    prepared = prepare_rows(recordings, recipe, needed, context)
    for seed, number, fold in pending:
        if splits_by_seed[seed].protocol != splits.AS_PUBLISHED:
            _check_copies(prepared, fold)
        folder = fold_folder(out, seed, number)
        of = f"seed {seed}, fold {number + 1} of {len(splits_by_seed[seed].folds)}"
        by_file = splits_by_seed[seed].protocol == splits.AS_PUBLISHED
        model = _fit(prepared, fold, folder, context, seed=1000 * seed + number, of=of, by_file=by_file)
        logits = compute_logits(model, prepared.samples(fold.test), device=context.world.device)
        logits = logits.reshape(len(fold.test), len(recipe.input.rows), -1)
        if context.world.is_first:
            write_answers(folder / ANSWERS, rows=fold.test, logits=logits)
        context.world.wait()
        right = float((page_logits(logits, recipe.input).argmax(1) == prepared.targets[fold.test]).mean())
        context.listener.line(f"{of}: {right:.1%} of {len(fold.test)} test pages correct")


def fit_all(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    *,
    seed: int,
    context: RunContext,
) -> None:
    """Train on one file of every recording and store the weights in ``RUN/final``.

    Arguments and errors are those of :func:`cross_validate`.
    """
    if (out / FINAL / _weights_file(recipe)).exists():
        return
    everything = Fold(recordings.canonical_indices(), np.empty(0, dtype=np.intp), "all")
    prepared = prepare_rows(recordings, recipe, everything.train, context)
    _fit(prepared, everything, out / FINAL, context, seed=seed, of="all recordings", by_file=False)
    context.listener.line(f"fitted on all {len(everything.train)} recordings")


def load_final(recipe: Recipe, out: Path) -> nn.Module:
    """Load the model that was fitted on all recordings, in evaluation mode.

    Raises:
        TrainingError: The run has no such model.
    """
    weights = out / FINAL / _weights_file(recipe)
    if not weights.is_file():
        raise TrainingError(
            f"'{out}' has no model that was fitted on all recordings; finish the run with --fit --resume."
        )
    model = build_model(recipe, seed=0, initial=False)
    load_weights(weights, model)
    return model.eval()


def load_answers(recordings: Recordings, out: Path, *, seed: int) -> Answers:
    """Load the logits of all folds of one seed.

    Args:
        recordings: Table that the run was trained on.
        out: Run folder.
        seed: Seed of the folds.

    Raises:
        TrainingError: The run is not finished for this seed.
    """
    folder = out / f"seed{seed}"
    if not (folder / "split.json").exists():
        seeds = ", ".join(sorted(path.name.removeprefix("seed") for path in out.glob("seed*"))) or "none"
        raise TrainingError(f"'{out}' has no finished folds of seed {seed}; it has seeds {seeds} (--seeds).")
    split = Split.load(folder / "split.json", recordings)
    parts = []
    for number, fold in enumerate(split.folds):
        path = folder / f"fold{number}" / ANSWERS
        if not path.exists():
            raise TrainingError(
                f"Fold {number + 1} of {len(split.folds)} of seed {seed} in '{out}' is not finished; "
                "continue it with --resume."
            )
        with np.load(path) as data:
            if not np.array_equal(data["rows"], fold.test):
                raise TrainingError(f"The logits in '{path}' do not belong to the pages of the fold; remove the file.")
            parts.append((data["rows"], data["logits"], np.full(len(fold.test), number)))
    rows, logits, folds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(rows, kind="stable")
    return Answers(rows[order].astype(np.intp), logits[order].astype(np.float32), folds[order].astype(np.intp))


def page_logits(logits: NDArray[np.float32], recipe: InputRecipe) -> NDArray[np.float32]:
    """Combine the logits of rows into those of pages, as the recipe says.

    Args:
        logits: ``(pages, rows, labels)``.
        recipe: Input recipe; only lead crops have several rows per page.

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
    """Train on the training side of a fold, or load the trained weights."""
    recipe, world = prepared.recipe, context.world
    model = build_model(recipe, seed=seed, initial=not (folder / LAST).exists()).to(world.device)
    if (folder / _weights_file(recipe)).exists():
        load_weights(folder / _weights_file(recipe), model)
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
    """Build the model of a recipe.

    Args:
        recipe: Recipe with the model and its options.
        seed: Seed of the initial weights.
        initial: Whether the initial weights are used; if they will be replaced, pretrained ones are not fetched.
    """
    options = (
        recipe.options if initial else {name: value for name, value in recipe.options.items() if name != "weights"}
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = build(recipe.model, labels=len(recipe.labels), shapes=recipe.input.shapes, **options)
    if recipe.start and initial:
        load_start(recipe.start, model)
    return model.to(memory_format=torch.channels_last)


def _weights_file(recipe: Recipe) -> str:
    return BEST if recipe.selection.keep == "best" else LAST


def fold_folder(out: Path, seed: int, number: int) -> Path:
    """Return the folder of a fold in a run folder."""
    return out / f"seed{seed}" / f"fold{number}"


def write_answers(path: Path, *, rows: NDArray[np.intp], logits: NDArray[np.float32]) -> None:
    """Store the logits of a fold's test pages.

    Args:
        path: File to write, :data:`ANSWERS` in the fold's folder.
        rows: ``(pages,)``, rows of the table.
        logits: ``(pages, rows of a page, labels)``.

    Raises:
        TrainingError: The file cannot be written.
    """
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, rows=rows, logits=logits)
    write_whole(path, stream.getvalue())


def _sides(
    recordings: Recordings, recipe: Recipe, fold: Fold, *, seed: int, by_file: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Return the rows to train on and, if the recipe selects an epoch, those for the selection."""
    if not recipe.selection.fraction:
        return fold.train, None
    try:
        return splits.inner(recordings, fold, seed=seed, fraction=recipe.selection.fraction, by_file=by_file)
    except DatasetError as error:
        raise TrainingError(
            f"The training side of {fold.name or 'a fold'} cannot be split again to select an epoch. {error} "
            "To select none, use --set selection={}"
        ) from error


def _check_copies(prepared: Prepared, fold: Fold) -> None:
    """Check that no file has the same content as one on the other side: a copy that the table does not list."""
    shared = np.intersect1d(prepared.places[fold.train], prepared.places[fold.test])
    if shared.size:
        row = next(row for row in fold.test if prepared.places[row] == shared[0])
        raise TrainingError(
            f"Expected every page on one side, but {shared.size} have copies on the other side, such as "
            f"'{prepared.recordings[int(row)].path.name}'; run ecglens audit and train on its recordings.csv."
        )


def _check_each_label(prepared: Prepared, learn: NDArray[np.intp], of: str) -> None:
    counts = np.bincount(prepared.targets[learn], minlength=len(prepared.recipe.labels))
    empty = [label for label, count in zip(prepared.recipe.labels, counts, strict=True) if not count]
    if empty:
        raise TrainingError(
            f"The training side of {of} has no recording labeled '{empty[0]}'; add recordings or use another split."
        )
