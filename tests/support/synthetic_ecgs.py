"""Synthetic records of raised cosines, whose edges are known."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS, plan
from ecglens.records import EcgRecord

P_MS, PR_MS, QRS_MS, QT_MS = 100.0, 160.0, 90.0, 400.0
ANGLES = dict(zip(STANDARD_LEADS[:6], (0, 60, 120, -150, -30, 90), strict=True))
LENGTHS = {"aVR": 0.75**0.5, "aVL": 0.75**0.5, "aVF": 0.75**0.5}


def hump(t: NDArray[np.float64], start: float, length: float) -> NDArray[np.float64]:
    """Return one raised cosine with a height of 1, and 0 outside of it."""
    inside = (t >= start) & (t <= start + length)
    return np.where(inside, 0.5 - 0.5 * np.cos(2 * np.pi * (t - start) / length), 0.0)


def beat(t: NDArray[np.float64], onset: float, gains: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return a beat with the QRS onset at ``onset`` in s, and amplitudes of P, QRS and T in mV."""
    q, s = QRS_MS / 1000, QT_MS / 1000
    complex_ = (
        hump(t, onset + 0.25 * q, 0.5 * q) - 0.3 * hump(t, onset, 0.4 * q) - 0.4 * hump(t, onset + 0.6 * q, 0.4 * q)
    )
    p_wave = hump(t, onset - PR_MS / 1000, P_MS / 1000)
    return gains[0] * p_wave + gains[1] * complex_ + gains[2] * hump(t, onset + s - 0.2, 0.2)


def synthesize_ecg(
    onsets: NDArray[np.float64] | None = None,
    *,
    seconds: float = 10.0,
    fs_hz: float = 500.0,
    axis_deg: float = 40.0,
    p_mv: float = 0.15,
    noise_mv: float = 0.0,
    st_mv: float = 0.0,
    rng: np.random.Generator | None = None,
) -> EcgRecord:
    """Return a record of twelve leads with QRS onsets at ``onsets`` in s, by default every 0.8 s."""
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    onsets = np.arange(0.5, seconds - 0.45, 0.8) if onsets is None else onsets
    rows = []
    for number, lead in enumerate(STANDARD_LEADS):
        frontal = LENGTHS.get(lead, 1.0) * np.cos(np.radians(ANGLES.get(lead, 0) - axis_deg))
        gain = frontal if lead in ANGLES else (-0.8, -0.4, 0.4, 1.0, 1.2, 0.9)[number - 6]
        row = sum((beat(t, onset, (p_mv * gain, 1.2 * gain, 0.3 * gain)) for onset in onsets), np.zeros_like(t))
        for onset in onsets:
            row += st_mv * ((t > onset + QRS_MS / 1000) & (t < onset + 0.22))
        rows.append(row)
    signals = np.array(rows)
    if noise_mv:
        signals += noise_mv * (rng or np.random.default_rng(0)).standard_normal(signals.shape)
    return EcgRecord(signals.astype(np.float32), fs_hz, STANDARD_LEADS)


def with_own_p_waves(own_mv: float) -> EcgRecord:
    """Return beats whose P waves are the sum of a common wave of 0.12 mV and a random one in each beat."""
    rng = np.random.default_rng(0)
    record = synthesize_ecg(p_mv=0.0)
    t = np.arange(record.signals_mv.shape[1]) / record.fs_hz
    waves = np.zeros_like(t)
    for onset in np.arange(0.5, 9.55, 0.8):
        since = (t - onset + PR_MS / 1000) / 0.12
        inside = (since >= 0) & (since <= 1)
        harmonics = [rng.standard_normal() / order * np.sin(np.pi * order * since) for order in range(1, 5)]
        waves += 0.12 * hump(t, onset - PR_MS / 1000, P_MS / 1000) + own_mv * inside * np.sum(harmonics, axis=0)
    return add_to_leads(record, waves)


def add_to_leads(record: EcgRecord, wave_mv: NDArray[np.float64]) -> EcgRecord:
    """Add a wave to each lead of a record, larger in some leads than in others."""
    gains = np.linspace(0.6, 1.4, len(record.leads))[:, None]
    return replace(record, signals_mv=(record.signals_mv + gains * wave_mv).astype(np.float32))


def page_of(record: EcgRecord, *, strip: bool = True) -> EcgRecord:
    """Return what a 3x4 page shows of a record: 2.5 s of each lead, with or without the rhythm strip."""
    quarter = round(2.5 * record.fs_hz)
    columns = {lead: column for row in plan("3x4").rows for column, lead in enumerate(row)}
    signals = np.full((13 if strip else 12, record.signals_mv.shape[1]), np.nan, np.float32)
    for row, lead, signal in zip(signals, record.leads, record.signals_mv, strict=False):
        row[:quarter] = signal[columns[lead] * quarter : (columns[lead] + 1) * quarter]
    starts = tuple(2.5 * columns[lead] for lead in record.leads)
    if not strip:
        return replace(record, signals_mv=signals, start_s=starts)
    signals[-1] = record.signals_mv[1]
    return replace(record, signals_mv=signals, leads=(*record.leads, "II-rhythm"), start_s=(*starts, 0.0))
