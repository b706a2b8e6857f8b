"""Training runs: a folder that can be taken up again after any stop.

``RUN/recipe.json`` and ``RUN/recordings.txt`` say what is trained; ``RUN/seed0/fold3.npz`` holds the answers of one
fold's model on the pages that it has not seen; ``RUN/model.safetensors`` is the model fitted on everything. What exists
is not done again.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from ecglens.datasets import splits
from ecglens.datasets.recordings import Recordings
from ecglens.errors import TrainingError
from ecglens.leads.find import find_layout
from ecglens.models.inputs import make_input, unsuitable
from ecglens.models.train.fit import fit, logits_of
from ecglens.models.train.recipe import Recipe
from ecglens.pages.read import read_page
from ecglens.records import NotFound

__all__ = ["Progress", "cross_validate", "fit_all", "load_out_of_fold", "load_run", "start_run"]

Progress = Callable[[str], None]


def start_run(recordings: Recordings, recipe: Recipe, out: Path) -> None:
    """Make a run folder, or check that one belongs to this recipe and these recordings.

    Raises:
        TrainingError: The folder holds another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("recipe.json", recipe.model_dump_json(indent=2)), ("recordings.txt", _fingerprint(recordings))):
        path = out / name
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise TrainingError(f"'{out}' holds a run with another {path.stem}; choose another folder.")
        path.write_text(text, encoding="utf-8")


def load_run(recordings: Recordings, out: Path) -> Recipe:
    """The recipe of a run folder that was made from these recordings.

    Raises:
        TrainingError: The folder holds no run, or one from other recordings.
    """
    try:
        recipe = Recipe.model_validate_json((out / "recipe.json").read_bytes())
        fingerprint = (out / "recordings.txt").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TrainingError(f"Expected a run folder of ecglens train, but '{out}' cannot be read as one.") from error
    if fingerprint != _fingerprint(recordings):
        raise TrainingError(f"The run in '{out}' was made from other recordings; name the table that it was made from.")
    return recipe


def cross_validate(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    *,
    seeds: Sequence[int],
    folds: int = 5,
    progress: Progress = lambda line: None,
) -> None:
    """Train under the honest protocol and keep the answers on each fold's unseen pages.

    Args:
        recordings: One row a file; copies are left out.
        recipe: What to train.
        out: Run folder made by :func:`start_run`.
        seeds: Of folds and weights.
        folds: Number of folds.
        progress: Called with one line for each finished fold.

    Raises:
        TrainingError: A page cannot be used or the training fails.
    """
    pending = [
        (seed, index, fold)
        for seed in seeds
        for index, fold in enumerate(splits.honest(recordings, seed=seed, folds=folds))
        if not _fold_file(out, seed, index).exists()
    ]
    if not pending:
        return
    arrays, targets = _arrays(recordings, recipe)
    for seed, index, fold in pending:
        model = fit(arrays[fold.train], targets[fold.train], recipe, seed=1000 * seed + index)
        answers = logits_of(model, arrays[fold.test])
        _write_npz(_fold_file(out, seed, index), rows=fold.test, logits=answers)
        right = float((answers.argmax(1) == targets[fold.test].numpy()).mean())
        progress(f"seed {seed}, fold {index + 1} of {folds}: {right:.1%} of {len(fold.test)} unseen pages right")


def fit_all(
    recordings: Recordings, recipe: Recipe, out: Path, *, seed: int, progress: Progress = lambda line: None
) -> None:
    """Fit the recipe on every recording and keep the weights in ``RUN/model.safetensors``."""
    target = out / "model.safetensors"
    if target.exists():
        return
    rows = recordings.canonical_indices()
    arrays, targets = _arrays(recordings, recipe)
    model = fit(
        arrays[rows],
        targets[rows],
        recipe,
        seed=seed,
        on_epoch=lambda epoch, loss: progress(f"epoch {epoch} of {recipe.optimization.epochs}: loss {loss:.3f}"),
    )
    part = target.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
    os.replace(part, target)


def load_out_of_fold(
    recordings: Recordings, out: Path, *, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]:
    """Answers of one seed's folds together.

    Args:
        recordings: The table that the run was made from.
        out: Run folder.
        seed: Of the folds.

    Returns:
        Rows of the table, logits ``(rows, labels)`` and each row's fold.

    Raises:
        TrainingError: The folds of this seed do not hold each recording once.
    """
    files = sorted((out / f"seed{seed}").glob("fold*.npz"))
    if not files:
        raise TrainingError(f"'{out}' has no finished folds of seed {seed}.")
    parts = []
    for index, path in enumerate(files):
        with np.load(path) as data:
            parts.append((data["rows"], data["logits"], np.full(len(data["rows"]), index)))
    rows, logits, folds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(rows)
    chosen = recordings.canonical_indices()
    if not np.array_equal(rows[order], chosen):
        raise TrainingError(
            f"The folds of seed {seed} in '{out}' answer {len(rows)} times, {len(set(rows.tolist()))} of "
            f"{len(chosen)} recordings; finish the run with the number of folds that it was begun with."
        )
    return rows[order].astype(np.intp), logits[order].astype(np.float32), folds[order].astype(np.intp)


def _arrays(recordings: Recordings, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Every recording's array and target; rows of copies stay zero and are never asked for."""
    arrays = torch.zeros(len(recordings), *recipe.input.shapes["page"])
    for index in recordings.canonical_indices():
        page = read_page(recordings[int(index)].path)
        layout = find_layout(page)
        if isinstance(layout, NotFound):
            raise TrainingError(
                f"The leads of '{page.source}' were not found, so it cannot be trained on. {layout.reason}"
            )
        reason = unsuitable(layout, recipe.input)
        if reason is not None:
            raise TrainingError(
                f"'{page.source}' cannot be trained on. {reason} "
                "Set input.known_print to false to train on other prints."
            )
        arrays[index] = torch.from_numpy(make_input(page, layout, recipe.input)["page"][0])
    unknown = sorted(set(recordings.labels) - set(recipe.labels))
    if unknown:
        raise TrainingError(f"The recordings have the label {unknown[0]}, which the recipe does not name.")
    targets = torch.tensor([recipe.labels.index(recording.label) for recording in recordings], dtype=torch.long)
    return arrays, targets


def _fold_file(out: Path, seed: int, index: int) -> Path:
    return out / f"seed{seed}" / f"fold{index}.npz"


def _write_npz(path: Path, **arrays: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(part, path)


def _fingerprint(recordings: Recordings) -> str:
    return "\n".join(f"{row.recording},{row.label},{row.group}" for row in recordings) + "\n"
