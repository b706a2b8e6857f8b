"""Score digitized signals and measured records against their truth, for all benchmarks.

SNR is ``10 log10(sum of squares of the truth / of the error)`` of a lead in dB, means removed, no alignment in time;
gaps of the digitized signal are first bridged by straight lines. The reference of a measurement comes from the marks of
LUDB's cardiologists (Kalyakulina et al. 2020, doi:10.1109/ACCESS.2020.3029211): for each beat that at least six leads
mark, a span is from the third earliest onset to the third latest end over the leads; the reference is the median over
beats.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglens.datasets.annotations import WaveMark
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.layouts import RHYTHM
from ecglens.records import EcgRecord, Page, Tracing
from ecglens.render import PageTruth

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from read_against_truth import snr_db

SHIFTS = range(-30, 31)
"""Shifts in samples among which the aligned SNR is the best: 60 ms to both sides at 500 Hz."""

LEAST_LEADS = 6
"""Number of leads that must mark a beat before it counts."""

SPANS = ("p", "pr", "qrs", "qt")


class LeadScore(NamedTuple):
    """Scores of one digitized lead.

    Attributes:
        snr_db: SNR without alignment.
        pearson_r: Correlation of truth and signal.
        rmse_mv: Root mean square error, means removed.
        aligned_snr_db: SNR at the best shift; NaN if it was not requested.
    """

    snr_db: float
    pearson_r: float
    rmse_mv: float
    aligned_snr_db: float


def digitize_or_none(page: Page) -> Tracing | None:
    """Digitize a page; return ``None`` if it is refused."""
    try:
        return digitize_page(page)
    except EcgReadError:
        return None


def score_lead(truth: np.ndarray, signal: np.ndarray, *, align: bool = True) -> LeadScore:
    """Score one lead.

    Args:
        truth: ``(samples,)`` mV; NaN where nothing was rendered.
        signal: ``(samples,)`` mV at the same rate; NaN where nothing was read.
        align: Also search for the best shift, which takes 60 times as long.
    """
    valid = np.flatnonzero(~np.isnan(signal))
    if not valid.size:
        return LeadScore(-99.0, 0.0, float(np.nanstd(truth)), -99.0)
    bridged = np.interp(np.arange(len(truth)), valid, signal[valid])
    rendered = ~np.isnan(truth)
    aligned = max(snr_db(truth, np.roll(bridged, shift)) for shift in SHIFTS) if align else np.nan
    a, b = truth[rendered] - truth[rendered].mean(), bridged[rendered] - bridged[rendered].mean()
    r = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))
    return LeadScore(snr_db(truth, bridged), r, float(np.sqrt(np.mean((a - b) ** 2))), aligned)


def score_page(truth: PageTruth, record: EcgRecord | None) -> tuple[list[LeadScore], int]:
    """Score the leads of a rendered page that were read, and count those that were missed."""
    scores, missed = [], 0
    for segment in truth.leads:
        name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
        if record is None or name not in record.leads:
            missed += 1
        else:
            scores.append(score_lead(segment.signal_mv, record.signals_mv[record.leads.index(name)]))
    return scores, missed


def group_marks(marks: Mapping[str, tuple[WaveMark, ...]], wave: str) -> list[list[WaveMark]]:
    """Group the marks of one wave over all leads by beat."""
    ordered = sorted(
        (mark for waves in marks.values() for mark in waves if mark.wave == wave), key=lambda mark: mark.peak
    )
    beats: list[list[WaveMark]] = []
    for mark in ordered:
        if beats and mark.peak - beats[-1][-1].peak < 100 and mark.peak - beats[-1][0].peak < 200:
            beats[-1].append(mark)
        else:
            beats.append([mark])
    return [beat for beat in beats if len(beat) >= min(LEAST_LEADS, len(marks))]


def wave_edges(beat: list[WaveMark], rank: int | None) -> tuple[float, float]:
    """Return onset and end of a wave in samples: the mark of a rank from outside, or the median of the leads."""
    onsets = sorted(mark.onset for mark in beat if mark.onset is not None)
    ends = sorted(mark.end for mark in beat if mark.end is not None)
    if min(len(onsets), len(ends)) < (rank or 1):
        return np.nan, np.nan
    return (float(np.median(onsets)), float(np.median(ends))) if rank is None else (onsets[rank - 1], ends[-rank])


def reference_spans_ms(
    marks: Mapping[str, tuple[WaveMark, ...]], fs_hz: float, rank: int | None = 3
) -> dict[str, float]:
    """Compute P, PR, QRS and QT from the marks, as the module describes; NaN where they are not marked."""
    complexes = [wave_edges(beat, rank) for beat in group_marks(marks, "QRS")]
    t_ends = np.array([wave_edges(beat, rank)[1] for beat in group_marks(marks, "T")])
    p_waves = [wave_edges(beat, rank) for beat in group_marks(marks, "P")]
    p_onsets = np.array([onset for onset, _ in p_waves])
    spans: dict[str, list[float]] = {name: [] for name in SPANS}
    spans["p"] = [end - onset for onset, end in p_waves]
    for onset, end in complexes:
        spans["qrs"].append(end - onset)
        spans["qt"] += [
            float(t_ends[near][0] - onset) for near in [(t_ends > end) & (t_ends < onset + 0.7 * fs_hz)] if near.any()
        ]
        spans["pr"] += [
            float(onset - p_onsets[near][-1])
            for near in [(p_onsets < onset) & (p_onsets > onset - 0.4 * fs_hz)]
            if near.any()
        ]
    return {
        name: 1000 * float(np.nanmedian(span)) / fs_hz if np.isfinite(span).any() else np.nan
        for name, span in spans.items()
    }


def marked_peaks_s(marks: Mapping[str, tuple[WaveMark, ...]], fs_hz: float) -> np.ndarray:
    """Return the time of each marked R peak in s, the median of the leads."""
    return np.array([np.median([mark.peak for mark in beat]) for beat in group_marks(marks, "QRS")]) / fs_hz


def count_beats(marked_s: np.ndarray, measured_s: tuple[float, ...], tolerance_s: float) -> tuple[int, int, int]:
    """Count detected, missed and extra beats between the first and the last marked one, as LUDB marks no others."""
    peaks = np.array(measured_s)
    peaks = peaks[(peaks >= marked_s[0] - tolerance_s) & (peaks <= marked_s[-1] + tolerance_s)]
    near = np.abs(peaks[:, None] - marked_s[None]) <= tolerance_s
    paired = int(min(near.any(axis=0).sum(), near.any(axis=1).sum()))
    return paired, len(marked_s) - paired, len(peaks) - paired


def f1_score(counts: tuple[int, int, int]) -> float:
    """Compute F1 from the numbers of detected, missed and extra beats; NaN if all are 0."""
    detected, missed, extra = counts
    return 2 * detected / (2 * detected + missed + extra) if any(counts) else np.nan
