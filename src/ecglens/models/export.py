"""Export a finished run as a model folder: graph, cards, evaluation, license and hashes (extra ``train``).

The evaluation follows the honest protocol: it uses out-of-fold predictions, and each fold is calibrated with the
temperature fitted on the other folds. The shipped temperature and abstention threshold are fitted on all out-of-fold
predictions together.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import softmax

from ecglens.datasets.duplicates.fingerprints import TrainingPages
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import AS_PUBLISHED
from ecglens.errors import TrainingError
from ecglens.evaluation.calibration import RIGHT_WHEN_ANSWERED, choose_threshold, cross_fit, fit_temperature
from ecglens.evaluation.evaluate import evaluate
from ecglens.evaluation.points import curve_points
from ecglens.evaluation.predictions import Predictions
from ecglens.models.card_text import data_card, model_card
from ecglens.models.cards import FINGERPRINTS_FILE, GRAPH_FILE, ModelCard, save_card, sha256_of
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import LeadCrops, dump_recipe, scale_input
from ecglens.models.maps import write_with_maps
from ecglens.models.runtime import Runtime
from ecglens.models.train.cache import Entry, prepare_page
from ecglens.models.train.folder import load_run
from ecglens.models.train.recipe import Recipe
from ecglens.models.train.run import load_answers, load_final, make_split, page_logits

__all__ = ["collect_predictions", "evaluate_run", "export"]

_HEADLINES = ("accuracy", "macro_f1", "macro_auroc", "expected_calibration_error", "right_at_coverage")
_PAGES_COMPARED = 24


def evaluate_run(
    recordings: Recordings, run: Path, *, seeds: Sequence[int], command: str, draws: int = 2000
) -> dict[str, Any]:
    """Evaluate a run's out-of-fold predictions under the honest protocol.

    Args:
        recordings: The table that the run was made from.
        run: Run folder.
        seeds: Seeds whose folds are finished.
        command: Command line, which is stored with the figures.
        draws: Number of resamples of the bootstrap over groups.

    Returns:
        The content of ``evaluation.json``: figures of each seed with intervals, their mean and range, and counts.

    Raises:
        TrainingError: The run was trained under another protocol, is not finished, or was made from other recordings.
    """
    recipe = _recipe(recordings, run)
    by_seed: dict[str, dict[str, Any]] = {}
    references: Mapping[str, Mapping[str, float | None]] = {}
    for seed, predictions in [(seed, collect_predictions(recordings, run, seed=seed)) for seed in seeds]:
        result = evaluate(predictions, rng=np.random.default_rng(seed), draws=draws)
        references = references or result.references
        curves = curve_points(predictions.targets, predictions.probabilities, recipe.labels)
        by_seed[f"seed {seed}"] = {**result.scored, "curves": curves, "intervals": dict(result.intervals)}
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
    """Collect the out-of-fold predictions of one seed, calibrated where there are several folds.

    Args:
        recordings: The table that the run was made from.
        run: Run folder, under any protocol.
        seed: Seed of the folds.

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
        training_recordings = {
            recordings[int(row)].recording for row in make_split(recordings, recipe, plan, seed=seed).folds[0].train
        }
        extra["copy in training"] = tuple("yes" if name in training_recordings else "no" for name in names)
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
    license: str,
    evaluation: dict[str, Any],
    seeds: Sequence[int],
    notes: Sequence[str] = (),
    name: str = "",
) -> ModelCard:
    """Write a model folder from a run; an older model in it is replaced only if the export succeeds.

    Args:
        recordings: The table that the run was made from.
        run: Run folder with a model fitted on everything and finished folds.
        folder: Folder to write.
        version: Version of the weights.
        trained_on: Sentence for the card about the training data.
        license: License of the weights.
        evaluation: Result of :func:`evaluate_run`.
        seeds: Seeds whose out-of-fold predictions are used to fit the temperature and the threshold.
        notes: Sentences that are shown with every prediction.
        name: Name of the model; that of its folder by default.

    Returns:
        The model's card.

    Raises:
        ModelError: The outputs of the ONNX graph differ from those of the torch module.
        TrainingError: The run is not finished, or was made from other recordings.
    """
    recipe = _recipe(recordings, run)
    model = load_final(recipe, run)
    calibration = _calibrate(recordings, run, recipe, seeds)
    evaluation = {**evaluation, "calibration": calibration}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        part = Path(temporary)
        write_graph(model, recipe.input.shapes, part / GRAPH_FILE)
        maps = write_with_maps(part / GRAPH_FILE, recipe.input.shapes, part / GRAPH_FILE)
        card = ModelCard(
            name=name or folder.name,
            version=version,
            title=recipe.title,
            labels=recipe.labels,
            input=dump_recipe(recipe.input),
            temperature=calibration["temperature"],
            abstain_below=calibration["abstain_below"],
            parameters=sum(weight.numel() for weight in model.parameters()),
            trained_on=trained_on,
            license=license,
            graph_sha256=sha256_of(part / GRAPH_FILE),
            warnings=tuple(notes),
            feature_maps=maps,
            folder=part,
        )
        _check_agreement(model, part / GRAPH_FILE, Runtime(card), recordings)
        save_card(card, part)
        (part / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n", encoding="utf-8")
        TrainingPages.of([row.path for row in recordings]).save(part / FINGERPRINTS_FILE)
        (part / "card.md").write_text(model_card(card, evaluation), encoding="utf-8")
        (part / "data.md").write_text(data_card(card, evaluation), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for path in part.iterdir():
            os.replace(path, folder / path.name)
    return replace(card, folder=folder)


def _recipe(recordings: Recordings, run: Path) -> Recipe:
    recipe, plan = load_run(recordings, run)
    if plan.protocol != "honest":
        raise TrainingError(
            f"Expected a run under the protocol honest, which measures the performance on unseen groups, but '{run}' "
            f"was trained under {Path(plan.protocol).name}; train it under honest, with all folds (without --quick)."
        )
    return recipe


def _probabilities(
    targets: NDArray[np.intp], logits: NDArray[np.float32], folds: NDArray[np.intp], recipe: Recipe
) -> NDArray[np.float64]:
    if _votes(recipe):
        return np.asarray(softmax(logits.astype(np.float64), axis=1), dtype=np.float64)
    return cross_fit(targets, logits, folds)


def _votes(recipe: Recipe) -> bool:
    """Return whether a page's probabilities are shares of votes, which a temperature does not change."""
    return isinstance(recipe.input, LeadCrops) and recipe.input.aggregate == "majority"


def _targets(recordings: Recordings, rows: NDArray[np.intp], labels: Sequence[str]) -> NDArray[np.intp]:
    return np.array([labels.index(recordings[int(row)].label) for row in rows], dtype=np.intp)


def _calibrate(recordings: Recordings, run: Path, recipe: Recipe, seeds: Sequence[int]) -> dict[str, float]:
    """Fit the temperature and the abstention threshold, and compute the resulting share of labeled pages."""
    parts = [load_answers(recordings, run, seed=seed) for seed in seeds]
    logits = np.concatenate([page_logits(part.logits, recipe.input) for part in parts])
    targets = np.concatenate([_targets(recordings, part.rows, recipe.labels) for part in parts])
    temperature = 1.0 if _votes(recipe) else fit_temperature(targets, logits)
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    threshold = choose_threshold(targets, probabilities, least_right=RIGHT_WHEN_ANSWERED)
    return {
        "temperature": temperature,
        "abstain_below": threshold.abstain_below,
        "answered": threshold.answered,
        "right_when_answered": threshold.right,
    }


def _check_agreement(model: torch.nn.Module, path: Path, runtime: Runtime, recordings: Recordings) -> None:
    """Compare torch and ONNX Runtime on real pages spread over the table."""
    rows = recordings.canonical_indices()
    chosen = rows[np.linspace(0, len(rows) - 1, min(_PAGES_COMPARED, len(rows))).astype(np.intp)]
    pages = [prepare_page(Entry(recordings[int(row)].path), runtime.recipe) for row in chosen]
    arrays = [scale_input(stored, runtime.recipe) for stored in pages if not isinstance(stored, str)]
    check_graph(model, path, {name: np.concatenate([page[name] for page in arrays]) for name in runtime.recipe.shapes})
