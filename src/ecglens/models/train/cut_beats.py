"""Cut typical beats from records as pages show them: columns in turn, leads missing, filters and errors of scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq

from ecglens.models.inputs.beats import UNKNOWN_SCALE, describe_rhythm, find_r_peaks, make_typical_beat
from ecglens.models.inputs.recipes import LeadBeats
from ecglens.models.train.signal_set import SignalSet

__all__ = ["CUT_LIMITS", "BeatCutter", "CutLimits", "filter_records"]

_LAYOUTS = ((1, 10.0), (1, 2.5), (2, 5.0), (4, 2.5))
"""Columns of a layout, and seconds that each shows."""


@dataclass(frozen=True, slots=True)
class CutLimits:
    """Limits of how far records are changed; shares are probabilities for each record, and ranges are drawn from.

    Attributes:
        layouts: Shares of records cut whole, to 2.5 s, and as two and four columns.
        high_pass_hz: Range of the high pass, drawn on a logarithmic scale.
        low_pass_hz: Range of the low pass; above half of the sampling rate there is none.
        causal: Share of filters that delay, as those in recorders do; the others keep the phase.
        hide_scale: Share of records in mV whose amplitudes are hidden.
        hide_rhythm: Share of records whose rhythm is hidden.
        missing_leads: Share with one to four leads missing.
        half: Share with the limb leads or the chest leads alone.
        shift: Greatest error of the R peak, in samples.
        gain: Standard deviation of the error of the gain, of all leads together; each lead has a third of it.
        noise_mv: Greatest standard deviation of noise.
        wander_mv: Standard deviation of the baseline's slope over a beat.
    """

    layouts: tuple[float, float, float, float] = (0.25, 0.15, 0.2, 0.4)
    high_pass_hz: tuple[float, float] = (0.05, 0.7)
    low_pass_hz: tuple[float, float] = (20.0, 100.0)
    causal: float = 0.5
    hide_scale: float = 0.15
    hide_rhythm: float = 0.2
    missing_leads: float = 0.15
    half: float = 0.05
    shift: int = 2
    gain: float = 0.08
    noise_mv: float = 0.015
    wander_mv: float = 0.02


CUT_LIMITS = CutLimits()


class BeatCutter:
    """Records whose R peaks were found once, of which each call cuts other beats.

    Args:
        data: Records.
        recipe: Beats that the model reads.
        rng: Random generator of the filters.
        variants: Number of filtered versions of each record, the first of which is not filtered.
        limits: How far records are changed.
    """

    def __init__(
        self,
        data: SignalSet,
        recipe: LeadBeats,
        *,
        rng: np.random.Generator,
        variants: int = 4,
        limits: CutLimits = CUT_LIMITS,
    ) -> None:
        self._recipe, self._limits, self._is_in_mv = recipe, limits, data.is_in_mv
        filtered = [filter_records(data.signals, recipe.fs_hz, rng, limits) for _ in range(variants - 1)]
        self._variants = [data.signals, *filtered]
        self._peaks = {
            columns: [
                [find_r_peaks(part, recipe.fs_hz) for part in np.split(signals, columns)] for signals in data.signals
            ]
            for columns in {columns for columns, _ in _LAYOUTS}
        }

    def cut(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """Cut a typical beat of each lead as some page shows it, with errors of gain, noise and missing leads.

        Args:
            rows: Places of the records.
            rng: Random generator.

        Returns:
            ``(rows, 2 * leads + 3, samples)`` float32, as ``models.inputs.make_beat_array`` makes them.
        """
        leads, limits = len(self._recipe.leads), self._limits
        inputs = np.zeros((len(rows), *self._recipe.shapes["signal"]), np.float32)
        kinds = rng.choice(len(_LAYOUTS), size=len(rows), p=limits.layouts)
        for array, row, kind in zip(inputs, rows.tolist(), kinds.tolist(), strict=True):
            signals = self._variants[int(rng.integers(len(self._variants)))][row]
            self._cut_record(array, signals, row, *_LAYOUTS[kind], rng)
        is_in_mv = self._is_in_mv[rows]
        beats, masks = inputs[:, :leads], inputs[:, leads : 2 * leads]
        beats *= _gains(beats.shape, rng, limits)
        unit = np.where(is_in_mv, 1.0, beats.std(axis=(1, 2)) / _TYPICAL_STD_MV)[:, None, None]
        beats += (unit * _disturbances(beats.shape, rng, limits)).astype(np.float32)
        _hide_leads(masks, rng, limits)
        beats *= masks > 0
        masks[~is_in_mv | (rng.random(len(rows)) < limits.hide_scale)] *= UNKNOWN_SCALE
        inputs[rng.random(len(rows)) < limits.hide_rhythm, 2 * leads :] = 0
        return inputs

    def cut_whole(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cut the typical beats of whole records, unchanged; those of unknown scale are marked."""
        leads = len(self._recipe.leads)
        inputs = np.zeros((len(rows), *self._recipe.shapes["signal"]), np.float32)
        for array, row in zip(inputs, rows.tolist(), strict=True):
            self._cut_record(array, self._variants[0][row], row, *_LAYOUTS[0], None)
        inputs[~self._is_in_mv[rows], leads : 2 * leads] *= UNKNOWN_SCALE
        return inputs

    def _cut_record(
        self,
        array: NDArray[np.float32],
        signals: NDArray[np.float32],
        row: int,
        columns: int,
        seconds: float,
        rng: np.random.Generator | None,
    ) -> None:
        """Write beats, masks and rhythm of one record; with a generator, the R peaks have errors."""
        recipe, leads = self._recipe, len(self._recipe.leads)
        length = min(round(seconds * recipe.fs_hz), signals.shape[1])
        last = signals.shape[1] - length
        start = 0 if rng is None else int(rng.integers(last + 1))
        intervals = []
        for column, peaks in enumerate(self._peaks[columns][row]):
            first = (start + column * length) % (last + 1)
            inside = peaks[(peaks >= first) & (peaks < first + length)] - first
            intervals.append(np.diff(inside) / recipe.fs_hz)
            part = slice(column * leads // columns, (column + 1) * leads // columns)
            shift = 0 if rng is None else int(rng.integers(-self._limits.shift, self._limits.shift + 1))
            shifted = np.clip(inside + shift, 0, length - 1)
            beats, masks = make_typical_beat(signals[part, first : first + length], shifted, recipe)
            array[part], array[leads + part.start : leads + part.stop] = beats, masks
        array[2 * leads :] = describe_rhythm(np.concatenate(intervals))[:, None]


def filter_records(
    signals: NDArray[np.float32], fs_hz: float, rng: np.random.Generator, limits: CutLimits = CUT_LIMITS
) -> NDArray[np.float32]:
    """Filter each record by a high pass of first and a low pass of second order, with or without delay."""
    filtered = np.empty_like(signals)
    samples = signals.shape[2]
    frequencies = rfftfreq(samples, 1 / fs_hz)
    for signal, out in zip(signals, filtered, strict=True):
        high = np.exp(rng.uniform(*np.log(limits.high_pass_hz)))
        low = rng.uniform(*limits.low_pass_hz)
        relative = 1j * frequencies / low
        low_pass = 1 / (1 + np.sqrt(2) * relative + relative**2) if low < fs_hz / 2 else np.ones_like(relative)
        response = 1j * frequencies / (high + 1j * frequencies) * low_pass
        if rng.random() >= limits.causal:
            response = np.abs(response)
        out[:] = irfft(rfft(signal, axis=1) * response.astype(np.complex64), samples, axis=1)
    return filtered


_TYPICAL_STD_MV = 0.25
"""Typical standard deviation of a beat, by which noise is scaled where amplitudes are unknown."""


def _gains(shape: tuple[int, ...], rng: np.random.Generator, limits: CutLimits) -> NDArray[np.float32]:
    records, leads, _ = shape
    logs = rng.normal(0, limits.gain, (records, 1, 1)) + rng.normal(0, limits.gain / 3, (records, leads, 1))
    return np.exp(logs).astype(np.float32)


def _disturbances(shape: tuple[int, ...], rng: np.random.Generator, limits: CutLimits) -> NDArray[np.float32]:
    """Make noise, and a baseline that rises or falls over the beat, in mV."""
    records, leads, samples = shape
    noise = rng.standard_normal(shape, np.float32) * rng.uniform(0, limits.noise_mv, (records, 1, 1))
    slope = rng.normal(0, limits.wander_mv, (records, leads, 1)) * np.linspace(-0.5, 0.5, samples)
    return np.asarray(noise + slope, dtype=np.float32)


def _hide_leads(masks: NDArray[np.float32], rng: np.random.Generator, limits: CutLimits) -> None:
    """Set the masks of missing leads to 0: some, or those of the limbs or the chest."""
    records, leads, _ = masks.shape
    for row in np.flatnonzero(rng.random(records) < limits.missing_leads):
        masks[row, rng.choice(leads, rng.integers(1, 5), replace=False)] = 0
    for row in np.flatnonzero(rng.random(records) < limits.half):
        half = leads // 2 * int(rng.integers(2))
        masks[row, half : half + leads // 2] = 0
