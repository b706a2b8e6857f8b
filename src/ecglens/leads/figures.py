"""Measurements in words and rounded, for whatever shows them to a person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ecglens.layouts import STANDARD_LEADS
from ecglens.records import Measured, Measurements, PrintedFacts

__all__ = ["WORDS", "Figure", "StLead", "missing", "said", "st_leads", "told"]

Words = Callable[[str], str]
"""Puts a text, out of :data:`WORDS`, into another language."""

_TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "rate_bpm": ("Ventricular rate", "rate"),
        "basic_rate_bpm": ("Rate, middle half of RR", "basic rate"),
        "rr_ms": ("RR interval, mean", "RR"),
        "sdnn_ms": ("RR variation, SDNN", "SDNN"),
        "rmssd_ms": ("RR variation, RMSSD", "RMSSD"),
        "p_ms": ("P wave", "P"),
        "pr_ms": ("PR interval", "PR"),
        "qrs_ms": ("QRS duration", "QRS"),
        "qt_ms": ("QT interval", "QT"),
        "qtc_bazett_ms": ("QTc, Bazett", "QTc by Bazett"),
        "qtc_fridericia_ms": ("QTc, Fridericia", "QTc by Fridericia"),
        "axis_deg": ("QRS axis", "axis"),
    }
)
_PRINTED: Mapping[str, str] = MappingProxyType(
    {
        "rate_bpm": "rate {:g}/min",
        "speed_mm_s": "{:g} mm/s",
        "gain_mm_mv": "{:g} mm/mV",
        "column_s": "{:g} s a column",
        "pr_ms": "PR {:g} ms",
        "qrs_ms": "QRS {:g} ms",
        "qt_ms": "QT {:g} ms",
        "qtc_ms": "QTc {:g} ms",
    }
)
_AT_J, _LATER = "ST at the J point", "ST 60 ms later"
_UP_TO, _FROM, _BETWEEN = "up to {high}", "from {low}", "{low} to {high}"
_ST_IN = "ST in {lead}"
_FILTER_UP_TO, _FILTER = "filter up to {high:g} Hz", "filter {low:g} to {high:g} Hz"
_NO_PRINT = "nothing could be read"
WORDS: tuple[str, ...] = (
    *(title for title, _ in _TITLES.values()),
    *(short for _, short in _TITLES.values()),
    *_PRINTED.values(),
    *(_AT_J, _LATER, _UP_TO, _FROM, _BETWEEN, _ST_IN, _FILTER_UP_TO, _FILTER, _NO_PRINT),
)
"""Every text that is shown, with places for numbers and leads in braces."""
_DIGITS = MappingProxyType({"ms": 0, "mV": 2, "1/min": 0, "deg": 0})
_SAME_RATE_BPM = 1.0
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is shown.

    Attributes:
        title: What was measured.
        value: Such as ``102``.
        error: One standard uncertainty, such as ``± 10``.
        unit: ``"ms"``, ``"mV"``, ``"1/min"`` or ``"°"``.
        usual: Such as ``70 to 110``; empty where no range holds for all adults.
        stands: ``"below"``, ``"within"`` or ``"above"``; empty without a range.
    """

    title: str
    value: str
    error: str
    unit: str
    usual: str
    stands: str


@dataclass(frozen=True, slots=True)
class StLead:
    """ST of one lead as it is shown; ``None`` where it could not be told.

    Attributes:
        lead: Its name.
        at_j: At the J point.
        later: 60 ms after it.
    """

    lead: str
    at_j: Figure | None
    later: Figure | None

    @property
    def outside(self) -> bool:
        """Whether either lies outside its usual range."""
        return any(figure is not None and figure.stands in {"below", "above"} for figure in (self.at_j, self.later))

    @property
    def usual(self) -> str:
        """The usual range of both."""
        return next((figure.usual for figure in (self.at_j, self.later) if figure is not None), "")


def told(found: Measurements, *, words: Words = str) -> tuple[Figure, ...]:
    """The figures of the whole record that could be told; the basic rate only where it is another than the rate.

    Args:
        found: What was measured.
        words: Puts texts into another language.
    """
    shown = {name: _figure(title, getattr(found, name), words) for name, (title, _) in _TITLES.items()}
    rate, basic = found.rate_bpm, found.basic_rate_bpm
    if rate is not None and basic is not None and abs(rate.value - basic.value) < _SAME_RATE_BPM:
        shown["basic_rate_bpm"] = None
    return tuple(figure for figure in shown.values() if figure is not None)


def st_leads(found: Measurements, *, words: Words = str) -> tuple[StLead, ...]:
    """ST of every lead that was measured, limb leads first.

    Args:
        found: What was measured.
        words: Puts texts into another language.
    """
    leads = {*found.st_j_mv, *found.st_j60_mv}
    order = {lead: place for place, lead in enumerate(STANDARD_LEADS)}
    ranked = sorted(leads, key=lambda lead: (order.get(lead.removeprefix("-"), len(order)), lead))
    return tuple(
        StLead(
            lead,
            _figure(_AT_J, found.st_j_mv.get(lead), words),
            _figure(_LATER, found.st_j60_mv.get(lead), words),
        )
        for lead in ranked
    )


def missing(found: Measurements, *, words: Words = str) -> tuple[str, ...]:
    """Short names of what could not be told.

    Args:
        found: What was measured.
        words: Puts texts into another language.

    >>> missing(Measurements())[-2:]
    ('axis', 'ST')
    """
    names = [words(short) for name, (_, short) in _TITLES.items() if getattr(found, name) is None]
    leads = st_leads(found)
    names += [words(_ST_IN).format(lead=lead.lead) for lead in leads if lead.at_j is None or lead.later is None]
    return (*names, *(() if leads else ("ST",)))


def said(printed: PrintedFacts, *, words: Words = str) -> str:
    """What the recorder printed, in a line.

    Args:
        printed: What was read.
        words: Puts texts into another language.

    >>> said(PrintedFacts(rate_bpm=92.0, speed_mm_s=25.0, high_pass_hz=0.67, low_pass_hz=25.0))
    'rate 92/min, 25 mm/s, filter 0.67 to 25 Hz'
    """
    parts = [
        words(form).format(getattr(printed, name))
        for name, form in _PRINTED.items()
        if getattr(printed, name) is not None
    ]
    low, high = printed.high_pass_hz, printed.low_pass_hz
    if low is not None and high is not None:
        parts.append(words(_FILTER).format(low=low, high=high))
    elif high is not None:
        parts.append(words(_FILTER_UP_TO).format(high=high))
    return ", ".join(parts) or words(_NO_PRINT)


def _figure(title: str, measured: Measured | None, words: Words) -> Figure | None:
    if measured is None:
        return None
    digits = _digits(measured)
    step = 10.0**-digits
    error = f"± {max(measured.error, step):.{digits}f}"
    unit = "°" if measured.unit == "deg" else measured.unit
    usual = _usual(measured, words)
    return Figure(words(title), _signed(measured.value, digits), error, unit, usual, measured.stands or "")


def _digits(measured: Measured) -> int:
    """Enough that a figure outside its range does not read as its limit: 120.4 ms are above 120 ms."""
    digits = _DIGITS[measured.unit]
    for more in range(3):
        rounded = Measured(round(measured.value, digits + more), 0.0, measured.unit, measured.usual)
        if rounded.stands == measured.stands:
            return digits + more
    return digits


def _usual(measured: Measured, words: Words) -> str:
    if measured.usual is None:
        return ""
    digits = _DIGITS[measured.unit]
    low, high = (None if limit is None else _signed(limit, digits) for limit in measured.usual)
    form = _UP_TO if low is None else _FROM if high is None else _BETWEEN
    return words(form).format(low=low, high=high)


def _signed(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    if not text.strip("-0."):
        return text.removeprefix("-")
    return text.replace("-", _MINUS)
