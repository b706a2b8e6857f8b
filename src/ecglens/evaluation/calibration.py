"""Calibration of probabilities: the calibration error, and temperature scaling (Guo et al., arXiv 1706.04599)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

__all__ = [
    "BINS",
    "RIGHT_WHEN_ANSWERED",
    "Threshold",
    "bins_of",
    "calibration_gap",
    "choose_threshold",
    "cross_fit",
    "fit_temperature",
]

RIGHT_WHEN_ANSWERED = 0.98
"""Share of right labels that a model's threshold aims at."""

BINS = 15
"""Number of bins of confidence, over [0, 1], in the calibration error and in every plot of reliability."""


def bins_of(confidence: NDArray[np.float64], bins: int = BINS) -> NDArray[np.intp]:
    """Return the bin of each confidence: open below and closed above, so that exactly 1 falls into the last."""
    return np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)


def calibration_gap(place: NDArray[np.intp], surplus: NDArray[np.float64], bins: int = BINS) -> float:
    """Add up over bins how far the share right is from the mean confidence, weighted by the pages of each bin.

    Divided by the number of pages it is the expected calibration error.

    Args:
        place: ``(pages,)``, the bin of each page.
        surplus: ``(pages,)``, whether it is right minus its confidence, times the number of times that it counts.
        bins: Number of bins.

    >>> calibration_gap(bins_of(np.array([0.75, 0.75])), np.array([1, 0]) - 0.75) / 2
    0.25
    """
    return float(np.abs(np.bincount(place, surplus, bins)).sum())


def fit_temperature(targets: NDArray[np.intp], logits: NDArray[np.float32]) -> float:
    """Find the temperature, in [0.05, 20], at which the logits' log loss is least."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits.astype(np.float64) / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(targets)), targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


@dataclass(frozen=True, slots=True)
class Threshold:
    """Threshold below which a model gives no label.

    Attributes:
        abstain_below: Least probability of the top label with which it answers; 1 where none is enough.
        answered: Share of pages that it answers.
        right: Share of right answers among them.
    """

    abstain_below: float
    answered: float
    right: float


def choose_threshold(targets: NDArray[np.intp], probabilities: NDArray[np.float64], *, least_right: float) -> Threshold:
    """Choose the threshold at which most pages are answered, of which a share is right.

    Args:
        targets: ``(pages,)``, index of the true label.
        probabilities: ``(pages, labels)``.
        least_right: Least share of right answers.

    >>> sure = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> choose_threshold(np.array([0, 1, 0]), sure, least_right=0.98).abstain_below
    0.8
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence)
    right = np.cumsum((probabilities.argmax(axis=1) == targets)[order]) / np.arange(1, len(order) + 1)
    ranked = confidence[order]
    is_last_of_equals = np.append(ranked[1:] < ranked[:-1], True)  # pages of one confidence are answered all or none
    enough = np.flatnonzero((right >= least_right) & is_last_of_equals)
    if not enough.size:
        return Threshold(1.0, 0.0, 0.0)
    last = int(enough[-1])
    return Threshold(float(ranked[last]), (last + 1) / len(order), float(right[last]))


def cross_fit(targets: NDArray[np.intp], logits: NDArray[np.float32], folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Compute the probabilities of each fold at the temperature that is fitted to the *other* folds' predictions.

    Args:
        targets: ``(pages,)``, index of the true label.
        logits: ``(pages, labels)``, out of fold.
        folds: ``(pages,)``, the fold whose model was not trained on the page.

    Returns:
        ``(pages, labels)``; nothing in a row was fitted on its own fold.

    Raises:
        ValueError: There is one fold only, or none.
    """
    out = np.empty(logits.shape, dtype=np.float64)
    names = np.unique(folds)
    if len(names) < 2:
        raise ValueError(f"Expected predictions of at least two folds, got {len(names)}.")
    for fold in names:
        here = folds == fold
        temperature = fit_temperature(targets[~here], logits[~here])
        out[here] = softmax(logits[here].astype(np.float64) / temperature, axis=1)
    return out
