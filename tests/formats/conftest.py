from dataclasses import replace

import numpy as np
import pytest
from synthetic_ecgs import page_of

from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord


@pytest.fixture
def whole() -> EcgRecord:
    """Twelve leads of 10 s with gaps."""
    rng = np.random.default_rng(7)
    signals = np.cumsum(rng.standard_normal((12, 5000)), axis=1).astype(np.float32) / 200
    signals[3, 100:140] = np.nan
    signals[11, 4000:] = np.nan
    comments = ("layout: 3x4+1", "scale: 25 mm/s, 10 mm/mV")
    return EcgRecord(signals, 500.0, STANDARD_LEADS, quality=(0.9,) * 12, comments=comments)


@pytest.fixture
def page(whole: EcgRecord) -> EcgRecord:
    """As a 3x4+1 page shows it: 2.5 s of each lead at its own start, the strip whole."""
    return replace(page_of(whole), quality=(0.8,) * 13, warnings=("V1 is cut off.",))


@pytest.fixture
def record() -> EcgRecord:
    """Two leads of 2 s, of which one has a gap."""
    t = np.arange(1000) / 500
    signals = np.float32([np.sin(7 * t), 0.3 * np.cos(5 * t)])
    signals[1, 200:210] = np.nan
    return EcgRecord(signals, 500.0, ("II", "aVR"))
