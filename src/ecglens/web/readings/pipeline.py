"""Work on a page, without the database: bytes in; predictions, facts, pictures and signals out."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from ecglens.corrections import Corrections
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgLensError
from ecglens.explaining import explain_page
from ecglens.extras import is_installed
from ecglens.formats.json import write_json
from ecglens.formats.reading_state import pack_reading, unpack_reading
from ecglens.leads.locate import locate_flat_leads, locate_leads
from ecglens.models.explain import default_methods
from ecglens.models.explain.caching import CachingRuntime
from ecglens.models.registry import SIGNAL_MODEL
from ecglens.models.runtime import Runtime
from ecglens.pages.decoding import decode_for_sender
from ecglens.pages.read import is_page, read_page
from ecglens.printed.facts import read_facts, read_text_facts
from ecglens.printed.redaction import redact
from ecglens.reading import (
    add_signal_answer,
    is_auto,
    load_runtime,
    load_signal_model,
    locate_corrected,
    measure_reading,
    read_located,
)
from ecglens.record_pages import looks_like_record, read_record_page
from ecglens.records import EcgRecord, Explanation, Layout, Located, Page, Prediction, PrintedFacts, Reading, Tracing
from ecglens.settings import load_settings
from ecglens.tracing.overlay import draw_overlay
from ecglens.web.readings.facts import add_measurements, describe_page, read_print
from ecglens.web.readings.pictures import (
    THUMB_PX,
    PictureFile,
    encode_jpeg,
    render_heat_map,
    render_lead_crops,
    render_steps,
)
from ecglens.web.readings.refusals import RefusedPage, show_refused

__all__ = [
    "SEARCH_S",
    "Details",
    "FirstResult",
    "Options",
    "collect_details",
    "explain_prediction",
    "measure_page",
    "predict_page",
    "read_first",
    "read_sent",
]

_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_JPEG_START = b"\xff\xd8"
SEARCH_S = 3.5
"""Time from the arrival of a file after which no further view of it is searched for leads, so that its sender has an
answer within 10 s on a busy machine; on others, the limit of computing time is reached before."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a user for a page.

    Attributes:
        models: Names of models, the first of which gives the label; empty for the default model of the settings.
        printed: Whether the print of a picture is read too, where that is possible.
        explain: Whether the first model's prediction is explained.
        redact: Whether the print around the traces is redacted before the page is stored.
    """

    models: tuple[str, ...] = ()
    printed: bool = False
    explain: bool = True
    redact: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the options in plain types."""
        return {**asdict(self), "models": list(self.models)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Options":
        """Return the options that :meth:`to_dict` wrote."""
        return cls(**{**plain, "models": tuple(plain.get("models", ()))})


@dataclass(frozen=True, slots=True)
class FirstResult:
    """Results that are available at once.

    Attributes:
        predictions: Prediction of each requested model, in order.
        facts: Result of ``facts.describe_page``.
        page: The page that may be stored, as a file, and the suffix of its name; ``None`` where its print could not be
            distinguished from its traces.
        state: The reading of the first model without its pixels, with which the work on the page resumes.
        redacted: Whether the page was redacted.
        refused: The page for its sender, where its leads were not found and it may not be stored.
    """

    predictions: tuple[Prediction, ...]
    facts: dict[str, Any]
    page: tuple[bytes, str] | None = field(repr=False)
    state: bytes | None = field(repr=False)
    redacted: bool
    refused: RefusedPage | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """Results that take longer.

    Attributes:
        prediction: The first model's prediction, which the signals may have changed: the signal model answers where a
            page model cannot, and withdraws a label that it contradicts.
        beside: The signal model's prediction beside it, or ``None``.
        facts: All facts.
        explanations: ``Explanation.to_dict`` of each, without its heat map; the picture of the heat map of the n-th is
            ``heat:n``.
        pictures: Pictures by name.
        signals: Signals as ``ecglens.formats.json`` writes them, where there are any.
    """

    prediction: Prediction
    beside: Prediction | None
    facts: dict[str, Any]
    explanations: list[dict[str, Any]]
    pictures: dict[str, PictureFile] = field(repr=False)
    signals: bytes | None = field(repr=False)


def predict_page(content: bytes, number: int, options: Options, corrections: Corrections | None = None) -> FirstResult:
    """Run the models on a page, and prepare the page for storage.

    Args:
        content: The file.
        number: Number of the page in the file, from 1.
        options: What is requested.
        corrections: Corrections of the page by hand.

    Raises:
        EcgLensError: The page cannot be read, or a model cannot be used.
    """
    page = read_sent(content, number)
    printed = read_text_facts(page)
    located, tracing = locate_corrected(page, corrections, printed=printed or False, source=content)
    readings = [
        read_first(located, name, printed=printed or False, tracing=tracing) for name in options.models or (None,)
    ]
    first = readings[0] if located.layout else replace(readings[0], located=locate_flat_leads(located))
    layout = first.layout
    if printed is None and options.printed and is_installed("rapidocr") and isinstance(layout, Layout):
        printed = read_facts(first.page, layout)
    stored = first.page if not options.redact else redact(first.page, layout) if isinstance(layout, Layout) else None
    return FirstResult(
        predictions=tuple(reading.prediction for reading in readings),
        facts=describe_page(first, printed),
        page=None if stored is None else _encode_page(stored, lossy=content.startswith(_JPEG_START)),
        state=None if stored is None else pack_reading(first),
        redacted=options.redact and stored is not None,
        refused=show_refused(page) if stored is None else None,
    )


def measure_page(
    page: bytes,
    state: bytes,
    facts: Mapping[str, Any],
    options: Options,
    corrections: Corrections | None = None,
) -> Details:
    """Measure the signals of a page, explain the first model's prediction, and render the pictures of the reading.

    The page is not located and the model does not predict again: the explanation is of the prediction that was shown.

    Args:
        page: The file of :attr:`FirstResult.page`.
        state: :attr:`FirstResult.state`; empty for a page whose reading the site did not store yet, which is then
            located and predicted again.
        facts: :attr:`FirstResult.facts`.
        options: What is requested.
        corrections: Corrections by hand of the stored page, with which the first model predicts again.

    Raises:
        EcgLensError: The model cannot be used, or the corrections do not fit the page.
    """
    stored = read_page(page, max_megapixels=load_settings().max_megapixels)
    model = options.models[0] if options.models else None
    printed = read_print(facts) or False
    reading = unpack_reading(state, stored) if state else read_located(locate_leads(stored), load_runtime(model))
    if corrections:
        reading = _read_corrected(reading, stored, load_runtime(model), printed, corrections)
    facts = describe_page(reading, read_print(facts))
    if not corrections:
        reading = measure_reading(reading, printed=printed)
    if is_auto(model):
        reading = add_signal_answer(reading, load_signal_model)
    details = collect_details(reading, facts, explain_prediction(reading, options) if options.explain else [])
    if corrections is not None and corrections.is_of_page:
        details.pictures["view"] = encode_jpeg(reading.page.pixels)
    return details


def read_first(
    located: Located, model: str | None, *, printed: bool | PrintedFacts, tracing: Tracing | None = None
) -> Reading:
    """Let a model answer at once for a page that was located; by default, the model of signals for a digital ECG.

    Args:
        located: From ``ecglens.reading.locate_page``.
        model: Name of the model; the default model of the settings where it is ``None``.
        printed: As for :func:`ecglens.reading.read_located`.
        tracing: Likewise.

    Raises:
        ModelError: The model cannot be used.
    """
    reading = read_located(located, load_runtime(model), printed=printed, tracing=tracing)
    if reading.page.drawing is None or not is_auto(model):
        return reading
    return add_signal_answer(reading, load_signal_model)


def read_sent(content: bytes, number: int = 1) -> Page:
    """Read a file that was uploaded: a page, or a digital ECG as a page.

    Args:
        content: The file.
        number: Number of the page in the file.

    Raises:
        EcgReadError: The file is neither.
    """
    if is_page(content) or not looks_like_record(content):
        return read_page(content, page=number, max_megapixels=load_settings().max_megapixels, decode=decode_for_sender)
    return read_record_page(content)


def _read_corrected(
    before: Reading, stored: Page, runtime: Runtime, printed: bool | PrintedFacts, corrections: Corrections
) -> Reading:
    """Read a stored page with corrections by hand; without those of the page itself, on the view as it was located."""
    if corrections.is_of_page or not isinstance(before.layout, Layout):
        located, tracing = locate_corrected(stored, corrections, printed=printed)
    else:
        located = replace(before.located, page=replace(before.page, drawing=None))
        tracing = digitize_page(located, printed=printed, corrections=corrections)
        located = Located(tracing.page, tracing.layout)
    return read_located(located, runtime, measure=True, printed=printed, tracing=tracing)


def collect_details(reading: Reading, facts: Mapping[str, Any], explanations: Iterable[Explanation]) -> Details:
    """Collect what is displayed of a measured and explained reading.

    Args:
        reading: The reading, with measurements.
        facts: Result of ``facts.describe_page``.
        explanations: Explanations of its prediction.
    """
    pictures: dict[str, PictureFile] = dict(render_steps(reading.page))
    pictures["thumb"] = encode_jpeg(reading.page.pixels, most_px=THUMB_PX)
    pictures.update(render_lead_crops(reading))
    if reading.tracing is not None:
        pictures["traced"] = encode_jpeg(draw_overlay(reading.tracing))
    plain = []
    for number, explanation in enumerate(explanations):
        pictures[f"heat:{number}"] = render_heat_map(explanation)
        plain.append({name: value for name, value in explanation.to_dict().items() if name != "heat"})
    record = reading.signals
    packed = None if record is None else _encode_signals(record)
    return Details(reading.prediction, reading.beside, add_measurements(facts, reading), plain, pictures, packed)


def explain_prediction(reading: Reading, options: Options) -> list[Explanation]:
    """Explain every label by every method that needs no torch.

    The top label comes first; only its explanations are checked.
    """
    probabilities = reading.prediction.probabilities
    if probabilities is None:
        return []
    is_by_signals = reading.prediction.model == SIGNAL_MODEL
    model = SIGNAL_MODEL if is_by_signals else options.models[0] if options.models else None
    runtime = CachingRuntime(load_runtime(model))
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    methods = default_methods(runtime.card)
    return [
        explain_page(reading, runtime, method=method, label=label, checks=label == ranked[0])
        for label in ranked
        for method in methods
    ]


def _encode_page(page: Page, *, lossy: bool) -> tuple[bytes, str]:
    """Encode a page without metadata of its file: as a JPEG if it was one, otherwise as a PNG."""
    suffix, options = (".jpg", _JPEG) if lossy else (".png", _PNG)
    encoded, content = cv2.imencode(suffix, cv2.cvtColor(page.pixels, cv2.COLOR_RGB2BGR), options)
    if not encoded:
        raise EcgLensError("Expected a page that can be stored, got one that cannot be encoded; scan it smaller.")
    return content.tobytes(), suffix


def _encode_signals(record: EcgRecord) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.json"
        write_json(record, path)
        return path.read_bytes()
