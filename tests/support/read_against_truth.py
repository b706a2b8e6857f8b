"""Compare digitized leads of rendered pages with the truth, in dB."""

import numpy as np

from ecglens.records import Tracing
from ecglens.render import RenderedPage


def snr_db(truth: np.ndarray, signal: np.ndarray) -> float:
    valid = np.flatnonzero(~np.isnan(signal))
    filled = np.interp(np.arange(len(truth)), valid, signal[valid])
    there = ~np.isnan(truth)
    a, b = truth[there] - truth[there].mean(), filled[there] - filled[there].mean()
    return float(10 * np.log10(np.sum(a**2) / max(float(np.sum((a - b) ** 2)), 1e-12)))


def compute_snr_by_lead(rendered: RenderedPage, tracing: Tracing) -> dict[str, float]:
    record = tracing.record
    assert record is not None
    snr_by_lead = {}
    for segment in rendered.truth.leads:
        name = f"{segment.lead}-rhythm" if segment.rhythm else segment.lead
        snr_by_lead[name] = snr_db(segment.signal_mv, record.signals_mv[record.leads.index(name)])
    return snr_by_lead
