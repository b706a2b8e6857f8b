"""Pages of visitors: read in memory, shown, and not kept."""

import base64
from functools import lru_cache

from django.http import HttpRequest
from django.utils.translation import gettext as _

from ecglens.demo import demo_pages
from ecglens.extras import installed
from ecglens.leads.locate import locate_leads
from ecglens.pages.read import read_page
from ecglens.reading import load_runtime, read_located
from ecglens.records import Page
from ecglens.settings import load_settings
from ecglens.web.project.throttle import address_hash, within
from ecglens.web.readings.facts import facts_of, first_facts
from ecglens.web.readings.names import plain_name
from ecglens.web.readings.pictures import Drawn, drawn
from ecglens.web.readings.shown import Picture, Shown, show
from ecglens.web.readings.work import Details, Options, details, make_explanations

__all__ = ["allowed", "demo_shown", "read_for_visitor", "too_many"]

_PAGES_A_MINUTE = 12


def allowed(request: HttpRequest) -> bool:
    """Whether this visitor may have another page read this minute; counted by a hash of the address."""
    return within(f"visitor:{address_hash(request)}", _PAGES_A_MINUTE)


def read_for_visitor(content: bytes, name: str, options: Options, *, number: int = 1) -> Shown:
    """Read a page that nobody keeps.

    Raises:
        EcgLensError: It cannot be read.
    """
    page = read_page(content, page=number, max_megapixels=load_settings().max_megapixels)
    return _shown(plain_name(name), *_read(page, options))


def _read(page: Page, options: Options) -> tuple[Details, list[dict[str, object]], Drawn]:
    """What is found on a page, what each model says, and its picture."""
    names = options.models or (None,)
    located, printed = locate_leads(page), options.printed and installed("rapidocr")
    first = read_located(located, load_runtime(names[0]), measure=True, printed=printed)
    others = [read_located(located, load_runtime(each)) for each in names[1:]]
    explanations = make_explanations(first, options) if options.explain else []
    facts = first_facts(first, None if first.tracing is None else first.tracing.printed)
    found = details(first, facts_of(first, facts), explanations, signals=False)
    return found, [reading.prediction.to_dict() for reading in (first, *others)], drawn(first.page.pixels)


def _shown(name: str, found: Details, predictions: list[dict[str, object]], page: Drawn) -> Shown:
    pictures = {**found.pictures, "page": page}

    def picture(wanted: str) -> Picture | None:
        one = pictures.get(wanted)
        return None if one is None else Picture("", _address(one), one.width, one.height)

    return show(name, found.facts, predictions, found.explanations, picture)


def _address(picture: Drawn) -> str:
    return f"data:{picture.kind};base64," + base64.b64encode(picture.content).decode("ascii")


@lru_cache(maxsize=8)
def _demo(name: str) -> tuple[str, Details, list[dict[str, object]], Drawn] | None:
    page = next((each for each in demo_pages() if each.name == name), None)
    if page is None:
        return None
    return page.path.name, *_read(read_page(page.path), Options())


def demo_shown(name: str) -> Shown | None:
    """A page that ships, read as any other; ``None`` where there is none of this name."""
    found = _demo(name)
    return None if found is None else _shown(*found)


def too_many() -> str:
    """What a visitor is told who reads too many pages."""
    return _("Visitors may have %(count)s pages read in a minute; wait a little, or make an account.") % {
        "count": _PAGES_A_MINUTE
    }
