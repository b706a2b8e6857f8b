"""Pages that were digitized for training: their signals on disk, so that each page is digitized once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.records import EcgRecord

__all__ = ["DigitizedPage", "load_page", "save_page"]


@dataclass(frozen=True, slots=True)
class DigitizedPage:
    """Signals that the digitizer read from a page.

    Attributes:
        record: Signals in mV, or ``None`` where the page was refused.
        layout: Layout in which the page shows them.
    """

    record: EcgRecord | None
    layout: str


def save_page(page: DigitizedPage, path: Path) -> None:
    """Store a page; signals are rounded to half precision, some 0.5 uV at 1 mV."""
    record = page.record
    values: dict[str, Any] = {"layout": np.array(page.layout)}
    if record is not None:
        values |= {
            "signals_mv": record.signals_mv.astype(np.float16),
            "fs_hz": np.float64(record.fs_hz),
            "leads": np.array(record.leads),
            "start_s": np.array(record.start_s),
            "quality": np.array(record.quality),
        }
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, **values)
    unfinished.replace(path)


def load_page(path: Path) -> DigitizedPage:
    """Load a page that :func:`save_page` stored."""
    with np.load(path) as stored:
        layout = str(stored["layout"])
        if "signals_mv" not in stored:
            return DigitizedPage(None, layout)
        record = EcgRecord(
            signals_mv=stored["signals_mv"].astype(np.float32),
            fs_hz=float(stored["fs_hz"]),
            leads=tuple(map(str, stored["leads"])),
            start_s=tuple(map(float, stored["start_s"])),
            quality=tuple(map(float, stored["quality"])),
        )
    return DigitizedPage(record, layout)
