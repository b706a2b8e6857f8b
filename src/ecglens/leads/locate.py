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
from numpy.typing import NDArray

from ecglens.leads.layout import find_layout
from ecglens.leads.search_time import SearchTime, is_overdue
from ecglens.pages.contents import is_blank
from ecglens.pages.geometry.dewarping import flatten
from ecglens.pages.geometry.orientation import is_turned, turn_by_quarters, turn_by_texts
from ecglens.pages.geometry.paper_edges import rectify_by_edges
from ecglens.pages.geometry.paper_map import SourceView
from ecglens.pages.grid_removal import remove_photographed_grid
from ecglens.records import Layout, Located, NotFound, Page
from ecglens.vision.pixel_classes import classify_page

__all__ = ["locate_by_classes", "locate_flat_leads", "locate_leads"]

_ANGLE_MM = 4.5
"""Bend of the grid from which a page counts as photographed at an angle; a curl alone is better dewarped at once."""
_MIN_UPRIGHT_NAMES = 4
"""Number of lead names whose being read shows that a view is upright and sharp: other sides up are not tried."""
_MAX_OTHERS = 2
"""Number of other views of such a page that are tried before it is refused."""
_PLAIN_RATIO = 1.5
"""Ratio of the unevenness of ink by rows and by columns from which traces run across; its square, up and down."""
_SETTLED_MM = 0.06
"""Residual of a dewarped page up to which its grid is flat without a homography: 0.01 to 0.04 mm on rendered pages."""
_MAX_BEND_MM = 18.0
"""Bend up to which a page is dewarped at once; one of 21 mm was shifted by a line of its grid."""
_FLAT_MM = 0.2
"""Bend from which a photograph seen from above is dewarped: no homography is exact, nor is paper flat."""
_SLIGHT_BEND_MM = 0.8
"""Bend up to which a page whose leads were located is flat: print that was redacted looks like a bend of 0.5 mm."""
_MIN_TURNED_LEADS = 3
"""Number of leads that a page must show on its side or upside down: one line, or one word, looks alike either way."""
_MIN_TRACES = 0.0005
"""Share of the pixels of a picture without a grid that must be traces; real pages have 0.005 and more on any side."""
_BLANK = NotFound("The page is blank: all of it has nearly one color. Check that the printed side was scanned.")
_NOT_SEARCHED = NotFound("The leads were not located by the rules for scans.")
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
    if page.drawing is not None:
        return Located(page, page.drawing.layout)
    if is_blank(page):
        return Located(page, _BLANK)
    search = SearchTime()
    page = turn_by_texts(page)
    layout = find_layout(page)
    if isinstance(layout, NotFound):
        other = _first_located(search.limit(_photo_views(page)))
    elif layout.known_print:
        other = None
    else:
        other = _first_located(search.limit(_dewarped_views(page)), known_print=True)
    return replace(other or Located(page, _add_stop(layout, search)), search_s=search.spent_s)


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
    if original.drawing is not None:
        return Located(original, original.drawing.layout)
    if is_blank(original):
        return Located(original, _BLANK)
    if located is not None and not located.layout and is_overdue():
        return located
    search = SearchTime(located.search_s if located else 0.0)
    photo = turn_by_texts(_reduce(original))
    flat = flatten(photo)
    is_flat_enough = flat is not photo and (flat.pixels is photo.pixels or flat.bend_mm < _SLIGHT_BEND_MM)
    if is_flat_enough and located is not None and located.layout and name is None:
        return replace(located, page=replace(located.page, bend_mm=flat.bend_mm))
    has_no_grid, at_an_angle = flat is photo, _is_at_an_angle(flat, photo)
    by_grid = _grid_views(photo)
    upright_first = list(islice(search.limit(by_grid), 2 if has_no_grid or at_an_angle else 0))
    dewarped = [] if flat.pixels is photo.pixels else [_doubt_large_bend(flat)]
    as_it_came = _keep_bent(photo, flat)  # after the dewarped view, whose grid may be blurred
    flat_views = [*upright_first, *dewarped, as_it_came]
    ruled = flat_views[:-1] if _is_settled(flat) else flat_views
    by_rules = _first_located(search.limit(ruled), name=name, doubtful=True)
    if by_rules is not None:
        return by_rules
    if is_overdue():
        return Located(flat_views[0], _add_stop(_NOT_SEARCHED, search))
    first = classify_page(flat_views[0])
    layout = find_layout(first, name=name, doubtful=True)
    if isinstance(layout, Layout):
        return Located(first, layout)
    if has_no_grid and _share_of_traces(first) < _MIN_TRACES:  # no other view shows more
        return Located(first, layout)
    is_flat = not has_no_grid and not at_an_angle and not dewarped
    others: Iterable[Page]
    turned = _turned_views(photo, first)
    if layout.names >= _MIN_UPRIGHT_NAMES:  # as it is, it is upright and from above
        others = map(classify_page, islice(chain(flat_views[1:-1], by_grid), _MAX_OTHERS))
    elif is_flat:
        others = chain.from_iterable((view, classify_page(view)) for view in turned)
    else:
        others = map(classify_page, chain(flat_views[1:], _edge_views(photo), by_grid, turned))
    located = _first_located(search.limit(others), name=name, doubtful=True)
    if located is None or (is_flat and _count_leads(located) < _MIN_TURNED_LEADS):
        return Located(first, _add_stop(layout, search))
    return located


def _add_stop(layout: Layout | NotFound, search: SearchTime) -> Layout | NotFound:
    """The result of a search; where no leads were located, its reason says that the search was stopped."""
    if isinstance(layout, Layout) or not search.is_over:
        return layout
    return replace(layout, reason=f"{layout.reason} The search for leads was stopped, as it took too long.")


def _keep_bent(photo: Page, flat: Page) -> Page:
    """The photograph as it came; if it was dewarped otherwise, leads that are traced on it are on bent paper."""
    if flat.residual_mm is None:
        return replace(photo, bend_mm=flat.bend_mm, is_settled=flat.is_settled)
    return replace(photo, bend_mm=flat.bend_mm, is_settled=np.zeros((1, 1), dtype=np.bool_))


def _is_settled(flat: Page) -> bool:
    """Return whether a page was dewarped so well that no other view of it is flatter."""
    return flat.residual_mm is not None and flat.residual_mm <= _SETTLED_MM and flat.bend_mm <= _MAX_BEND_MM


def _doubt_large_bend(flat: Page) -> Page:
    """The dewarped page; leads on one that was bent too far fail, as its grid may be shifted by some lines."""
    if flat.bend_mm <= _MAX_BEND_MM:
        return flat
    return replace(flat, is_settled=np.zeros((1, 1), dtype=np.bool_))


def _is_at_an_angle(flat: Page, photo: Page) -> bool:
    """Return whether a page was photographed at such an angle that dewarping alone did not make it flat."""
    if _is_settled(flat):
        return False
    return flat.bend_mm >= _ANGLE_MM and flat.bend_mm > photo.bend_mm


def locate_by_classes(page: Page, name: str | None = None) -> Located | None:
    """Locate the leads of a view by the classes of its pixels; ``None`` where they do not show leads.

    Args:
        page: View of a page, which is classified unless it was before.
        name: As for :func:`locate_flat_leads`.
    """
    classified = page if page.classes is not None else classify_page(page)
    return _first_located([classified], name=name, doubtful=True)


def _share_of_traces(classified: Page) -> float:
    """Share of the pixels of a view that are classified as traces."""
    assert classified.classes is not None
    return float((classified.classes.trace > 127).mean())


def _turned_views(page: Page, classified: Page) -> Iterator[Page]:
    """The page with other sides up, but for those on which its traces would run up and down.

    Args:
        page: Page as it came.
        classified: View of it that is as high as it is, with the classes of its pixels.
    """
    views = tuple(turn_by_quarters(page))
    across = _find_direction(classified)
    return iter(views if across is None else views[2:] if across else views[:2])


def _find_direction(classified: Page) -> bool | None:
    """Direction of the traces of a view: true where they run across it, ``None`` where that is not plain.

    Each column of a page has the ink of all lines, while most rows run between them.
    """
    assert classified.classes is not None
    black = (classified.classes.trace > 127).astype(np.float32)
    across, down = (_unevenness(black.sum(axis=axis)) for axis in (1, 0))
    if across > _PLAIN_RATIO * down:
        return True
    return False if down > _PLAIN_RATIO**2 * across else None


def _unevenness(sums: NDArray[np.float32]) -> float:
    """Standard deviation of sums over their mean, but for empty places at both ends."""
    places = np.flatnonzero(sums)
    if not places.size:
        return 1e-6
    inner = sums[places[0] : places[-1] + 1]
    return float(inner.std() / inner.mean()) + 1e-6


def _count_leads(located: Located) -> int:
    return len({lead.lead for lead in located.layout.leads}) if isinstance(located.layout, Layout) else 0


def _first_located(
    views: Iterable[Page], *, name: str | None = None, doubtful: bool = False, known_print: bool = False
) -> Located | None:
    """The first view that shows its leads; with ``known_print``, in the print of the trained recorder."""
    for view in views:
        layout = find_layout(view, name=name, doubtful=doubtful)
        if isinstance(layout, Layout) and (layout.known_print or not known_print):
            located = Located(view, layout)
            if name is not None or not is_turned(view) or _count_leads(located) >= _MIN_TURNED_LEADS:
                return located
    return None


def _photo_views(page: Page) -> Iterator[Page]:
    """The page as if it had been scanned, in different ways, one after another.

    A flat one is turned first, and shown by the classes of its pixels, which read small names.
    """
    photo = _reduce(page)
    flat = flatten(photo)
    if flat.pixels is not photo.pixels:
        yield flat
    turned = turn_by_quarters(photo)
    if flat is not photo and flat.bend_mm < _SLIGHT_BEND_MM:
        yield from turned
        yield classify_page(photo)
    yield from _edge_views(photo)
    yield from _grid_views(photo)
    yield from turned


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


def _dewarp(page: Page, source: SourceView | None = None) -> Iterator[Page]:
    """The page dewarped by its grid, where that is bent."""
    flat = flatten(page, source=source)
    if flat.pixels is not page.pixels:
        yield flat


def _edge_views(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by the paper's edges, as it is and dewarped."""
    rectified = rectify_by_edges(page)
    if rectified is not None:
        view, source = rectified
        yield view
        yield from _dewarp(view, source)


def _grid_views(page: Page) -> Iterator[Page]:
    """A photograph seen from straight above by its grid: dewarped, without its grid, as it is."""
    from ecglens.pages.geometry.perspective import rectify_by_grid  # scipy.optimize: only photographs need it

    rectified = rectify_by_grid(page)
    if rectified is None:
        return
    view, source = rectified
    flat = flatten(view, from_mm=_FLAT_MM, source=source)
    yield flat
    clean = remove_photographed_grid(flat)
    if clean is not None:
        yield clean
    yield view  # dewarping may blur a fine grid
