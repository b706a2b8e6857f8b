"""Digitizing: from the file of an ECG page to its signals in mV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ecglens.errors import EcgReadError
from ecglens.layouts import LAYOUTS, STANDARD_SPEED_MM_S
from ecglens.leads.locate import locate_flat_leads
from ecglens.pages.contents import describe_contents
from ecglens.pages.geometry.paper_edges import rectify
from ecglens.pages.read import Source, read_page
from ecglens.pages.source import MIN_SIDE_PX
from ecglens.printed.facts import (
    find_contradictions,
    is_speed_contradicted,
    is_speed_supported,
    read_facts,
    read_text_facts,
)
from ecglens.records import Box, Layout, Located, Measurements, NotFound, Page, PrintedFacts, Tracing
from ecglens.settings import load_settings
from ecglens.tracing.trace import trace_page

__all__ = ["digitize", "digitize_page", "measure_tracing"]

_MIN_BOX_MM = 5.0
"""Least height and width of a lead's box that is given by hand: one large square of the grid."""


def digitize(
    source: Source,
    *,
    page: int = 1,
    layout: str | None = None,
    corners: Sequence[tuple[float, float]] | None = None,
    boxes: Mapping[str, Box] | None = None,
    speed_mm_s: float | None = None,
    gain_mm_mv: float | None = None,
    fs_hz: float = 500.0,
    printed: bool = False,
) -> Tracing:
    """Read the signals of one ECG page.

    Args:
        source: Path, bytes or binary file, as for :func:`ecglens.read`.
        page: Number of the page in the file, from 1.
        layout: One of ``ecglens.layouts.LAYOUTS`` where the page's layout is known; read from the lead names otherwise.
        corners: Corners of the paper, ``(column, row)`` in px clockwise from the top left, for a photograph whose
            perspective the grid does not show.
        boxes: Boxes of leads in px, in place of those that were located.
        speed_mm_s: Paper speed; where it is ``None``, the printed speed or else 25 mm/s.
        gain_mm_mv: Gain; where it is ``None``, that of the calibration pulse, the printed gain or else 10 mm/mV.
        fs_hz: Sampling rate of the signals.
        printed: Also read the rate, scale and filter that the recorder printed on a picture, and warn where they
            contradict the measurements; takes a second or two and the extra ``ocr``. They are always read where a PDF
            holds them as text.

    Returns:
        Signals in mV with their quality, the traces on the page, scale, checks and warnings.

    Raises:
        EcgReadError: The file is not a page that can be read, its leads were not found, or an argument is out of range.
        MissingExtraError: ``printed`` is set and rapidocr is not installed.
    """
    _check_scale(layout, speed_mm_s, gain_mm_mv, fs_hz)
    decoded = read_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    if corners is not None:
        decoded = rectify(decoded, corners)
    return digitize_page(
        decoded,
        layout=layout,
        boxes=boxes,
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        fs_hz=fs_hz,
        printed=printed,
        source=source,
    )


def digitize_page(
    page: Page | Located,
    *,
    layout: str | None = None,
    boxes: Mapping[str, Box] | None = None,
    speed_mm_s: float | None = None,
    gain_mm_mv: float | None = None,
    fs_hz: float = 500.0,
    printed: bool | PrintedFacts = False,
    source: Source | None = None,
) -> Tracing:
    """Read the signals of a page that was decoded, or located, before.

    Args:
        page: Page, or the page with its layout; leads that were located on flat paper are not searched for again.
        layout: As for :func:`digitize`.
        boxes: As for :func:`digitize`.
        speed_mm_s: As for :func:`digitize`.
        gain_mm_mv: As for :func:`digitize`.
        fs_hz: As for :func:`digitize`.
        printed: As for :func:`digitize`, or facts that were read from the page before it was redacted.
        source: The file of the page, of which the error for a cover page names the pages with traces.

    Raises:
        EcgReadError: As for :func:`digitize`.
        MissingExtraError: As for :func:`digitize`.
    """
    original = page.page if isinstance(page, Located) else page
    if min(original.height, original.width) < MIN_SIDE_PX:
        raise EcgReadError(
            code="too_small",
            source=original.source,
            detail=f"expected at least {MIN_SIDE_PX} px each way, got {original.width} x {original.height}; "
            "use a larger picture.",
        )
    flat = locate_flat_leads(page, layout)
    if isinstance(flat.layout, NotFound):
        hint = "" if layout is None else f" The layout was given as {layout}."
        contents = describe_contents(original, source, max_megapixels=load_settings().max_megapixels)
        raise EcgReadError(
            code="no_leads",
            source=original.source,
            detail=f"expected the leads of an ECG page. {contents or f'{flat.layout.reason}{hint}'}",
        )
    positions = _with_boxes(flat.layout, boxes, flat.page) if boxes else flat.layout
    facts = printed if isinstance(printed, PrintedFacts) else read_text_facts(original)
    if facts is None and printed:
        facts = read_facts(flat.page, positions)
    return _trace_and_check(flat.page, positions, facts, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, fs_hz=fs_hz)


def measure_tracing(tracing: Tracing) -> Measurements | None:
    """Measure the signals of a page, unless that was done before; ``None`` where their scale is unknown."""
    if tracing.record is None or tracing.measurements is not None:
        return tracing.measurements
    from ecglens.measuring.measure import measure  # loads scipy.signal, which a label alone does not need

    return measure(tracing.record, low_pass_hz=tracing.printed.low_pass_hz if tracing.printed else None)


def _trace_and_check(
    page: Page,
    layout: Layout,
    printed: PrintedFacts | None,
    *,
    speed_mm_s: float | None,
    gain_mm_mv: float | None,
    fs_hz: float,
) -> Tracing:
    """Trace the page at the speed and gain that it prints, unless others were given or the page contradicts them."""
    facts = printed or PrintedFacts()
    used, source = speed_mm_s or facts.speed_mm_s or STANDARD_SPEED_MM_S, "printed" if facts.speed_mm_s else "default"

    def trace_at(speed: float) -> Tracing:
        tracing = trace_page(
            page, layout, fs_hz=fs_hz, speed_mm_s=speed, gain_mm_mv=gain_mm_mv, printed_mm_mv=facts.gain_mm_mv
        )
        tracing = replace(tracing, printed=printed)
        return replace(tracing, measurements=measure_tracing(tracing))

    tracing = trace_at(used)
    if (
        speed_mm_s is None
        and used != STANDARD_SPEED_MM_S
        and is_speed_contradicted(facts, layout, tracing.measurements)
    ):
        used, source = STANDARD_SPEED_MM_S, "default"
        tracing = trace_at(used)
    warnings = find_contradictions(
        facts, layout, speed_mm_s=used, gain_mm_mv=tracing.gain_mm_mv, measurements=tracing.measurements
    )
    source = source if speed_mm_s is None else "given"
    doubt = None if warnings else _doubt_speed(tracing, facts, is_given=speed_mm_s is not None)
    return replace(
        tracing,
        speed_source=source,
        warnings=(*tracing.warnings, *warnings, *(() if doubt is None else (doubt,))),
    )


def _doubt_speed(tracing: Tracing, facts: PrintedFacts, *, is_given: bool) -> str | None:
    """Return a sentence where the durations put the paper speed in doubt, or where nothing speaks for it."""
    from ecglens.measuring.speed import doubt_speed, is_speed_plausible

    measurements, speed = tracing.measurements, tracing.speed_mm_s
    if measurements is None or facts.speed_mm_s == speed:
        return None
    strange = doubt_speed(measurements, speed)
    if strange is not None or is_given or is_speed_plausible(measurements):
        return strange
    if is_speed_supported(facts, tracing.layout, measurements, speed):
        return None
    return (
        f"Nothing on the page confirms {speed:g} mm/s, and all durations and rates depend on the paper speed; "
        "check the paper speed."
    )


def _check_scale(layout: str | None, speed_mm_s: float | None, gain_mm_mv: float | None, fs_hz: float) -> None:
    if layout is not None and layout not in LAYOUTS:
        raise EcgReadError(f"Expected a layout out of {', '.join(LAYOUTS)}, got '{layout}'.")
    for name, value, low, high in (
        ("speed in mm/s", speed_mm_s, 5, 200),
        ("gain in mm/mV", gain_mm_mv, 1, 80),
        ("sampling rate in Hz", fs_hz, 50, 4000),
    ):
        if value is not None and not low <= value <= high:
            raise EcgReadError(f"Expected a {name} from {low} to {high}, got {value:g}.")


def _with_boxes(layout: Layout, boxes: Mapping[str, Box], page: Page) -> Layout:
    """Replace boxes of leads by those given by hand; a zero line outside its box moves to the middle of the box."""
    unknown = set(boxes) - {lead.lead for lead in layout.leads}
    if unknown:
        raise EcgReadError(
            f"Expected boxes of leads of the layout {layout.name}, got one of {', '.join(sorted(unknown))}."
        )
    for name, box in boxes.items():
        is_inside = 0 <= box.left < box.right <= page.width and 0 <= box.top < box.bottom <= page.height
        min_height, min_width = (_MIN_BOX_MM * scale for scale in layout.px_per_mm)
        if not is_inside or box.width < min_width or box.height < min_height:
            raise EcgReadError(
                f"Expected a box of {name} on the page of {page.width} x {page.height} px, at least "
                f"{min_width:.0f} x {min_height:.0f} px, got top {box.top:g}, left {box.left:g}, "
                f"bottom {box.bottom:g}, right {box.right:g}."
            )
    leads = []
    for lead in layout.leads:
        box_by_hand = None if lead.rhythm else boxes.get(lead.lead)
        if box_by_hand is None:
            leads.append(lead)
            continue
        is_inside = box_by_hand.top <= lead.baseline_px <= box_by_hand.bottom
        zero_px = lead.baseline_px if is_inside else (box_by_hand.top + box_by_hand.bottom) / 2
        leads.append(replace(lead, box=box_by_hand, baseline_px=zero_px))
    return replace(layout, leads=tuple(leads))
