"""Views of a photographed page, some of which may show leads that the page as it came does not."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from ecglens.leads.find import find_layout
from ecglens.pages.edges import from_above
from ecglens.pages.flatten import flatten
from ecglens.pages.lifted import lifted
from ecglens.pages.upright import other_ways_up
from ecglens.pages.vanishing import from_grid
from ecglens.records import Layout, NotFound, Page

__all__ = ["as_it_lies_flat", "as_it_shows_leads"]

_ANGLE_MM = 4.5
"""Bend of a page from which it is taken for a photograph at an angle; a curl alone is better laid flat at once."""


def as_it_shows_leads(page: Page) -> tuple[Page, Layout | NotFound]:
    """The page as it came, or the first other view of it where only that shows its leads; for a label.

    Args:
        page: As it was read; it comes back with the reason where no view shows leads.
    """
    return _first_laid_out(chain([page], _laid_flat(page), _by_edges(page), _by_grid(page)), name=None, doubtful=False)


def as_it_lies_flat(page: Page, name: str | None) -> tuple[Page, Layout | NotFound]:
    """The page laid flat with its layout, also one that models have not learned; for its signals, and for keeping.

    Args:
        page: As it was read, or one of the views.
        name: One of ``ecglens.layouts.LAYOUTS`` where the page's is known.
    """
    flat = flatten(page)
    gridless, at_an_angle = flat is page, flat.bend_mm >= _ANGLE_MM and flat.bend_mm > page.bend_mm
    as_it_came = [] if flat.pixels is page.pixels else [replace(page, bend_mm=flat.bend_mm)]  # flattening may blur
    by_grid = _by_grid(page)
    at_once = islice(by_grid, 1 if gridless or at_an_angle else 0)
    return _first_laid_out(chain(at_once, [flat], as_it_came, _by_edges(page), by_grid), name=name, doubtful=True)


def _first_laid_out(views: Iterator[Page], *, name: str | None, doubtful: bool) -> tuple[Page, Layout | NotFound]:
    """The first view that shows its leads; the first of all, and why it does not, where none does."""
    first = next(views)
    reason = find_layout(first, name=name, doubtful=doubtful)
    if isinstance(reason, Layout):
        return first, reason
    for view in views:
        layout = find_layout(view, name=name, doubtful=doubtful)
        if isinstance(layout, Layout):
            return view, layout
    return first, reason


def _laid_flat(page: Page) -> Iterator[Page]:
    """The page laid flat by its grid, where that is bent."""
    flat = flatten(page)
    if flat.pixels is not page.pixels:
        yield flat


def _by_edges(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by the paper's edges, as it is and laid flat."""
    seen = from_above(page)
    if seen is not None:
        yield seen
        yield from _laid_flat(seen)


def _by_grid(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by its grid, laid flat; its traces on clean paper; other sides up."""
    seen = from_grid(page)
    if seen is None:
        return
    flat = flatten(seen)
    yield flat
    clean = lifted(flat)
    if clean is not None:
        yield clean
    yield from other_ways_up(page)
