"""Calibration by site: temperatures that each site fits on its own pages, beside one for all."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecglens.evaluation.calibration import bins_of, calibration_gap, cross_fit

__all__ = ["SiteCalibration", "calibrate_sites"]


@dataclass(frozen=True, slots=True)
class SiteCalibration:
    """Answers of one site's test pages and the calibration of their probabilities.

    Attributes:
        site: Name of the site.
        pages: Number of its test pages, over all folds.
        accuracy: Share of right answers.
        raw_error: Expected calibration error without a temperature.
        common_error: The same, with the temperature of the pages of all sites.
        own_error: The same, with the temperature of the site's own pages; ``None`` where they are in one fold.
    """

    site: str
    pages: int
    accuracy: float
    raw_error: float
    common_error: float
    own_error: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in plain types."""
        return asdict(self)

    def describe(self) -> str:
        """Return the figures in a sentence."""
        own = "-" if self.own_error is None else f"{self.own_error:.3f}"
        return (
            f"{self.site}: {self.accuracy:.1%} of {self.pages} test pages correct, calibration error "
            f"{self.raw_error:.3f} without a temperature, {self.common_error:.3f} with that of all sites, {own} with "
            "its own"
        )


def calibrate_sites(
    targets: NDArray[np.intp],
    logits: NDArray[np.float32],
    folds: NDArray[np.intp],
    sites: Mapping[str, NDArray[np.bool_]],
) -> tuple[SiteCalibration, ...]:
    """Compute accuracy and calibration errors of each site; every temperature is fitted on other folds.

    Args:
        targets: ``(pages,)``, index of the true label.
        logits: ``(pages, labels)``, out of fold.
        folds: ``(pages,)``, the fold whose model was not trained on the page; at least two.
        sites: ``(pages,)`` for each site, whether a page is there.

    Returns:
        Figures of the sites that have pages.
    """
    common = cross_fit(targets, logits, folds)
    raw = softmax(logits.astype(np.float64), axis=1)
    figures = []
    for name, here in sites.items():
        if not here.any():
            continue
        own = None
        if len(np.unique(folds[here])) > 1:
            own = _error(targets[here], cross_fit(targets[here], logits[here], folds[here]))
        figures.append(
            SiteCalibration(
                site=name,
                pages=int(here.sum()),
                accuracy=float((logits[here].argmax(1) == targets[here]).mean()),
                raw_error=_error(targets[here], raw[here]),
                common_error=_error(targets[here], common[here]),
                own_error=own,
            )
        )
    return tuple(figures)


def _error(targets: NDArray[np.intp], probabilities: NDArray[np.float64]) -> float:
    confidence = probabilities.max(axis=1)
    surplus = (probabilities.argmax(axis=1) == targets) - confidence
    return calibration_gap(bins_of(confidence), surplus) / len(targets)
