"""Signals and waves of a reading, packed for its viewer."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.layouts import lead_of_row
from ecglens.measurements import Measurements
from ecglens.web.readings.offsets import remove_offset

__all__ = ["MISSING", "describe_signals"]

MISSING = -32768
"""Value of a sample that is missing."""
_UV_PER_MV = 1000.0


def describe_signals(signals: bytes, measurements: Measurements | None) -> dict[str, Any]:
    """Return the signals of a reading for its viewer, as plain types.

    Args:
        signals: The record, as ``ecglens.formats.json`` writes it.
        measurements: Its measurements, where there are any.

    Returns:
        ``fs_hz``; ``leads``, each with ``name``, ``lead``, ``start_s``, ``quality`` and ``samples``: whole microvolts
        without an offset of the electrodes, as base64 of little-endian 16-bit integers, ``MISSING`` where there is
        none; ``r_peaks_s`` and ``edges_s`` as in :class:`ecglens.measurements.Measurements`.
    """
    record = parse_json(signals)
    names = record["leads"]
    starts, qualities = record["start_s"] or [0.0] * len(names), record["quality"] or [None] * len(names)
    return {
        "fs_hz": record["fs_hz"],
        "leads": [
            {
                "name": name,
                "lead": lead_of_row(name),
                "start_s": start,
                "quality": quality,
                "samples": _pack(remove_offset(np.array(record["signals"][name], dtype=np.float32))),
            }
            for name, start, quality in zip(names, starts, qualities, strict=True)
        ],
        "r_peaks_s": [] if measurements is None else list(measurements.r_peaks_s),
        "edges_s": {} if measurements is None else _round(measurements.edges_s),
    }


def _pack(signal: NDArray[np.float32]) -> str:
    microvolts = np.clip(np.rint(signal * _UV_PER_MV), MISSING + 1, -MISSING - 1)
    return base64.b64encode(np.where(np.isnan(signal), MISSING, microvolts).astype("<i2").tobytes()).decode("ascii")


def _round(edges: Mapping[str, float]) -> dict[str, float]:
    return {name: round(second, 4) for name, second in edges.items()}
