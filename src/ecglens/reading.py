"""Reading: the whole path from the file of an ECG page to a model's prediction, and the measurements beside it."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

from ecglens.corrections import Corrections, check_file, correct_page
from ecglens.errors import EcgReadError
from ecglens.layouts import STANDARD_SPEED_MM_S
from ecglens.leads.locate import locate_leads
from ecglens.models.abstention import no_layout, withdraw_contradicted
from ecglens.models.cards import sha256_of
from ecglens.models.inputs import LeadBeats, needs_record
from ecglens.models.registry import AUTO, SIGNAL_MODEL, find_model, name_model
from ecglens.models.runtime import Runtime
from ecglens.pages.assessing import describe_hints
from ecglens.pages.contents import describe_contents
from ecglens.pages.read import Source, read_chosen_page
from ecglens.records import (
    Abstention,
    EcgRecord,
    Layout,
    Located,
    NotFound,
    Page,
    Prediction,
    PrintedFacts,
    Reading,
    Tracing,
)
from ecglens.settings import load_settings
from ecglens.statements import Person

__all__ = [
    "add_signal_answer",
    "examine",
    "examine_page",
    "is_auto",
    "load_runtime",
    "load_signal_model",
    "locate_corrected",
    "locate_page",
    "measure_reading",
    "predict_record",
    "read",
    "read_located",
    "read_with_both",
]

UNKNOWN_PERSON = Person()
"""A person of whom neither age nor sex is known."""


@overload
def read(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = ...,
    page: int = ...,
    measure: Literal[False] = ...,
    corrections: Corrections | None = ...,
) -> Prediction: ...


@overload
def read(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = ...,
    page: int = ...,
    measure: Literal[True],
    corrections: Corrections | None = ...,
) -> Reading: ...


def read(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    page: int = 1,
    measure: bool = False,
    corrections: Corrections | None = None,
) -> Prediction | Reading:
    """Read one ECG page.

    Args:
        source: Path, bytes or binary file of a JPEG, PNG, TIFF, BMP, WebP, HEIC or PDF, an array, an image of Pillow,
            or one of :func:`ecglens.iterate_pages`.
        model: Name or folder of a model, or ``"auto"`` as for :func:`read_with_both`; the model of the settings when
            ``None``.
        page: Number of the page in the file, from 1.
        measure: Also digitize the page and measure its signals, as :func:`examine` does.
        corrections: As for :func:`examine`.

    Returns:
        Label or abstention, calibrated probabilities, layout and warnings; with ``measure``, the reading that has this
        prediction beside signals, measurements and statements.

    Raises:
        EcgReadError: The file is not a page that can be read.
        ModelError: The model cannot be used.
        ArgumentError: The model is no name and no folder, or the corrections are none.
    """
    reading = examine(source, model=model, page=page, measure=measure, corrections=corrections)
    return reading if measure else reading.prediction


def examine(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    page: int = 1,
    measure: bool = False,
    printed: bool = False,
    age: float | None = None,
    sex: str | None = None,
    corrections: Corrections | None = None,
) -> Reading:
    """Read one ECG page, and return the page and its layout beside the prediction.

    Args:
        source: As for :func:`read`.
        model: As for :func:`read`.
        page: As for :func:`read`.
        measure: Also digitize the page and measure its signals, which takes some ten times as long.
        printed: With ``measure``, also read what the recorder printed on a picture, as for :func:`ecglens.digitize`.
        age: Age of the person in years, on which limits of criteria depend.
        sex: ``"female"`` or ``"male"``, likewise.
        corrections: Corrections by hand of how the page is read, from ``ecglens.corrections``.

    Raises:
        EcgReadError: As for :func:`read`; the corrections are of another page.
        ModelError: As for :func:`read`.
        ArgumentError: As for :func:`read`; the age is no number of 0 or more, or the sex is another word.
        MissingExtraError: ``printed`` is set and rapidocr is not installed.
    """
    runtime, person = load_runtime(model), Person(age, sex)
    decoded = read_chosen_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    facts = _text_facts(decoded, printed)
    if corrections is not None:
        check_file(corrections, source)
    located, tracing = locate_corrected(decoded, corrections, printed=facts, source=source)
    options: dict[str, Any] = {"measure": measure, "printed": facts, "person": person, "tracing": tracing}
    if is_auto(model):
        return read_with_both(located, runtime, load_signal_model, **options)
    return read_located(located, runtime, **options)


def examine_page(
    page: Page,
    runtime: Runtime,
    *,
    measure: bool = False,
    printed: bool | PrintedFacts = False,
    source: Source | None = None,
    person: Person = UNKNOWN_PERSON,
) -> Reading:
    """Read a page that was decoded before, with a loaded model.

    Args:
        page: From :func:`ecglens.pages.read_page`.
        runtime: From :func:`load_runtime`.
        measure: As for :func:`examine`.
        printed: As for :func:`examine`, or facts that were read from the page before it was redacted.
        source: As for :func:`locate_page`.
        person: Age and sex, as for :func:`examine`.
    """
    facts = _text_facts(page, printed)
    return read_located(locate_page(page, source), runtime, measure=measure, printed=facts, person=person)


def locate_page(page: Page, source: Source | None = None) -> Located:
    """Locate the leads of a page for a model, or say in plain words what it shows and what would make a better picture.

    Args:
        page: From :func:`ecglens.pages.read_page`.
        source: The file of the page, of which the reason for a cover page names the pages with traces.
    """
    located = locate_leads(page)
    if isinstance(located.layout, Layout):
        return located
    contents = describe_contents(page, source, max_megapixels=load_settings().max_megapixels)
    reason = f"{located.layout.reason}{describe_hints(page)}" if contents is None else contents
    return replace(located, layout=replace(located.layout, reason=reason))


def locate_corrected(
    page: Page,
    corrections: Corrections | None,
    *,
    printed: bool | PrintedFacts = False,
    source: Source | None = None,
) -> tuple[Located, Tracing | None]:
    """Locate the leads of a page with corrections by hand; digitize it where these are of the leads.

    Args:
        page: As for :func:`locate_page`.
        corrections: Corrections of the page; ``None`` for none.
        printed: As for :func:`examine_page`.
        source: As for :func:`locate_page`.

    Returns:
        The view and its layout; and the signals, or ``None`` where the corrections leave the leads as they are.

    Raises:
        EcgReadError: The corrections do not fit the page.
    """
    if corrections is not None:
        page = replace(page, drawing=None)  # what is corrected is read from the pixels
    if corrections is None or not corrections.is_of_leads:
        return locate_page(page if corrections is None else correct_page(page, corrections), source), None
    from ecglens.digitizing import digitize_page  # a label alone does not need it

    tracing = digitize_page(page, printed=printed, source=source, corrections=corrections)
    return Located(tracing.page, tracing.layout), tracing


def read_located(
    located: Located,
    runtime: Runtime,
    *,
    measure: bool = False,
    printed: bool | PrintedFacts = False,
    person: Person = UNKNOWN_PERSON,
    tracing: Tracing | None = None,
) -> Reading:
    """Read a page whose leads were located before: each further model costs no more than its own run.

    Args:
        located: From :func:`locate_page`.
        runtime: As for :func:`examine_page`.
        measure: As for :func:`examine_page`.
        printed: As for :func:`examine_page`.
        person: As for :func:`examine_page`.
        tracing: Signals of the page where it was digitized before, as by :func:`locate_corrected`.
    """
    facts = _text_facts(located.page, printed)
    needs_tracing = needs_record(runtime.recipe) or _has_other_speed(facts)
    if tracing is None and (measure or (needs_tracing and isinstance(located.layout, Layout))):
        tracing = _try_to_trace(located, printed=facts if measure or isinstance(facts, PrintedFacts) else False)
    reading = Reading(located, _predict(located, runtime, tracing), tracing)
    if not needs_record(runtime.recipe):
        reading = _without_label_at_other_speed(reading)
    return _with_measurements(reading, person) if measure else replace(reading, tracing=None)


def read_with_both(
    located: Located,
    page_runtime: Runtime,
    load_signal_runtime: Callable[[], Runtime],
    *,
    measure: bool = False,
    printed: bool | PrintedFacts = False,
    person: Person = UNKNOWN_PERSON,
    tracing: Tracing | None = None,
) -> Reading:
    """Read a page with the page model where it is of its recorder, and with the signal model otherwise.

    With ``measure``, when the signals are read anyway, the signal model also answers beside the page model, and a label
    that it contradicts is withdrawn. Without, pages of the page model's recorder, and pages on which it finds no leads,
    are not digitized, so that they are read as fast as by the page model alone.

    Args:
        located: From :func:`locate_page`.
        page_runtime: Model of page images.
        load_signal_runtime: Loads the model of signals, where it is needed.
        measure: As for :func:`examine_page`.
        printed: As for :func:`examine_page`.
        person: As for :func:`examine_page`.
        tracing: As for :func:`read_located`.
    """
    reading = read_located(located, page_runtime, measure=measure, printed=printed, person=person, tracing=tracing)
    if measure:
        return add_signal_answer(reading, load_signal_runtime)
    if reading.prediction.probabilities is not None or not reading.layout:
        return reading
    if located.page.drawing is not None:
        return add_signal_answer(reading, load_signal_runtime)
    traced = replace(reading, tracing=tracing or _try_to_trace(located, printed=printed))
    return replace(add_signal_answer(traced, load_signal_runtime), tracing=None)


def add_signal_answer(reading: Reading, load_signal_runtime: Callable[[], Runtime]) -> Reading:
    """Let the signal model answer for a page that was digitized.

    Args:
        reading: With its tracing; without signals, it is returned as it is.
        load_signal_runtime: As for :func:`read_with_both`.

    Returns:
        The reading with the signal model's prediction: in place of the page model's where that did not run, otherwise
        beside it, and without a label that the signal model contradicts. For a digital ECG it answers alone.
    """
    if reading.page.drawing is not None:
        return replace(reading, prediction=_predict(reading.located, load_signal_runtime(), None))
    tracing = reading.tracing
    if tracing is None or tracing.record is None:
        return reading
    prediction = load_signal_runtime().predict(tracing.page, tracing.layout, tracing.record)
    if prediction.probabilities is None:
        return reading
    if reading.prediction.probabilities is not None:
        return replace(reading, prediction=withdraw_contradicted(reading.prediction, prediction), beside=prediction)
    located = reading.located if reading.layout else Located(tracing.page, tracing.layout)
    return replace(reading, located=located, prediction=prediction)


def load_signal_model() -> Runtime:
    """Load the model that reads signals of any recorder."""
    return load_runtime(SIGNAL_MODEL)


def predict_record(
    record: EcgRecord, *, model: str | os.PathLike[str] = SIGNAL_MODEL, is_scale_known: bool = True
) -> Prediction:
    """Read a digital recording with a model of signals.

    Args:
        record: Signals, from ``ecglens.formats`` or of your own; leads may be missing and samples NaN.
        model: Name or folder of a model of signals.
        is_scale_known: Whether the signals are in mV; otherwise the model reads their shape alone.

    Raises:
        ModelError: The model cannot be used, or reads pages.
    """
    return load_runtime(model).predict_record(record, is_scale_known=is_scale_known)


def is_auto(model: str | os.PathLike[str] | None) -> bool:
    """Return whether a name, or the model of the settings where it is ``None``, asks for both models."""
    return name_model(model) == AUTO


def measure_reading(
    reading: Reading, *, printed: bool | PrintedFacts = False, person: Person = UNKNOWN_PERSON
) -> Reading:
    """Digitize and measure a page that a model has read before; the model does not answer again.

    Args:
        reading: From :func:`read_located` without measurements.
        printed: As for :func:`examine_page`.
        person: As for :func:`examine_page`.

    Returns:
        The reading with its tracing, measurements and statements. A label is withdrawn where the page prints a paper
        speed that the model was not trained on.
    """
    traced = replace(reading, tracing=_try_to_trace(reading.located, printed=printed))
    reads_signals = "signal" in (reading.prediction.inputs or {})
    return _with_measurements(traced if reads_signals else _without_label_at_other_speed(traced), person)


def load_runtime(model: str | os.PathLike[str] | None = None) -> Runtime:
    """Load a model; each folder and graph is loaded once in a process.

    Args:
        model: Name or folder; the model of the settings when ``None``.

    Raises:
        ModelError: The model cannot be used.
    """
    card = find_model(model)
    return _runtime(card.folder, sha256_of(card.folder / "model.json"))


@lru_cache(maxsize=8)
def _runtime(folder: Path, card_sha256: str) -> Runtime:
    return Runtime(find_model(folder))


def _text_facts(page: Page, printed: bool | PrintedFacts) -> bool | PrintedFacts:
    """The facts in the text of a page, which its other views may lack; what was given where it has none."""
    if isinstance(printed, PrintedFacts) or not page.texts:
        return printed
    from ecglens.printed.facts import read_text_facts  # pages without text do not need it

    return read_text_facts(page) or printed


def _has_other_speed(facts: bool | PrintedFacts) -> bool:
    """Return whether the page prints a paper speed at which models of page images give no label."""
    return isinstance(facts, PrintedFacts) and facts.speed_mm_s not in (None, STANDARD_SPEED_MM_S)


def _try_to_trace(located: Located, *, printed: bool | PrintedFacts) -> Tracing | None:
    from ecglens.digitizing import digitize_page  # a label alone does not need it

    try:
        return digitize_page(located, printed=printed)
    except EcgReadError:
        return None


def _predict(located: Located, runtime: Runtime, tracing: Tracing | None) -> Prediction:
    if isinstance(located.layout, NotFound):
        return Prediction(
            label=None,
            probabilities=None,
            abstention=no_layout(located.layout.reason),
            model=runtime.card.name,
            model_version=runtime.card.version,
            warnings=located.page.warnings,
        )
    drawing = located.page.drawing
    if drawing is not None and isinstance(runtime.recipe, LeadBeats):
        return replace(runtime.predict_record(drawing.record), layout=located.layout)
    return runtime.predict(located.page, located.layout, None if tracing is None else tracing.record)


def _with_measurements(reading: Reading, person: Person) -> Reading:
    from ecglens.criteria import evaluate_criteria  # a label alone needs neither
    from ecglens.criteria.presentation import find_label_conflict
    from ecglens.digitizing import measure_tracing
    from ecglens.record_measuring import measure_record

    drawing = reading.page.drawing
    if drawing is not None:
        measured = measure_record(drawing.record, age=person.age, sex=person.sex)
        measurements, statements = measured.measurements, measured.statements
    elif reading.tracing is not None and (traced := measure_tracing(reading.tracing)) is not None:
        measurements, statements = traced, evaluate_criteria(traced, age=person.age, sex=person.sex)
    else:
        return reading
    conflicts = find_label_conflict(reading.prediction.label, statements)
    return replace(reading, measurements=measurements, statements=statements, conflicts=conflicts)


def _without_label_at_other_speed(reading: Reading) -> Reading:
    """Withdraw the label of a page at a paper speed that models of page images were not trained on."""
    prediction, tracing = reading.prediction, reading.tracing
    if prediction.label is None or tracing is None or tracing.speed_mm_s == STANDARD_SPEED_MM_S:
        return reading
    reason = f"The page prints {tracing.speed_mm_s:g} mm/s, and the model was trained on pages at 25 mm/s only."
    abstention = Abstention("unfamiliar", reason)
    return replace(
        reading, prediction=replace(prediction, label=None, probabilities=None, abstention=abstention, inputs=None)
    )
