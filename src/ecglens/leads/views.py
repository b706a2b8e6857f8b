"""Views of a photographed page, some of which may show leads that the page as it came does not."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import cv2
import numpy as np

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
_LEFT_MM = 0.2
"""Bend of a photograph seen from above from which it is laid flat: no homography is exact, nor is paper flat."""
_LARGEST_PX = 24_000_000
"""Of a photograph that is seen in other ways: a page of 280 mm with 20 px in each mm."""


def as_it_shows_leads(page: Page) -> tuple[Page, Layout | NotFound]:
    """The page as it came, or the first other view of it where only that shows its leads; for a label.

    A bent page whose print is not that of the learned recorder's is also looked at laid flat: bent letters look like
    another print.

    Args:
        page: As it was read; it comes back with the reason where no view shows leads.
    """
    found = find_layout(page)
    if isinstance(found, NotFound):
        other = _first_laid_out(_as_photographed(page))
    else:
        other = None if found.known_print else _first_laid_out(_unbent(page), known_print=True)
    return other or (page, found)


def as_it_lies_flat(page: Page, name: str | None) -> tuple[Page, Layout | NotFound]:
    """The page laid flat with its layout, also one that models have not learned; for its signals, and for keeping.

    Args:
        page: As it was read, or one of the views.
        name: One of ``ecglens.layouts.LAYOUTS`` where the page's is known.
    """
    photo = _reduced(page)
    flat = flatten(photo)
    gridless, at_an_angle = flat is photo, flat.bend_mm >= _ANGLE_MM and flat.bend_mm > page.bend_mm
    by_grid = _by_grid(photo)
    at_once = islice(by_grid, 2 if gridless or at_an_angle else 0)  # laid flat, and its traces on clean paper
    laid_flat = [] if flat.pixels is photo.pixels else [flat]
    as_it_came = [replace(page, bend_mm=flat.bend_mm)]  # after it, where laying flat has blurred the grid
    views = chain(at_once, laid_flat, as_it_came, _by_edges(photo), by_grid)
    first = next(views)
    found = find_layout(first, name=name, doubtful=True)
    other = None if isinstance(found, Layout) else _first_laid_out(views, name=name, doubtful=True)
    return other or (first, found)


def _first_laid_out(
    views: Iterable[Page], *, name: str | None = None, doubtful: bool = False, known_print: bool = False
) -> tuple[Page, Layout] | None:
    """The first view that shows its leads, in the print that models have learned where that is asked for."""
    for view in views:
        found = find_layout(view, name=name, doubtful=doubtful)
        if isinstance(found, Layout) and (found.known_print or not known_print):
            return view, found
    return None


def _as_photographed(page: Page) -> Iterator[Page]:
    """The page as if it had been scanned, in one way after another."""
    photo = _reduced(page)
    yield from _laid_flat(photo)
    yield from _by_edges(photo)
    yield from _by_grid(photo)


def _unbent(page: Page) -> Iterator[Page]:
    """The page laid flat in each of the ways, where its grid is bent at all."""
    photo = _reduced(page)
    for flat in _laid_flat(photo):
        yield flat
        yield from _by_edges(photo)
        yield from islice(_by_grid(photo), 1)


def _reduced(page: Page) -> Page:
    """A page with at most ``_LARGEST_PX``, by averages over squares."""
    shrink = math.ceil(math.sqrt(page.height * page.width / _LARGEST_PX))
    if shrink <= 1:
        return page
    size = (page.width // shrink, page.height // shrink)
    pixels = cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA)
    return replace(page, pixels=np.asarray(pixels, dtype=np.uint8), curves=())


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
    """A photograph seen from straight above by its grid: laid flat, on clean paper, as it is; then other sides up."""
    seen = from_grid(page)
    if seen is None:
        return
    flat = flatten(seen, from_mm=_LEFT_MM)
    yield flat
    clean = lifted(flat)
    if clean is not None:
        yield clean
    yield seen  # laying flat may blur a fine grid
    yield from other_ways_up(page)
