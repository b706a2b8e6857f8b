"""Refine a map from paper to a picture until the printed grid, seen through it, repeats exactly every 5 mm.

The phase of the grid (``dewarping``) is biased where traces and print hide its lines: by 0.1 to 0.3 mm just beside the
traces, where a time error of 4 ms costs half of the signal-to-noise ratio. Here the flat grid is averaged over all
squares to one tile of 5 x 5 mm, and each place is moved by what fits its visible pixels best to that tile (Lucas and
Kanade 1981, registration by gradients), a few times with ever smaller windows. Hidden pixels have no weight, so that
they cannot pull. Where there is no evidence, beside the grid and at its edges, the map continues as a plane.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.geometry.paper_map import NODE_MM, PaperMap

__all__ = ["LIMITS", "PX_PER_MM", "GridPicture", "Refinement", "RefinementLimits", "extend_smoothly", "refine_map"]


@dataclass(frozen=True)
class RefinementLimits:
    """Thresholds of refining a map by the grid."""

    windows_mm: tuple[float, ...] = threshold(
        (5.0, 4.0, 4.0, 3.0, 2.5),
        "mm",
        "Standard deviations of the windows in which a place is compared with the tile, one after the other.",
        low="Noise bends the page.",
        high="Folds stay bent.",
    )
    repeats: int = threshold(
        2,
        "times",
        "Number of times that the last window is used again at most.",
        low="Strongly bent pages are not quite flat.",
        high="Refining noisy pages takes longer.",
    )
    settled_mm: float = threshold(
        0.025,
        "mm",
        "Residual at which it is not used again.",
        low="Refining takes longer.",
        high="Strongly bent pages are not quite flat.",
    )
    min_progress: float = threshold(
        0.8,
        "1",
        "Residual, as a part of the one before, up to which it is used again.",
        low="Slow progress is not awaited.",
        high="Noise is followed.",
    )
    blurred: int = threshold(
        2,
        "comparisons",
        "Number of comparisons with blurred lines before those with sharp ones.",
        low="Places are moved to a neighboring 1 mm line.",
        high="Refining takes longer.",
    )
    first_blur_mm: float = threshold(
        0.75,
        "mm",
        "Blur of the first comparisons, in which only the 5 mm lines are left: they cannot be mistaken for a neighbor.",
        low="Places are moved to a neighboring 1 mm line.",
        high="Fine displacements are not measured.",
    )
    reach_mm: tuple[float, float] = threshold(
        (1.5, 0.5),
        "mm",
        "Longest move of a place, in comparisons of blurred lines and in those after them.",
        low="Strong bends stay.",
        high="Noise moves places far.",
    )
    max_move_mm: float = threshold(
        0.25,
        "mm",
        "Last move of a place up to which it is settled.",
        low="Leads on noisy photographs fail.",
        high="Leads on paper that is still bent pass.",
        evidence="photographs of `shared/data`, looked at one by one",
    )
    max_stretch: float = threshold(
        0.15,
        "1",
        "Relative stretch of a place beside that around it up to which it is settled: paper does not stretch.",
        low="Leads across a sharp fold fail.",
        high="Leads on paper that was shifted by a line of the grid pass.",
        evidence="0.02 to 0.07 on flat parts, 0.3 on a part that was shifted, of photographs of `shared/data`",
    )
    max_band: float = threshold(
        0.5,
        "1",
        "Share of a column or row of places that is stretched from which all beyond it is shifted.",
        low="Leads beside a sharp fold fail.",
        high="Leads on paper that was shifted by some lines of the grid pass.",
        evidence="`python benchmarks/photographed.py`: fold 1",
    )
    edge_windows: float = threshold(
        2.5,
        "windows",
        "Distance from the edge of the grid, in standard deviations of the window, from which places are compared.",
        low="A frame around the grid bends the paper beside it.",
        high="Curls at the edge of the grid stay.",
        evidence="rendered pages with a frame: errors of 0.02 to 0.1 mm, 0.6 mm without a distance",
    )
    crease_mm: float = threshold(
        12.0,
        "mm",
        "Length over which a line that is not of the grid is averaged.",
        low="Noise is hidden.",
        high="Bent creases pull the grid.",
    )
    crease_ratio: float = threshold(
        0.5,
        "1",
        "Darkness that the grid does not explain, as a part of that of its lines of 5 mm, from which it is a crease.",
        low="Unevenly printed grids are hidden.",
        high="Creases and frames pull the grid.",
        evidence="`python benchmarks/photographed.py`: crease",
    )
    max_creases: tuple[float, float] = threshold(
        (0.35, 0.15),
        "1",
        "Share of the visible picture that may be hidden as creases, in comparisons of blurred lines and in those "
        "after them; more of it is a grid that the map does not fit.",
        low="Creases of crumpled paper pull the grid.",
        high="The lines of a grid that is not understood are hidden.",
        evidence="0.2 to 0.3 and 0.02 to 0.1 on rendered pages with frames, 0.6 and 0.4 where the map was mistaken",
    )
    min_density: float = threshold(
        0.3,
        "1",
        "Darkness of the lines of a cell of 2 mm, as a part of the median, from which it is a part of the grid.",
        low="A frame around the grid bends the paper beside it.",
        high="Faint parts of a grid are bridged.",
    )
    min_part: float = threshold(
        0.1,
        "1",
        "Area of a part of the grid, as a share of the largest part, from which it counts.",
        low="Places under print beside the grid are moved.",
        high="Small strips of paper stay bent.",
    )
    min_weight: float = threshold(
        0.08,
        "1",
        "Least certainty of the grid around a settled place.",
        low="Leads on paper whose grid is lost pass.",
        high="Leads on paper with a faint grid fail.",
        evidence="photographs of `shared/data`, looked at one by one",
    )
    min_amplitude: float = threshold(
        0.25,
        "1",
        "Amplitude of the grid that a place needs, as a part of the page's 80th percentile.",
        low="Places without a grid are moved.",
        high="Shadowed parts of the grid stay bent.",
    )
    residual_percentile: int = threshold(
        90,
        "%",
        "Percentile of the last moves that is the uncertainty of the map.",
        low="Places that do not fit the grid are overlooked.",
        high="Places beside the page decide.",
    )
    min_visible: float = threshold(
        0.15,
        "1",
        "Share of its window that must be visible.",
        low="Places beside the page and under dense print are moved.",
        high="Places between close traces stay bent.",
    )


LIMITS = RefinementLimits()

PX_PER_MM = 4
"""Resolution at which the grid is compared: lines of 1 mm are still apart."""

Tile = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""The mean square of a grid on all squares, and its slopes to the right and down."""

_TILE_PX = 5 * PX_PER_MM
_NODE_PX = round(NODE_MM * PX_PER_MM)
_AROUND_NODES = 10.0
"""Distance over which the stretch of the map is averaged."""
_SPREAD_NODES = 8.0
"""Distance over which places without a grid follow their neighbors."""
_PLANE_NODES = (4.0, 12.0, 36.0)
"""Distances over which the plane around a place is fitted: 8, 24 and 72 mm."""
_FAR_WEIGHT = 1e-3
"""Weight of each of these distances as a part of that of the one before."""
_PLANE_WEIGHT = 0.02
"""Weight of the plane at a place; a place on a clear grid has 1."""
_GAP_NODES = 7
"""Width of a gap in the grid, such as dense traces, that is no edge of it: 14 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class GridPicture:
    """The lines of a grid in a picture.

    Attributes:
        lines: ``(height, width)`` float32, how dark the lines are.
        is_visible: ``(height, width)`` float32, 1 where nothing hides them.
        step: Pixels of the picture in one of these.
    """

    lines: NDArray[np.float32]
    is_visible: NDArray[np.float32]
    step: int

    def flatten(self, paper: PaperMap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return lines and visibility on flat paper, at ``PX_PER_MM``; nothing is visible beside the picture."""
        own = PaperMap((paper.nodes + np.float32(0.5)) / np.float32(self.step) - np.float32(0.5))
        lines, is_visible = (
            own.resample(each, PX_PER_MM, kernel=cv2.INTER_LINEAR, border=cv2.BORDER_CONSTANT)
            for each in (self.lines, self.is_visible)
        )
        return np.asarray(lines, dtype=np.float32), np.asarray(is_visible, dtype=np.float32)

    def is_beside(self, paper: PaperMap) -> NDArray[np.bool_]:
        """Return which nodes of a map are beside the picture."""
        last = np.array(self.lines.shape[::-1]) * self.step - 1
        return np.asarray(((paper.nodes < 0) | (paper.nodes > last)).any(axis=2), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Refinement:
    """A map that was refined by the grid.

    Attributes:
        paper: The map.
        residual_mm: How far its places still moved the last time: by so much the grid is uncertain.
        is_settled: ``(rows, columns)`` of cells of ``NODE_MM`` on paper, where there is a grid and it moved no more.
    """

    paper: PaperMap
    residual_mm: float
    is_settled: NDArray[np.bool_]


def refine_map(picture: GridPicture, paper: PaperMap) -> Refinement:
    """Refine a map by the grid.

    Args:
        picture: Lines of the grid.
        paper: Map that is right to about a millimeter, in units of the grid: its large squares are 5 mm.
    """
    residual_mm, windows = np.inf, LIMITS.windows_mm
    is_settled = np.zeros((0, 0), dtype=np.bool_)
    for number, window_mm in enumerate((*windows, *windows[-1:] * LIMITS.repeats)):
        lines, is_visible = picture.flatten(paper)
        is_sharp = number >= LIMITS.blurred
        if not is_sharp:
            blur = LIMITS.first_blur_mm * PX_PER_MM
            lines = _blur(lines * is_visible, blur) / (_blur(is_visible, blur) + np.float32(1e-3))
        is_visible = _hide_creases(lines, is_visible, window_mm, LIMITS.max_creases[is_sharp])
        across, down, weight = _find_moves(lines, is_visible, window_mm, LIMITS.reach_mm[is_sharp])
        before_mm = residual_mm
        is_settled = (np.hypot(across, down) < LIMITS.max_move_mm) & (_blur(weight, 2.0) > LIMITS.min_weight)
        has_lines = _has_lines(lines * is_visible, weight)
        is_sure = _find_inside(has_lines, picture.is_beside(paper), window_mm) & (weight > 0)
        if not is_sure.any():  # a strip of paper that is lower than the window
            is_sure = np.ones_like(is_sure)
        residual_mm = float(np.percentile(np.hypot(across, down)[is_sure], LIMITS.residual_percentile))
        shape = paper.nodes.shape[:2]
        moved = paper.move(_to_nodes(across, shape), _to_nodes(down, shape))
        paper = extend_smoothly(moved, _to_nodes(np.where(is_sure, weight, np.float32(0)), shape))
        has_settled = residual_mm < LIMITS.settled_mm or residual_mm > LIMITS.min_progress * before_mm
        if number + 1 >= len(windows) and has_settled:
            break
    is_even = _find_stretch(paper)[: is_settled.shape[0], : is_settled.shape[1]] < LIMITS.max_stretch
    is_even = _leave_out_shifted(_leave_out_shifted(is_even).T).T
    return Refinement(paper, residual_mm, np.asarray(is_settled & is_even, dtype=np.bool_))


def extend_smoothly(paper: PaperMap, weight: NDArray[np.float32]) -> PaperMap:
    """Return the map whose places without evidence lie on the plane through the places around them.

    The plane of each place is fitted by weighted least squares, with weights that fall with the distance; farther
    places matter only where there are no nearer ones.

    Args:
        paper: Map whose places are right where there is evidence.
        weight: ``(rows, columns)`` at its nodes, from 0 to 1, how certain they are.
    """
    if not weight.any():
        return paper
    shape = weight.shape
    down, across = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    terms = (np.ones(shape), across, down)
    products = [terms[i] * terms[j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))]
    products += [term * paper.nodes[..., axis] for term in terms for axis in (0, 1)]
    summed = _sum_around(np.stack(products, axis=-1) * weight[..., None])
    normal = summed[..., [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(*shape, 3, 3)
    right_side = summed[..., 6:].reshape(*shape, 3, 2)
    planes = np.linalg.solve(normal, right_side)
    plane = np.einsum("tij,ijta->ija", np.stack(terms), planes)
    own = _blur(weight, 0.7)[..., None]
    return PaperMap(np.asarray((own * paper.nodes + _PLANE_WEIGHT * plane) / (own + _PLANE_WEIGHT), dtype=np.float32))


def _sum_around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of ``(rows, columns, channels)`` over the places around each, of which far ones hardly count."""
    rows, columns = values.shape[:2]
    total = np.broadcast_to(values.mean(axis=(0, 1)) * _FAR_WEIGHT ** len(_PLANE_NODES), values.shape).copy()
    for number, sigma in enumerate(_PLANE_NODES):
        step = max(1, round(sigma / _PLANE_NODES[0]))
        size = (-(-columns // step), -(-rows // step))
        for first in range(0, values.shape[2], 4):  # OpenCV blurs four channels at once
            part = values[..., first : first + 4]
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            blurred = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_CONSTANT)
            total[..., first : first + 4] += _FAR_WEIGHT**number * cv2.resize(blurred, (columns, rows))
    return total


def _has_lines(lines: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Cells with lines in them; the windows of their weights also reach those beside the grid."""
    darkness = cv2.resize(lines, weight.shape[::-1], interpolation=cv2.INTER_AREA)
    near = _blur(np.asarray(darkness, dtype=np.float32), 1.0)
    typical = float(np.median(near[weight > 0])) if weight.any() else 0.0
    return np.asarray((weight > 0) & (near > LIMITS.min_density * typical), dtype=np.bool_)


def _find_inside(has_lines: NDArray[np.bool_], is_beside: NDArray[np.bool_], window_mm: float) -> NDArray[np.bool_]:
    """Places whose window has the grid on all of its sides, or the edge of the picture.

    At the edge of a grid there may be a frame that is not one of its lines, and no line beyond it to contradict it.
    """
    padded = np.pad(has_lines.astype(np.uint8), _GAP_NODES)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((_GAP_NODES, _GAP_NODES), np.uint8))
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    is_large = np.isin(parts, 1 + np.flatnonzero(areas >= LIMITS.min_part * areas.max(initial=0)))
    size = 2 * round(LIMITS.edge_windows * window_mm / NODE_MM) + 1
    goes_on = is_large | np.pad(is_beside[: has_lines.shape[0], : has_lines.shape[1]], _GAP_NODES, constant_values=True)
    is_inside = cv2.erode(goes_on.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return np.asarray(is_inside[_GAP_NODES:-_GAP_NODES, _GAP_NODES:-_GAP_NODES], dtype=np.bool_)


def _leave_out_shifted(is_even: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Even places without those beyond a stretched band from top to bottom: all of them are shifted by some lines."""
    rows, columns = (size // 10 for size in is_even.shape)
    is_band = (~is_even[rows : len(is_even) - rows]).mean(axis=0) > LIMITS.max_band
    bands = columns + np.flatnonzero(is_band[columns : is_even.shape[1] - columns])
    even = is_even.copy()
    if bands.size:
        first, last = int(bands[0]), int(bands[-1])
        if first < is_even.shape[1] - last:
            even[:, :last] = False
        else:
            even[:, first:] = False
    return even


def _find_stretch(paper: PaperMap) -> NDArray[np.float32]:
    """Largest relative difference of the distance of neighboring nodes from that around them, of cells."""
    rows, columns = (size - 1 for size in paper.nodes.shape[:2])
    stretches = []
    for axis in (0, 1):
        apart = np.asarray(np.linalg.norm(np.diff(paper.nodes, axis=axis), axis=2), dtype=np.float32)
        around = _blur(apart, _AROUND_NODES)
        stretches.append(np.abs(_blur(apart, 1.0) / np.maximum(around, np.float32(1e-3)) - 1)[:rows, :columns])
    return np.asarray(np.maximum(*stretches), dtype=np.float32)


def _find_moves(
    lines: NDArray[np.float32], is_visible: NDArray[np.float32], window_mm: float, reach_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Moves in mm, to the right and downwards, of cells of ``NODE_MM``, and how certain they are.

    In each window the lines are fitted by ``level + amplitude * tile + right * tile_x + down * tile_y``; the moves are
    the last two over the amplitude.
    """
    tile = _average_tile(lines, is_visible)
    fit, visible = _fit_tile(lines, is_visible, tile, window_mm)
    typical = float(np.percentile(fit[..., 1], 80)) + 1e-9
    amplitude = fit[..., 1] / typical
    has_grid = (amplitude > LIMITS.min_amplitude) & (visible > LIMITS.min_visible)
    weight = np.asarray(np.where(has_grid, np.clip(amplitude, 0, 1) ** 2 * np.clip(visible, 0, 1), 0), dtype=np.float32)
    floor = np.maximum(amplitude, 0.5 * LIMITS.min_amplitude) * typical * PX_PER_MM
    across, down = (
        _spread(np.asarray(np.clip(-fit[..., term] / floor, -reach_mm, reach_mm), dtype=np.float32), weight)
        for term in (2, 3)
    )
    return across, down, weight


def _fit_tile(
    lines: NDArray[np.float32], is_visible: NDArray[np.float32], tile: Tile, window_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level, amplitude and both slopes of cells of ``NODE_MM``, ``(rows, columns, 4)``, and how visible they are."""
    terms = (None, *tile)
    height, width = lines.shape
    size = (width // _NODE_PX, height // _NODE_PX)
    sigma = window_mm / NODE_MM

    def window(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return _blur(np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float32), sigma)

    normal = np.empty((size[1], size[0], 4, 4))
    right_side = np.empty((size[1], size[0], 4))
    for row, term in enumerate(terms):
        weighted = is_visible if term is None else is_visible * term
        right_side[..., row] = window(weighted * lines)
        for column in range(row, 4):
            other = terms[column]
            normal[..., row, column] = normal[..., column, row] = window(
                weighted if other is None else weighted * other
            )
    damping = [1e-3, *(share * float(np.var(each)) for share, each in zip((1e-3, 2e-2, 2e-2), tile, strict=True))]
    solution = np.linalg.solve(normal + np.diag(damping) + 1e-9 * np.eye(4), right_side[..., None])[..., 0]
    return np.asarray(solution, dtype=np.float64), np.asarray(normal[..., 0, 0], dtype=np.float64)


def _hide_creases(
    lines: NDArray[np.float32], is_visible: NDArray[np.float32], window_mm: float, max_share: float
) -> NDArray[np.float32]:
    """Visibility without lines that run up or across and are not of the grid, such as creases and frames.

    A line beside those of the grid leaves a residual along its length, whatever the map; noise does not.
    """
    tile = _average_tile(lines, is_visible)
    fit, _ = _fit_tile(lines, is_visible, tile, window_mm)
    level, *factors = (
        cv2.resize(fit[..., term].astype(np.float32), lines.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for term in range(4)
    )
    residual = lines - level
    for factor, term in zip(factors, tile, strict=True):
        residual -= factor * term
    residual *= is_visible
    typical = float(np.percentile(fit[..., 1], 80))
    length = round(LIMITS.crease_mm * PX_PER_MM)
    is_crease = np.zeros(lines.shape, dtype=np.bool_)
    for axis, window in enumerate(((1, length), (length, 1))):
        along = cv2.blur(residual, window) / (cv2.blur(is_visible, window) + np.float32(0.2))
        line = typical * float(tile[0][:_TILE_PX, :_TILE_PX].mean(axis=axis).max())
        is_crease |= np.abs(along) > LIMITS.crease_ratio * line
    hidden = is_visible * cv2.dilate(is_crease.astype(np.uint8), np.ones((3, 3), np.uint8))
    if hidden.sum() > max_share * is_visible.sum():
        return is_visible
    return np.asarray(is_visible - hidden, dtype=np.float32)


def _average_tile(lines: NDArray[np.float32], is_visible: NDArray[np.float32]) -> Tile:
    """The mean square of the grid about a mean of nothing, and its slopes to the right and down, on all squares."""
    rows, columns = (size // _TILE_PX for size in lines.shape)
    part = (slice(0, rows * _TILE_PX), slice(0, columns * _TILE_PX))

    def fold(values: NDArray[np.float32]) -> NDArray[np.float32]:
        squares = values[part].reshape(rows, _TILE_PX, columns, _TILE_PX)
        return np.asarray(squares.sum(axis=(0, 2)), dtype=np.float32)

    tile = fold(lines * is_visible) / (fold(is_visible) + np.float32(1e-6))
    tile -= tile.mean()
    slopes = ((np.roll(tile, -1, axis) - np.roll(tile, 1, axis)) / 2 for axis in (1, 0))
    repeats = tuple(-(-size // _TILE_PX) for size in lines.shape)
    whole = (np.tile(each, repeats)[: lines.shape[0], : lines.shape[1]] for each in (tile, *slopes))
    first, second, third = (np.asarray(each, dtype=np.float32) for each in whole)
    return first, second, third


def _spread(moves: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Moves, smoothed a little; those of places without a grid come from the places around them."""
    near = _blur(weight * moves, 0.7)
    far = _blur(weight * moves, _SPREAD_NODES) / (_blur(weight, _SPREAD_NODES) + np.float32(1e-4))
    share = np.float32(0.02)
    return np.asarray((near + share * far) / (_blur(weight, 0.7) + share), dtype=np.float32)


def _to_nodes(cells: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values at the nodes, from those of the cells between them."""
    columns, rows = np.meshgrid(
        np.arange(shape[1], dtype=np.float32) - np.float32(0.5), np.arange(shape[0], dtype=np.float32) - np.float32(0.5)
    )
    at_nodes = cv2.remap(cells, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(at_nodes, dtype=np.float32)


def _blur(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), dtype=np.float32)
