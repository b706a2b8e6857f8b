"""Cut records as pages show them: columns in turn, hidden stretches, missing leads, filters and errors of scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq

from ecglens.models.inputs.signals import UNKNOWN_SCALE

__all__ = ["CUT_LIMITS", "CutLimits", "cut_records"]

_SIMULTANEOUS, _FOUR_COLUMNS, _TWO_COLUMNS = 0, 1, 2
_SPARSE = 5
"""Every n-th sample is enough for a median, which would take longer than all else."""


@dataclass(frozen=True, slots=True)
class CutLimits:
    """Limits of how far records are changed; shares are probabilities for each record, and ranges are drawn from.

    Attributes:
        columns: Shares of records cut as 12x1, 3x4 and 6x2.
        high_pass_hz: Range of the high pass, drawn on a logarithmic scale.
        low_pass_hz: Range of the low pass; above half of the sampling rate there is none.
        causal: Share of filters that delay, as those in recorders do; the others keep the phase.
        hide_scale: Share of records in mV whose amplitudes are hidden.
        missing_leads: Share with one to four leads missing.
        half: Share with the limb leads or the chest leads alone.
        hidden: Share with a hidden stretch in some leads.
        short: Share that ends early.
        gain: Standard deviation of the error of the gain, of all leads together; each lead has a third of it.
        noise_mv: Greatest standard deviation of noise.
        wander_mv: Greatest amplitude of a wandering baseline.
    """

    columns: tuple[float, float, float] = (0.35, 0.45, 0.2)
    high_pass_hz: tuple[float, float] = (0.05, 0.7)
    low_pass_hz: tuple[float, float] = (20.0, 100.0)
    causal: float = 0.5
    hide_scale: float = 0.15
    missing_leads: float = 0.15
    half: float = 0.05
    hidden: float = 0.2
    short: float = 0.1
    gain: float = 0.08
    noise_mv: float = 0.03
    wander_mv: float = 0.06


CUT_LIMITS = CutLimits()


def cut_records(
    signals: NDArray[np.float32],
    is_in_mv: NDArray[np.bool_],
    *,
    window: int,
    fs_hz: float,
    rng: np.random.Generator,
    limits: CutLimits = CUT_LIMITS,
) -> NDArray[np.float32]:
    """Cut one window from each record, as a page of some recorder would show it.

    Args:
        signals: ``(records, leads, samples)`` float32, limb leads first.
        is_in_mv: Whether a record's amplitudes are known.
        window: Samples of the window.
        fs_hz: Sampling rate.
        rng: Random generator.
        limits: How far the records are changed.

    Returns:
        ``(records, 2 * leads, window)`` float32: signals, then masks, as ``models.inputs.make_signal_array`` has them.
    """
    filtered = _filter(signals, fs_hz, rng, limits)
    cut = _cut(filtered, window, rng, limits)
    cut -= np.median(cut[..., ::_SPARSE], axis=2, keepdims=True)
    cut *= _gains(cut.shape, rng, limits)
    unit = np.where(is_in_mv, 1.0, cut.std(axis=(1, 2)) / 0.25)[:, None, None]
    cut += (unit * _disturbances(cut.shape, fs_hz, rng, limits)).astype(np.float32)
    mask = _masks(cut.shape, rng, limits)
    is_scale_hidden = ~is_in_mv | (rng.random(len(cut)) < limits.hide_scale)
    cut[is_scale_hidden] *= np.exp(rng.uniform(-1, 1, (int(is_scale_hidden.sum()), 1, 1))).astype(np.float32)
    mask[is_scale_hidden] *= UNKNOWN_SCALE
    return np.concatenate([cut * (mask > 0), mask], axis=1)


def _filter(
    signals: NDArray[np.float32], fs_hz: float, rng: np.random.Generator, limits: CutLimits
) -> NDArray[np.float32]:
    """Filter each record by a high pass of first and a low pass of second order, with or without delay."""
    records, _, samples = signals.shape
    frequencies = rfftfreq(samples, 1 / fs_hz)[None]
    high = np.exp(rng.uniform(*np.log(limits.high_pass_hz), (records, 1)))
    low = rng.uniform(*limits.low_pass_hz, (records, 1))
    relative = 1j * frequencies / low
    low_pass = np.where(low < fs_hz / 2, 1 / (1 + np.sqrt(2) * relative + relative**2), 1.0)
    response = (1j * frequencies / (high + 1j * frequencies)) * low_pass
    response = np.where(rng.random((records, 1)) < limits.causal, response, np.abs(response))
    spectrum = rfft(signals, axis=2, workers=1)
    spectrum *= response[:, None].astype(np.complex64)
    return np.asarray(irfft(spectrum, samples, axis=2, overwrite_x=True, workers=1))


def _cut(signals: NDArray[np.float32], window: int, rng: np.random.Generator, limits: CutLimits) -> NDArray[np.float32]:
    """Cut each lead where its column of the page begins."""
    records, leads, samples = signals.shape
    kind = rng.choice(3, size=(records, 1), p=limits.columns)
    lead = np.arange(leads)[None]
    column = np.where(kind == _FOUR_COLUMNS, lead // 3, np.where(kind == _TWO_COLUMNS, 2 * (lead // 6), 0))
    last_start = samples - window
    start = (rng.integers(0, last_start + 1, (records, 1)) + column * window) % (last_start + 1)
    places = start[..., None] + np.arange(window)
    return np.take_along_axis(signals, places, axis=2)


def _gains(shape: tuple[int, ...], rng: np.random.Generator, limits: CutLimits) -> NDArray[np.float32]:
    records, leads, _ = shape
    logs = rng.normal(0, limits.gain, (records, 1, 1)) + rng.normal(0, limits.gain / 3, (records, leads, 1))
    return np.exp(logs).astype(np.float32)


def _disturbances(
    shape: tuple[int, ...], fs_hz: float, rng: np.random.Generator, limits: CutLimits
) -> NDArray[np.float32]:
    """Make noise and a wandering baseline, in mV."""
    records, leads, samples = shape
    seconds = np.arange(samples, dtype=np.float32) / np.float32(fs_hz)
    noise = rng.standard_normal(shape, np.float32) * rng.uniform(0, limits.noise_mv, (records, 1, 1)).astype(np.float32)
    amplitude = limits.wander_mv * rng.random((records, leads, 1), np.float32)
    hertz = 0.05 + 0.35 * rng.random((records, leads, 1), np.float32)
    phase = 6.28 * rng.random((records, leads, 1), np.float32)
    return noise + amplitude * np.sin(6.28 * hertz * seconds + phase)


def _masks(shape: tuple[int, ...], rng: np.random.Generator, limits: CutLimits) -> NDArray[np.float32]:
    """Make masks of what a page shows: leads missing, halves alone, hidden stretches, early ends."""
    mask = np.ones(shape, np.float32)
    records, leads, samples = shape
    for row in np.flatnonzero(rng.random(records) < limits.missing_leads):
        mask[row, rng.choice(leads, rng.integers(1, 5), replace=False)] = 0
    for row in np.flatnonzero(rng.random(records) < limits.half):
        half = leads // 2 * int(rng.integers(2))
        mask[row, half : half + leads // 2] = 0
    for row in np.flatnonzero(rng.random(records) < limits.hidden):
        start, length = int(rng.integers(samples)), int(rng.integers(5, samples // 4))
        mask[row, rng.random(leads) < 0.5, start : start + length] = 0
    for row in np.flatnonzero(rng.random(records) < limits.short):
        mask[row, :, int(rng.integers(samples // 2, samples)) :] = 0
    return mask
