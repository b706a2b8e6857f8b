"""Headers and footers as recorders print them, with invented names, numbers and dates.

None of it belongs to a person: names are taken from a list of trees, numbers and dates from a random generator.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ecglens.errors import RenderError

__all__ = ["FOOTERS", "HEADERS", "Print", "Visit", "invent_visit"]

_TREES = ("Alder", "Ash", "Beech", "Birch", "Cedar", "Elm", "Hazel", "Juniper", "Larch", "Linden", "Maple", "Rowan")


@dataclass(frozen=True, slots=True)
class Print:
    """A line of print.

    Attributes:
        text: Text to print.
        x_mm: Distance from the left edge of the trace area, or if negative, from its right edge.
        y_mm: Position of the baseline, in a header below the top of the page, in a footer below the trace area.
        size_mm: Height of a capital letter.
    """

    text: str
    x_mm: float
    y_mm: float
    size_mm: float = 2.1


@dataclass(frozen=True, slots=True)
class Visit:
    """Invented data of a recording, as a recorder prints them.

    Attributes:
        number: Exam number.
        name: Family name.
        sex: ``Male`` or ``Female``.
        age: Age in years.
        rate_bpm: Heart rate.
        intervals_ms: PR interval, QRS duration and QT interval.
        moment: Date and time.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        form: Layout as recorders print it, such as ``4*2.5s+1r``.
    """

    number: str
    name: str
    sex: str
    age: int
    rate_bpm: int
    intervals_ms: tuple[int, int, int]
    moment: str
    speed_mm_s: float
    gain_mm_mv: float
    form: str


def invent_visit(
    rng: np.random.Generator, *, rate_bpm: int | None, speed_mm_s: float, gain_mm_mv: float, form: str
) -> Visit:
    """Generate an invented visit.

    Args:
        rng: Generator for everything that is not given.
        rate_bpm: Heart rate to print, or ``None`` for an invented one.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        form: Layout as recorders print it.
    """
    day = f"{rng.integers(2015, 2025)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    clock = f"{rng.integers(7, 19):02d}:{rng.integers(0, 60):02d}:{rng.integers(0, 60):02d}"
    return Visit(
        number=str(rng.integers(100000, 1000000)),
        name=_TREES[int(rng.integers(len(_TREES)))],
        sex=("Male", "Female")[int(rng.integers(2))],
        age=int(rng.integers(18, 91)),
        rate_bpm=int(rng.integers(52, 111)) if rate_bpm is None else rate_bpm,
        intervals_ms=(int(rng.integers(120, 201)), int(rng.integers(78, 121)), int(rng.integers(340, 441))),
        moment=f"{day}  {clock}",
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        form=form,
    )


def _report_header(visit: Visit) -> tuple[Print, ...]:
    blanks = (("Years", 32.5), (visit.sex, 48.3), ("cm", 70.0), ("kg", 88.5), ("/", 106.5), ("mmHg", 113.0))
    details = (("Race:Unknown", 130.5), ("Room No.:", 160.5), ("Department:", 185.0))
    return (
        Print("ECG REPORT", 117.5, 7.8, 3.6),
        Print(f"ID : {visit.number}", 0.0, 11.8),
        *(Print(text, x_mm, 11.8) for text, x_mm in (*blanks, *details)),
        Print("Exam.Room:", 0.0, 16.0),
        Print("Medication:", 26.7, 16.0),
        Print("Diagnosis Information:", 0.0, 21.6),
        Print("Technician :", -78.5, 25.9),
        Print("Ref-Phys. :", -78.5, 30.1),
        Print("Report Confirmed by:", -78.5, 34.3),
    )


def _cart_header(visit: Visit) -> tuple[Print, ...]:
    pr, qrs, qt = visit.intervals_ms
    measures = (("Vent. rate", visit.rate_bpm, "BPM"), ("PR interval", pr, "ms"), ("QRS duration", qrs, "ms"))
    return (
        Print(f"{visit.name.upper()}, {visit.sex[0]}", 2.0, 7.0, 2.4),
        Print(f"ID:{visit.number}", 60.0, 7.0, 2.4),
        Print(visit.moment.upper(), 112.0, 7.0, 2.4),
        Print(f"{visit.age} yr", 2.0, 12.0),
        Print(visit.sex, 2.0, 16.0),
        *(Print(f"{title}   {value} {unit}", 60.0, 12.0 + 4.0 * i) for i, (title, value, unit) in enumerate(measures)),
        Print(f"QT   {qt} ms", 60.0, 24.0),
        Print("Unconfirmed", 150.0, 12.0),
    )


def _line_header(visit: Visit) -> tuple[Print, ...]:
    line = f"{visit.number}   {visit.moment}   {visit.age} years   {visit.sex}   HR {visit.rate_bpm}/min"
    return (Print(line, 2.0, 7.0),)


def _report_footer(visit: Visit) -> tuple[Print, ...]:
    scale = f"0.67~25Hz AC50 {visit.speed_mm_s:g}mm/s {visit.gain_mm_mv:g}mm/mV {visit.form}"
    return (
        Print(f"{scale} \N{BLACK HEART SUIT}{visit.rate_bpm} V1.0", 0.0, 4.6, 1.8),
        Print(visit.moment, -48.5, 4.6, 1.8),
    )


def _scale_footer(visit: Visit) -> tuple[Print, ...]:
    return (
        Print(f"{visit.speed_mm_s:g} mm/s    {visit.gain_mm_mv:g} mm/mV    0.05-150 Hz", 2.0, 4.6),
        Print(visit.form, -40.0, 4.6),
    )


Template = Callable[[Visit], tuple[Print, ...]]

HEADERS: Mapping[str, tuple[Template, float]] = MappingProxyType(
    {"report": (_report_header, 36.0), "cart": (_cart_header, 28.0), "line": (_line_header, 11.0)}
)
"""Headers by name: template and height in mm."""

FOOTERS: Mapping[str, tuple[Template, float]] = MappingProxyType(
    {"report": (_report_footer, 7.0), "scale": (_scale_footer, 8.0)}
)
"""Footers by name: template and height in mm."""


def find_template(kind: str, name: str | None, margin_mm: float) -> tuple[Template | None, float]:
    """Look up a header or footer.

    Args:
        kind: ``"header"`` or ``"footer"``.
        name: One of ``HEADERS`` or ``FOOTERS``, or ``None`` for an empty margin.
        margin_mm: Height of the empty margin.

    Returns:
        The template, or ``None`` for an empty margin, and the height in mm.

    Raises:
        RenderError: The header or footer does not exist.
    """
    if name is None:
        return None, margin_mm
    templates = HEADERS if kind == "header" else FOOTERS
    if name not in templates:
        raise RenderError(f"Expected a {kind} out of {', '.join(templates)} or none, got '{name}'.")
    return templates[name]
