"""The work on a page, without the database: bytes in; answers, facts, pictures and signals out."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from ecglens.errors import EcgLensError
from ecglens.explaining import explain_page
from ecglens.extras import installed
from ecglens.formats.json import write_json
from ecglens.formats.reading_state import pack_reading, unpack_reading
from ecglens.leads.locate import locate_flat_leads, locate_leads
from ecglens.models.explain import default_methods
from ecglens.models.explain.remembered import Remembered
from ecglens.pages.read import read_page
from ecglens.printed.facts import read_facts
from ecglens.printed.redaction import redact
from ecglens.reading import load_runtime, measure_reading, read_located
from ecglens.records import EcgRecord, Explanation, Layout, Page, Prediction, Reading
from ecglens.settings import load_settings
from ecglens.tracing.overlay import draw_overlay
from ecglens.web.readings.facts import facts_of, first_facts, printed_of
from ecglens.web.readings.pictures import Drawn, drawn, heat_png, lead_pictures, step_pictures

__all__ = ["Details", "First", "Options", "details", "first_look", "look_closer", "make_explanations"]

_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_JPEG_START = b"\xff\xd8"


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a page.

    Attributes:
        models: Names of models, the first of which gives the label; the settings' one where there is none.
        printed: Read the print too, where that can be done.
        explain: Explain the first model's answers.
        redact: Paint over what is printed around the traces before the page is kept.
    """

    models: tuple[str, ...] = ()
    printed: bool = False
    explain: bool = True
    redact: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The options in plain types."""
        return {**asdict(self), "models": list(self.models)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Options":
        """The options that :meth:`to_dict` wrote."""
        return cls(**{**told, "models": tuple(told.get("models", ()))})


@dataclass(frozen=True, slots=True)
class First:
    """What is known of a page at once.

    Attributes:
        predictions: Of each model that was asked, in order.
        facts: From ``facts.first_facts``.
        page: The page that may be kept, as a file, and the ending of its name; ``None`` where what is printed on it
            could not be told from its traces.
        state: The reading of the first model without its pixels, from which the work on the page goes on.
        redacted: Whether something was painted over.
    """

    predictions: tuple[Prediction, ...]
    facts: dict[str, Any]
    page: tuple[bytes, str] | None = field(repr=False)
    state: bytes | None = field(repr=False)
    redacted: bool


@dataclass(frozen=True, slots=True)
class Details:
    """What takes longer.

    Attributes:
        facts: All of them.
        explanations: As ``Explanation.to_dict`` has them, without heat; the picture of the heat of the n-th is
            ``heat:n``.
        pictures: By name.
        signals: Signals as ``ecglens.formats.json`` writes them, where there are any.
    """

    facts: dict[str, Any]
    explanations: list[dict[str, Any]]
    pictures: dict[str, Drawn] = field(repr=False)
    signals: bytes | None = field(repr=False)


def first_look(content: bytes, number: int, options: Options) -> First:
    """Ask the models, and make the page fit to be kept.

    Args:
        content: A file.
        number: Which of its pages, from 1.
        options: What is asked.

    Raises:
        EcgLensError: The page cannot be read, or a model cannot be used.
    """
    page = read_page(content, page=number, max_megapixels=load_settings().max_megapixels)
    located = locate_leads(page)
    readings = [read_located(located, load_runtime(name)) for name in options.models or (None,)]
    first = readings[0] if located.layout else replace(readings[0], located=locate_flat_leads(located))
    layout = first.layout
    wants_print = options.printed and installed("rapidocr") and isinstance(layout, Layout)
    printed = read_facts(first.page, layout) if wants_print and isinstance(layout, Layout) else None
    stored = first.page if not options.redact else redact(first.page, layout) if isinstance(layout, Layout) else None
    return First(
        predictions=tuple(reading.prediction for reading in readings),
        facts=first_facts(first, printed),
        page=None if stored is None else _file(stored, lossy=content.startswith(_JPEG_START)),
        state=None if stored is None else pack_reading(first),
        redacted=options.redact and stored is not None,
    )


def look_closer(page: bytes, state: bytes, facts: Mapping[str, Any], options: Options) -> Details:
    """Measure the signals of a page that was read, explain the first model's answer, and draw what is shown.

    The page is not located and the model does not answer again: the explanation is one of the answer that was given.

    Args:
        page: The file of :attr:`First.page`.
        state: From :attr:`First.state`; empty for a page that was answered before the site stored it, which is then
            located and answered again.
        facts: From :attr:`First.facts`.
        options: What is asked.

    Raises:
        EcgLensError: The model cannot be used.
    """
    stored = read_page(page, max_megapixels=load_settings().max_megapixels)
    model = options.models[0] if options.models else None
    reading = unpack_reading(state, stored) if state else read_located(locate_leads(stored), load_runtime(model))
    reading = measure_reading(reading, printed=printed_of(facts) or False)
    return details(reading, facts, make_explanations(reading, options) if options.explain else [])


def details(
    reading: Reading, facts: Mapping[str, Any], explanations: Iterable[Explanation], *, signals: bool = True
) -> Details:
    """What is shown of a reading that was measured and explained, with its signals where they are to be kept."""
    pictures: dict[str, Drawn] = dict(step_pictures(reading.page))
    pictures.update(lead_pictures(reading))
    if reading.tracing is not None:
        pictures["traced"] = drawn(draw_overlay(reading.tracing))
    told = []
    for place, found in enumerate(explanations):
        pictures[f"heat:{place}"] = heat_png(found)
        told.append({name: value for name, value in found.to_dict().items() if name != "heat"})
    record = None if reading.tracing is None else reading.tracing.record
    packed = _signals(record) if record is not None and signals else None
    return Details(facts_of(reading, facts), told, pictures, packed)


def make_explanations(reading: Reading, options: Options) -> list[Explanation]:
    """Of every label by every method that needs no torch, the likeliest label first, whose explanations are checked."""
    probabilities = reading.prediction.probabilities
    if probabilities is None:
        return []
    runtime = Remembered(load_runtime(options.models[0] if options.models else None))
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    methods = default_methods(runtime.card)
    return [
        explain_page(reading, runtime, method=method, label=label, checks=label == ranked[0])
        for label in ranked
        for method in methods
    ]


def _file(page: Page, *, lossy: bool) -> tuple[bytes, str]:
    """Without any mark that the file had: a JPEG where it was one, a PNG otherwise."""
    ending, how = (".jpg", _JPEG) if lossy else (".png", _PNG)
    done, encoded = cv2.imencode(ending, cv2.cvtColor(page.pixels, cv2.COLOR_RGB2BGR), how)
    if not done:
        raise EcgLensError("Expected a page that can be kept, found one that cannot be written; scan it smaller.")
    return encoded.tobytes(), ending


def _signals(record: EcgRecord) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.json"
        write_json(record, path)
        return path.read_bytes()
