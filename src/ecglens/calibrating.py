"""Calibration on a site's own labeled pages or recordings: probabilities, sets and abstention that hold there."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import folder_name
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError, EcgLensError, ModelError
from ecglens.evaluation.calibration import (
    RIGHT_WHEN_ANSWERED,
    bins_of,
    calibration_gap,
    choose_threshold,
    cross_fit,
    fit_temperature,
)
from ecglens.evaluation.several_labels import calibration_error, cover, fit_limits, fit_temperatures, sigmoid
from ecglens.formats.files import detect_format, read_record
from ecglens.model import Model, load_model
from ecglens.models.cards import GRAPH_FILE, ModelCard, SetLimits, save_card
from ecglens.records import Prediction

__all__ = ["Calibration", "calibrate", "parse_labels"]

LEAST = 20
"""Number of answered pages below which temperature and threshold would be chance."""
COVERAGE = 0.9
"""Share of sets that are to hold the truth."""
_TINY = 1e-9
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """Result of a calibration.

    Attributes:
        model: The calibrated model, in its new folder.
        pages: Number of pages and recordings.
        answered: Number of those that the model read.
        unread: Name and reason of each that could not be read.
        before: Figures of the model as it came: ``calibration_error`` and, with one label, ``accuracy``, ``answered``
            and ``right_when_answered`` at its threshold; with several, ``coverage`` and ``decided`` of its sets.
        after: The same by a calibration that was fitted on the other folds.
    """

    model: Model
    pages: int
    answered: int
    unread: tuple[tuple[str, str], ...]
    before: dict[str, float]
    after: dict[str, float]


def calibrate(
    model: str | Path,
    data: Recordings,
    out: Path,
    *,
    right: float = RIGHT_WHEN_ANSWERED,
    coverage: float = COVERAGE,
    seed: int = 0,
    on_page: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """Fit a model's temperature, sets and threshold on labeled pages or recordings, and write the model again.

    Its weights stay as they are. Figures are computed by folds over groups, each with a calibration that was fitted on
    the others; the folder gets one that was fitted on all.

    Args:
        model: Name or folder of a model.
        data: Pages or recordings with the model's labels; of a model of several labels, those that hold, as
            :func:`parse_labels` reads them.
        out: Folder to write; its name is the model's.
        right: Share of right labels that the threshold of a model of one label aims at.
        coverage: Share of the sets of a model of several labels that are to hold the truth.
        seed: Seed of the folds.
        on_page: Called with the number of pages that were read, and of all.

    Raises:
        DatasetError: Too few pages were read, or a label is none of the model's.
        ModelError: The model cannot be used or calibrated, or the folder holds another.
    """
    loaded = load_model(model)
    card = loaded.card
    if len(loaded.rows_of_a_page) > 1:
        raise ModelError(f"Expected a model that answers once a page, got '{card.name}', which answers for each lead.")
    if out.exists() and any(out.iterdir()):
        raise ModelError(
            f"Expected an empty folder to write to, got {folder_name(out)}, which has files; name another."
        )
    data = data.canonical()  # copies would be in two folds
    targets = _list_targets(data, card)
    rows, predictions, unread = _read_all(loaded, data, on_page)
    if len(rows) < LEAST:
        raise DatasetError(
            f"Expected at least {LEAST} pages that the model reads, got {len(rows)} of {len(data)}; add some."
        )
    probabilities = np.array([[one[label] for label in card.labels] for one in predictions])
    folds = _assign_folds(data.codes("group")[rows], np.random.default_rng(seed))
    fit = _fit_several if card.several else _fit_one
    changes, before, after = fit(card, targets[rows], probabilities, folds, right=right, coverage=coverage)
    note = f"Calibrated on {len(rows)} pages or recordings of a site; figures elsewhere do not hold for it."
    written = _write(card, changes, note, out)
    return Calibration(load_model(written), len(data), len(rows), unread, before, after)


def _assign_folds(groups: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Assign whole groups to folds at random."""
    names, places = np.unique(groups, return_inverse=True)
    if len(names) < _FOLDS:
        raise DatasetError(f"Expected pages of at least {_FOLDS} groups, such as patients, got {len(names)}; add some.")
    return np.asarray(rng.permutation(len(names))[places] % _FOLDS, np.intp)


def parse_labels(text: str) -> tuple[str, ...]:
    """Return the labels in a cell of a table for a model of several labels.

    >>> parse_labels("MI; STTC"), parse_labels("NORM")
    (('MI', 'STTC'), ('NORM',))
    """
    return tuple(part for part in (piece.strip() for piece in text.replace("+", ";").split(";")) if part)


def _list_targets(data: Recordings, card: ModelCard) -> NDArray[np.intp]:
    """Return the index of each label, ``(pages,)``, or whether each of several holds, ``(pages, labels)``."""
    unknown = sorted(
        {label for row in data for label in (parse_labels(row.label) if card.several else (row.label,))}
        - set(card.labels)
    )
    if unknown:
        raise DatasetError(
            f"Expected labels out of {', '.join(card.labels)}, got {', '.join(unknown[:3])}; rename them, or leave "
            "those pages out."
        )
    if card.several:
        return np.array([[label in parse_labels(row.label) for label in card.labels] for row in data], np.intp)
    return np.array([card.labels.index(row.label) for row in data], np.intp)


def _read_all(
    model: Model, data: Recordings, on_page: Callable[[int, int], None]
) -> tuple[NDArray[np.intp], list[dict[str, float]], tuple[tuple[str, str], ...]]:
    """Return the rows that the model answered, its probabilities, and why it did not answer the others."""
    rows, probabilities, unread = list[int](), list[dict[str, float]](), list[tuple[str, str]]()
    for number, row in enumerate(data):
        on_page(number, len(data))
        try:
            prediction = _read(model, row)
        except EcgLensError as error:
            unread.append((row.path.name, error.detail))
            continue
        if prediction.probabilities is None:
            reason = prediction.abstention.reason if prediction.abstention else ""
            unread.append((row.path.name, reason))
            continue
        rows.append(number)
        probabilities.append(dict(prediction.probabilities))
    on_page(len(data), len(data))
    return np.array(rows, np.intp), probabilities, tuple(unread)


def _read(model: Model, row: Recording) -> Prediction:
    if row.path.suffix.lower() == ".hea" or detect_format(row.path) is not None:
        return model.read_record(read_record(row.path))
    return model.read(row.path)


def _fit_one(
    card: ModelCard,
    targets: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    folds: NDArray[np.intp],
    *,
    right: float,
    coverage: float,
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Fit temperature and threshold of a model of one label."""
    logits = (np.log(np.maximum(probabilities, _TINY)) * card.temperature).astype(np.float32)
    crossed = cross_fit(targets, logits, folds)
    temperature = fit_temperature(targets, logits)
    scaled = np.exp(logits.astype(np.float64) / temperature)
    fitted = choose_threshold(targets, scaled / scaled.sum(axis=1, keepdims=True), least_right=right)
    thresholds = np.empty(len(folds))
    for fold in np.unique(folds):
        here = folds == fold
        thresholds[here] = choose_threshold(targets[~here], crossed[~here], least_right=right).abstain_below
    changes = {"temperature": temperature, "abstain_below": fitted.abstain_below}
    before = _figures_of_one(targets, probabilities, np.full(len(folds), card.abstain_below))
    return changes, before, _figures_of_one(targets, crossed, thresholds)


def _figures_of_one(
    targets: NDArray[np.intp], probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> dict[str, float]:
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    is_answered = confidence >= thresholds
    return {
        "calibration_error": calibration_gap(bins_of(confidence), is_right - confidence) / len(targets),
        "accuracy": float(is_right.mean()),
        "answered": float(is_answered.mean()),
        "right_when_answered": float(is_right[is_answered].mean()) if is_answered.any() else float("nan"),
    }


def _fit_several(
    card: ModelCard,
    targets: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    folds: NDArray[np.intp],
    *,
    right: float,
    coverage: float,
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Fit the temperature and the limits of the sets of each label of a model of several."""
    holds = targets.astype(np.bool_)
    clipped = np.clip(probabilities, _TINY, 1 - _TINY)
    logits = np.log(clipped / (1 - clipped)) * (card.label_temperatures or (card.temperature,) * len(card.labels))

    def fit(rows: NDArray[np.bool_]) -> tuple[tuple[float, ...], list[tuple[float, float]]]:
        temperatures = fit_temperatures(holds[rows], logits[rows])
        scaled = sigmoid(logits[rows] / temperatures)
        limits = [fit_limits(holds[rows, k], scaled[:, k], coverage=coverage) for k in range(len(card.labels))]
        return temperatures, limits

    crossed, is_true, is_decided = np.empty_like(probabilities), np.zeros(len(folds)), np.zeros(len(folds))
    for fold in np.unique(folds):
        here = folds == fold
        temperatures, limits = fit(~here)
        crossed[here] = sigmoid(logits[here] / temperatures)
        coverages = [cover(holds[here, k], crossed[here, k], limits[k]) for k in range(len(card.labels))]
        is_true[here] = np.mean([one.truth for one in coverages])
        is_decided[here] = np.mean([one.decided for one in coverages])
    temperatures, limits = fit(np.ones(len(folds), np.bool_))
    changes = {
        "label_temperatures": temperatures,
        "set_limits": tuple(SetLimits(yes_from=yes, no_to=no) for yes, no in limits),
    }
    old = [
        cover(holds[:, k], probabilities[:, k], (each.yes_from, each.no_to)) for k, each in enumerate(card.set_limits)
    ]
    before = {"calibration_error": _mean_error(holds, probabilities)}
    if old:
        before["coverage"] = float(np.mean([one.truth for one in old]))
        before["decided"] = float(np.mean([one.decided for one in old]))
    after = {
        "calibration_error": _mean_error(holds, crossed),
        "coverage": float(is_true.mean()),
        "decided": float(is_decided.mean()),
    }
    return changes, before, after


def _mean_error(holds: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    return float(np.mean([calibration_error(holds[:, k], probabilities[:, k]) for k in range(holds.shape[1])]))


def _write(card: ModelCard, changes: dict[str, Any], note: str, out: Path) -> Path:
    """Write the model with its new calibration; what the old one was evaluated with is left behind."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(card.folder / GRAPH_FILE, out / GRAPH_FILE)
    pages = card.folder / "training_pages.npz"
    if pages.is_file():
        shutil.copyfile(pages, out / pages.name)
    fields = {"name": out.name, "version": f"{card.version}-site", "warnings": (*card.warnings, note), **changes}
    save_card(msgspec.structs.replace(card, **fields), out)
    return out
