"""Fields printed above and below the traces, read by OCR where the extra is installed."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.datasets.traces import grid_rows
from ecglens.errors import EcgReadError
from ecglens.extras import require
from ecglens.pages.read import read_page

__all__ = ["fields_of", "read_prints"]

_EXAM = re.compile(r"\b(?:ID|No|Exam|Patient)[.:\s#]*(\d{4,})", re.IGNORECASE)
_DATE = re.compile(r"\b((?:19|20)\d\d)[-/.](\d\d)[-/.](\d\d)")
_RATE = re.compile(r"(?:♥|\bHR|\bVR|rate|\+\dr)\s*[:=]?\s*(\d{2,3})\b|\b(\d{2,3})\s*bpm", re.IGNORECASE)
_RATES_BPM = (20, 300)


def fields_of(lines: Iterable[str]) -> dict[str, str]:
    """Exam number, date and rate out of lines of print; a field that is not there is left out.

    >>> fields_of(["ID:168594", "25mm/s 10mm/mV 4*2.5s+1r ♥85 SE-3", "2020-08-06 08:32:14 AM"])
    {'exam_number': '168594', 'printed_date': '2020-08-06', 'printed_rate_bpm': '85'}
    """
    text = "\n".join(lines)
    found = {}
    if exam := _EXAM.search(text):
        found["exam_number"] = exam[1]
    if date := _DATE.search(text):
        found["printed_date"] = "-".join(date.groups())
    rates = [one or other for one, other in _RATE.findall(text)]
    known = [rate for rate in rates if _RATES_BPM[0] <= int(rate) <= _RATES_BPM[1]]
    return found | ({"printed_rate_bpm": known[0]} if known else {})


def read_prints(
    paths: Iterable[Path], *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[dict[str, str]]:
    """Read the printed fields of pages; a few seconds each.

    Args:
        paths: Files.
        progress: Called with the number done and of all.

    Returns:
        For each what :func:`fields_of` found.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    paths, rapidocr = list(paths), require("rapidocr", extra="ocr")
    engine = rapidocr.RapidOCR(params={"Global.log_level": "critical"})
    found = []
    for number, path in enumerate(paths, start=1):
        found.append(_fields(path, engine))
        progress(number, len(paths))
    return found


def _fields(path: Path, engine: Any) -> dict[str, str]:
    try:
        pixels = read_page(path).pixels
    except EcgReadError:
        return {}
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    top, bottom = grid_rows(gray) or (0, 0)
    lines: list[str] = []
    for strip in (pixels[:top], pixels[bottom:]):
        if min(strip.shape[:2]) >= 8:
            lines += engine(strip[..., ::-1], use_cls=False).txts or ()
    return fields_of(lines)
