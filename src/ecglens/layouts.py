"""Page layouts as data. ``render`` draws pages from them, and ``leads`` recognizes pages by them.

A name reads rows x columns, then the number of full-width rhythm strips below: ``3x4+1`` is three rows of four
2.5 s segments with one 10 s strip. Layouts with six leads say which.
"""

import re
from dataclasses import dataclass

__all__ = [
    "CABRERA_LEADS",
    "LAYOUTS",
    "ONE_LEAD_LINES",
    "RHYTHM",
    "STANDARD_LEADS",
    "STANDARD_SPEED_MM_S",
    "LayoutPlan",
    "canonical_lead",
    "is_rhythm_strip",
    "lead_of_row",
    "plan",
]

STANDARD_SPEED_MM_S = 25.0
"""Paper speed where a page prints no other one and none is given."""

RHYTHM = "-rhythm"
"""Ending of a rhythm strip's name in a record, where the lead itself may be in the rows too."""

ONE_LEAD_LINES = "one-lead-lines"
"""Name of the layout of pages that show one lead over several lines, which follow each other in time."""

STANDARD_LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

_ROW_ENDING = re.compile(rf"(?:{RHYTHM})?(?:-\d+)?$")

CABRERA_LEADS: tuple[str, ...] = ("aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, slots=True)
class LayoutPlan:
    """The arrangement of the leads on a page.

    Attributes:
        name: Such as ``3x4+1``; it ends in ``-cabrera`` where the limb leads are in Cabrera order, and in ``-limb`` or
            ``-precordial`` where only these leads are shown.
        rows: Lead names row by row; all rows have the same number of segments.
        rhythm: Leads of the full-width strips below the rows, top to bottom.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    rhythm: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Number of segments in a row."""
        return len(self.rows[0])

    @property
    def lines(self) -> int:
        """Number of traces from top to bottom, rhythm strips included."""
        return len(self.rows) + len(self.rhythm)

    @property
    def leads(self) -> tuple[str, ...]:
        """Every distinct lead on the page, in reading order by columns."""
        by_column = [row[column] for column in range(self.columns) for row in self.rows]
        return tuple(dict.fromkeys([*by_column, *self.rhythm]))


def plan(name: str) -> LayoutPlan:
    """Look a layout up by name.

    Args:
        name: One of ``LAYOUTS``.

    Raises:
        KeyError: There is no such layout.

    >>> plan("3x4+1").rows[1]
    ('II', 'aVL', 'V2', 'V5')
    """
    return LAYOUTS[name]


def canonical_lead(name: str) -> str:
    """Return the standard spelling of a lead's name; names other than the twelve and ``-aVR`` are returned unchanged.

    Args:
        name: As a file spells it, such as ``AVR`` or ``avr``.

    >>> canonical_lead("AVR"), canonical_lead("-avr"), canonical_lead("MLII")
    ('aVR', '-aVR', 'MLII')
    """
    return _SPELLING.get(name.strip().lower(), name.strip())


def lead_of_row(name: str) -> str:
    """Return the lead of a record's row, without the ending of a rhythm strip or of a second row of the lead.

    >>> lead_of_row("II-rhythm"), lead_of_row("V1-rhythm-2"), lead_of_row("-aVR")
    ('II', 'V1', '-aVR')
    """
    return _ROW_ENDING.sub("", name)


def is_rhythm_strip(name: str) -> bool:
    """Return whether a record's row is a rhythm strip, by its name.

    >>> is_rhythm_strip("V1-rhythm-2"), is_rhythm_strip("V1")
    (True, False)
    """
    return name != lead_of_row(name) and RHYTHM in name


def _by_columns(leads: tuple[str, ...], rows: int) -> tuple[tuple[str, ...], ...]:
    return tuple(leads[row::rows] for row in range(rows))


def _plans() -> dict[str, LayoutPlan]:
    rhythm = {"": (), "+1": ("II",), "+2": ("II", "V1"), "+3": ("V1", "II", "V5")}
    plans = [LayoutPlan(f"3x4{suffix}", _by_columns(STANDARD_LEADS, 3), strips) for suffix, strips in rhythm.items()]
    plans += [LayoutPlan(f"6x2{suffix}", _by_columns(STANDARD_LEADS, 6), rhythm[suffix]) for suffix in ("", "+1")]
    plans += [
        LayoutPlan("12x1", _by_columns(STANDARD_LEADS, 12)),
        LayoutPlan("6x1-limb", _by_columns(STANDARD_LEADS[:6], 6)),
        LayoutPlan("6x1-precordial", _by_columns(STANDARD_LEADS[6:], 6)),
        LayoutPlan("3x2-limb", _by_columns(STANDARD_LEADS[:6], 3)),
        LayoutPlan("3x2-precordial", _by_columns(STANDARD_LEADS[6:], 3)),
        LayoutPlan("4x3", _by_columns(STANDARD_LEADS, 4)),
        LayoutPlan("3x4-cabrera", _by_columns(CABRERA_LEADS, 3)),
        LayoutPlan("3x4+1-cabrera", _by_columns(CABRERA_LEADS, 3), ("II",)),
        LayoutPlan("6x2-cabrera", _by_columns(CABRERA_LEADS, 6)),
        LayoutPlan("12x1-cabrera", _by_columns(CABRERA_LEADS, 12)),
        LayoutPlan("4x3-cabrera", _by_columns(CABRERA_LEADS, 4)),
        LayoutPlan("1x1", (("II",),)),
    ]
    return {layout.name: layout for layout in plans}


LAYOUTS: dict[str, LayoutPlan] = _plans()

_SPELLING: dict[str, str] = {lead.lower(): lead for lead in (*STANDARD_LEADS, *CABRERA_LEADS)}
