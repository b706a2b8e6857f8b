"""Locating the leads of a page: once for each page, on the view of it that shows them best.

A view is the page as it came, or the page dewarped by its grid, seen from above by the paper's edges or by its grid,
with the grid removed, or turned by a quarter. The first view that shows leads is used.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import cv2
import numpy as np

from ecglens.leads.layout import find_layout
from ecglens.pages.contents import is_blank
from ecglens.pages.geometry.dewarping import flatten
from ecglens.pages.geometry.orientation import turn_by_quarters, turn_by_texts
from ecglens.pages.geometry.paper_edges import rectify_by_edges
from ecglens.pages.grid_removal import remove_photographed_grid
from ecglens.records import Layout, Located, NotFound, Page
from ecglens.vision.pixel_classes import classify_page

__all__ = ["locate_by_classes", "locate_flat_leads", "locate_leads"]

_ANGLE_MM = 4.5
"""Bend of the grid from which a page counts as photographed at an angle; a curl alone is better dewarped at once."""
_FLAT_MM = 0.2
"""Bend from which a photograph seen from above is dewarped: no homography is exact, nor is paper flat."""
_MIN_TURNED_LEADS = 3
"""Number of leads that a page must show on its side or upside down: one line, or one word, looks alike either way."""
_BLANK = NotFound("The page is blank: all of it has nearly one color. Check that the printed side was scanned.")
_MAX_PHOTO_PX = 24_000_000
"""Size to which a photograph is reduced before other views of it are tried: 280 mm of paper with 20 px/mm."""


def locate_leads(page: Page) -> Located:
    """Locate the leads of a page for a model: on the page as it came, or on the first other view that shows them.

    A bent page whose print does not look like that of the trained recorder is also tried dewarped, because bent
    letters look like another print.

    Args:
        page: Page as it was decoded.

    Returns:
        The view and its layout; the page as it came with the reason where no view shows leads.
    """
    if is_blank(page):
        return Located(page, _BLANK)
    page = turn_by_texts(page)
    layout = find_layout(page)
    if isinstance(layout, NotFound):
        other = _first_located(_photo_views(page))
    else:
        other = None if layout.known_print else _first_located(_dewarped_views(page), known_print=True)
    return other or Located(page, layout)


def locate_flat_leads(page: Page | Located, name: str | None = None) -> Located:
    """Locate the leads on flat paper for tracing, also in layouts and prints that no model was trained on.

    Args:
        page: Page as it was decoded, or what :func:`locate_leads` returned. A layout that was located on flat paper
            is not searched for again.
        name: One of ``ecglens.layouts.LAYOUTS`` where the page's layout is known.

    Returns:
        The flat view and its layout, whose leads may be doubtful; the first view with the reason where no view shows
        leads.
    """
    located = page if isinstance(page, Located) else None
    original = page.page if isinstance(page, Located) else page
    if is_blank(original):
        return Located(original, _BLANK)
    photo = turn_by_texts(_reduce(original))
    flat = flatten(photo)
    if flat is not photo and flat.pixels is photo.pixels and located is not None and located.layout and name is None:
        return replace(located, page=replace(located.page, bend_mm=flat.bend_mm))
    has_no_grid, at_an_angle = flat is photo, flat.bend_mm >= _ANGLE_MM and flat.bend_mm > photo.bend_mm
    by_grid = _grid_views(photo)
    upright_first = list(islice(by_grid, 2 if has_no_grid or at_an_angle else 0))
    dewarped = [] if flat.pixels is photo.pixels else [flat]
    as_it_came = replace(photo, bend_mm=flat.bend_mm)  # after the dewarped view, whose grid may be blurred
    flat_views = [*upright_first, *dewarped, as_it_came]
    by_rules = _first_located(flat_views, name=name, doubtful=True)
    if by_rules is not None:
        return by_rules
    first = classify_page(flat_views[0])
    layout = find_layout(first, name=name, doubtful=True)
    if isinstance(layout, Layout):
        return Located(first, layout)
    is_flat = not has_no_grid and not at_an_angle and not dewarped
    others: Iterable[Page]
    if is_flat:
        others = chain.from_iterable((view, classify_page(view)) for view in turn_by_quarters(photo))
    else:
        others = map(classify_page, chain(flat_views[1:], _edge_views(photo), by_grid))
    located = _first_located(others, name=name, doubtful=True)
    if located is None or (is_flat and _count_leads(located) < _MIN_TURNED_LEADS):
        return Located(first, layout)
    return located


def locate_by_classes(page: Page, name: str | None = None) -> Located | None:
    """Locate the leads of a view by the classes of its pixels; ``None`` where they do not show leads.

    Args:
        page: View of a page, which is classified unless it was before.
        name: As for :func:`locate_flat_leads`.
    """
    classified = page if page.classes is not None else classify_page(page)
    return _first_located([classified], name=name, doubtful=True)


def _count_leads(located: Located) -> int:
    return len({lead.lead for lead in located.layout.leads}) if isinstance(located.layout, Layout) else 0


def _first_located(
    views: Iterable[Page], *, name: str | None = None, doubtful: bool = False, known_print: bool = False
) -> Located | None:
    """The first view that shows its leads; with ``known_print``, in the print of the trained recorder."""
    for view in views:
        layout = find_layout(view, name=name, doubtful=doubtful)
        if isinstance(layout, Layout) and (layout.known_print or not known_print):
            return Located(view, layout)
    return None


def _photo_views(page: Page) -> Iterator[Page]:
    """The page as if it had been scanned, in different ways, one after another."""
    photo = _reduce(page)
    yield from _dewarp(photo)
    yield from _edge_views(photo)
    yield from _grid_views(photo)


def _dewarped_views(page: Page) -> Iterator[Page]:
    """The page dewarped in each of the ways; nothing where its grid is flat."""
    photo = _reduce(page)
    for flat in _dewarp(photo):
        yield flat
        yield from _edge_views(photo)
        yield from islice(_grid_views(photo), 1)


def _reduce(page: Page) -> Page:
    """The page with at most ``_MAX_PHOTO_PX``, by averages over squares."""
    shrink = math.ceil(math.sqrt(page.height * page.width / _MAX_PHOTO_PX))
    if shrink <= 1:
        return page
    size = (page.width // shrink, page.height // shrink)
    pixels = cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA)
    return replace(page, pixels=np.asarray(pixels, dtype=np.uint8), curves=(), texts=())


def _dewarp(page: Page) -> Iterator[Page]:
    """The page dewarped by its grid, where that is bent."""
    flat = flatten(page)
    if flat.pixels is not page.pixels:
        yield flat


def _edge_views(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by the paper's edges, as it is and dewarped."""
    view = rectify_by_edges(page)
    if view is not None:
        yield view
        yield from _dewarp(view)


def _grid_views(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by its grid: dewarped, without its grid, as it is; then other sides up."""
    from ecglens.pages.geometry.perspective import rectify_by_grid  # scipy.optimize: only photographs need it

    view = rectify_by_grid(page)
    if view is None:
        return
    flat = flatten(view, from_mm=_FLAT_MM)
    yield flat
    clean = remove_photographed_grid(flat)
    if clean is not None:
        yield clean
    yield view  # dewarping may blur a fine grid
    yield from turn_by_quarters(page)
