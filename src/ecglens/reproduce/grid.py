"""Jobs of the reproduction: the models, protocols and seeds, their order, and the work of each job."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import AS_PUBLISHED, Split
from ecglens.errors import TrainingError
from ecglens.evaluation.classification import figures
from ecglens.models.aggregate import aggregate
from ecglens.models.export import collect_predictions
from ecglens.models.inputs import PageImage
from ecglens.models.train.folder import Plan, lock_run, start_run, table_hash
from ecglens.models.train.origin import describe_origin
from ecglens.models.train.recipe import Recipe, change_recipe, load_recipe
from ecglens.models.train.run import Listener, RunContext, check_run, cross_validate, load_answers, make_split
from ecglens.models.zoo import check_weights
from ecglens.reproduce.references import REFERENCES, reference_predictions
from ecglens.reproduce.results import (
    UNGROUPED,
    Result,
    has_no_groups,
    load_result,
    recipe_hash,
    result_path,
    save_result,
)
from ecglens.reproduce.speed import save_speed
from ecglens.reproduce.works import Row

__all__ = ["PROTOCOLS", "Job", "check_protocols", "jobs_of", "reproduce"]

PROTOCOLS: Mapping[str, str] = {
    "as-published": AS_PUBLISHED,
    "honest": "honest",
    "batch": "leave-one-out:batch",
}
"""Protocols of a training plan, by the names that a user types."""

_QUICK = 6  # a quick job has this many times fewer epochs
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Job:
    """One result to compute.

    Attributes:
        row: The model.
        protocol: Key of :data:`PROTOCOLS`.
        seed: Random seed of folds and weights.
        recipe: Recipe of the training; of a reference, only its labels count.
        pretrained: Whether the weights begin as ImageNet's.
        quick: Whether this is a part of the job only: fewer epochs, and one fold of the honest protocol.
    """

    row: Row
    protocol: str
    seed: int
    recipe: Recipe
    pretrained: bool
    quick: bool = False

    @property
    def title(self) -> str:
        """Title for people."""
        return f"{self.row.name}, {self.protocol}, seed {self.seed}"


def check_protocols(names: Sequence[str]) -> None:
    """Refuse names that are no protocol.

    Raises:
        TrainingError: One of them is no key of :data:`PROTOCOLS`.
    """
    unknown = [name for name in names if name not in PROTOCOLS]
    if unknown:
        raise TrainingError(f"Expected protocols out of {', '.join(PROTOCOLS)}, got '{unknown[0]}'.")


def jobs_of(
    rows: Sequence[Row],
    *,
    protocols: Sequence[str],
    seeds: Sequence[int],
    recipes: Path,
    weights: Mapping[str, str],
    quick: bool = False,
    listener: Listener | None = None,
) -> list[Job]:
    """List the jobs, one seed of every row before the next.

    Args:
        rows: Rows of ``works.ROWS``.
        protocols: Keys of :data:`PROTOCOLS`.
        seeds: Random seeds of folds and weights.
        recipes: Folder of the recipes.
        weights: Files of ImageNet weights by row; the others come from the hub.
        quick: Whether the jobs are partial, as in :class:`Job`.
        listener: Receives a line for each row without ImageNet weights.

    Raises:
        TrainingError: There is no such protocol, or a recipe cannot be read.
    """
    check_protocols(protocols)
    listener = listener or Listener()
    jobs = []
    for row in rows:
        learns = row.recipe not in REFERENCES
        recipe = load_recipe(recipes / f"{row.recipe if learns else 'compact_cnn'}.toml")
        pretrained = False
        if row.pretrained is not None:
            recipe, pretrained = _with_weights(recipe, row, weights.get(row.name), listener)
            if not pretrained and any(phase.trunk == 0 for phase in recipe.course):
                listener.line(f"{row.name} is left out: it learns nothing without ImageNet weights.")
                continue
        for protocol in protocols:
            own = _as_they_did(recipe, row) if protocol == AS_PUBLISHED else recipe
            own = _shorten(own) if quick and learns else own
            jobs += [Job(row, protocol, seed, own, pretrained, quick) for seed in seeds]
    return sorted(jobs, key=lambda job: seeds.index(job.seed))


def reproduce(
    jobs: Sequence[Job],
    recordings: Recordings,
    *,
    runs: Path,
    results: Path,
    place: RunContext,
    command: str = "",
) -> None:
    """Compute the results that are not there yet; a job that was stopped is resumed.

    Args:
        jobs: Jobs from :func:`jobs_of`.
        recordings: One row a file, including copies.
        runs: Folder of run folders.
        results: Folder of results.
        place: Devices and processes to train on.
        command: Command of the user, for the notes.

    Raises:
        TrainingError: A row cannot be trained on these recordings.
        DatasetError: The recordings cannot be split so.
    """
    data = table_hash(recordings)
    if has_no_groups(len(recordings), len(set(recordings.column("group")))):
        place.listener.line(UNGROUPED)
    for job in jobs:
        path = result_path(results, job.row.name, job.protocol, job.seed)
        stored = load_result(path)
        if stored is not None and (stored.note["recipe_hash"], stored.note["data_hash"]) == (_hash(job), data):
            place.listener.line(f"{job.title}: done before")
            continue
        if stored is not None:
            place.listener.line(f"{job.title}: the recipe or the table has changed since; computed again")
        result = (
            _predict_reference(job, recordings)
            if job.row.recipe in REFERENCES
            else _train(job, recordings, runs, place)
        )
        note = {**_note(job, recordings, command), "data_hash": data, **result.note}
        save_result(path, Result(result.predictions, note))
        right = result.predictions.probabilities.argmax(axis=1) == result.predictions.targets
        place.listener.line(f"{job.title}: accuracy {right.mean():.3f} on {len(right)} unseen pages")
        if job.row.recipe not in REFERENCES and not job.quick:
            save_speed(results / job.row.name, job.recipe, recordings)


def _train(job: Job, recordings: Recordings, runs: Path, place: RunContext) -> Result:
    folder = runs / job.row.name / f"{job.protocol}-{_hash(job)}{'-quick' if job.quick else ''}"
    place.listener.line(f"{job.title}: {job.recipe.title}")
    with lock_run(folder):
        plan = _plan(job, recordings, folder)
        check_run(recordings, job.recipe, plan, [job.seed])
        start_run(recordings, job.recipe, folder, plan, command=job.title)
        cross_validate(recordings, job.recipe, folder, plan, seeds=[job.seed], context=place)
    note: dict[str, Any] = {
        "training_s": round(_seconds(folder / f"seed{job.seed}"), 1),
        "device": place.world.device.type,
        "threads": torch.get_num_threads() if place.world.device.type == "cpu" else None,
    }
    if len(job.recipe.input.rows) > 1:
        note["crops"] = _over_crops(recordings, folder, job)
    return Result(collect_predictions(recordings, folder, seed=job.seed), note)


def _predict_reference(job: Job, recordings: Recordings) -> Result:
    split = make_split(recordings, job.recipe, Plan(PROTOCOLS[job.protocol], _FOLDS), seed=job.seed)
    return Result(reference_predictions(job.row.recipe, recordings, split, job.recipe.labels), {})


def _plan(job: Job, recordings: Recordings, folder: Path) -> Plan:
    """Return the plan of the protocol, or of a file with its first fold."""
    plan = Plan(PROTOCOLS[job.protocol], _FOLDS)
    if not job.quick or job.protocol == AS_PUBLISHED:
        return plan
    split = make_split(recordings, job.recipe, plan, seed=job.seed)
    first = folder / f"first-fold-{job.seed}.json"
    Split(split.protocol, split.seed, split.folds[:1]).save(first, recordings)
    return Plan(str(first), _FOLDS)


def _with_weights(recipe: Recipe, row: Row, file: str | None, listener: Listener) -> tuple[Recipe, bool]:
    """Return the recipe with ImageNet weights if they are available, and whether they are."""
    with_weights = change_recipe(recipe, {"options.weights": file or "imagenet", **(row.pretrained or {})})
    try:
        check_weights(with_weights.model, with_weights.options)
    except TrainingError as error:
        if file is not None:
            raise
        listener.line(f"{row.name} is trained from scratch. {error}")
        return recipe, False
    return with_weights, True


def _as_they_did(recipe: Recipe, row: Row) -> Recipe:
    """Change the recipe to whole pages, header and footer included, which the works read."""
    if isinstance(recipe.input, PageImage) and row.work not in {"controls", "ecglens"}:
        return change_recipe(recipe, {"input.area": "page"})
    return recipe


def _shorten(recipe: Recipe) -> Recipe:
    if recipe.phases:
        phases = [{**phase.model_dump(), "epochs": _fewer(phase.epochs)} for phase in recipe.phases]
        return change_recipe(recipe, {"phases": phases})
    return change_recipe(recipe, {"optimization.epochs": _fewer(recipe.optimization.epochs)})


def _fewer(epochs: int) -> int:
    return max(1, round(epochs / _QUICK))


def _hash(job: Job) -> str:
    """Hash the recipe, with the name of a file of weights instead of its path."""
    return recipe_hash(_portable(job.recipe))


def _portable(recipe: Recipe) -> Recipe:
    weights = recipe.options.get("weights")
    return recipe if weights is None else change_recipe(recipe, {"options.weights": Path(str(weights)).name})


def _note(job: Job, recordings: Recordings, command: str) -> dict[str, Any]:
    return {
        "row": job.row.name,
        "work": job.row.work,
        "protocol": job.protocol,
        "seed": job.seed,
        "recipe": _portable(job.recipe).model_dump(mode="json"),
        "recipe_hash": _hash(job),
        "files": len(recordings),
        "recordings": len(set(recordings.column("recording"))),
        "groups": len(set(recordings.column("group"))),
        "pretrained": job.pretrained,
        **({"quick": True} if job.quick else {}),
        **describe_origin(command),
    }


def _seconds(folder: Path) -> float:
    """Return the seconds of all epochs of all folds."""
    total = 0.0
    for path in sorted(folder.glob("fold*/history.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            total += sum(float(row["seconds"]) for row in csv.DictReader(stream))
    return total


def _over_crops(recordings: Recordings, folder: Path, job: Job) -> dict[str, Any]:
    """Score a model of leads with every crop counted, as its work counted."""
    answers = load_answers(recordings, folder, seed=job.seed)
    pages, crops, labels = answers.logits.shape
    targets = np.array([job.recipe.labels.index(recordings[int(row)].label) for row in answers.rows])
    each = aggregate(answers.logits.reshape(pages * crops, 1, labels).astype(np.float64), "mean_log")
    scored = figures(np.repeat(targets, crops), each, job.recipe.labels)
    return {"count": pages * crops, "accuracy": scored["accuracy"], "macro_f1": scored["macro_f1"]}
