"""Joining: two pages of one file, limb leads on one and precordial leads on the other, as one record.

Pages are joined only where what they print as text agrees, because leads of two persons, or of one person on two days,
look like one record.
"""

import os
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ecglens.digitizing import check_scale, digitize_page, measure_tracing
from ecglens.errors import EcgReadError
from ecglens.layouts import STANDARD_LEADS, canonical_lead
from ecglens.limits import threshold
from ecglens.pages.read import Source, load_file, read_page
from ecglens.printed.facts import text_lines
from ecglens.records import EcgRecord, Measurements, PageText, Tracing
from ecglens.settings import load_settings

__all__ = ["LIMITS", "JoinLimits", "Joined", "digitize_joined", "join_tracings"]

_LIMB, _PRECORDIAL = "6x1-limb", "6x1-precordial"
"""Layouts of the pages that belong together: all leads of a page begin together."""

_DATE = re.compile(r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d\d[./-]\d\d)\b")
_TIME = re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b")
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class JoinLimits:
    """Thresholds of joining pages."""

    max_pages: int = threshold(
        10,
        "pages",
        "Largest number of further pages that are searched for the other leads.",
        low="Pages that belong together but lie apart are not joined.",
        high="Long files take long.",
    )
    same_place_px: float = threshold(
        24.0,
        "px",
        "Distance up to which texts of two pages are at the same place, 3 mm of a PDF.",
        low="Centered names of two persons are not compared.",
        high="Neighboring fields are compared with each other.",
    )
    max_length_difference: float = threshold(
        0.04,
        "1",
        "Relative difference of the pages' lengths in time that brings a warning.",
        low="Pages whose ends differ by the pen bring a warning.",
        high="Pages at different speeds bring none.",
    )


LIMITS = JoinLimits()


@dataclass(frozen=True, slots=True)
class Joined:
    """Two pages as one record.

    Attributes:
        record: Signals of both pages, in the order of the standard leads.
        tracings: The pages, that of the limb leads first.
        warnings: Warnings of the pages, each with the number of its page, and of joining them.
    """

    record: EcgRecord
    tracings: tuple[Tracing, ...]
    warnings: tuple[str, ...] = ()

    def measure(self) -> Measurements | None:
        """Measure the joined record."""
        return measure_tracing(replace(self.tracings[0], record=self.record, measurements=None))

    def to_dict(self) -> dict[str, Any]:
        """Return pages and record as plain types."""
        pages = [{**tracing.to_dict(), "record": None} for tracing in self.tracings]
        return {"joined_pages": pages, "record": self.record.to_dict(), "warnings": list(self.warnings)}


def digitize_joined(
    source: Source,
    *,
    page: int = 1,
    speed_mm_s: float | None = None,
    gain_mm_mv: float | None = None,
    fs_hz: float = 500.0,
    printed: bool = False,
) -> Joined:
    """Read the signals of two pages of a file as one record of twelve leads.

    The other leads are searched for on the pages after ``page``; pages that are refused are passed over.

    Args:
        source: As for :func:`ecglens.digitize`.
        page: Number of the first page.
        speed_mm_s: As for :func:`ecglens.digitize`, of both pages.
        gain_mm_mv: As for :func:`ecglens.digitize`, of both pages.
        fs_hz: As for :func:`ecglens.digitize`.
        printed: As for :func:`ecglens.digitize`.

    Raises:
        EcgReadError: A page cannot be read, the other leads were not found, or the pages do not belong together.
        MissingExtraError: As for :func:`ecglens.digitize`.
    """
    if not isinstance(source, str | os.PathLike | bytes):
        source, _ = load_file(source)
    check_scale(speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, fs_hz=fs_hz)
    options: dict[str, Any] = {"speed_mm_s": speed_mm_s, "gain_mm_mv": gain_mm_mv, "fs_hz": fs_hz, "printed": printed}
    max_megapixels = load_settings().max_megapixels
    first = digitize_page(read_page(source, page=page, max_megapixels=max_megapixels), source=source, **options)
    last = min(first.page.count, page + LIMITS.max_pages)
    for number in range(page + 1, last + 1):
        try:
            other = digitize_page(read_page(source, page=number, max_megapixels=max_megapixels), **options)
        except EcgReadError as error:
            if error.code != "no_leads":
                raise
            continue
        return join_tracings(first, other)
    missing = "V1 to V6" if first.layout.name == _LIMB else "the limb leads"
    searched = f"pages {page + 1} to {last}" if last > page else "a file of one page"
    raise EcgReadError(
        code="no_leads",
        source=first.page.source,
        detail=f"expected a page with {missing} after page {page}, but none was read on {searched}; "
        "digitize each page on its own.",
    )


def join_tracings(first: Tracing, second: Tracing) -> Joined:
    """Join a page of limb leads and a page of precordial leads.

    Args:
        first: One of the pages.
        second: The other one.

    Raises:
        EcgReadError: The pages show the same lead, other layouts or another recording, or the scale of one is unknown.
    """
    limb, precordial = sorted((first, second), key=lambda tracing: tracing.layout.name == _PRECORDIAL)
    _check_leads(limb, precordial)
    _check_recording(limb, precordial)
    warnings = [f"Page {each.page.number}: {text}" for each in (limb, precordial) for text in each.warnings]
    record, notes = _join_records(limb, precordial)
    if not (limb.page.texts and precordial.page.texts):
        notes = (*notes, "No date and no patient can be compared between the pages; check that they belong together.")
    return Joined(record, (limb, precordial), (*dict.fromkeys(warnings), *notes))


def _check_leads(limb: Tracing, precordial: Tracing) -> None:
    names = [{canonical_lead(box.lead) for box in each.layout.leads} for each in (limb, precordial)]
    both = [lead for lead in STANDARD_LEADS if lead in names[0] & names[1]]
    if both:
        raise _refuse(limb, precordial, f"leads that are on one page each, but {', '.join(both)} are on both")
    if limb.layout.name != _LIMB or precordial.layout.name != _PRECORDIAL:
        layouts = f"{limb.layout.name} and {precordial.layout.name}"
        raise _refuse(limb, precordial, f"the limb leads on one page and V1 to V6 on the other, but they are {layouts}")
    if limb.record is None or precordial.record is None:
        raise _refuse(limb, precordial, "pages with a scale in mm, but the scale of one is unknown")


def _check_recording(limb: Tracing, precordial: Tracing) -> None:
    """Refuse pages that print another date, time or person."""
    texts = [_identifying(tracing) for tracing in (limb, precordial)]
    lines = ["\n".join(text_lines(pieces)) for pieces in texts]
    for name, pattern in (("date", _DATE), ("time", _TIME)):
        values = [set(pattern.findall(line)) for line in lines]
        if all(values) and values[0] != values[1]:
            raise _refuse(limb, precordial, f"pages of one recording, but they print another {name}")
    numbers = limb.page.number, precordial.page.number
    if limb.page.pixels.shape == precordial.page.pixels.shape and _differ(texts[0], texts[1], numbers):
        raise _refuse(limb, precordial, "pages of one recording, but their headers or footers print different text")


def _identifying(tracing: Tracing) -> list[PageText]:
    """The texts of a page that may name the recording or the patient: all but the names of leads."""
    leads = {lead.lower() for lead in STANDARD_LEADS}
    return [piece for piece in tracing.page.texts if piece.text.lower() not in leads]


def _differ(first: list[PageText], second: list[PageText], numbers: tuple[int, int]) -> bool:
    """Return whether two pages print different text at the same place; the numbers of the pages may differ."""
    for piece in first:
        there = [other.text for other in second if _same_place(piece, other)]
        if there and not any(_agree(piece.text, text, numbers) for text in there):
            return True
    return False


def _agree(text: str, other: str, numbers: tuple[int, int]) -> bool:
    """Return whether two texts are the same but for the number of the page, as in ``1 of 2`` and ``2 of 2``."""
    parts, others = (_NUMBER.split(one.casefold()) for one in (text, other))
    page_numbers = [str(number) for number in numbers]
    return len(parts) == len(others) and all(
        part == there or [part, there] == page_numbers for part, there in zip(parts, others, strict=True)
    )


def _same_place(piece: PageText, other: PageText) -> bool:
    """Return whether two pieces begin, end or are centered at the same place of the same line."""
    near, box, there = LIMITS.same_place_px, piece.box, other.box
    if abs(box.top + box.bottom - there.top - there.bottom) / 2 > min(box.height, there.height, near):
        return False
    starts, ends = abs(box.left - there.left), abs(box.right - there.right)
    return min(starts, ends, abs(box.left + box.right - there.left - there.right) / 2) <= near


def _join_records(limb: Tracing, precordial: Tracing) -> tuple[EcgRecord, tuple[str, ...]]:
    records = [each.record for each in (limb, precordial) if each.record is not None]
    lengths = [record.signals_mv.shape[1] for record in records]
    notes: tuple[str, ...] = ()
    if max(lengths) > (1 + LIMITS.max_length_difference) * min(lengths):
        seconds = " and ".join(f"{record.duration_s:.1f} s" for record in records)
        notes = (f"The pages are {seconds} long; the shorter leads end earlier.",)

    def pad(rows: np.ndarray[Any, np.dtype[np.float32]], value: float) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.pad(rows, ((0, 0), (0, max(lengths) - rows.shape[1])), constant_values=value)

    confidences = [
        np.asarray(~np.isnan(record.signals_mv), np.float32) if record.confidence is None else record.confidence
        for record in records
    ]
    first = records[0]
    return replace(
        first,
        signals_mv=np.concatenate([pad(record.signals_mv, np.nan) for record in records]),
        leads=tuple(lead for record in records for lead in record.leads),
        start_s=(0.0,) * sum(len(record.leads) for record in records),
        quality=tuple(value for record in records for value in record.quality),
        comments=tuple(dict.fromkeys(text for record in records for text in record.comments)),
        confidence=np.concatenate([pad(confidence, 0.0) for confidence in confidences]),
        warnings=tuple(dict.fromkeys(text for record in records for text in (*record.warnings, *notes))),
    ), notes


def _refuse(limb: Tracing, precordial: Tracing, expected: str) -> EcgReadError:
    pages = sorted(each.page.number for each in (limb, precordial))
    return EcgReadError(
        code="unsupported",
        source=limb.page.source,
        detail=f"expected {expected} (pages {pages[0]} and {pages[1]}); digitize each page on its own.",
    )
