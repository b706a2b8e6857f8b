"""Corrections by hand of how a page is read, and the small JSON file beside the page that holds them.

They are applied in a fixed order, so that the same file gives the same result again: corners and rotation to the page
as it was decoded; the layout while the leads are located; names, scale, boxes and traces to what was located. Boxes and
traces are in pixels of the upright view that was traced, the picture of ``draw_overlay``, whose size the file holds.
"""

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import check_type, describe_value, is_number_in
from ecglens.documents import dump_document, parse_json
from ecglens.errors import EcgReadError
from ecglens.layouts import CABRERA_LEADS, LAYOUTS, RHYTHM, STANDARD_LEADS, lead_of_row
from ecglens.leads.normalized import normalize_at_scale
from ecglens.pages.geometry.orientation import apply_orientation
from ecglens.pages.geometry.paper_edges import Corners, rectify
from ecglens.pages.read import load_file
from ecglens.records import Box, InkMap, Layout, LeadBox, Page, distinct_names

__all__ = [
    "FORMAT",
    "Corrections",
    "HandTrace",
    "build_layout_by_hand",
    "check_file",
    "check_view",
    "correct_layout",
    "correct_page",
    "place_corrections",
    "read_corrections",
    "replace_boxes",
    "write_corrections",
]

FORMAT = "ecglens-corrections"
"""Name of the files' format in ``ecglens.documents``."""

LEADS = frozenset({*STANDARD_LEADS, *CABRERA_LEADS})
"""Names that a lead may be given."""

_MAX_BYTES = 2_000_000
_MAX_POINTS = 20_000
"""Most points of all traces together: one for each sample of twelve leads of 2.5 s and more."""
_MAX_PX = 100_000.0
"""Largest coordinate: longer than any page that is decoded."""
_MIN_BOX_MM = 5.0
"""Least height and width of a lead's box that is given by hand: one large square of the grid."""
_BESIDE_MM = 3.0
"""Margin of boxes that are given by hand, in which traces begin."""
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"rotation_deg": (-360.0, 360.0), "speed_mm_s": (5.0, 200.0), "gain_mm_mv": (1.0, 80.0)}
)
_PX_PER_MM = (1.0, 200.0)
_QUARTER_TURNS = {90: 6, 180: 3, 270: 8}
"""EXIF orientations of quarter turns clockwise, which resample nothing."""


@dataclass(frozen=True, slots=True)
class HandTrace:
    """A part of a trace that was traced, or removed, by hand.

    Attributes:
        lead: Name of the trace, as in the record: ``V1``, or ``II-rhythm`` for a rhythm strip.
        points: ``(column, row)`` of two or more points of the center line, from left to right, px of the upright view.
            Samples from the first to the last lie on straight lines between them.
        is_removed: Whether these samples are missing instead; the rows of the points then do not matter.
    """

    lead: str
    points: tuple[tuple[float, float], ...]
    is_removed: bool = False

    def apply(self, columns_px: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return which of these columns it covers, and the rows of the trace at all of them; NaN if it is removed."""
        across, down = np.array(self.points, dtype=np.float64).T
        is_covered = (columns_px >= across[0]) & (columns_px <= across[-1])
        return is_covered, np.interp(columns_px, across, np.full_like(down, np.nan) if self.is_removed else down)

    def to_dict(self) -> dict[str, Any]:
        """Return the part as plain types."""
        removed = {"removed": True} if self.is_removed else {}
        return {"lead": self.lead, "points": _as_lists(self.points), **removed}


@dataclass(frozen=True, slots=True)
class Corrections:
    """Corrections of one page.

    Attributes:
        page: Number of the page in its file, from 1.
        sha256: SHA-256 of the file, or ``None`` where it may be any file.
        corners: ``(column, row)`` of the paper's corners on the page as it was decoded, clockwise from the top left.
        rotation_deg: By how much the page, inside the corners, is turned clockwise before anything else is done.
        layout: One of ``ecglens.layouts.LAYOUTS``.
        names: New lead of a row by its name as it was read; ``II-rhythm`` is a rhythm strip. Others stay.
        px_per_mm: Pixels of the view per millimeter of paper, ``(vertical, horizontal)``.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        boxes: Boxes of leads by their corrected names, px of the upright view.
        traces: Parts of traces that were traced or removed by hand, by corrected names; later ones over earlier ones.
        view_px: ``(width, height)`` of the view of which ``px_per_mm``, ``boxes`` and ``traces`` are.

    Raises:
        EcgReadError: A value is out of range; ``code`` is ``"invalid_argument"``.
    """

    page: int = 1
    sha256: str | None = None
    corners: Corners | None = None
    rotation_deg: float = 0.0
    layout: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    px_per_mm: tuple[float, float] | None = None
    speed_mm_s: float | None = None
    gain_mm_mv: float | None = None
    boxes: Mapping[str, Box] = field(default_factory=dict)
    traces: tuple[HandTrace, ...] = ()
    view_px: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.page, int) or self.page < 1:
            _refuse(f"expected the number of a page from 1, got {describe_value(self.page)}.")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not is_number_in(value, low, high):
                _refuse(f"expected {name} from {low:g} to {high:g}, got {describe_value(value)}.")
        if self.corners is not None and not _are_clockwise(self.corners):
            _refuse(f"expected four corners, clockwise from the top left, got {describe_value(self.corners)}.")
        if self.layout is not None and self.layout not in LAYOUTS:
            _refuse(f"expected a layout out of {', '.join(LAYOUTS)}, got '{self.layout}'.")
        if self.px_per_mm is not None and not all(_PX_PER_MM[0] <= value <= _PX_PER_MM[1] for value in self.px_per_mm):
            _refuse(f"expected px_per_mm from {_PX_PER_MM[0]:g} to {_PX_PER_MM[1]:g}, got {self.px_per_mm}.")
        unknown = [name for name in self.names.values() if name not in LEADS]
        if unknown:
            _refuse(f"expected names out of {', '.join(sorted(LEADS))}, got '{unknown[0]}'.")
        self._check_traces()
        if self.is_of_view and self.view_px is None:
            _refuse("expected view_px, the width and height of the view, beside px_per_mm, boxes or traces, got none.")

    def _check_traces(self) -> None:
        if sum(len(trace.points) for trace in self.traces) > _MAX_POINTS:
            _refuse(f"expected at most {_MAX_POINTS} points of traces, got more; draw shorter parts.")
        for trace in self.traces:
            across = [column for column, _ in trace.points]
            if len(across) < 2 or any(second <= first for first, second in zip(across, across[1:], strict=False)):
                _refuse(f"expected two or more points of {trace.lead} from left to right, got others.")

    def __bool__(self) -> bool:
        """Return whether there is anything to correct."""
        return self.is_of_page or self.is_of_leads

    @property
    def is_of_page(self) -> bool:
        """Whether the page itself is changed before its leads are located."""
        return self.corners is not None or self.rotation_deg != 0

    @property
    def is_of_leads(self) -> bool:
        """Whether the layout, its scale or its traces are changed."""
        return bool(self.layout or self.names or self.speed_mm_s or self.gain_mm_mv or self.is_of_view)

    @property
    def is_of_view(self) -> bool:
        """Whether there are corrections in pixels of the view."""
        return bool(self.px_per_mm or self.boxes or self.traces)

    def describe(self) -> tuple[str, ...]:
        """Return what was corrected by hand, a few words each, for the comments of a record."""
        by_hand, removed = (
            ", ".join(dict.fromkeys(trace.lead for trace in self.traces if trace.is_removed == is_removed))
            for is_removed in (False, True)
        )
        renamed = ", ".join(f"{old} to {new}" for old, new in self.names.items())
        parts = {
            "corners": self.corners,
            f"rotation by {self.rotation_deg:g} degrees": self.rotation_deg,
            f"layout {self.layout}": self.layout,
            f"names {renamed}": renamed,
            "px/mm": self.px_per_mm,
            "speed": self.speed_mm_s,
            "gain": self.gain_mm_mv,
            f"boxes of {', '.join(self.boxes)}": self.boxes,
            f"traces of {by_hand}": by_hand,
            f"removed stretches of {removed}": removed,
        }
        return tuple(words for words, value in parts.items() if value)

    def to_dict(self) -> dict[str, Any]:
        """Return the corrections as plain types; those that are not made are left out."""
        values: dict[str, Any] = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name == "page" or getattr(self, each.name)
        }
        if self.boxes:
            values["boxes"] = {name: box.to_dict() for name, box in self.boxes.items()}
        if self.traces:
            values["traces"] = [trace.to_dict() for trace in self.traces]
        if self.corners is not None:
            values["corners"] = _as_lists(self.corners)
        for name in ("px_per_mm", "view_px"):
            if name in values:
                values[name] = list(values[name])
        return values | ({"names": dict(self.names)} if self.names else {})

    @classmethod
    def from_dict(cls, content: object) -> "Corrections":
        """Return the corrections that plain types describe, as :meth:`to_dict` returns them.

        Args:
            content: Content of a JSON document; ``format`` and ``format_version`` are ignored.

        Raises:
            EcgReadError: A field is unknown, of the wrong kind, or out of range.
        """
        if not isinstance(content, Mapping):
            _refuse("expected an object with fields, got something else.")
        values = {name: value for name, value in content.items() if name not in ("format", "format_version")}
        supported = [each.name for each in fields(cls)]
        unknown = [name for name in values if name not in supported]
        if unknown:
            _refuse(f"expected fields out of {', '.join(supported)}, got '{unknown[0]}'.")
        present = {name: value for name, value in values.items() if value is not None}
        return cls(**{name: _PARSERS[name](name, value) for name, value in present.items()})


def place_corrections(page_file: Path, page: int = 1) -> Path:
    """Return the path of the corrections beside a page: ``ecg.jpg.corrections.json``.

    Args:
        page_file: File of the page.
        page: Its number in the file; from 2, it is in the name.
    """
    number = "" if page == 1 else f".page{page}"
    return page_file.with_name(f"{page_file.name}{number}.corrections.json")


def write_corrections(corrections: Corrections, path: Path) -> None:
    """Write corrections as a JSON file; one that is there is replaced.

    Raises:
        OSError: The file cannot be written.
    """
    path.write_text(dump_document(FORMAT, corrections.to_dict(), indent=1) + "\n", encoding="utf-8")


def read_corrections(source: Path | bytes) -> Corrections:
    """Read corrections from a JSON file.

    Args:
        source: The file, or its content.

    Raises:
        EcgReadError: The file is missing or holds no corrections of a version that this program reads.
    """
    name = source.name if isinstance(source, Path) else "corrections"
    try:
        if isinstance(source, Path) and source.stat().st_size > _MAX_BYTES:
            _refuse(f"expected at most {_MAX_BYTES} bytes, got more.", name)
        content = parse_json(
            source.read_bytes() if isinstance(source, Path) else source[: _MAX_BYTES + 1], allow_surrogates=False
        )
    except OSError:
        raise EcgReadError(
            code="missing", source=name, detail="expected a file of corrections that can be read, got none."
        ) from None
    except ValueError as error:  # of JSON, or of its text
        _refuse(f"expected a JSON document of corrections, got another file ({error}).", name)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(f"expected a document of the format '{FORMAT}', got another.", name)
    if content.get("format_version") != 1:
        _refuse(
            f"expected version 1 of '{FORMAT}', got {content.get('format_version')}; update ecglens to read it.", name
        )
    try:
        return Corrections.from_dict(content)
    except EcgReadError as error:
        _refuse(error.detail, name)


def check_file(corrections: Corrections, source: object) -> None:
    """Refuse corrections of another file; those without a SHA-256, and pages that were decoded before, pass.

    Args:
        corrections: Of a page of the file.
        source: Path or content of the file; anything else passes.

    Raises:
        EcgReadError: The file has another SHA-256.
        ArgumentError: The corrections are none.
    """
    check_type(corrections, Corrections, "corrections, such as those of ecglens.corrections.read_corrections")
    if corrections.sha256 is None or not isinstance(source, str | os.PathLike | bytes):
        return
    content, name = load_file(source)
    if hashlib.sha256(content).hexdigest() != corrections.sha256.lower():
        _refuse("expected the file that was corrected, got another one by its SHA-256; correct this file.", name)


def correct_page(page: Page, corrections: Corrections) -> Page:
    """Rectify a page by its corners and turn it, as the corrections say.

    Args:
        page: Page as it was decoded.
        corrections: Of this page.

    Raises:
        EcgReadError: The corners are not on the page.
    """
    if corrections.corners is None and corrections.rotation_deg % 360 == 0:
        return page
    page = replace(page, drawing=None)  # its leads are where they were before
    if corrections.corners is not None:
        page = rectify(page, corrections.corners)
    return _turn(page, corrections.rotation_deg % 360)


def _turn(page: Page, degrees: float) -> Page:
    """The page turned clockwise, on a picture that holds all of it."""
    if degrees == 0:
        return page
    if degrees in _QUARTER_TURNS:
        turned = apply_orientation(page.pixels, _QUARTER_TURNS[int(degrees)])
        return replace(page, pixels=np.ascontiguousarray(turned), curves=(), texts=())
    matrix = cv2.getRotationMatrix2D(((page.width - 1) / 2, (page.height - 1) / 2), -degrees, 1.0)
    along, across = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (round(page.width * along + page.height * across), round(page.width * across + page.height * along))
    matrix[:, 2] += ((size[0] - page.width) / 2, (size[1] - page.height) / 2)
    border = np.median(page.pixels[::8, ::8].reshape(-1, 3), axis=0).tolist()
    pixels = cv2.warpAffine(page.pixels, matrix, size, flags=cv2.INTER_LANCZOS4, borderValue=border)
    return replace(page, pixels=np.asarray(pixels, dtype=np.uint8), curves=(), texts=())


def check_view(corrections: Corrections, page: Page) -> None:
    """Refuse corrections in pixels of another view of the page.

    Args:
        corrections: With their ``view_px``.
        page: View that was traced.

    Raises:
        EcgReadError: The sizes differ.
    """
    if corrections.is_of_view and corrections.view_px != (page.width, page.height):
        width, height = corrections.view_px or (0, 0)
        _refuse(
            f"expected corrections of the view of {page.width} x {page.height} px, got those of one of "
            f"{width} x {height} px; correct the page again.",
            page.source,
        )


def correct_layout(layout: Layout, corrections: Corrections, page: Page) -> Layout:
    """Return a layout with the names, the scale and the boxes of the corrections.

    Args:
        layout: As it was located.
        corrections: Of this page.
        page: View on which it was located.

    Raises:
        EcgReadError: A name or box is of no lead of the layout, or a box is not on the page.
    """
    layout = _rename(layout, corrections.names) if corrections.names else layout
    if corrections.px_per_mm is not None:
        ratio = layout.px_per_mm[0] / corrections.px_per_mm[0]
        pulse_mm = None if layout.pulse_mm is None else layout.pulse_mm * ratio
        layout = replace(layout, px_per_mm=corrections.px_per_mm, px_per_mm_source="given", pulse_mm=pulse_mm)
    return replace_boxes(layout, corrections.boxes, page) if corrections.boxes else layout


def _rename(layout: Layout, names: Mapping[str, str]) -> Layout:
    rows = _row_names(layout)
    unknown = set(names) - set(rows)
    if unknown:
        _refuse(f"expected names out of those of the page, {', '.join(rows)}, got '{min(unknown)}'.")
    leads = tuple(replace(lead, lead=names.get(row, lead.lead)) for row, lead in zip(rows, layout.leads, strict=True))
    in_rows = [lead.lead for lead in leads if not lead.rhythm]
    twice = [name for name in in_rows if in_rows.count(name) > 1]
    if twice and len(in_rows) > 1:
        _refuse(f"expected a different name for each lead, got {twice[0]} twice; rename the other one too.")
    return replace(layout, leads=leads, unread=0, doubt=None)


def _row_names(layout: Layout) -> tuple[str, ...]:
    """Names of a layout's leads, as they are in a record."""
    return distinct_names(f"{lead.lead}{RHYTHM}" if lead.rhythm else lead.lead for lead in layout.leads)


def replace_boxes(layout: Layout, boxes: Mapping[str, Box], page: Page) -> Layout:
    """Replace boxes of leads by those given by hand; a zero line outside its box moves to the middle of the box.

    Args:
        layout: Layout of the page.
        boxes: By the leads' names in a record, px of the upright view.
        page: The view.

    Raises:
        EcgReadError: A box is of no lead of the layout, too small, or not on the page.
        ArgumentError: They are no mapping of boxes.
    """
    check_type(boxes, Mapping, "a dictionary of boxes by the names of leads")
    rows = _row_names(layout)
    unknown = set(boxes) - set(rows)
    if unknown:
        raise EcgReadError(
            code="invalid_argument",
            detail=f"Expected boxes of leads of the layout {layout.name}, got one of {', '.join(sorted(unknown))}.",
        )
    for name, box in boxes.items():
        _check_box(name, box, page, layout.px_per_mm)
    leads = []
    for row, lead in zip(rows, layout.leads, strict=True):
        box_by_hand = boxes.get(row)
        if box_by_hand is None:
            leads.append(lead)
            continue
        is_inside = box_by_hand.top <= lead.baseline_px <= box_by_hand.bottom
        zero_px = lead.baseline_px if is_inside else (box_by_hand.top + box_by_hand.bottom) / 2
        leads.append(replace(lead, box=box_by_hand, baseline_px=zero_px))
    return replace(layout, leads=tuple(leads))


def _check_box(name: str, box: Box, page: Page, px_per_mm: tuple[float, float]) -> None:
    check_type(box, Box, f"an ecglens.Box for {name}")
    is_inside = 0 <= box.left < box.right <= page.width and 0 <= box.top < box.bottom <= page.height
    min_height, min_width = (_MIN_BOX_MM * scale for scale in px_per_mm)
    if not is_inside or box.width < min_width or box.height < min_height:
        raise EcgReadError(
            code="invalid_argument",
            detail=f"Expected a box of {name} on the page of {page.width} x {page.height} px, at least "
            f"{min_width:.0f} x {min_height:.0f} px, got top {box.top:g}, left {box.left:g}, "
            f"bottom {box.bottom:g}, right {box.right:g}.",
        )


def build_layout_by_hand(page: Page, corrections: Corrections) -> Layout | None:
    """Return the layout of a page on which no leads were located, where the corrections hold all that it needs.

    Args:
        page: Upright view of the page.
        corrections: With the layout's name, a box for each of its leads, and ``px_per_mm``.

    Returns:
        ``None`` where something is missing.

    Raises:
        EcgReadError: A box is not on the page.
    """
    if corrections.layout is None or corrections.px_per_mm is None:
        return None
    plan = LAYOUTS[corrections.layout]
    needed = {lead for row in plan.rows for lead in row}
    strips = [name for name in corrections.boxes if RHYTHM in name]
    if not needed <= set(corrections.boxes) or len(strips) != len(plan.rhythm):
        return None
    check_view(corrections, page)
    leads = []
    for row in [*(lead for leads_of_row in plan.rows for lead in leads_of_row), *strips]:
        box = corrections.boxes[row]
        _check_box(row, box, page, corrections.px_per_mm)
        leads.append(LeadBox(lead_of_row(row), box, (box.top + box.bottom) / 2, rhythm=row in strips))
    boxes, beside = [lead.box for lead in leads], _BESIDE_MM * max(corrections.px_per_mm)
    normalized = normalize_at_scale(page, float(np.mean(corrections.px_per_mm)))
    return Layout(
        name=plan.name,
        leads=tuple(leads),
        trace_area=Box(
            max(0.0, min(box.top for box in boxes) - beside),
            max(0.0, min(box.left for box in boxes) - beside),
            min(float(page.height), max(box.bottom for box in boxes) + beside),
            min(float(page.width), max(box.right for box in boxes) + beside),
        ),
        rotation_deg=0.0,
        px_per_mm=corrections.px_per_mm,
        px_per_mm_source="given",
        pulse_mm=None,
        to_upright=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ink=InkMap(normalized.ink, normalized.scale, normalized.origin),
    )


def _refuse(detail: str, source: str = "corrections") -> NoReturn:
    raise EcgReadError(code="invalid_argument", source=source, detail=detail)


def _are_clockwise(corners: Sequence[tuple[float, float]]) -> bool:
    """Return whether four corners make a quadrangle without a dent, one after the other as a clock goes."""
    try:
        points = np.array(corners, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    if points.shape != (4, 2) or not np.isfinite(points).all():
        return False
    sides = np.roll(points, -1, axis=0) - points
    following = np.roll(sides, -1, axis=0)
    return bool((sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] > 0).all())


def _as_lists(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(float(column), 2), round(float(row), 2)] for column, row in points]


def _parse_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(f"expected a number as {name}, got {_shorten(value)}.")
    if abs(value) > _MAX_PX:
        _refuse(f"expected {name} up to {_MAX_PX:g}, got {value:g}.")
    return float(value)


def _parse_integer(name: str, value: object) -> int:
    number = _parse_number(name, value)
    if number != int(number):
        _refuse(f"expected a whole number as {name}, got {number:g}.")
    return int(number)


def _parse_text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > 100:
        _refuse(f"expected a short text as {name}, got {_shorten(value)}.")
    return value


def _parse_list(name: str, value: object, length: int | None = None) -> list[Any]:
    if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
        count = "" if length is None else f" of {length}"
        _refuse(f"expected a list{count} as {name}, got {_shorten(value)}.")
    return list(value)


def _parse_pair(name: str, value: object) -> tuple[float, float]:
    first, second = (_parse_number(name, each) for each in _parse_list(name, value, 2))
    return first, second


def _parse_size(name: str, value: object) -> tuple[int, int]:
    width, height = (_parse_integer(name, each) for each in _parse_list(name, value, 2))
    return width, height


def _parse_corners(name: str, value: object) -> Corners:
    first, second, third, fourth = (_parse_pair(name, each) for each in _parse_list(name, value, 4))
    return first, second, third, fourth


def _parse_table(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > 100:
        _refuse(f"expected an object with names as {name}, got {_shorten(value)}.")
    return {_parse_text(name, key): each for key, each in value.items()}


def _parse_names(name: str, value: object) -> dict[str, str]:
    return {old: _parse_text(name, new) for old, new in _parse_table(name, value).items()}


def _parse_boxes(name: str, value: object) -> dict[str, Box]:
    boxes = {}
    for lead, edges in _parse_table(name, value).items():
        table = _parse_table(name, edges)
        if sorted(table) != ["bottom", "left", "right", "top"]:
            _refuse(f"expected top, left, bottom and right of the box of {lead}, got {', '.join(sorted(table))}.")
        boxes[lead] = Box(**{edge: _parse_number(edge, each) for edge, each in table.items()})
    return boxes


def _parse_traces(name: str, value: object) -> tuple[HandTrace, ...]:
    traces = []
    for each in _parse_list(name, value):
        table = _parse_table(name, each)
        removed = table.pop("removed", False)
        if sorted(table) != ["lead", "points"] or not isinstance(removed, bool):
            _refuse(f"expected lead, points and perhaps removed of each of {name}, got {', '.join(sorted(table))}.")
        points = tuple(_parse_pair("points", point) for point in _parse_list("points", table["points"]))
        traces.append(HandTrace(_parse_text("lead", table["lead"]), points, removed))
    return tuple(traces)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


_PARSERS: dict[str, Callable[[str, object], Any]] = {
    "page": _parse_integer,
    "sha256": _parse_text,
    "corners": _parse_corners,
    "rotation_deg": _parse_number,
    "layout": _parse_text,
    "names": _parse_names,
    "px_per_mm": _parse_pair,
    "speed_mm_s": _parse_number,
    "gain_mm_mv": _parse_number,
    "boxes": _parse_boxes,
    "traces": _parse_traces,
    "view_px": _parse_size,
}
