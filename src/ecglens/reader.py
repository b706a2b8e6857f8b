"""The whole path: file to page, page to leads, leads to prediction. Every surface calls this."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ecglens.errors import EcgReadError
from ecglens.layouts import LAYOUTS
from ecglens.leads.find import find_layout
from ecglens.leads.recorder import contradictions, read_facts, speed_is_wrong
from ecglens.leads.trace import trace_page
from ecglens.leads.views import as_it_lies_flat, as_it_shows_leads
from ecglens.models.cards import sha256_of
from ecglens.models.inputs import needs_record
from ecglens.models.registry import find_model
from ecglens.models.runtime import Runtime
from ecglens.pages.edges import straighten
from ecglens.pages.read import read_page
from ecglens.pages.source import MIN_SIDE_PX
from ecglens.records import (
    Abstention,
    Box,
    Explanation,
    Layout,
    Measurements,
    ModelChecks,
    NotFound,
    Page,
    Prediction,
    PrintedFacts,
    Reading,
    Tracing,
)
from ecglens.settings import load_settings

if TYPE_CHECKING:
    from ecglens.models.explain.scene import Scene

__all__ = [
    "check_explanations",
    "digitize",
    "digitize_page",
    "examine",
    "examine_page",
    "explain",
    "explain_page",
    "laid_out",
    "load_runtime",
    "look_with",
    "printed_facts",
    "read",
]

Source = str | os.PathLike[str] | bytes | BinaryIO

_LEAST_BOX_MM = 5.0
_USUAL_SPEED_MM_S = 25.0
_HINT = (
    "Turn a page that lies on its side or upside down; where the layout or the paper's corners are known, tell them."
)
_PAGES_SHUFFLED = 4


def read(source: Source, *, model: str | os.PathLike[str] | None = None, page: int = 1) -> Prediction:
    """Read one ECG page.

    Args:
        source: Path, bytes or binary file of a JPEG, PNG, TIFF, BMP, WebP, HEIC or PDF.
        model: Name or folder of a model; the settings' one when ``None``.
        page: Which page of the file, from 1.

    Returns:
        Label or abstention, calibrated probabilities, layout and warnings.

    Raises:
        EcgReadError: The file is not a page that can be read.
        ModelError: The model cannot be used.
    """
    return examine(source, model=model, page=page).prediction


def examine(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    page: int = 1,
    measure: bool = False,
    printed: bool = False,
) -> Reading:
    """Like :func:`read`, with the page and its layout beside the prediction.

    Args:
        source: As for :func:`read`.
        model: As for :func:`read`.
        page: As for :func:`read`.
        measure: Also digitize the page and measure its signals, which takes some ten times as long.
        printed: With ``measure``, also read what the recorder printed, as for :func:`digitize`.

    Raises:
        MissingExtraError: ``printed`` is asked for, and rapidocr is not installed.
    """
    runtime = load_runtime(model)
    whole = read_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    return examine_page(whole, runtime, measure=measure, printed=printed)


def examine_page(
    page: Page, runtime: Runtime, *, measure: bool = False, printed: bool | PrintedFacts = False
) -> Reading:
    """:func:`examine` for a page that was read already, by a loaded model.

    ``printed`` may be what :func:`printed_facts` has read of the page before it was painted over.
    """
    return _examined(*as_it_shows_leads(page), runtime, measure=measure, printed=printed)


def _examined(
    page: Page, layout: Layout | NotFound, runtime: Runtime, *, measure: bool, printed: bool | PrintedFacts
) -> Reading:
    reads_signals = needs_record(runtime.recipe)
    tracing = (
        _traced(page, printed=printed if measure else False)
        if measure or (reads_signals and isinstance(layout, Layout))
        else None
    )
    record = None if tracing is None else tracing.record
    prediction = (
        runtime.predict(page, layout, record) if isinstance(layout, Layout) else _refusal(page, layout, runtime)
    )
    if tracing is not None and tracing.speed_mm_s != _USUAL_SPEED_MM_S and not reads_signals:
        prediction = _at_another_speed(prediction, tracing.speed_mm_s)
    if not measure:
        return Reading(page=page, layout=layout, prediction=prediction)
    return Reading(page, layout, prediction, tracing, None if tracing is None else _measured(tracing))


def explain(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    method: str = "class_map",
    label: str | None = None,
    page: int = 1,
    module: Any = None,
    checks: bool = True,
) -> Explanation:
    """Read one ECG page, and explain what the model says of it.

    Args:
        source: As for :func:`read`.
        model: As for :func:`read`.
        method: One of ``ecglens.models.explain.METHODS``.
        label: Whose probability is explained; the likeliest where it is ``None``.
        page: As for :func:`read`.
        module: The model as a torch module in evaluation mode, for methods that follow gradients.
        checks: Also check the explanation on this page, which asks the model some 70 times.

    Returns:
        Heat on the page, shares of the leads, the stretches that matter, and how the explanation did in its checks.

    Raises:
        EcgReadError: The file is not a page that can be read, or the model does not answer for it.
        ModelError: The model cannot be used or explained by this method, or has no such label.
        MissingExtraError: The method needs an extra that is not installed.
    """
    runtime = load_runtime(model)
    reading = examine_page(read_page(source, page=page, max_megapixels=load_settings().max_megapixels), runtime)
    return explain_page(reading, runtime, method=method, label=label, module=module, checks=checks)


def explain_page(
    reading: Reading,
    runtime: Runtime,
    *,
    method: str = "class_map",
    label: str | None = None,
    module: Any = None,
    checks: bool = True,
    seed: int = 0,
) -> Explanation:
    """:func:`explain` for a page that was read already, by the same loaded model.

    Args:
        reading: From :func:`examine_page`.
        runtime: The model that read it.
        method: As for :func:`explain`.
        label: As for :func:`explain`.
        module: As for :func:`explain`.
        checks: As for :func:`explain`.
        seed: Of what is drawn.
    """
    from ecglens.models.explain import explain_scene  # a label alone should not wait for it

    scene = _scene(reading, runtime, label)
    if scene is None:
        reason = reading.prediction.abstention.reason if reading.prediction.abstention else "It gave no probabilities."
        raise EcgReadError(f"{reading.page.source}: expected a page that the model answers for. {reason}")
    return explain_scene(scene, reading.prediction, method, module=module, checks=checks, seed=seed)


def check_explanations(
    pages: Iterable[Page],
    runtime: Runtime,
    *,
    methods: Sequence[str] | None = None,
    module: Any = None,
    seed: int = 0,
) -> ModelChecks:
    """Check over many pages whether explanations of a model mean anything; some 1.5 s a page.

    Args:
        pages: Such as the model is for; those that it does not answer for are left out.
        runtime: The model.
        methods: Out of ``ecglens.models.explain.METHODS``; class_map where the model tells its maps, and occlusion_lead
            where it is ``None``.
        module: As for :func:`explain`.
        seed: Of what is drawn.

    Raises:
        EcgReadError: The model answers for none of the pages.
        ModelError: A method cannot explain this model.
        MissingExtraError: A method needs an extra that is not installed.
    """
    from ecglens.models.explain import usual_methods
    from ecglens.models.explain.measured import checks_of, page_figures, weights_left

    chosen = methods or usual_methods(runtime.card)
    look, rng = look_with(runtime), np.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    scenes: list[Scene] = []
    for page in pages:
        line = page_figures(page, look, chosen, rng=rng, module=module)
        if line is None:
            continue
        lines.append(line)
        if len(scenes) < _PAGES_SHUFFLED and (scene := look(page)) is not None:
            scenes.append(scene)
    if not lines:
        raise EcgReadError("Expected pages that the model answers for, found none; give pages of the print it reads.")
    return checks_of(lines, runtime.card, left=weights_left(scenes, chosen, rng))


def look_with(runtime: Runtime) -> "Callable[[Page], Scene | None]":
    """What reads a page and puts it before the model, for the likeliest label; ``None`` where the model refuses.

    The page is read as it lies: checks ask what becomes of an answer when a page is turned or cut.
    """

    def look(page: Page) -> "Scene | None":
        return _scene(_examined(page, find_layout(page), runtime, measure=False, printed=False), runtime, None)

    return look


def _scene(reading: Reading, runtime: Runtime, label: str | None) -> "Scene | None":
    """The page in front of the model, for a label or the likeliest; ``None`` where the model does not answer for it."""
    from ecglens.models.explain.scene import Scene

    layout, probabilities = reading.layout, reading.prediction.probabilities
    if probabilities is None or not isinstance(layout, Layout):
        return None
    tracing = reading.tracing
    if tracing is None and needs_record(runtime.recipe):
        tracing = _traced(reading.page, printed=False)
    return Scene.of(
        reading.page,
        layout,
        runtime,
        label or max(probabilities, key=lambda name: probabilities[name]),
        record=None if tracing is None else tracing.record,
        speed_mm_s=_USUAL_SPEED_MM_S if tracing is None else tracing.speed_mm_s,
    )


def _measured(tracing: Tracing) -> Measurements | None:
    if tracing.record is None:
        return None
    from ecglens.leads.measure import measure  # brings scipy.signal, which a label alone should not wait for

    return measure(tracing.record, low_pass_hz=tracing.printed.low_pass_hz if tracing.printed else None)


def _traced(page: Page, *, printed: bool | PrintedFacts) -> Tracing | None:
    try:
        return digitize_page(page, printed=printed)
    except EcgReadError:
        return None


def _at_another_speed(prediction: Prediction, speed_mm_s: float) -> Prediction:
    """No label for a page at a paper speed that models of pages have not learned."""
    if prediction.label is None:
        return prediction
    reason = f"The page prints {speed_mm_s:g} mm/s, and the model has learned pages at 25 mm/s only."
    return replace(prediction, label=None, probabilities=None, abstention=Abstention("unfamiliar", reason))


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
        source: As for :func:`read`.
        page: Which page of the file, from 1.
        layout: One of ``ecglens.layouts.LAYOUTS`` where the page's is known; told by the lead names otherwise.
        corners: Corners of the paper, ``(column, row)`` in px clockwise from the top left, where it was photographed at
            an angle that the grid does not tell.
        boxes: Boxes of leads in px, in place of those found.
        speed_mm_s: Paper speed; 25 mm/s where it is ``None`` and no other is printed.
        gain_mm_mv: Gain; told by the calibration pulse where it is ``None``, by the print where there is no pulse.
        fs_hz: Sampling rate of the signals.
        printed: Also read the rate, scale and filter that the recorder printed, and say where they contradict what
            is measured; takes a second or two and the extra ``ocr``.

    Returns:
        Signals in mV with their quality, the lines on the page, scale, checks and warnings.

    Raises:
        EcgReadError: The file is not a page that can be read, its leads were not found, or an argument is out of range.
        MissingExtraError: ``printed`` is asked for, and rapidocr is not installed.
    """
    _check_scale(layout, speed_mm_s, gain_mm_mv, fs_hz)
    whole = read_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    if corners is not None:
        whole = straighten(whole, corners)
    return digitize_page(
        whole,
        layout=layout,
        boxes=boxes,
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        fs_hz=fs_hz,
        printed=printed,
    )


def digitize_page(
    page: Page,
    *,
    layout: str | None = None,
    boxes: Mapping[str, Box] | None = None,
    speed_mm_s: float | None = None,
    gain_mm_mv: float | None = None,
    fs_hz: float = 500.0,
    printed: bool | PrintedFacts = False,
) -> Tracing:
    """:func:`digitize` for a page that was read already; ``printed`` as for :func:`examine_page`."""
    if min(page.height, page.width) < MIN_SIDE_PX:
        raise EcgReadError(
            f"{page.source}: expected at least {MIN_SIDE_PX} px each way, found {page.width} x {page.height}; "
            "use a larger picture."
        )
    flat, found = as_it_lies_flat(page, layout)
    if isinstance(found, NotFound):
        hint = _HINT if layout is None else f"It was told that this is the layout {layout}."
        raise EcgReadError(f"{page.source}: expected the leads of an ECG page. {found.reason} {hint}")
    if boxes:
        found = _with_boxes(found, boxes, flat)
    facts = printed if isinstance(printed, PrintedFacts) else read_facts(flat, found) if printed else None
    if facts is not None:
        return _with_print(flat, found, facts, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, fs_hz=fs_hz)
    tracing = trace_page(flat, found, fs_hz=fs_hz, speed_mm_s=speed_mm_s or _USUAL_SPEED_MM_S, gain_mm_mv=gain_mm_mv)
    return tracing if speed_mm_s is None else replace(tracing, speed_source="given")


def laid_out(page: Page, layout: Layout | NotFound) -> tuple[Page, Layout | NotFound]:
    """The page laid flat, with any layout that can be made out on it; for keeping and painting over.

    Args:
        page: As it came.
        layout: What :func:`examine_page` found; where that is one of its print, page and layout are as they were.
    """
    return (page, layout) if isinstance(layout, Layout) else as_it_lies_flat(page, None)


def printed_facts(page: Page, layout: Layout) -> PrintedFacts:
    """What a recorder printed around the traces.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    return read_facts(page, layout)


def _with_print(
    page: Page, layout: Layout, facts: PrintedFacts, *, speed_mm_s: float | None, gain_mm_mv: float | None, fs_hz: float
) -> Tracing:
    """The page traced at the speed and gain that it prints, unless others were given or the page contradicts them."""
    used, source = speed_mm_s or facts.speed_mm_s or _USUAL_SPEED_MM_S, "printed" if facts.speed_mm_s else "usual"
    tracing = trace_page(
        page, layout, fs_hz=fs_hz, speed_mm_s=used, gain_mm_mv=gain_mm_mv, printed_mm_mv=facts.gain_mm_mv
    )
    found = _measured(tracing)
    if speed_mm_s is None and used != _USUAL_SPEED_MM_S and speed_is_wrong(facts, layout, found):
        used, source = _USUAL_SPEED_MM_S, "usual"
        tracing = trace_page(
            page, layout, fs_hz=fs_hz, speed_mm_s=used, gain_mm_mv=gain_mm_mv, printed_mm_mv=facts.gain_mm_mv
        )
        found = _measured(tracing)
    said = contradictions(facts, layout, speed_mm_s=used, gain_mm_mv=tracing.gain_mm_mv, found=found)
    return replace(
        tracing,
        printed=facts,
        speed_source="given" if speed_mm_s is not None else source,
        warnings=(*tracing.warnings, *said),
    )


def _check_scale(layout: str | None, speed_mm_s: float | None, gain_mm_mv: float | None, fs_hz: float) -> None:
    if layout is not None and layout not in LAYOUTS:
        raise EcgReadError(f"Expected a layout out of {', '.join(LAYOUTS)}, found '{layout}'.")
    for name, value, low, high in (
        ("speed in mm/s", speed_mm_s, 5, 200),
        ("gain in mm/mV", gain_mm_mv, 1, 80),
        ("sampling rate in Hz", fs_hz, 50, 4000),
    ):
        if value is not None and not low <= value <= high:
            raise EcgReadError(f"Expected a {name} from {low} to {high}, found {value:g}.")


def _with_boxes(layout: Layout, boxes: Mapping[str, Box], page: Page) -> Layout:
    """The layout with some leads' boxes given by hand; a zero line outside its box moves to the box's middle."""
    unknown = set(boxes) - {lead.lead for lead in layout.leads}
    if unknown:
        raise EcgReadError(
            f"Expected boxes of leads of the layout {layout.name}, found one of {', '.join(sorted(unknown))}."
        )
    for name, box in boxes.items():
        inside = 0 <= box.left < box.right <= page.width and 0 <= box.top < box.bottom <= page.height
        down, across = (_LEAST_BOX_MM * scale for scale in layout.px_per_mm)
        if not inside or box.width < across or box.height < down:
            raise EcgReadError(
                f"Expected a box of {name} on the page of {page.width} x {page.height} px, at least "
                f"{across:.0f} x {down:.0f} px, found top {box.top:g}, left {box.left:g}, bottom {box.bottom:g}, "
                f"right {box.right:g}."
            )
    leads = []
    for lead in layout.leads:
        given = None if lead.rhythm else boxes.get(lead.lead)
        if given is None:
            leads.append(lead)
            continue
        middle = (given.top + given.bottom) / 2
        zero = lead.baseline_px if given.top <= lead.baseline_px <= given.bottom else middle
        leads.append(replace(lead, box=given, baseline_px=zero))
    return replace(layout, leads=tuple(leads))


def load_runtime(model: str | os.PathLike[str] | None = None) -> Runtime:
    """A model, loaded once for each folder and graph.

    Raises:
        ModelError: The model cannot be used.
    """
    card = find_model(model)
    return _runtime(card.folder, sha256_of(card.folder / "model.json"))


@lru_cache(maxsize=8)
def _runtime(folder: Path, card_sha256: str) -> Runtime:
    return Runtime(find_model(folder))


def _refusal(page: Page, reason: NotFound, runtime: Runtime) -> Prediction:
    return Prediction(
        label=None,
        probabilities=None,
        abstention=Abstention("no_layout", f"This was not recognized as an ECG page that can be read. {reason.reason}"),
        model=runtime.card.name,
        model_version=runtime.card.version,
        warnings=page.warnings,
    )
