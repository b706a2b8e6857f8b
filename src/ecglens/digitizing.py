"""Digitizing: from the file of an ECG page to its signals in mV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import describe_value, is_number_in
from ecglens.corrections import (
    Corrections,
    build_layout_by_hand,
    check_file,
    check_view,
    correct_layout,
    correct_page,
    replace_boxes,
)
from ecglens.errors import EcgReadError
from ecglens.layouts import LAYOUTS, STANDARD_SPEED_MM_S
from ecglens.leads.locate import locate_by_classes, locate_flat_leads
from ecglens.pages.assessing import describe_hints
from ecglens.pages.contents import describe_contents
from ecglens.pages.geometry.paper_edges import rectify
from ecglens.pages.read import Source, read_chosen_page
from ecglens.pages.source import MIN_SIDE_PX
from ecglens.printed.facts import (
    find_contradictions,
    is_speed_contradicted,
    is_speed_supported,
    read_facts,
    read_text_facts,
)
from ecglens.records import (
    Box,
    Drawing,
    Layout,
    LeadTrace,
    Located,
    Measurements,
    NotFound,
    Page,
    PrintedFacts,
    Tracing,
)
from ecglens.settings import load_settings
from ecglens.tracing.agreement import compare_with_strokes, is_contradicted, is_replaced
from ecglens.tracing.quality import LIMITS as QUALITY
from ecglens.tracing.quality import good_share
from ecglens.tracing.trace import trace_page
from ecglens.vision.pixel_classes import classify_page

__all__ = ["check_scale", "digitize", "digitize_page", "find_view", "measure_tracing"]

_MAX_UNREAD = 2
"""Number of unread lead names from which the classes of the pixels are asked for the layout."""

_MAX_RESIDUAL_SHARE = 0.5
"""Residual of the limb leads with which other traces replace those of the ink, as a part of theirs."""

_SLIGHT_BEND_MM = 0.8
"""Bend up to which paper is traced as it came, where dewarping it spoiled its strokes: 32 ms at 25 mm/s."""

_MAX_SHRUNK = 0.9
"""Width of a dewarped page, as a part of the original's, below which that is larger than can be traced quickly."""

FindStrokes: TypeAlias = Callable[[], NDArray[np.uint8]]


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
    corrections: Corrections | None = None,
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
        corrections: Corrections by hand, from ``ecglens.corrections``; other arguments that are given win over them.

    Returns:
        Signals in mV with their quality, the traces on the page, scale, checks and warnings.

    Raises:
        EcgReadError: The file is not a page that can be read, its leads were not found, or an argument is out of range.
        ArgumentError: The boxes or the corrections are none.
        MissingExtraError: ``printed`` is set and rapidocr is not installed.
    """
    check_scale(layout=layout, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, fs_hz=fs_hz)
    decoded = read_chosen_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    if corrections is not None:
        check_file(corrections, source)
    if corners is not None:
        decoded = rectify(decoded, corners)
        corrections = None if corrections is None else replace(corrections, corners=None)
    return digitize_page(
        decoded,
        layout=layout,
        boxes=boxes,
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        fs_hz=fs_hz,
        printed=printed,
        source=source,
        corrections=corrections,
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
    corrections: Corrections | None = None,
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
        corrections: As for :func:`digitize`. A page that was located before was corrected by its corners and rotation
            before.

    Raises:
        EcgReadError: As for :func:`digitize`.
        MissingExtraError: As for :func:`digitize`.
    """
    fix = corrections or Corrections()
    layout, speed_mm_s, gain_mm_mv = layout or fix.layout, speed_mm_s or fix.speed_mm_s, gain_mm_mv or fix.gain_mm_mv
    if fix.is_of_page and isinstance(page, Page):
        page = correct_page(page, fix)
    original = page.page if isinstance(page, Located) else page
    if min(original.height, original.width) < MIN_SIDE_PX:
        raise EcgReadError(
            code="too_small",
            source=original.source,
            detail=f"expected at least {MIN_SIDE_PX} px each way, got {original.width} x {original.height}; "
            "use a larger picture.",
        )
    if original.drawing is not None and corrections is None and not boxes:
        return _trace_drawing(original, original.drawing)
    flat = locate_flat_leads(page, layout)
    by_hand = build_layout_by_hand(flat.page, fix) if isinstance(flat.layout, NotFound) else None
    if by_hand is not None:
        flat = Located(flat.page, by_hand)
    if isinstance(flat.layout, NotFound):
        hint = "" if layout is None else f" The layout was given as {layout}."
        contents = describe_contents(original, source, max_megapixels=load_settings().max_megapixels)
        raise EcgReadError(
            code="no_leads",
            source=original.source,
            detail=f"expected the leads of an ECG page. {contents or f'{flat.layout.reason}{hint}'}"
            f"{describe_hints(original)}",
        )
    positions = replace_boxes(flat.layout, boxes, flat.page) if boxes else flat.layout
    facts = printed if isinstance(printed, PrintedFacts) else read_text_facts(original)
    if facts is None and printed:
        facts = read_facts(flat.page, positions)

    def trace(
        view: Page, layout: Layout, find_strokes: FindStrokes | None = None, *, with_hand_traces: bool = False
    ) -> Tracing:
        return _trace_and_check(
            view,
            layout,
            facts,
            find_strokes,
            fix if with_hand_traces else replace(fix, traces=()),
            speed_mm_s=speed_mm_s,
            gain_mm_mv=gain_mm_mv,
            fs_hz=fs_hz,
        )

    if boxes:
        tracing = trace(flat.page, positions)
    else:
        tracing = _trace_best(flat.page, positions, trace, layout)
        tracing = _trace_as_it_came(original, flat.page, tracing, trace, layout)
    if not (fix.names or fix.is_of_view):
        return tracing
    check_view(fix, tracing.page)
    view, find_strokes = tracing.page, None if tracing.page.classes else _make_finder(tracing.page)[1]
    return trace(view, correct_layout(tracing.layout, fix, view), find_strokes, with_hand_traces=True)


def find_view(page: Page, corrections: Corrections | None = None) -> Page:
    """Return the view of a page of which boxes and traces are corrected by hand, before its layout turns it upright.

    Of a page that can be digitized, it is ``digitize_page(...).page``; of one that is refused, the view on which its
    leads were searched for.

    Args:
        page: Page as it was decoded.
        corrections: Corners, rotation and layout that were given before.
    """
    fix = corrections or Corrections()
    try:
        return digitize_page(page, corrections=replace(fix, names={}, px_per_mm=None, boxes={}, traces=())).page
    except EcgReadError:
        return locate_flat_leads(correct_page(page, fix), fix.layout).page


def check_scale(*, layout: str | None = None, speed_mm_s: float | None, gain_mm_mv: float | None, fs_hz: float) -> None:
    """Refuse a layout, speed, gain or sampling rate that no page has, before the page is read.

    Args:
        layout: As for :func:`digitize`.
        speed_mm_s: As for :func:`digitize`.
        gain_mm_mv: As for :func:`digitize`.
        fs_hz: As for :func:`digitize`.

    Raises:
        EcgReadError: One is out of range or of another type; ``code`` is ``"invalid_argument"``.
    """
    if layout is not None and not (isinstance(layout, str) and layout in LAYOUTS):
        raise EcgReadError(
            f"Expected a layout out of {', '.join(LAYOUTS)}, got {describe_value(layout)}.", code="invalid_argument"
        )
    for name, value, low, high, is_optional in (
        ("speed in mm/s", speed_mm_s, 5, 200, True),
        ("gain in mm/mV", gain_mm_mv, 1, 80, True),
        ("sampling rate in Hz", fs_hz, 50, 4000, False),
    ):
        if not (is_optional and value is None) and not is_number_in(value, low, high):
            raise EcgReadError(
                f"Expected a {name} from {low} to {high}, got {describe_value(value)}.", code="invalid_argument"
            )


def measure_tracing(tracing: Tracing) -> Measurements | None:
    """Measure the signals of a page, unless that was done before; ``None`` where their scale is unknown."""
    if tracing.record is None or tracing.measurements is not None:
        return tracing.measurements
    from ecglens.measuring.measure import measure  # loads scipy.signal, which a label alone does not need

    return measure(tracing.record, low_pass_hz=tracing.printed.low_pass_hz if tracing.printed else None)


def _trace_drawing(page: Page, drawing: Drawing) -> Tracing:
    """Return the signals that a page was drawn from, and where their traces are."""
    layout, visible = drawing.layout, drawing.visible
    down, across = layout.px_per_mm
    columns = np.arange(visible.signals_mv.shape[1]) / visible.fs_hz * drawing.speed_mm_s * across
    rows = -visible.signals_mv.astype(np.float64) * drawing.gain_mm_mv * down
    return Tracing(
        page=page,
        layout=layout,
        record=visible,
        traces=tuple(
            LeadTrace(lead.lead, lead.box.left + columns, lead.baseline_px + row, lead.baseline_px)
            for lead, row in zip(layout.leads, rows, strict=True)
        ),
        speed_mm_s=drawing.speed_mm_s,
        gain_mm_mv=drawing.gain_mm_mv,
        gain_source="printed",
        speed_source="printed",
        printed=read_text_facts(page),
    )


def _trace_best(
    view: Page, layout: Layout, trace: Callable[[Page, Layout, FindStrokes | None], Tracing], name: str | None
) -> Tracing:
    """Trace a page by its ink, or by the classes of its pixels where these contradict the ink.

    The classes are only asked where too few leads are good or lead names were not read. They may then know the layout
    better, confirm the traces, or replace them.
    """
    classify, find_strokes = _make_finder(view)
    is_by_classes = view.classes is not None
    by_ink = trace(replace(view, classes=None), layout, find_strokes)
    if _is_good(by_ink) and not is_by_classes and layout.unread < _MAX_UNREAD:
        return by_ink
    located = Located(view, layout) if is_by_classes else locate_by_classes(classify(), name)
    if located is None or not isinstance(located.layout, Layout):
        return by_ink
    if _knows_more(located.layout, layout):
        view, layout, is_by_classes = located.page, located.layout, True
        by_ink = trace(replace(view, classes=None), layout, find_strokes)
    if _is_good(by_ink) and not is_by_classes:
        return by_ink
    by_classes = trace(located.page, located.layout, None)
    if by_classes.record is None or len(by_classes.traces) < len(by_ink.traces):
        return by_ink
    if by_ink.record is None:
        return by_classes
    agreements = by_ink.agreements or compare_with_strokes(by_ink.traces, layout, find_strokes())
    is_clearer = is_replaced(agreements, by_classes.agreements) and _good_share(by_classes) >= _good_share(by_ink)
    return by_classes if is_clearer or _adds_up_better(by_classes, by_ink) else by_ink


def _trace_as_it_came(
    original: Page,
    flat: Page,
    tracing: Tracing,
    trace: Callable[[Page, Layout, FindStrokes | None], Tracing],
    name: str | None,
) -> Tracing:
    """Trace slightly bent paper as it came, if too few leads of the dewarped page are good and more are then.

    Dewarping interpolates between pixels, which breaks the thin strokes of small scans.
    """
    is_dewarped = flat.residual_mm is not None and flat.bend_mm < _SLIGHT_BEND_MM
    if not is_dewarped or _has_enough_good_leads(tracing) or flat.width < _MAX_SHRUNK * original.width:
        return tracing
    located = locate_by_classes(replace(original, bend_mm=flat.bend_mm), name)
    if located is None or not isinstance(located.layout, Layout) or len(located.layout.leads) < len(tracing.traces):
        return tracing
    other = _trace_best(located.page, located.layout, trace, name)
    return other if _good_share(other) > _good_share(tracing) else tracing


def _make_finder(view: Page) -> tuple[Callable[[], Page], FindStrokes]:
    """Functions that classify the pixels of a view once: to the classified view, and to its strokes at its size."""
    classify = cache(lambda: view if view.classes is not None else classify_page(view))

    def find_strokes() -> NDArray[np.uint8]:
        classes = classify().classes
        assert classes is not None
        if classes.trace.shape == (view.height, view.width):
            return classes.trace
        return np.asarray(cv2.resize(classes.trace, (view.width, view.height), interpolation=cv2.INTER_AREA))

    return classify, find_strokes


def _knows_more(other: Layout, layout: Layout) -> bool:
    """Return whether another layout of a page names other leads, of which fewer names were not read, and loses none."""
    names, other_names = (sorted((lead.lead, lead.rhythm) for lead in each.leads) for each in (layout, other))
    return other_names != names and len(other_names) >= len(names) and other.unread < layout.unread


def _adds_up_better(other: Tracing, tracing: Tracing) -> bool:
    """Return whether the limb leads of another tracing add up far better, and more of its leads are good."""
    assert other.record is not None
    assert tracing.record is not None
    sums = [
        (mine, theirs)
        for mine, theirs in (
            (tracing.einthoven_mv, other.einthoven_mv),
            (tracing.goldberger_mv, other.goldberger_mv),
        )
        if mine is not None and theirs is not None
    ]
    if not sums or good_share(other.record.quality) <= good_share(tracing.record.quality):
        return False
    return sum(theirs for _, theirs in sums) < _MAX_RESIDUAL_SHARE * sum(mine for mine, _ in sums)


def _is_good(tracing: Tracing) -> bool:
    """Return whether enough leads are good, and the network does not contradict the traces."""
    return _has_enough_good_leads(tracing) and not is_contradicted(tracing.agreements)


def _has_enough_good_leads(tracing: Tracing) -> bool:
    return _good_share(tracing) >= QUALITY.min_good_share


def _good_share(tracing: Tracing) -> float:
    """Share of the leads that passed their checks; 0 without a scale."""
    return 0.0 if tracing.record is None else good_share(tracing.record.quality)


def _trace_and_check(
    page: Page,
    layout: Layout,
    printed: PrintedFacts | None,
    find_strokes: FindStrokes | None,
    fix: Corrections,
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
            page,
            layout,
            fs_hz=fs_hz,
            speed_mm_s=speed,
            gain_mm_mv=gain_mm_mv,
            printed_mm_mv=facts.gain_mm_mv,
            find_strokes=find_strokes,
            hand_traces=fix.traces,
            by_hand=fix.describe(),
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
