"""Shapes of beats: which beats have the shape of the normal ones, and which are broad, as far as a template tells.

No model is trained here. A beat is compared with templates by its slopes, as ``measuring.beats`` compares the beats of
a record, and classes follow from shape, width and time alone. They are named as the AAMI groups beats (ANSI/AAMI EC57):
``N`` normal, ``S`` supraventricular extrasystole (early and narrow), ``V`` ventricular extrasystole (early and broad).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.measuring.beats import LIMITS as RECORD_LIMITS

__all__ = ["LIMITS", "ShapeLimits", "ShapeState", "ShapeTracker"]

_CLASSES = "benchmarks/streams.md: classes of beats"


@dataclass(frozen=True)
class ShapeLimits:
    """Thresholds of the comparison of beats with templates."""

    min_correlation: float = threshold(
        0.8,
        "1",
        "Correlation of the slopes from which a beat has the shape of a template.",
        low="Extrasystoles count as normal beats.",
        high="Normal beats in noise count as other shapes.",
        evidence=_CLASSES,
    )
    broad: float = threshold(
        1.3,
        "1",
        "Width of a shape from which it is broad, as a part of the normal shape's.",
        low="Noisy normal beats count as ventricular.",
        high="Narrow ventricular beats count as supraventricular.",
        evidence=_CLASSES,
    )
    broader_s: float = threshold(
        0.008,
        "s",
        "Spread of a broad shape's energy beyond the normal shape's, a quarter of the difference of QRS durations.",
        low="Narrow beats of changing shape count as ventricular.",
        high="Ventricular beats from near the septum count as supraventricular.",
        evidence=_CLASSES,
    )
    memory_beats: float = threshold(
        40.0,
        "1",
        "Number of beats after which a template has half forgotten.",
        low="A run of extrasystoles becomes the normal shape.",
        high="A shape that changes, as with the position of the body, becomes another shape.",
        evidence=_CLASSES,
    )
    learning_beats: int = threshold(
        6,
        "1",
        "Number of beats before which no shape counts as the normal one.",
        low="An extrasystole at the start is the normal beat.",
        high="The first extrasystoles are not named.",
        evidence=_CLASSES,
    )


LIMITS = ShapeLimits()
BEFORE_S, AFTER_S = 0.1, 0.115
"""Part of a beat around its fiducial that is compared; with the lag, it has arrived when the beat is reported."""
_LAG_S = 0.03
_MAX_SHAPES = 8
_UPDATE = 0.15
"""Weight of a beat in its template."""


@dataclass
class ShapeState:
    """State of a tracker.

    Attributes:
        templates: ``(leads, samples)`` slopes of each shape.
        weights: How often each shape came of late.
        widths: Spread of each shape's energy in s.
        beats: Number of beats so far.
    """

    templates: list[NDArray[np.float64]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    beats: int = 0


class ShapeTracker:
    """Shapes of the beats of a stream.

    Args:
        fs_hz: Sampling rate.
        state: State of a tracker before, to go on with.
    """

    def __init__(self, fs_hz: float, state: ShapeState | None = None) -> None:
        self._fs_hz = fs_hz
        self._lag = max(round(_LAG_S * fs_hz), 1)
        self.before, self.after = (round(side * fs_hz) + self._lag + 1 for side in (BEFORE_S, AFTER_S))
        self.state = state or ShapeState()

    def classify(self, samples: NDArray[np.floating]) -> tuple[bool | None, bool]:
        """Compare a beat with the shapes so far, and remember it.

        Args:
            samples: ``(leads, before + after)`` in mV around its fiducial; NaN where nothing is known.

        Returns:
            Whether the beat has the normal shape, ``None`` before that is known and where a part of the beat is missing
            in every lead, and whether its shape is broad.
        """
        slopes = np.diff(np.asarray(samples, dtype=np.float64), axis=1) * self._fs_hz
        slopes[np.isnan(slopes).any(axis=1)] = 0.0  # a lead with a hole says nothing
        center = slopes[:, self._lag : -self._lag]
        if not center.any():
            return None, False
        shape = self._match(slopes, center)
        state = self.state
        state.beats += 1
        decay = 0.5 ** (1 / LIMITS.memory_beats)
        state.weights = [weight * decay for weight in state.weights]
        if shape is None:
            shape = self._add(center)
        state.weights[shape] += 1
        if state.beats < LIMITS.learning_beats:
            return None, False
        normal = self._find_normal()
        limit = max(LIMITS.broad * state.widths[normal], state.widths[normal] + LIMITS.broader_s)
        is_broad = state.widths[shape] >= limit
        return shape == normal, shape != normal and is_broad

    def _match(self, slopes: NDArray[np.float64], center: NDArray[np.float64]) -> int | None:
        """Return the shape that a beat has, and move its template towards the beat."""
        state = self.state
        best, best_correlation, best_lag = None, LIMITS.min_correlation, 0
        width = center.shape[1]
        valid = center.any(axis=1)  # a lead that is not known now says nothing
        windows = sliding_window_view(slopes[valid], width, axis=1)[:, : 2 * self._lag + 1 : self._step]
        for number, template in enumerate(state.templates):
            part = template[valid]
            if not part.any():
                continue
            products = np.einsum("ijk,ik->j", windows, part)
            place = int(products.argmax())
            lag = place * self._step
            beat = slopes[valid, lag : lag + width]
            scale = float(np.sqrt((beat**2).sum() * (part**2).sum()))
            correlation = products[place] / scale if scale > 0 else 0.0
            ratio = float((beat**2).sum() / max(float((part**2).sum()), 1e-12)) ** 0.5
            is_size = 1 / RECORD_LIMITS.max_gain**2 < ratio < RECORD_LIMITS.max_gain**2
            if correlation > best_correlation and is_size:
                best, best_correlation, best_lag = number, correlation, lag
        if best is not None:
            beat = slopes[:, best_lag : best_lag + width]
            template = state.templates[best].copy()
            template[valid] += _UPDATE * (beat[valid] - template[valid])
            state.templates[best] = template
            state.widths[best] = self._measure_width(template)
        return best

    @property
    def _step(self) -> int:
        return max(self._lag // 6, 1)

    def _add(self, center: NDArray[np.float64]) -> int:
        """Add a shape, in place of the rarest one where there are many."""
        state = self.state
        if len(state.templates) < _MAX_SHAPES:
            state.templates.append(center.copy())
            state.weights.append(0.0)
            state.widths.append(self._measure_width(center))
            return len(state.templates) - 1
        rarest = int(np.argmin(state.weights))
        state.templates[rarest], state.weights[rarest] = center.copy(), 0.0
        state.widths[rarest] = self._measure_width(center)
        return rarest

    def _find_normal(self) -> int:
        """Return the narrowest of the shapes that come often."""
        weights, widths = np.array(self.state.weights), np.array(self.state.widths)
        is_often = weights >= 0.6 * weights.max()
        return int(np.flatnonzero(is_often)[widths[is_often].argmin()])

    def _measure_width(self, slopes: NDArray[np.float64]) -> float:
        """Return the standard deviation in time of the energy of a beat, in s."""
        energy = (slopes**2).sum(axis=0)
        places = np.arange(len(energy)) / self._fs_hz
        total = max(float(energy.sum()), 1e-12)
        middle = float((energy * places).sum() / total)
        return float(np.sqrt((energy * (places - middle) ** 2).sum() / total))
