"""Measurements as text: rounded, with titles and units, for every surface that shows them to a person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ecglens.layouts import STANDARD_LEADS
from ecglens.measurements import FIGURES
from ecglens.records import Measured, Measurements, PrintedFacts

__all__ = [
    "TEXTS",
    "Figure",
    "StLead",
    "describe_print",
    "list_figures",
    "list_missing",
    "list_st_leads",
    "show_figure",
]

Translate = Callable[[str], str]
"""Translates one of :data:`TEXTS` into another language."""

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
_AT_J, _AFTER_J = "ST at the J point", "ST 60 ms later"
_UP_TO, _FROM, _BETWEEN = "up to {high}", "from {low}", "{low} to {high}"
_ST_IN = "ST in {lead}"
_FILTER_UP_TO, _FILTER = "filter up to {high:g} Hz", "filter {low:g} to {high:g} Hz"
_NO_PRINT = "nothing could be read"
TEXTS: tuple[str, ...] = (
    *(kind.title for kind in FIGURES.values()),
    *(kind.short for kind in FIGURES.values()),
    *_PRINTED.values(),
    *(_AT_J, _AFTER_J, _UP_TO, _FROM, _BETWEEN, _ST_IN, _FILTER_UP_TO, _FILTER, _NO_PRINT),
)
"""Every text that is shown, with places for numbers and leads in braces."""
_DIGITS = MappingProxyType({"ms": 0, "mV": 2, "1/min": 0, "deg": 0})
_SAME_RATE_BPM = 1.0
"""Difference below which the basic rate is not shown beside the rate."""
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement as it is shown.

    Attributes:
        title: What was measured.
        value: Such as ``102``.
        error: One standard uncertainty, such as ``± 10``.
        unit: ``"ms"``, ``"mV"``, ``"1/min"`` or ``"°"``.
        reference: Reference range such as ``70 to 110``; empty where no range holds for all adults.
        position: ``"below"``, ``"within"`` or ``"above"`` the range; empty without one.
    """

    title: str
    value: str
    error: str
    unit: str
    reference: str
    position: str


@dataclass(frozen=True, slots=True)
class StLead:
    """ST levels of one lead as they are shown; ``None`` where a level could not be measured.

    Attributes:
        lead: Name of the lead.
        at_j: Level at the J point.
        after_j: Level 60 ms after it.
    """

    lead: str
    at_j: Figure | None
    after_j: Figure | None

    @property
    def is_outside(self) -> bool:
        """Whether a level lies outside its reference range."""
        return any(figure is not None and figure.position in {"below", "above"} for figure in (self.at_j, self.after_j))

    @property
    def reference(self) -> str:
        """Reference range of both levels."""
        return next((figure.reference for figure in (self.at_j, self.after_j) if figure is not None), "")


def list_figures(measurements: Measurements, *, translate: Translate = str) -> tuple[Figure, ...]:
    """List the figures of the whole record that were measured.

    The basic rate is listed only where it differs from the rate.

    Args:
        measurements: Figures of a record.
        translate: Translates texts into another language.
    """
    figures = {name: _show(kind.title, getattr(measurements, name), translate) for name, kind in FIGURES.items()}
    rate, basic = measurements.rate_bpm, measurements.basic_rate_bpm
    if rate is not None and basic is not None and abs(rate.value - basic.value) < _SAME_RATE_BPM:
        figures["basic_rate_bpm"] = None
    return tuple(figure for figure in figures.values() if figure is not None)


def show_figure(measurements: Measurements, name: str, *, translate: Translate = str) -> Figure | None:
    """Return a figure of the whole record as it is shown; ``None`` where it could not be measured.

    Args:
        measurements: Figures of a record.
        name: Its name in ``FIGURES``.
        translate: Translates texts into another language.
    """
    return _show(FIGURES[name].title, getattr(measurements, name), translate)


def list_st_leads(measurements: Measurements, *, translate: Translate = str) -> tuple[StLead, ...]:
    """List the ST levels of every lead that was measured, limb leads first.

    Args:
        measurements: Figures of a record.
        translate: Translates texts into another language.
    """
    leads = {*measurements.st_j_mv, *measurements.st_j60_mv}
    order = {lead: place for place, lead in enumerate(STANDARD_LEADS)}
    ranked = sorted(leads, key=lambda lead: (order.get(lead.removeprefix("-"), len(order)), lead))
    return tuple(
        StLead(
            lead,
            _show(_AT_J, measurements.st_j_mv.get(lead), translate),
            _show(_AFTER_J, measurements.st_j60_mv.get(lead), translate),
        )
        for lead in ranked
    )


def list_missing(measurements: Measurements, *, translate: Translate = str) -> tuple[str, ...]:
    """List the short names of the figures that could not be measured.

    Args:
        measurements: Figures of a record.
        translate: Translates texts into another language.

    >>> list_missing(Measurements())[-2:]
    ('axis', 'ST')
    """
    names = [translate(kind.short) for name, kind in FIGURES.items() if getattr(measurements, name) is None]
    leads = list_st_leads(measurements)
    names += [translate(_ST_IN).format(lead=lead.lead) for lead in leads if lead.at_j is None or lead.after_j is None]
    return (*names, *(() if leads else ("ST",)))


def describe_print(printed: PrintedFacts, *, translate: Translate = str) -> str:
    """Describe in one line what the recorder printed.

    Args:
        printed: Facts that were read.
        translate: Translates texts into another language.

    >>> describe_print(PrintedFacts(rate_bpm=92.0, speed_mm_s=25.0, high_pass_hz=0.67, low_pass_hz=25.0))
    'rate 92/min, 25 mm/s, filter 0.67 to 25 Hz'
    """
    parts = [
        translate(text).format(getattr(printed, name))
        for name, text in _PRINTED.items()
        if getattr(printed, name) is not None
    ]
    low, high = printed.high_pass_hz, printed.low_pass_hz
    if low is not None and high is not None:
        parts.append(translate(_FILTER).format(low=low, high=high))
    elif high is not None:
        parts.append(translate(_FILTER_UP_TO).format(high=high))
    return ", ".join(parts) or translate(_NO_PRINT)


def _show(title: str, measured: Measured | None, translate: Translate) -> Figure | None:
    if measured is None:
        return None
    digits = _digits(measured)
    error = f"± {max(measured.error, 10.0**-digits):.{digits}f}"
    unit = "°" if measured.unit == "deg" else measured.unit
    value, reference = _with_sign(measured.value, digits), _show_reference(measured, translate)
    return Figure(translate(title), value, error, unit, reference, measured.position or "")


def _digits(measured: Measured) -> int:
    """Number of digits with which a figure outside its range does not read as the limit: 120.4 ms are above 120 ms."""
    digits = _DIGITS[measured.unit]
    for more in range(3):
        rounded = Measured(round(measured.value, digits + more), 0.0, measured.unit, measured.reference)
        if rounded.position == measured.position:
            return digits + more
    return digits


def _show_reference(measured: Measured, translate: Translate) -> str:
    if measured.reference is None:
        return ""
    digits = _DIGITS[measured.unit]
    low, high = (None if limit is None else _with_sign(limit, digits) for limit in measured.reference)
    text = _UP_TO if low is None else _FROM if high is None else _BETWEEN
    return translate(text).format(low=low, high=high)


def _with_sign(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    if not text.strip("-0."):
        return text.removeprefix("-")
    return text.replace("-", _MINUS)
