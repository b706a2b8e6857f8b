"""From a finished run to a model folder: graph, cards, evaluation, licence and hashes (extra ``train``).

The evaluation is the honest one: out-of-fold answers, each fold at the temperature that the other folds ask for. The
temperature and the abstention threshold that ship are fitted on all out-of-fold answers together.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ecglens.datasets.duplicates.fingerprints import TrainingPages
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import AS_PUBLISHED
from ecglens.errors import TrainingError
from ecglens.evaluation.calibration import cross_fit, fit_temperature
from ecglens.evaluation.evaluate import evaluate
from ecglens.evaluation.points import curve_points
from ecglens.evaluation.predictions import Predictions
from ecglens.models.card_text import data_card, model_card
from ecglens.models.cards import GRAPH_FILE, SEEN_FILE, ModelCard, save_card, sha256_of
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import LeadCrops, scaled
from ecglens.models.maps import write_with_maps
from ecglens.models.runtime import Runtime
from ecglens.models.train.cache import Entry, prepare_page
from ecglens.models.train.folder import load_run
from ecglens.models.train.recipe import Recipe
from ecglens.models.train.run import load_answers, load_final, make_split, page_logits

__all__ = ["evaluate_run", "export", "collect_predictions"]

_HEADLINES = ("accuracy", "macro_f1", "macro_auroc", "expected_calibration_error", "right_at_coverage")
_PAGES_COMPARED = 24
_RIGHT_WHEN_ANSWERED = 0.98


def evaluate_run(
    recordings: Recordings, run: Path, *, seeds: Sequence[int], command: str, draws: int = 2000
) -> dict[str, Any]:
    """Score a run's out-of-fold answers under the honest protocol.

    Args:
        recordings: The table that the run was made from.
        run: Run folder.
        seeds: Seeds whose folds are finished.
        command: What was typed, kept with the figures.
        draws: Of the bootstrap over groups.

    Returns:
        Figures of each seed with intervals, their mean and range, and the counts.
    """
    recipe = _recipe(recordings, run)
    by_seed: dict[str, dict[str, Any]] = {}
    references: Mapping[str, Mapping[str, float | None]] = {}
    for seed, predictions in [(seed, collect_predictions(recordings, run, seed=seed)) for seed in seeds]:
        found = evaluate(predictions, rng=np.random.default_rng(seed), draws=draws)
        references = references or found.references
        curves = curve_points(predictions.targets, predictions.probabilities, recipe.labels)
        by_seed[f"seed {seed}"] = {**found.scored, "curves": curves, "intervals": dict(found.intervals)}
    chosen = recordings.canonical()
    summary = {
        name: {"mean": float(np.mean(values)), "least": float(np.min(values)), "most": float(np.max(values))}
        for name in _HEADLINES
        if (values := [scored[name] for scored in by_seed.values()])
    }
    return {
        "protocol": "honest",
        "command": command,
        "data": {
            "files": len(recordings),
            "recordings": len(chosen),
            "groups": len(set(chosen.column("group"))),
            "labels": chosen.counts(),
        },
        "labels": list(recipe.labels),
        "summary": summary,
        "references": {name: dict(values) for name, values in references.items()},
        "seeds": by_seed,
    }


def collect_predictions(recordings: Recordings, run: Path, *, seed: int) -> Predictions:
    """Answers of one seed's folds on the pages that they have not seen, calibrated where several folds allow it.

    Args:
        recordings: The table that the run was made from.
        run: Run folder, under any protocol.
        seed: Whose folds.

    Raises:
        TrainingError: The run is not finished for this seed, or was made from other recordings.
    """
    recipe, plan = load_run(recordings, run)
    answers = load_answers(recordings, run, seed=seed)
    rows, logits = answers.rows, page_logits(answers.logits, recipe.input)
    targets = _targets(recordings, rows, recipe.labels)
    one_fold = len(np.unique(answers.folds)) < 2
    probabilities = (
        np.asarray(softmax(logits.astype(np.float64), axis=1))
        if one_fold
        else _probabilities(targets, logits, answers.folds, recipe)
    )
    table = recordings.subset(rows)
    names = table.column("recording")
    extra = {name: table.column(name) for name in sorted({name for row in table for name in row.extra})}
    if len(set(names)) < len(names):
        keys = recordings.keys()
        extra["file"] = tuple(keys[row] for row in rows)
    if plan.protocol == AS_PUBLISHED:
        learnt = {
            recordings[int(row)].recording for row in make_split(recordings, recipe, plan, seed=seed).folds[0].train
        }
        extra["copy in training"] = tuple("yes" if name in learnt else "no" for name in names)
    return Predictions(
        recordings=names,
        groups=table.column("group"),
        labels=recipe.labels,
        targets=targets,
        probabilities=probabilities,
        folds=answers.folds,
        extra=extra,
    )


def export(
    recordings: Recordings,
    run: Path,
    folder: Path,
    *,
    version: str,
    trained_on: str,
    licence: str,
    evaluation: dict[str, Any],
    seeds: Sequence[int],
    notes: Sequence[str] = (),
) -> ModelCard:
    """Write a model folder from a run; an older model in it is replaced, and stays where this one fails.

    Args:
        recordings: The table that the run was made from.
        run: Run folder with a model fitted on everything and finished folds.
        folder: Where to write.
        version: Of the weights.
        trained_on: Sentence for the card.
        licence: Of the weights.
        evaluation: From :func:`evaluate_run`.
        seeds: Whose out-of-fold answers fit the temperature and the threshold.
        notes: Sentences that stand beside every answer.

    Raises:
        ModelError: The ONNX graph does not answer as the torch module does.
        TrainingError: The run is not finished, or was made from other recordings.
    """
    recipe = _recipe(recordings, run)
    model = load_final(recipe, run)
    calibration = _calibrate(recordings, run, recipe, seeds)
    evaluation = {**evaluation, "calibration": calibration}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        part = Path(name)
        write_graph(model, recipe.input.shapes, part / GRAPH_FILE)
        maps = write_with_maps(part / GRAPH_FILE, recipe.input.shapes, part / GRAPH_FILE)
        card = ModelCard(
            name=folder.name,
            version=version,
            title=recipe.title,
            labels=recipe.labels,
            input=recipe.input.model_dump(),
            temperature=calibration["temperature"],
            abstain_below=calibration["abstain_below"],
            parameters=sum(weight.numel() for weight in model.parameters()),
            trained_on=trained_on,
            licence=licence,
            graph_sha256=sha256_of(part / GRAPH_FILE),
            warnings=tuple(notes),
            feature_maps=maps,
            folder=part,
        )
        _check_agreement(model, part / GRAPH_FILE, Runtime(card), recordings)
        save_card(card, part)
        (part / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n", encoding="utf-8")
        TrainingPages.of([row.path for row in recordings]).save(part / SEEN_FILE)
        (part / "card.md").write_text(model_card(card, evaluation), encoding="utf-8")
        (part / "data.md").write_text(data_card(card, evaluation), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for path in part.iterdir():
            os.replace(path, folder / path.name)
    return card.model_copy(update={"folder": folder})


def _recipe(recordings: Recordings, run: Path) -> Recipe:
    recipe, plan = load_run(recordings, run)
    if plan.protocol != "honest":
        raise TrainingError(
            f"Expected a run under the protocol honest, whose answers show what a model is worth, but '{run}' was "
            f"trained under {Path(plan.protocol).name}; train it under honest, all its folds (and not --quick)."
        )
    return recipe


def _probabilities(
    targets: NDArray[np.intp], logits: NDArray[np.float32], folds: NDArray[np.intp], recipe: Recipe
) -> NDArray[np.float64]:
    if _votes(recipe):
        return np.asarray(softmax(logits.astype(np.float64), axis=1), dtype=np.float64)
    return cross_fit(targets, logits, folds)


def _votes(recipe: Recipe) -> bool:
    """Whether a page's probabilities are the shares of its leads, which no temperature changes."""
    return isinstance(recipe.input, LeadCrops) and recipe.input.aggregate == "majority"


def _targets(recordings: Recordings, rows: NDArray[np.intp], labels: Sequence[str]) -> NDArray[np.intp]:
    return np.array([labels.index(recordings[int(row)].label) for row in rows], dtype=np.intp)


def _calibrate(recordings: Recordings, run: Path, recipe: Recipe, seeds: Sequence[int]) -> dict[str, float]:
    """Temperature, the lowest confidence from which on the answers are right often enough, and what that leaves."""
    parts = [load_answers(recordings, run, seed=seed) for seed in seeds]
    logits = np.concatenate([page_logits(part.logits, recipe.input) for part in parts])
    targets = np.concatenate([_targets(recordings, part.rows, recipe.labels) for part in parts])
    temperature = 1.0 if _votes(recipe) else fit_temperature(targets, logits)
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence)
    right = np.cumsum((probabilities.argmax(axis=1) == targets)[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(right >= _RIGHT_WHEN_ANSWERED)
    last = int(enough[-1]) if enough.size else -1
    return {
        "temperature": temperature,
        "abstain_below": float(confidence[order][last]) if enough.size else 1.0,
        "answered": (last + 1) / len(order),
        "right_when_answered": float(right[last]) if enough.size else 0.0,
    }


def _check_agreement(model: torch.nn.Module, path: Path, runtime: Runtime, recordings: Recordings) -> None:
    """Compare torch and ONNX Runtime on real pages spread over the table."""
    rows = recordings.canonical_indices()
    chosen = rows[np.linspace(0, len(rows) - 1, min(_PAGES_COMPARED, len(rows))).astype(np.intp)]
    made = [prepare_page(Entry(recordings[int(row)].path), runtime.recipe) for row in chosen]
    arrays = [scaled(stored, runtime.recipe) for stored in made if not isinstance(stored, str)]
    check_graph(model, path, {name: np.concatenate([page[name] for page in arrays]) for name in runtime.recipe.shapes})
