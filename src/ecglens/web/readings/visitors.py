"""Pages of visitors: read in memory in two steps, displayed, and not stored."""

import base64
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from ecglens.corrections import Corrections
from ecglens.extras import is_installed
from ecglens.leads.search_time import end_searches_after
from ecglens.outcomes import Outcome, find_outcome
from ecglens.pages.read import name_choice
from ecglens.printed.facts import read_text_facts
from ecglens.reading import (
    add_signal_answer,
    is_auto,
    load_runtime,
    load_signal_model,
    locate_corrected,
    measure_reading,
    read_located,
)
from ecglens.records import Page, PrintedFacts, Reading, Tracing
from ecglens.web.http.throttle import count_request, hash_address
from ecglens.web.readings.exports import pack_signals
from ecglens.web.readings.facts import describe_page
from ecglens.web.readings.names import clean_name
from ecglens.web.readings.pdf_report import Sheet, render_pdf
from ecglens.web.readings.pictures import PictureFile, encode_jpeg
from ecglens.web.readings.pipeline import SEARCH_S, Options, collect_details, explain_prediction, read_first, read_sent
from ecglens.web.readings.presentation import Picture, ReadingView, present_reading
from ecglens.web.readings.refusals import RefusedPage, encode_whole, show_refused
from ecglens.web.readings.titles import translate_label, translate_outcome

__all__ = [
    "Download",
    "FirstLook",
    "Result",
    "begin_reading",
    "count_visit",
    "describe_limit",
    "list_downloads",
    "look_at",
    "present_result",
]

_LATER_SEARCH_S = 2.0
"""Time from the first answer after which no further view of the page is searched for leads: the rest of the computing
time that a search may take, on a machine that is not busy."""
_PAGES_A_MINUTE = 12


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that is displayed of a page, in plain types and bytes.

    Attributes:
        name: Name of the file.
        facts: Facts about the page.
        predictions: ``Prediction.to_dict`` of each model.
        explanations: ``Explanation.to_dict`` of each, without its heat map.
        pictures: Pictures by name; ``page`` is the page itself.
        signals: Signals as ``ecglens.formats.json`` writes them, where there are any.
        is_pending: Whether measurements and explanations follow.
        refused: The page for its sender, where nothing was read.
        whole: The page that is sent again with corrections, in base64.
    """

    name: str
    facts: dict[str, Any]
    predictions: list[dict[str, Any]]
    explanations: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, PictureFile] = field(default_factory=dict, repr=False)
    signals: bytes | None = field(default=None, repr=False)
    is_pending: bool = False
    refused: RefusedPage | None = None
    whole: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Download:
    """A file inside the page.

    Attributes:
        title: What it is.
        name: Name under which it is saved.
        address: Its content, as an address.
    """

    title: str
    name: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FirstLook:
    """A page that the models have read and that is not measured yet.

    Attributes:
        name: Name of the file.
        options: What is requested.
        readings: Reading of each model, without measurements.
        printed: Facts in the text of the page, or whether its print is read.
        page: The page as it was decoded.
        tracing: Its signals, where corrections needed them.
    """

    name: str
    options: Options
    page: Page = field(repr=False)
    tracing: Tracing | None = field(repr=False)
    readings: tuple[Reading, ...] = field(repr=False)
    printed: bool | PrintedFacts

    def describe(self) -> Result:
        """Return what is known at once."""
        first = self.readings[0]
        printed = self.printed if isinstance(self.printed, PrintedFacts) else None
        return Result(
            self.name,
            describe_page(first, printed),
            [reading.prediction.to_dict() for reading in self.readings],
            pictures={"page": encode_jpeg(first.page.pixels)},
            is_pending=True,
        )

    def finish(self) -> Result:
        """Measure the signals, explain the first prediction, and return everything."""
        models = self.options.models
        with end_searches_after(_LATER_SEARCH_S):
            first = self._measure()
        if is_auto(models[0] if models else None):
            first = add_signal_answer(first, load_signal_model)
        explanations = explain_prediction(first, self.options) if self.options.explain else []
        facts = describe_page(first, None if first.tracing is None else first.tracing.printed)
        details = collect_details(first, facts, explanations)
        predictions = [reading.prediction for reading in (first, *self.readings[1:])]
        is_refused = first.prediction.outcome is Outcome.NOT_READABLE and details.signals is None
        return Result(
            self.name,
            details.facts,
            [each.to_dict() for each in [*predictions, *([first.beside] if first.beside else [])]],
            details.explanations,
            {**details.pictures, "page": encode_jpeg(first.page.pixels)},
            details.signals,
            refused=show_refused(self.page) if is_refused else None,
            whole=encode_whole(self.page) if is_refused else "",
        )

    def _measure(self) -> Reading:
        first = self.readings[0]
        if self.tracing is None:
            return measure_reading(first, printed=self.printed)
        model = self.options.models[0] if self.options.models else None
        return read_located(
            first.located, load_runtime(model), measure=True, printed=self.printed, tracing=self.tracing
        )


def count_visit(request: HttpRequest) -> bool:
    """Count a page of this visitor, by a hash of the address, and return whether it is within the limit."""
    return count_request(f"visitor:{hash_address(request)}", _PAGES_A_MINUTE)


def describe_limit() -> str:
    """Return the sentence for a visitor who exceeds the limit."""
    return _("Visitors may have %(count)s pages read in a minute; wait a little, or create an account.") % {
        "count": _PAGES_A_MINUTE
    }


def begin_reading(
    content: bytes, name: str, options: Options, *, number: int = 1, corrections: Corrections | None = None
) -> FirstLook:
    """Read a page without storing anything.

    Args:
        content: The file.
        name: Its name.
        options: What is requested.
        number: Number of the page in the file.
        corrections: Corrections of the page by hand.

    Raises:
        EcgLensError: It cannot be read.
    """
    with end_searches_after(SEARCH_S):
        page = name_choice(read_sent(content, number))
        return look_at(page, clean_name(name), options, content=content, corrections=corrections)


def look_at(
    page: Page, name: str, options: Options, *, content: bytes | None = None, corrections: Corrections | None = None
) -> FirstLook:
    """Let the models read a decoded page.

    Args:
        page: The page.
        name: Name of its file.
        options: What is requested.
        content: The file, where it was uploaded.
        corrections: Corrections of the page by hand.
    """
    text = read_text_facts(page)
    located, tracing = locate_corrected(page, corrections, printed=text or False, source=content)
    readings = tuple(
        read_first(located, model, printed=text or False, tracing=tracing) for model in options.models or (None,)
    )
    printed = text or (options.printed and is_installed("rapidocr"))
    return FirstLook(name, options, page, tracing, readings, printed)


def present_result(result: Result) -> ReadingView:
    """Prepare a result for the template, with its pictures inside the page."""

    def find_picture(name: str) -> Picture | None:
        file = result.pictures.get(name)
        return None if file is None else Picture("", _data_address(file), file.width, file.height)

    return present_reading(
        result.name,
        result.facts,
        result.predictions,
        result.explanations,
        find_picture,
        signals=result.signals,
        is_pending=result.is_pending,
    )


def list_downloads(result: Result) -> tuple[Download, ...]:
    """Return the report and the signals of a visitor's page as files inside the page, since nothing is stored."""
    if result.signals is None:
        return ()
    label = result.predictions[0]["label"]
    outcome = find_outcome(label, (result.predictions[0]["abstention"] or {}).get("kind"))
    page = result.pictures["page"]
    sheet = Sheet(
        name=result.name,
        page_number=result.facts["page"]["number"],
        at=timezone.now(),
        heading=translate_label(label) or translate_outcome(outcome),
        predictions=result.predictions,
        facts={**result.facts, "page": {**result.facts["page"], "width_px": page.width, "height_px": page.height}},
        page=page.content,
        signals=result.signals,
    )
    files = [(_("Report (PDF)"), render_pdf([sheet]), "ecglens.pdf", "application/pdf")]
    packed = pack_signals(result.signals, result.name, "csv", result.facts)
    if packed is not None:
        files.append((_("Signals (CSV)"), *packed))
    return tuple(Download(title, name, _encode(content, media_type)) for title, content, name, media_type in files)


def _data_address(picture: PictureFile) -> str:
    return _encode(picture.content, picture.media_type)


def _encode(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")
