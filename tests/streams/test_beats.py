"""Beats while they happen."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from synthetic_ecgs import synthesize_ecg

from ecglens.streams.beats import BeatDetector, DetectedBeat

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def detect(
    signals: np.ndarray, fs: float, block: int = 20, skip: tuple[int, int] | None = None
) -> list[tuple[int, DetectedBeat]]:
    """Return each beat with the number of the sample after which it was reported."""
    detector, out = BeatDetector(len(signals), fs), []
    for first in range(0, signals.shape[1], block):
        if skip is not None and skip[0] <= first < skip[1]:
            continue
        part = signals[:, first : first + block]
        out += [(first + part.shape[1], beat) for beat in detector.feed(first, part)]
    return out + [(signals.shape[1], beat) for beat in detector.finish()]


@pytest.mark.parametrize("fs", [130.0, 250.0, 360.0, 500.0])
def test_every_beat_is_reported_within_300_ms_of_its_peak(fs: float) -> None:
    record = synthesize_ecg(seconds=30.0, fs_hz=fs, noise_mv=0.01)
    beats = detect(record.signals_mv[:3], fs, block=round(0.04 * fs))
    true = np.arange(0.5, 29.55, 0.8) + 0.045
    times = np.array([beat.sample / fs for _, beat in beats])
    assert len(times) == len(true)
    assert np.abs(np.sort(times) - true).max() < 0.03
    delays = [end / fs - beat.sample / fs for end, beat in beats if beat.sample / fs > 3.0]
    assert max(delays[:-1]) < 0.3


def test_the_size_of_packets_does_not_change_the_beats() -> None:
    record = synthesize_ecg(seconds=20.0, fs_hz=250.0, noise_mv=0.02)
    small = [beat.sample for _, beat in detect(record.signals_mv[:2], 250.0, block=5)]
    large = [beat.sample for _, beat in detect(record.signals_mv[:2], 250.0, block=73)]
    assert np.abs(np.array(small) - np.array(large)).max() <= 2


def test_after_a_gap_beats_are_not_continuous_with_those_before() -> None:
    record = synthesize_ecg(seconds=20.0, fs_hz=250.0)
    detector = BeatDetector(1, 250.0)
    detector.feed(0, record.signals_mv[1:2, :2500])
    assert detector.is_continuous(2000, 2200)
    beats = detector.feed(3000, record.signals_mv[1:2, 3000:4500])
    assert not detector.is_continuous(2000, 3200)
    assert all(beat.sample >= 3000 for beat in beats)
    assert len(beats) >= 6


def test_no_beat_lies_in_or_at_the_edges_of_gaps() -> None:
    record = synthesize_ecg(seconds=60.0, fs_hz=250.0, noise_mv=0.01)
    true = np.arange(0.5, 59.55, 0.8) + 0.045
    for start in range(4000, 8000, 331):
        skip = (start // 20 * 20, start // 20 * 20 + 100)
        for _, beat in detect(record.signals_mv[:2], 250.0, skip=skip):
            assert np.abs(true - beat.sample / 250.0).min() < 0.06


def test_a_flat_lead_has_no_beats() -> None:
    assert detect(np.zeros((1, 5000)), 250.0) == []


def test_a_lead_that_falls_off_does_not_hide_the_beats_of_the_others() -> None:
    record = synthesize_ecg(seconds=30.0, fs_hz=250.0)
    signals = record.signals_mv[:2].copy()
    signals[0, 3000:] = np.nan
    assert len(detect(signals, 250.0)) == 37


@pytest.mark.shared
@pytest.mark.skipif(not (DATA / "mitbih").is_dir(), reason="needs the shared data")
def test_live_beats_of_record_100_agree_with_the_annotations() -> None:
    pytest.importorskip("wfdb")
    from ecglens.extras import require
    from ecglens.formats.wfdb import read_wfdb

    record = read_wfdb(DATA / "mitbih" / "100.hea")
    wfdb = require("wfdb", extra="signal")
    signals = record.signals_mv[:, : 360 * 300]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb makes pandas warn
        annotations = wfdb.rdann(str(DATA / "mitbih" / "100"), "atr", sampto=360 * 300)
    true = np.array([s for s, k in zip(annotations.sample, annotations.symbol, strict=True) if k in "NAV"])
    times = np.array([beat.sample for _, beat in detect(signals, 360.0, block=36)])
    assert len(times) == len(true)
    assert np.abs(np.sort(times) - true).max() <= 54
