"""Pages of visitors: read in memory, displayed, and not stored."""

import base64
from functools import lru_cache

from django.http import HttpRequest
from django.utils.translation import gettext as _

from ecglens.demo import demo_pages
from ecglens.extras import is_installed
from ecglens.pages.decoding import decode_for_sender
from ecglens.pages.read import read_page
from ecglens.printed.facts import read_text_facts
from ecglens.reading import is_auto, load_runtime, load_signal_model, locate_page, read_located, read_with_both
from ecglens.records import Page
from ecglens.settings import load_settings
from ecglens.web.http.throttle import count_request, hash_address
from ecglens.web.readings.facts import add_measurements, describe_page
from ecglens.web.readings.names import clean_name
from ecglens.web.readings.pictures import PictureFile, encode_jpeg
from ecglens.web.readings.pipeline import Details, Options, collect_details, explain_prediction
from ecglens.web.readings.presentation import Picture, ReadingView, present_reading

__all__ = ["count_visit", "describe_limit", "read_demo", "read_for_visitor"]

_PAGES_A_MINUTE = 12


def count_visit(request: HttpRequest) -> bool:
    """Count a page of this visitor, by a hash of the address, and return whether it is within the limit."""
    return count_request(f"visitor:{hash_address(request)}", _PAGES_A_MINUTE)


def describe_limit() -> str:
    """Return the sentence for a visitor who exceeds the limit."""
    return _("Visitors may have %(count)s pages read in a minute; wait a little, or create an account.") % {
        "count": _PAGES_A_MINUTE
    }


def read_for_visitor(content: bytes, name: str, options: Options, *, number: int = 1) -> ReadingView:
    """Read a page without storing anything.

    Raises:
        EcgLensError: It cannot be read.
    """
    page = read_page(content, page=number, max_megapixels=load_settings().max_megapixels, decode=decode_for_sender)
    return _present(clean_name(name), *_read(page, options, content))


def read_demo(name: str) -> ReadingView | None:
    """Read a demo page, as any other page; ``None`` if there is none of this name."""
    result = _read_demo(name)
    return None if result is None else _present(*result)


@lru_cache(maxsize=8)
def _read_demo(name: str) -> tuple[str, Details, list[dict[str, object]], PictureFile] | None:
    page = next((each for each in demo_pages() if each.name == name), None)
    if page is None:
        return None
    return page.path.name, *_read(read_page(page.path), Options())


def _read(
    page: Page, options: Options, content: bytes | None = None
) -> tuple[Details, list[dict[str, object]], PictureFile]:
    """Return the details of a page, each model's prediction, and the picture of the page."""
    names = options.models or (None,)
    located = locate_page(page, content)
    printed = read_text_facts(page) or (options.printed and is_installed("rapidocr"))
    runtime = load_runtime(names[0])
    if is_auto(names[0]):
        first = read_with_both(located, runtime, load_signal_model, measure=True, printed=printed)
    else:
        first = read_located(located, runtime, measure=True, printed=printed)
    others = [read_located(located, load_runtime(each), printed=printed) for each in names[1:]]
    explanations = explain_prediction(first, options) if options.explain else []
    facts = describe_page(first, None if first.tracing is None else first.tracing.printed)
    details = collect_details(first, add_measurements(facts, first), explanations)
    predictions = [reading.prediction for reading in (first, *others)] + ([first.beside] if first.beside else [])
    return details, [prediction.to_dict() for prediction in predictions], encode_jpeg(first.page.pixels)


def _present(name: str, details: Details, predictions: list[dict[str, object]], page: PictureFile) -> ReadingView:
    files = {**details.pictures, "page": page}

    def find_picture(picture_name: str) -> Picture | None:
        file = files.get(picture_name)
        return None if file is None else Picture("", _data_address(file), file.width, file.height)

    return present_reading(
        name, details.facts, predictions, details.explanations, find_picture, signals=details.signals
    )


def _data_address(picture: PictureFile) -> str:
    return f"data:{picture.media_type};base64," + base64.b64encode(picture.content).decode("ascii")
