"""What the recorder printed above and below the traces, and where it contradicts what was measured on the page.

The print is read by OCR, which the extra ``ocr`` brings; nothing else here needs it.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.extras import require
from ecglens.measurements import Measurements, PrintedFacts
from ecglens.records import Layout, Page

__all__ = ["RATE", "contradictions", "facts_of", "read_facts", "speed_is_wrong"]

RATE = re.compile(
    r"(?:\N{BLACK HEART SUIT}|\bHR|\bVR|(?<!atrial )(?<!sinus )\brate|\+\dr)\W{0,3}(\d{2,3})(?!\d|\s*mm)"
    r"|(?<!\.)\b(\d{2,3})\s*(?:bpm|/min)\b",
    re.IGNORECASE,
)
"""A heart rate; OCR often loses, or misreads, the heart between it and the layout in ``4*2.5s+1r 92``."""

_NUMBER = r"(?<![\d.,/])(\d{1,3}(?:[.,]\d+)?)"
_SPEED = re.compile(_NUMBER + r"\s*mm\s*/\s*s", re.IGNORECASE)
_GAIN = re.compile(_NUMBER + r"\s*mm\s*/\s*m\s*v", re.IGNORECASE)
_COLUMN = re.compile(r"\b[1-6]\s*(?:[*x\N{MULTIPLICATION SIGN}]|by)\s*(\d{1,2}(?:[.,]\d+)?)\s*s\b", re.IGNORECASE)
_BAND = re.compile(_NUMBER + r"\s*(?:Hz)?\s*[~\N{EN DASH}\N{MINUS SIGN}-]\s*(\d{2,3})\s*Hz", re.IGNORECASE)
_LIMIT = re.compile(r"(?<![\d.,~/-])\b(\d{2,3})\s*Hz", re.IGNORECASE)
_LIMITS_HZ = frozenset({15, 20, 25, 35, 40, 45, 70, 75, 100, 150, 250, 300})
"""Upper limits that recorders offer; 50 and 60 Hz alone are the mains."""

_INTERVALS = MappingProxyType(
    {
        "pr_ms": re.compile(r"\bP-?R\s*(?:int(?:erval)?\b\.?)?\s*[:=]?\s*(\d{2,3})(?!\d)", re.IGNORECASE),
        "qrs_ms": re.compile(r"\bQRSD?\s*(?:dur(?:ation)?\b\.?)?\s*[:=]?\s*(\d{2,3})(?!\d)", re.IGNORECASE),
        "qt_ms": re.compile(r"\bQT\s*(?:int(?:erval)?\b\.?)?(?:/\s*QT\s?c\w*)?\s*[:=]?\s*(\d{3})(?!\d)", re.IGNORECASE),
        "qtc_ms": re.compile(
            r"\bQT\s*/\s*QT\s?c\w*\s*[:=]?\s*\d{3}\s*/\s*(\d{3})(?!\d)|\bQT\s?cB?\b\s*[:=]?\s*(\d{3})(?!\d)",
            re.IGNORECASE,
        ),
    }
)
_POSSIBLE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "rate_bpm": (20, 300),
        "column_s": (1, 12),
        "high_pass_hz": (0.01, 3),
        "low_pass_hz": (15, 500),
        "pr_ms": (60, 500),
        "qrs_ms": (40, 260),
        "qt_ms": (200, 750),
        "qtc_ms": (250, 750),
    }
)
_SPEEDS_MM_S = frozenset({5.0, 6.25, 10.0, 12.5, 25.0, 50.0, 100.0})
_GAINS_MM_MV = frozenset({1.25, 2.5, 5.0, 10.0, 20.0, 40.0})

_PRINT_PX_PER_MM = 6.0
"""Scale at which print is read; letters of 2 mm have 12 px."""
_DETECTOR_PX = 1280
"""Longest side for the search of lines of print; three times as fast as by rapidocr's own setting."""
_ABOVE_MM, _BELOW_MM = 12.0, 8.0
"""From where header and footer are looked for, off the first and the last zero line."""
_LEAST_STRIP_PX = 8
_ONE_LINE = 0.5

_RATE_OFF_BPM, _RATE_OFF = 5.0, 0.05
"""By how much, in 1/min and in parts, a printed rate may be another than the rate and the basic rate.

Recorders leave early beats out and may be off either; 99 of 100 public pages are within 3.1 (benchmarks/printed.md).
"""
_ROUNDED_DOWN = 0.5
"""Half of what the public pages' recorder cuts off its rates (docs/digitizing.md)."""
_COLUMN_OFF = 0.04
_USUAL_MM_S = 25.0


def facts_of(lines: Iterable[str]) -> PrintedFacts:
    """Facts out of lines of print.

    >>> facts = facts_of(["0.67~25Hz AC50 25mm/s 10mm/mV 4*2.5s+1r 92 SE-3"])
    >>> facts.rate_bpm, facts.speed_mm_s, facts.gain_mm_mv, facts.column_s, facts.low_pass_hz
    (92.0, 25.0, 10.0, 2.5, 25.0)
    """
    text = "\n".join(lines)
    bands = [(_number(low), float(high)) for low, high in _BAND.findall(text)]
    lows = [low for low, _ in bands]
    highs = [high for _, high in bands] or [float(one) for one in _LIMIT.findall(text) if int(one) in _LIMITS_HZ]
    told = {
        "rate_bpm": _numbers(RATE, text),
        "speed_mm_s": [speed for speed in _numbers(_SPEED, text) if speed in _SPEEDS_MM_S],
        "gain_mm_mv": [gain for gain in _numbers(_GAIN, text) if gain in _GAINS_MM_MV],
        "column_s": _numbers(_COLUMN, text),
        "high_pass_hz": lows,
        "low_pass_hz": highs,
        **{name: _numbers(pattern, text) for name, pattern in _INTERVALS.items()},
    }
    return PrintedFacts(**{name: _only(values, _POSSIBLE.get(name)) for name, values in told.items()})


def read_facts(page: Page, layout: Layout) -> PrintedFacts:
    """Read what is printed above and below the traces of a page.

    Args:
        page: As it was read.
        layout: Where its leads stand.

    Returns:
        The facts that could be read.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    engine = _engine()
    lines: list[str] = []
    for strip in _strips(page, layout):
        if min(strip.shape[:2]) >= _LEAST_STRIP_PX:
            lines += _lines(engine(strip[..., ::-1], use_cls=False))
    return facts_of(lines)


def speed_is_wrong(facts: PrintedFacts, layout: Layout, found: Measurements | None) -> bool:
    """Whether a printed speed other than the usual 25 mm/s is contradicted by the length of the columns or the rate.

    Args:
        facts: As printed.
        layout: Where the leads stand.
        found: What was measured at the printed speed.
    """
    speed = facts.speed_mm_s
    if speed is None:
        return False
    if facts.column_s is not None:
        return not _columns_fit(facts.column_s, layout, speed) and _columns_fit(facts.column_s, layout, _USUAL_MM_S)
    return not _rate_fits(facts.rate_bpm, found) and _rate_fits(facts.rate_bpm, found, faster=_USUAL_MM_S / speed)


def contradictions(
    facts: PrintedFacts, layout: Layout, *, speed_mm_s: float, gain_mm_mv: float | None, found: Measurements | None
) -> tuple[str, ...]:
    """One sentence for each printed fact that the page itself, or what was given by hand, contradicts.

    Args:
        facts: As printed.
        layout: Where the leads stand.
        speed_mm_s: Paper speed that was used.
        gain_mm_mv: Gain that was used.
        found: What was measured at that speed and gain.
    """
    said = []
    if facts.speed_mm_s is not None and facts.speed_mm_s != speed_mm_s:
        said.append(
            f"The page prints {facts.speed_mm_s:g} mm/s, but {speed_mm_s:g} mm/s was used: every duration and rate "
            "hangs on it; tell the speed that is right."
        )
    if facts.column_s is not None and not _columns_fit(facts.column_s, layout, speed_mm_s):
        wide = _column_mm(layout)
        said.append(
            f"The page prints {facts.column_s:g} s a column, but its columns are {wide:.0f} mm wide, "
            f"{wide / speed_mm_s:.2f} s at {speed_mm_s:g} mm/s: speed or scale may be wrong."
        )
    if facts.gain_mm_mv is not None and gain_mm_mv is not None and facts.gain_mm_mv != gain_mm_mv:
        pulse = "" if layout.pulse_mm is None else f", and the calibration pulse is {layout.pulse_mm:.1f} mm high"
        said.append(
            f"The page prints {facts.gain_mm_mv:g} mm/mV, but {gain_mm_mv:g} mm/mV was used{pulse}: every mV hangs on "
            "it; tell the gain that is right."
        )
    rates = _rates(found)
    if facts.rate_bpm is not None and rates and not _rate_fits(facts.rate_bpm, found):
        said.append(
            f"The page prints a rate of {facts.rate_bpm:.0f}/min, but {rates[0]:.0f}/min was measured: look at the "
            "overlay; beats, the recorder's count or the paper speed may be wrong."
        )
    return tuple(said)


def _columns_fit(column_s: float, layout: Layout, speed_mm_s: float) -> bool:
    return abs(_column_mm(layout) / speed_mm_s / column_s - 1) <= _COLUMN_OFF


def _rate_fits(rate_bpm: float | None, found: Measurements | None, *, faster: float = 1.0) -> bool:
    """Whether a printed rate is near the measured one, or near that with a paper ``faster`` times as fast."""
    if rate_bpm is None:
        return False
    off = (abs(faster * measured - rate_bpm - _ROUNDED_DOWN) for measured in _rates(found))
    return any(value <= max(_RATE_OFF_BPM, _RATE_OFF * rate_bpm) for value in off)


def _rates(found: Measurements | None) -> list[float]:
    figures = () if found is None else (found.rate_bpm, found.basic_rate_bpm)
    return [figure.value for figure in figures if figure is not None]


def _column_mm(layout: Layout) -> float:
    widths = [lead.box.width for lead in layout.leads if not lead.rhythm]
    return float(np.median(widths)) / layout.px_per_mm[1]


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _numbers(pattern: re.Pattern[str], text: str) -> list[float]:
    """What the pattern's one group, or the one of its groups that matched, holds."""
    return [_number(next(filter(None, match.groups()))) for match in pattern.finditer(text)]


def _only(values: list[float], possible: tuple[float, float] | None) -> float | None:
    """The one value that is possible, or ``None`` where there is none or two of them."""
    low, high = possible or (-np.inf, np.inf)
    kept = {value for value in values if low <= value <= high}
    return kept.pop() if len(kept) == 1 else None


@lru_cache(maxsize=1)
def _engine() -> Any:
    rapidocr = require("rapidocr", extra="ocr")
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTOR_PX,
        }
    )


def _strips(page: Page, layout: Layout) -> list[NDArray[np.uint8]]:
    """Header and footer, upright and not larger than they must be to be read."""
    down = layout.px_per_mm[0]
    zeros = [lead.baseline_px for lead in layout.leads]
    shrink = min(1.0, _PRINT_PX_PER_MM / max(layout.px_per_mm))
    size = (round(page.width * shrink), round(page.height * shrink))
    matrix = np.array(layout.to_upright, dtype=np.float64) * shrink
    flags = cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR
    if layout.rotation_deg:
        upright = cv2.warpAffine(page.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    else:
        upright = page.pixels if shrink == 1 else cv2.resize(page.pixels, size, interpolation=flags)
    top = max(0, round((min(zeros) - _ABOVE_MM * down) * shrink))
    bottom = round((max(zeros) + _BELOW_MM * down) * shrink)
    return [np.asarray(upright[:top], dtype=np.uint8), np.asarray(upright[bottom:], dtype=np.uint8)]


def _lines(read: Any) -> list[str]:
    """Words that stand side by side as one line, lines top to bottom."""
    if read.txts is None:
        return []
    words = []
    for box, text in zip(read.boxes, read.txts, strict=True):
        corners = np.asarray(box, dtype=np.float64)
        words.append((float(corners[:, 1].mean()), float(np.ptp(corners[:, 1])), float(corners[:, 0].min()), text))
    rows: list[list[tuple[float, float, float, str]]] = []
    for word in sorted(words):
        if rows and word[0] - rows[-1][0][0] < _ONE_LINE * max(word[1], rows[-1][0][1]):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [" ".join(text for *_, text in sorted(row, key=lambda word: word[2])) for row in rows]
