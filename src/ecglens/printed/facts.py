"""Facts that the recorder printed above and below the traces, and where they contradict the measurements.

Text that a PDF holds as text is exact and needs nothing more. Other print is read by OCR, which the extra ``ocr``
brings. Labels are read in English, German, French, Spanish and Italian, as recorders print them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.extras import require
from ecglens.layouts import STANDARD_SPEED_MM_S
from ecglens.limits import threshold
from ecglens.measurements import FIGURES, Measurements, PrintedFacts
from ecglens.records import Layout, Page, PageText

__all__ = [
    "LIMITS",
    "RATE",
    "PrintLimits",
    "find_contradictions",
    "is_speed_contradicted",
    "is_speed_supported",
    "parse_facts",
    "read_facts",
    "read_text_facts",
    "text_lines",
]

_RATE_WORDS = (
    r"(?:\N{BLACK HEART SUIT}|\bHR|\bVR|(?<!atrial )(?<!sinus )\brate|\+\dr"
    r"|\bHF|\b(?:herz|kammer)frequenz|\bventr?\.? ?-?fre[qk]\w*\.?|\bPuls|\bFC"
    r"|\bfr[eé][qc]\w*\.? ?-?(?:card|vent)\w*\.?)"
)
_RATE_UNITS = r"(?:bpm|lpm|(?:1|S|bat|batt|lat)?\s?/\s?min)\b"
RATE = (
    rf"(?i){_RATE_WORDS}(?:\s?[\[(]?{_RATE_UNITS}[\])]?)?\W{{0,3}}(\d{{2,3}})(?!\d|\s*(?:mm|Hz))"
    rf"|(?<![.,\d])\b(\d{{2,3}})\s*{_RATE_UNITS}"
)
"""A heart rate; OCR often loses or misreads the heart between it and the layout in ``4*2.5s+1r 92``."""

_NUMBER = r"(?<![\d.,/])(\d{1,3}(?:[.,]\d+)?)"
_SPEED = rf"(?i){_NUMBER}\s*mm\s*/\s*s(?!q)"
_GAIN = rf"(?i){_NUMBER}\s*mm\s*/\s*m\s*v"
_COLUMN = (
    r"(?i)\b[1-6]\s*(?:[*x\N{MULTIPLICATION SIGN}]|by)\s*(\d{1,2}(?:[.,]\d+)?)\s*s\b"
    r"|\bRh?yth?m\w*\s+(\d{1,2}(?:[.,]\d+)?)\s*s\b(?=\W+\d+\s*mm)"
)
_BAND = "(?i)" + _NUMBER + r"\s*(?:Hz)?\s*[~\N{EN DASH}\N{MINUS SIGN}-]\s*(\d{2,3})\s*Hz"
_LIMIT = r"(?i)(?<![\d.,~/-])\b(\d{2,3})\s*Hz"
_LIMITS_HZ = frozenset({15, 20, 25, 35, 40, 45, 70, 75, 100, 150, 250, 300})
"""Upper limits that recorders offer; 50 and 60 Hz alone are the mains."""

_BEFORE = r"(?<!/)\b(?:(?:interval(?:l?[eo]|l)?|int|dur[eé]e|duraci[oó]n|durata|dur)\b\.?\s*(?:d[eiu]l?\s+)?)?"
_WORDS = r"(?:[\s-]*(?:int(?:erval\w*)?|dur(?:ation|ata|[eé]e)?|duraci[oó]n|dauer|zeit|breite)\b\.?)?"
_TO_VALUE = _WORDS + r"(?:\s*[\[(]\s*ms\s*[\])])?\s*[:=]?\s*"
_VALUE = r"(?!\d|[.,]\d|\s*(?:\N{DEGREE SIGN}|deg|/))"
"""End of a duration: neither more digits, nor the unit of an axis, nor a second value follow."""
_SECONDS = r"(0[.,]\d{2,3})\s*s(?:ec|ek)?\b"

_INTERVALS = MappingProxyType(
    {
        "pr_ms": rf"(?i){_BEFORE}P-?[RQ]{_TO_VALUE}(?:(\d{{2,3}}){_VALUE}|{_SECONDS})",
        "qrs_ms": rf"(?i){_BEFORE}QRSD?{_TO_VALUE}(?:(\d{{2,3}}){_VALUE}|{_SECONDS})",
        "qt_ms": rf"(?i){_BEFORE}QT(?:{_WORDS}\s*/\s*QT\s?c\w*)?{_TO_VALUE}(?:(\d{{3}})(?!\d)|{_SECONDS})",
        "qtc_ms": (
            rf"(?i)(?<!/)\bQT{_WORDS}\s*/\s*QT\s?c\w*{_TO_VALUE}\d{{3}}\s*(?:ms)?\s*/\s*(\d{{3}})(?!\d)"
            rf"|{_BEFORE}QT\s?cB?\b{_TO_VALUE}(?:(\d{{3}})(?!\d)|{_SECONDS})"
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


@dataclass(frozen=True)
class PrintLimits:
    """Thresholds of reading the print, and of comparing it with measurements."""

    px_per_mm: float = threshold(
        6.0,
        "px/mm",
        "Resolution at which print is read; letters of 2 mm have 12 px.",
        low="Small print is not read.",
        high="Reading takes longer.",
    )
    above_mm: float = threshold(
        12.0,
        "mm",
        "Distance above the first zero line from which print is searched.",
        low="Traces are read as print.",
        high="Print close to the traces is not read.",
    )
    below_mm: float = threshold(
        8.0,
        "mm",
        "Distance below the last zero line from which print is searched.",
        low="Traces are read as print.",
        high="Print close to the traces is not read.",
    )
    rate_tolerance_bpm: float = threshold(
        5.0,
        "1/min",
        "Difference from which a printed rate contradicts the measured one; recorders leave early beats out.",
        low="Recorders that count differently bring a warning.",
        high="A wrong paper speed is not noticed at low rates.",
        evidence="`python benchmarks/printed.py`: 99 of 100 public pages are within 3.1/min (benchmarks/printed.md)",
    )
    rate_tolerance: float = threshold(
        0.05,
        "1",
        "The same as a part of the printed rate.",
        low="Fast irregular rhythms bring a warning.",
        high="Lost beats are not noticed.",
        evidence="`python benchmarks/printed.py`: benchmarks/printed.md",
    )
    interval_tolerance_ms: float = threshold(
        30.0,
        "ms",
        "Difference up to which a printed PR, QRS or QT agrees with the measured one.",
        low="Differences between the definitions of recorders are reported.",
        high="Wrong durations on one side are not reported.",
    )
    interval_error_bars: float = threshold(
        3.0,
        "1",
        "The same as a multiple of the error bar.",
        low="Figures of noisy pages are reported.",
        high="Wrong durations are not reported.",
    )
    column_tolerance: float = threshold(
        0.04,
        "1",
        "Relative deviation of the columns from the printed seconds that contradicts the paper speed.",
        low="Grids that are printed slightly too wide bring a warning.",
        high="A wrong scale is not noticed.",
    )


LIMITS = PrintLimits()

_DETECTOR_PX = 1280
"""Longest side for the detection of lines of print; three times as fast as rapidocr's own setting."""
_MIN_STRIP_PX = 8
_COLUMN_S, _LINE_S = 2.5, 10.0
"""Seconds of a column of four, and of a whole line, on the pages of most recorders."""
_SAME_LINE = 0.5
"""Vertical distance of two words of one line, as a part of their height."""
_ROUNDED_DOWN_BPM = 0.5
"""Half of what the public pages' recorder cuts off its rates (docs/digitizing.md)."""


def parse_facts(lines: Iterable[str]) -> PrintedFacts:
    """Parse the facts in lines of print.

    >>> facts = parse_facts(["0.67~25Hz AC50 25mm/s 10mm/mV 4*2.5s+1r 92 SE-3"])
    >>> facts.rate_bpm, facts.speed_mm_s, facts.gain_mm_mv, facts.column_s, facts.low_pass_hz
    (92.0, 25.0, 10.0, 2.5, 25.0)
    """
    text = "\n".join(lines)
    bands = [(_number(low), float(high)) for low, high in re.findall(_BAND, text)]
    lows = [low for low, _ in bands]
    highs = [high for _, high in bands] or [float(one) for one in re.findall(_LIMIT, text) if int(one) in _LIMITS_HZ]
    values_of = {
        "rate_bpm": _numbers(RATE, text),
        "speed_mm_s": [speed for speed in _numbers(_SPEED, text) if speed in _SPEEDS_MM_S],
        "gain_mm_mv": [gain for gain in _numbers(_GAIN, text) if gain in _GAINS_MM_MV],
        "column_s": _numbers(_COLUMN, text),
        "high_pass_hz": lows,
        "low_pass_hz": highs,
        **{name: [_ms(value) for value in _numbers(pattern, text)] for name, pattern in _INTERVALS.items()},
    }
    return PrintedFacts(**{name: _only(values, _POSSIBLE.get(name)) for name, values in values_of.items()})


def read_text_facts(page: Page) -> PrintedFacts | None:
    """Read the facts in the text that the file of a page holds; ``None`` where it holds no facts.

    A label and its value are often two pieces on one line.

    Args:
        page: Page as it was decoded, or a view of it that has its texts.
    """
    facts = parse_facts(text_lines(page.texts))
    return facts if facts else None


def text_lines(texts: Iterable[PageText]) -> list[str]:
    """Join pieces of text that are side by side to lines, top to bottom.

    >>> from ecglens.records import Box
    >>> text_lines([PageText("158ms", Box(10, 90, 20, 130)), PageText("PQ", Box(9, 5, 20, 30))])
    ['PQ 158ms']
    """
    words = []
    for piece in texts:
        top, left, bottom, _ = _as_if_upright(piece)
        words.append(((top + bottom) / 2, bottom - top, left, piece.text))
    rows: list[list[tuple[float, float, float, str]]] = []
    for word in sorted(words):
        if rows and word[0] - rows[-1][0][0] < _SAME_LINE * min(word[1], rows[-1][0][1]):
            rows[-1].append(word)
        else:
            rows.append([word])
    return _read_rows(rows)


def read_facts(page: Page, layout: Layout) -> PrintedFacts:
    """Read what is printed above and below the traces of a page, by OCR.

    Args:
        page: View on which the layout was located.
        layout: Positions of its leads.

    Returns:
        The facts that could be read.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    engine = _engine()
    lines: list[str] = []
    for strip in _header_and_footer(page, layout):
        if min(strip.shape[:2]) >= _MIN_STRIP_PX:
            lines += _join_lines(engine(strip[..., ::-1], use_cls=False))
    return parse_facts(lines)


def is_speed_contradicted(facts: PrintedFacts, layout: Layout, measurements: Measurements | None) -> bool:
    """Return whether the length of the columns or the rate contradicts a printed speed other than 25 mm/s.

    Args:
        facts: Facts that the page prints.
        layout: Positions of the leads.
        measurements: Measurements at the printed speed.
    """
    speed = facts.speed_mm_s
    if speed is None:
        return False
    if facts.column_s is not None:
        return not _columns_fit(facts.column_s, layout, speed) and _columns_fit(
            facts.column_s, layout, STANDARD_SPEED_MM_S
        )
    return not _rate_fits(facts.rate_bpm, measurements) and _rate_fits(
        facts.rate_bpm, measurements, faster=STANDARD_SPEED_MM_S / speed
    )


def is_speed_supported(
    facts: PrintedFacts, layout: Layout, measurements: Measurements | None, speed_mm_s: float
) -> bool:
    """Return whether the print or the lengths of the traces speak for a paper speed.

    Recorders print lines of 10 s in all, and columns of 2.5 s.

    Args:
        facts: Facts that the page prints, if any.
        layout: Positions of the leads.
        measurements: Measurements at that speed.
        speed_mm_s: Paper speed.
    """
    if facts.speed_mm_s is not None or facts.column_s is not None:
        return facts.speed_mm_s in (None, speed_mm_s) and (
            facts.column_s is None or _columns_fit(facts.column_s, layout, speed_mm_s)
        )
    leads = layout.leads
    line_mm = (max(lead.box.right for lead in leads) - min(lead.box.left for lead in leads)) / layout.px_per_mm[1]
    return (
        _rate_fits(facts.rate_bpm, measurements)
        or _columns_fit(_COLUMN_S, layout, speed_mm_s)
        or _fits(line_mm / speed_mm_s, _LINE_S)
    )


def find_contradictions(
    facts: PrintedFacts,
    layout: Layout,
    *,
    speed_mm_s: float,
    gain_mm_mv: float | None,
    measurements: Measurements | None,
) -> tuple[str, ...]:
    """Find the printed facts that the page itself, or a value given by hand, contradicts; one sentence for each.

    Args:
        facts: Facts that the page prints.
        layout: Positions of the leads.
        speed_mm_s: Paper speed that was used.
        gain_mm_mv: Gain that was used.
        measurements: Measurements at that speed and gain.
    """
    warnings = []
    if facts.speed_mm_s is not None and facts.speed_mm_s != speed_mm_s:
        warnings.append(
            f"The page prints {facts.speed_mm_s:g} mm/s, but {speed_mm_s:g} mm/s was used, and all "
            "durations and rates depend on it; give the right speed."
        )
    if facts.column_s is not None and not _columns_fit(facts.column_s, layout, speed_mm_s):
        wide = _column_mm(layout)
        warnings.append(
            f"The page prints {facts.column_s:g} s a column, but its columns are {wide:.0f} mm wide, "
            f"{wide / speed_mm_s:.2f} s at {speed_mm_s:g} mm/s: speed or scale may be wrong."
        )
    if facts.gain_mm_mv is not None and gain_mm_mv is not None and facts.gain_mm_mv != gain_mm_mv:
        pulse = "" if layout.pulse_mm is None else f", and the calibration pulse is {layout.pulse_mm:.1f} mm high"
        warnings.append(
            f"The page prints {facts.gain_mm_mv:g} mm/mV, but {gain_mm_mv:g} mm/mV was used{pulse}, and all "
            "amplitudes depend on it; give the right gain."
        )
    rates = _measured_rates(measurements)
    if facts.rate_bpm is not None and rates and not _rate_fits(facts.rate_bpm, measurements):
        warnings.append(
            f"The page prints a rate of {facts.rate_bpm:.0f}/min, but {rates[0]:.0f}/min was measured: look at the "
            "overlay; beats, the recorder's count or the paper speed may be wrong."
        )
    return (*warnings, *_find_other_intervals(facts, measurements))


def _find_other_intervals(facts: PrintedFacts, measurements: Measurements | None) -> list[str]:
    """Printed durations that the measured ones contradict, beyond what recorders differ by; one sentence each."""
    sentences = []
    for name in ("pr_ms", "qrs_ms", "qt_ms"):
        printed, measured = getattr(facts, name), getattr(measurements, name, None)
        if printed is None or measured is None:
            continue
        if abs(printed - measured.value) > max(
            LIMITS.interval_error_bars * measured.error, LIMITS.interval_tolerance_ms
        ):
            sentences.append(
                f"The page prints {FIGURES[name].short} {printed:.0f} ms, but {measured.value:.0f} ms were measured: "
                "look at the traces; the recorder's edges of the waves or those measured may be wrong."
            )
    return sentences


def _columns_fit(column_s: float, layout: Layout, speed_mm_s: float) -> bool:
    return _fits(_column_mm(layout) / speed_mm_s, column_s)


def _fits(measured_s: float, printed_s: float) -> bool:
    return abs(measured_s / printed_s - 1) <= LIMITS.column_tolerance


def _rate_fits(rate_bpm: float | None, measurements: Measurements | None, *, faster: float = 1.0) -> bool:
    """Return whether a printed rate is near the measured one, or near that with a paper ``faster`` times as fast."""
    if rate_bpm is None:
        return False
    differences = (abs(faster * rate - rate_bpm - _ROUNDED_DOWN_BPM) for rate in _measured_rates(measurements))
    return any(value <= max(LIMITS.rate_tolerance_bpm, LIMITS.rate_tolerance * rate_bpm) for value in differences)


def _measured_rates(measurements: Measurements | None) -> list[float]:
    figures = () if measurements is None else (measurements.rate_bpm, measurements.basic_rate_bpm)
    return [figure.value for figure in figures if figure is not None]


def _column_mm(layout: Layout) -> float:
    widths = [lead.box.width for lead in layout.leads if not lead.rhythm]
    return float(np.median(widths)) / layout.px_per_mm[1]


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _ms(duration: float) -> float:
    """A duration in ms, of one that some recorders print in s."""
    return 1000 * duration if duration < 1 else duration


def _numbers(pattern: str, text: str) -> list[float]:
    """The number in the pattern's one group, or in the one of its groups that matched."""
    return [_number(next(filter(None, match.groups()))) for match in re.finditer(pattern, text)]


def _only(values: list[float], possible: tuple[float, float] | None) -> float | None:
    """The one value that is possible, or ``None`` where there is none or two of them."""
    low, high = possible or (-np.inf, np.inf)
    in_range = {value for value in values if low <= value <= high}
    return in_range.pop() if len(in_range) == 1 else None


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


def _header_and_footer(page: Page, layout: Layout) -> list[NDArray[np.uint8]]:
    """Header and footer, upright and no larger than they must be to be read."""
    down = layout.px_per_mm[0]
    zeros = [lead.baseline_px for lead in layout.leads]
    shrink = min(1.0, LIMITS.px_per_mm / max(layout.px_per_mm))
    size = (round(page.width * shrink), round(page.height * shrink))
    matrix = np.array(layout.to_upright, dtype=np.float64) * shrink
    flags = cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR
    if layout.rotation_deg:
        upright = cv2.warpAffine(page.pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    else:
        upright = page.pixels if shrink == 1 else cv2.resize(page.pixels, size, interpolation=flags)
    top = max(0, round((min(zeros) - LIMITS.above_mm * down) * shrink))
    bottom = round((max(zeros) + LIMITS.below_mm * down) * shrink)
    return [np.asarray(upright[:top], dtype=np.uint8), np.asarray(upright[bottom:], dtype=np.uint8)]


def _join_lines(result: Any) -> list[str]:
    """Words side by side as one line, lines top to bottom."""
    if result.txts is None:
        return []
    words = []
    for box, text in zip(result.boxes, result.txts, strict=True):
        corners = np.asarray(box, dtype=np.float64)
        words.append((float(corners[:, 1].mean()), float(np.ptp(corners[:, 1])), float(corners[:, 0].min()), text))
    rows: list[list[tuple[float, float, float, str]]] = []
    for word in sorted(words):
        if rows and word[0] - rows[-1][0][0] < _SAME_LINE * max(word[1], rows[-1][0][1]):
            rows[-1].append(word)
        else:
            rows.append([word])
    return _read_rows(rows)


def _read_rows(rows: list[list[tuple[float, float, float, str]]]) -> list[str]:
    return [" ".join(text for *_, text in sorted(row, key=lambda word: word[2])) for row in rows]


def _as_if_upright(piece: PageText) -> tuple[float, float, float, float]:
    """Top, left, bottom and right of a piece on the page turned until it is upright, about the page's corner."""
    box = piece.box.top, piece.box.left, piece.box.bottom, piece.box.right
    for _ in range(piece.turns):
        top, left, bottom, right = box
        box = -right, top, -left, bottom
    return box
