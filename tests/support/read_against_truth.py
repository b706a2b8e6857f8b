"""How well leads were digitized from pages that were drawn, in dB."""

import numpy as np

from ecglens.records import Tracing
from ecglens.render import RenderedPage


def snr_db(truth: np.ndarray, signal: np.ndarray) -> float:
    known = np.flatnonzero(~np.isnan(signal))
    filled = np.interp(np.arange(len(truth)), known, signal[known])
    there = ~np.isnan(truth)
    a, b = truth[there] - truth[there].mean(), filled[there] - filled[there].mean()
    return float(10 * np.log10(np.sum(a**2) / max(float(np.sum((a - b) ** 2)), 1e-12)))


def against_truth(rendered: RenderedPage, tracing: Tracing) -> dict[str, float]:
    record = tracing.record
    assert record is not None
    found = {}
    for segment in rendered.truth.leads:
        name = f"{segment.lead}-rhythm" if segment.rhythm else segment.lead
        found[name] = snr_db(segment.signal_mv, record.signals_mv[record.leads.index(name)])
    return found
