"""Dewarping: bent pages made flat by their printed grid.

A photograph's perspective, a curl or a fold bends the printed grid with the paper. Demodulating the page with the
grid's own 5 mm pitch gives, place by place, the distance of each line from its position (Takeda et al. 1982, fringe
analysis by Fourier transform). That map is refined by the grid itself (``grid_refinement``), and the page is resampled
once with every line in its position.
"""

import heapq
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.geometry.grid_refinement import GridPicture, refine_map
from ecglens.pages.geometry.paper_map import NODE_MM, PaperMap, SourceView
from ecglens.pages.grid import Grid, find_grid_lines
from ecglens.pages.preprocessing import (
    MEAN_PX,
    color_extremes,
    estimate_paper,
    estimate_skew_from,
    extract_ink_from,
    extract_tint_from,
    local_mean,
)
from ecglens.records import NotFound, Page

__all__ = ["LIMITS", "Bend", "DewarpingLimits", "estimate_bend", "flatten"]


@dataclass(frozen=True)
class DewarpingLimits:
    """Thresholds of dewarping by the grid."""

    work_width_px: int = threshold(
        1100,
        "px",
        "Width to which pages are reduced for finding the bend.",
        low="Fine grids are lost.",
        high="Finding takes longer.",
    )
    window: float = threshold(
        2.0,
        "large squares",
        "Window over which the phase of the grid is averaged.",
        low="Noise looks like bends.",
        high="Folds are smoothed away.",
    )
    min_amplitude: float = threshold(
        0.35,
        "1",
        "Amplitude that a place needs as a part of the page's 80th percentile.",
        low="Places without a grid count.",
        high="Shadowed parts of the grid are lost.",
    )
    min_cover: float = threshold(
        0.2,
        "1",
        "Share of the picture that the grid must cover; the rules of a chart cover a tenth.",
        low="Charts are dewarped.",
        high="Small ECGs on large pages stay bent.",
    )
    certain_step: float = threshold(
        0.1,
        "large squares",
        "Step between neighboring places that is as certain as none.",
        low="Phases are followed through noise.",
        high="Phases are followed across folds.",
    )
    min_beside_edge: float = threshold(
        0.6,
        "1",
        "Least mean darkness of the lines around a place of the grid, as a part of the highest beside it: half of a "
        "window at the edge of the grid is empty.",
        low="The step at the edge of a grid, as beside a name that was blanked, looks like a bend.",
        high="Parts of a grid in uneven light are left out.",
    )
    smooth: float = threshold(
        1.5,
        "places",
        "Smoothing of the displacements.",
        low="Noise bends the page.",
        high="Folds stay bent.",
    )
    min_bend_mm: float = threshold(
        0.8,
        "mm",
        "Bend from which a page is dewarped; unevenly printed grids deviate by up to 0.64 mm on the public pages.",
        low="Flat pages are resampled.",
        high="Bent pages are read bent.",
    )
    min_strength_after: float = threshold(
        0.75,
        "1",
        "Strength of the grid after dewarping, as a part of its strength before, below which its pitch was mistaken: "
        "1.1 to 6 on bent pages, 0.79 on creased ones, 0.4 to 0.7 on flat ones.",
        low="Flat gray pages are bent.",
        high="Slightly bent pages stay bent.",
    )
    ink: int = threshold(
        90,
        "ink of 255",
        "Ink that hides the grid.",
        low="Grid lines count as ink.",
        high="Traces bend the page.",
    )
    bar_ratio: float = threshold(
        1.3,
        "1",
        "Ratio of the grid's amplitude to its median from which a crease outweighs it.",
        low="Dark parts of the grid are bridged.",
        high="Creases move the grid by a whole square.",
    )
    max_bars: float = threshold(
        0.4,
        "1",
        "Share of such places up to which they are bridged.",
        low="Pages with many creases are not dewarped.",
        high="Pages with a large shadow are bridged.",
    )
    dense_px: int = threshold(
        101,
        "px",
        "Window in which the share of ink is counted.",
        low="Complexes look like a dark grid.",
        high="Small dark parts of a grid are lost.",
    )
    dense_share: float = threshold(
        0.5,
        "1",
        "Share of ink in a window from which it is a dark grid.",
        low="Dense traces look like a grid.",
        high="Dark parts of a grid are lost.",
    )
    max_solid: float = threshold(
        0.2,
        "1",
        "Share of solid black in a window from which it is no grid.",
        low="Dark parts of a grid with thick lines are lost.",
        high="The table beside the page counts as a grid.",
    )
    dense_ink: int = threshold(
        170,
        "ink of 255",
        "Ink that hides a dark grid.",
        low="Dark grid lines count as ink.",
        high="Traces bend the page.",
    )
    min_line: int = threshold(
        12,
        "gray levels",
        "Darkness of a line of which the color is looked at.",
        low="Noise decides on the color of the grid.",
        high="Pale grids have no color.",
    )
    gray_ratio: float = threshold(
        0.7,
        "1",
        "Darkness in the brightest color, as a part of that in the darkest, from which a line is gray.",
        low="Pale red lines are gray.",
        high="Creases in warm light are not gray.",
    )
    max_gray: float = threshold(
        0.5,
        "1",
        "Share of gray lines, on the page and in a window, from which the grid itself is gray there.",
        low="Creases close to each other pull the grid.",
        high="Gray parts of a red grid are lost.",
    )
    max_px_per_mm: float = threshold(
        10.0,
        "px/mm",
        "Resolution of flat paper, that of the picture at most.",
        low="Thin tips are lost.",
        high="Photographs of 12 megapixels take longer than 3 s.",
    )
    max_residual_mm: float = threshold(
        0.3,
        "mm",
        "Residual after refining from which the grid was mistaken, and the page is not dewarped.",
        low="Crumpled paper stays bent.",
        high="Pages are bent by noise.",
        evidence="`python benchmarks/photographed.py`: 0.01 to 0.04 mm on rendered pages",
    )
    max_line_mm: float = threshold(
        1.6,
        "mm",
        "Width of a grid line, blur included; wider dark places are shadows.",
        low="Blurred grid lines are removed.",
        high="Shadows of creases look like lines.",
    )
    fine_width_px: int = threshold(
        2300,
        "px",
        "Width to which pages are reduced for refining the map: the lines of 1 mm need 6 px.",
        low="The lines of 1 mm are rounded to pixels.",
        high="Refining takes longer.",
    )
    fine_blur_px: float = threshold(
        1.0,
        "px",
        "Blur of the grid lines for refining the map.",
        low="Lines between pixels move the map by up to 0.03 mm.",
        high="The lines of 1 mm fade.",
    )
    bridge: int = threshold(
        5,
        "places",
        "Width of a gap in the grid, as under a crease or a hand's shadow, across which its phase is followed.",
        low="A crease cuts off a part of the page, which stays bent.",
        high="Print beside the grid counts as a part of it.",
    )
    ridge: float = threshold(
        1e-3,
        "1",
        "Damping of the surface's curved terms, which would run away beside the visible grid.",
        low="Places without a grid are moved far.",
        high="Strong curls stay.",
    )
    line_percentile: int = threshold(
        97,
        "%",
        "Percentile of the darkness of grid lines at which it is clipped: lines of 5 mm cover a tenth of the paper.",
        low="Lines of 5 mm look like those of 1 mm.",
        high="The shadows of creases outweigh the grid.",
    )
    min_visible: float = threshold(
        0.6,
        "1",
        "Share of the picture whose grid was followed below which all leads fail on a page that is not dewarped.",
        low="A part beyond a sharp fold is read as if it were flat.",
        high="Small ECGs on large pages fail.",
        evidence="`python benchmarks/photographed.py`: fold 1",
    )
    min_local_mm: float = threshold(
        0.42,
        "mm",
        "Bend of single places from which a page is dewarped, such as a creased one: 0.31 to 0.36 mm on public pages.",
        low="Flat pages are resampled.",
        high="Creased pages are read with their creases.",
    )
    local_percentile: int = threshold(
        90,
        "%",
        "Percentile of the displacements that is the bend of single places.",
        low="Creases are overlooked.",
        high="Noise at one place bends the page.",
    )
    span_percentile: int = threshold(
        97,
        "%",
        "Percentile of the displacements that is the bend of the page.",
        low="Bends at one edge are overlooked.",
        high="Noise at one place bends the page.",
    )


LIMITS = DewarpingLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """Distances of the grid's lines from their positions.

    Attributes:
        across_px: ``(rows, columns)``, to the right, px of the page turned upright, at places ``step_px`` apart.
        down_px: The same, downwards.
        step_px: Distance of the places.
        angle_deg: By how much the page is turned clockwise.
        px_per_mm: Of the page, ``(vertical, horizontal)``.
        is_visible: ``(rows, columns)``, where the grid was strong enough.
        most_mm: How far a smooth surface through them deviates, but for the farthest few places.
        local_mm: How far they deviate themselves, but for the farthest tenth of the places.
        strength: How far the grid stands out of the page, by :class:`Grid`.
    """

    across_px: NDArray[np.float64]
    down_px: NDArray[np.float64]
    step_px: float
    angle_deg: float
    px_per_mm: tuple[float, float]
    is_visible: NDArray[np.bool_]
    most_mm: float
    local_mm: float
    strength: float


def flatten(page: Page, *, from_mm: float = LIMITS.min_bend_mm, source: SourceView | None = None) -> Page:
    """Resample the page with its grid's lines in their positions; unchanged where it is flat or has no grid.

    A grid that stands out less afterwards was not bent: its pitch was mistaken, as on gray pages saved as JPEG.

    Args:
        page: Page as it was decoded, turned by at most 10 degrees.
        from_mm: Least bend at which it is resampled.
        source: Picture that the page was resampled from, which is resampled instead; the page itself by default.
    """
    picture = _find_lines(page)
    bend = _estimate_bend(page, picture, LIMITS.smooth)
    if bend is None:
        return page
    most_mm = max(page.bend_mm, bend.most_mm)  # what was dewarped once is no flatter than it was
    if bend.most_mm < from_mm and bend.local_mm < LIMITS.min_local_mm:
        return replace(page, bend_mm=most_mm)
    paper = _unbend(bend, page.pixels.shape)
    flat_grid = _find_flat_grid(picture, paper)
    has_most = bend.is_visible.mean() >= LIMITS.min_visible  # of a page with a sharp fold, a half may be left out
    page = replace(page, is_settled=bend.is_visible if has_most else np.zeros_like(bend.is_visible))
    if flat_grid is None or flat_grid.strength < LIMITS.min_strength_after * bend.strength:
        return replace(page, bend_mm=page.bend_mm)
    refined = refine_map(_find_fine_lines(page, bend), paper)
    if refined.residual_mm > LIMITS.max_residual_mm:
        return replace(page, bend_mm=most_mm)
    own = source or SourceView(page.pixels, np.eye(3))
    scale = min(float(np.mean(bend.px_per_mm)), LIMITS.max_px_per_mm)
    flat = refined.paper.project(own.to_source).resample(
        own.pixels, scale, kernel=cv2.INTER_CUBIC, border=cv2.BORDER_REPLICATE
    )
    warning = (
        f"The paper was bent or photographed at an angle, by up to {bend.most_mm:.1f} mm; it was dewarped by its grid."
    )
    warnings = (*page.warnings, warning)
    pixels = np.asarray(flat, dtype=np.uint8)
    flattened = replace(page, pixels=pixels, warnings=warnings, curves=(), texts=())
    return replace(flattened, bend_mm=most_mm, residual_mm=refined.residual_mm, is_settled=refined.is_settled)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Grid lines and ink of a page, at a reduced resolution.

    Attributes:
        lowest: Darkest of each pixel's colors.
        lines: How much darker than the paper each pixel is, without the ink.
        paper: 255 where no ink hides the grid, otherwise 0.
        step: Pixels of the page in one of these.
    """

    lowest: NDArray[np.uint8]
    lines: NDArray[np.uint8]
    paper: NDArray[np.uint8]
    step: int


def _find_fine_lines(page: Page, bend: Bend) -> GridPicture:
    """The grid lines alone, finer than for the bend."""
    fine = _find_lines(page, LIMITS.fine_width_px)
    thin, valid = _thin_lines(fine.lines, fine.paper, float(np.mean(bend.px_per_mm)) / fine.step)
    blurred = cv2.GaussianBlur(thin, (0, 0), LIMITS.fine_blur_px)
    return GridPicture(np.asarray(blurred, dtype=np.float32), valid, fine.step)


def _find_lines(page: Page, width_px: int = LIMITS.work_width_px) -> _Lines:
    step = max(1, round(page.width / width_px))
    height, width = page.height // step, page.width // step
    work = page.pixels[: height * step, : width * step]
    if step > 1:
        work = np.asarray(cv2.resize(work, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    brightest, lowest = color_extremes(work)
    dark = extract_ink_from(brightest)
    lines = extract_tint_from(lowest, dark)
    is_ink = cv2.dilate(dark, np.ones((7, 7), np.uint8)) >= LIMITS.ink
    window = (LIMITS.dense_px, LIMITS.dense_px)
    is_dense = cv2.blur(is_ink.astype(np.float32), window) > LIMITS.dense_share
    if is_dense.any():  # a dark table is no grid
        solid = cv2.morphologyEx((dark >= LIMITS.ink).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
        is_dense &= cv2.blur(solid.astype(np.float32), window) < LIMITS.max_solid
    if is_dense.any():  # the lines of a dark grid
        is_ink &= ~is_dense | (cv2.dilate(dark, np.ones((5, 5), np.uint8)) >= LIMITS.dense_ink)
        faint = cv2.subtract(estimate_paper(lowest), lowest)
        lines = np.where(is_dense, np.where(is_ink, np.uint8(0), faint), lines)
    is_ink |= _find_creases(lines, dark, is_ink)
    paper = np.where(is_ink, np.uint8(0), np.uint8(255))
    return _Lines(lowest, lines, paper, step)


def _find_creases(lines: NDArray[np.uint8], dark: NDArray[np.uint8], is_ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of gray lines on a colored grid, such as the shadows of creases, without whole gray parts of the page."""
    is_grid = ~is_ink & (lines > LIMITS.min_line)
    is_gray = is_grid & (dark > LIMITS.gray_ratio * lines.astype(np.float32))
    if is_gray.sum() > LIMITS.max_gray * is_grid.sum():
        return np.zeros(lines.shape, dtype=np.bool_)
    window = (LIMITS.dense_px, LIMITS.dense_px)
    share = cv2.blur(is_gray.astype(np.float32), window) / (cv2.blur(is_grid.astype(np.float32), window) + 1e-3)
    is_crease = (is_gray & (share < LIMITS.max_gray)).astype(np.uint8)
    return np.asarray(cv2.dilate(is_crease, np.ones((3, 3), np.uint8)) > 0)


def _unbend(bend: Bend, shape: tuple[int, ...]) -> PaperMap:
    """The map from paper to the page by its bend."""
    height, width = shape[:2]
    down, across = bend.px_per_mm
    columns, rows = np.meshgrid(
        np.arange(0, width / across + NODE_MM, NODE_MM, dtype=np.float32) * np.float32(across),
        np.arange(0, height / down + NODE_MM, NODE_MM, dtype=np.float32) * np.float32(down),
    )
    at = columns / bend.step_px, rows / bend.step_px
    columns, rows = columns + _interpolate(bend.across_px, *at), rows + _interpolate(bend.down_px, *at)
    back = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -bend.angle_deg, 1.0)
    across_px, down_px = (turn[0] * columns + turn[1] * rows + turn[2] for turn in back)
    return PaperMap(np.stack([across_px, down_px], axis=-1).astype(np.float32))


def _find_flat_grid(picture: _Lines, paper: PaperMap) -> Grid | None:
    """The grid of the page as it is flat by a map."""
    raw = GridPicture(picture.lines.astype(np.float32), (picture.paper > 127).astype(np.float32), picture.step)
    grid = find_grid_lines(np.asarray(raw.flatten(paper)[0], dtype=np.uint8))
    return None if isinstance(grid, NotFound) else grid


def estimate_bend(page: Page, *, smooth: float = LIMITS.smooth) -> Bend | None:
    """Estimate how the page's grid is bent; ``None`` where no grid is found.

    Args:
        page: As for :func:`flatten`.
        smooth: Over how many places, half a large square each, displacements are smoothed.
    """
    return _estimate_bend(page, _find_lines(page), smooth)


def _estimate_bend(page: Page, picture: _Lines, smooth: float) -> Bend | None:
    height, width = picture.lines.shape
    step = picture.step
    angle = estimate_skew_from(picture.lowest)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    lines, paper = (
        np.asarray(cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
        for image in (picture.lines, picture.paper)
    )
    grid = find_grid_lines(lines)
    if isinstance(grid, NotFound):
        return None
    for has_edges in (False, True):  # of a small grid, little is left without its edges
        across, down, (rough_mm, local_mm), is_visible, places = _measure_displacements(
            _level_lines(lines, paper, grid, has_edges=has_edges), grid, smooth
        )
        if is_visible.mean() >= LIMITS.min_cover:
            break
    else:
        return None
    return Bend(
        most_mm=rough_mm,
        local_mm=local_mm,
        strength=grid.strength,
        across_px=across * step,
        down_px=down * step,
        step_px=places * step,
        angle_deg=angle,
        px_per_mm=(grid.px_per_mm[0] * step, grid.px_per_mm[1] * step),
        is_visible=is_visible,
    )


def _level_lines(
    lines: NDArray[np.uint8], paper: NDArray[np.uint8], grid: Grid, *, has_edges: bool
) -> NDArray[np.float32]:
    """Grid lines about a mean of nothing, and nothing where ink hides them: a hole must not look like a line.

    Without its edges, neither does the edge of the grid.
    """
    thin, valid = _thin_lines(lines, paper, float(np.mean(grid.px_per_mm)))
    if not has_edges:
        around = local_mean(thin, valid)
        highest = cv2.dilate(around, np.ones((MEAN_PX, MEAN_PX), np.uint8))
        valid *= around > LIMITS.min_beside_edge * highest
    return np.asarray((thin - local_mean(thin, valid)) * valid, dtype=np.float32)


def _thin_lines(
    lines: NDArray[np.uint8], paper: NDArray[np.uint8], px_per_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grid lines without what is broader or much darker, as the shadow of a fold is; and where nothing hides them."""
    valid = (paper > 127).astype(np.float32)
    filled = np.where(valid > 0, lines, local_mean(lines, valid)).astype(np.float32)
    size = max(3, round(LIMITS.max_line_mm * px_per_mm) | 1)
    thin = cv2.morphologyEx(filled, cv2.MORPH_TOPHAT, np.ones((size, size), np.uint8))
    darkest = float(np.percentile(thin[::4, ::4], LIMITS.line_percentile))
    return np.asarray(np.minimum(thin, max(darkest, 1.0)), dtype=np.float32), valid


def _measure_displacements(
    lines: NDArray[np.float32], grid: Grid, smooth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float], NDArray[np.bool_], float]:
    """Displacements across and down in px, how far they go in mm, where they were visible, and the places' distance.

    They go as far as a smooth surface does, and as far as they do themselves.
    """
    pitches = [5 * value for value in grid.px_per_mm]
    places = float(np.mean(pitches)) / 2
    rows = np.arange(0, lines.shape[0], places)
    columns = np.arange(0, lines.shape[1], places)
    at = np.ix_(
        np.rint(rows).astype(np.intp).clip(0, lines.shape[0] - 1),
        np.rint(columns).astype(np.intp).clip(0, lines.shape[1] - 1),
    )
    waves = []
    for axis, pitch in ((1, pitches[1]), (0, pitches[0])):
        phase = (-2 * np.pi / pitch * np.arange(lines.shape[axis])).astype(np.float32)
        wave = np.stack([np.cos(phase), np.sin(phase)])
        wave = wave[:, None, :] if axis == 1 else wave[:, :, None]
        window = (round(LIMITS.window * pitches[1]) | 1, round(LIMITS.window * pitches[0]) | 1)
        real, imaginary = (cv2.blur(lines * part, window, borderType=cv2.BORDER_CONSTANT) for part in wave)
        waves.append((real + 1j * imaginary)[at])
    waves = [_bridge_bars(wave) for wave in waves]
    strength = np.minimum(*(np.abs(wave) / (np.percentile(np.abs(wave), 80) + 1e-9) for wave in waves))
    # Strong places beside the grid, such as print, are another part.
    has_grid = (strength > LIMITS.min_amplitude).astype(np.uint8)
    bridged = cv2.morphologyEx(has_grid, cv2.MORPH_CLOSE, np.ones((LIMITS.bridge, LIMITS.bridge), np.uint8))
    _, parts = cv2.connectedComponents(bridged, connectivity=4)
    largest = np.bincount(np.asarray(parts).ravel(), minlength=2)[1:].argmax() + 1
    is_visible = np.asarray(parts == largest, dtype=np.bool_)
    displacements, rough, own = [], [], []
    for wave, pitch in zip(waves, reversed(pitches), strict=True):
        turned = _unwrap(np.angle(wave), strength, is_visible)
        moved = -turned * pitch / (2 * np.pi)
        moved -= np.median(moved[is_visible]) if is_visible.any() else 0.0
        surface, whole = _fit_surfaces(moved, np.where(is_visible, np.minimum(strength, 1.0), 0.0), smooth)
        rough.append(surface * 5 / pitch)
        own.append(whole * 5 / pitch)
        displacements.append(whole)
    apart, own_apart = np.hypot(*rough)[is_visible], np.hypot(*own)[is_visible]
    reach = (
        float(np.percentile(apart, LIMITS.span_percentile)) if apart.size else 0.0,
        float(np.percentile(own_apart, LIMITS.local_percentile)) if apart.size else 0.0,
    )
    return (
        displacements[0],
        displacements[1],
        reach,
        is_visible,
        places,
    )


def _bridge_bars(wave: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The wave of a grid, from the places around those where a crease outweighs it: there it is far too strong."""
    amplitude = np.abs(wave)
    typical = float(np.median(amplitude[amplitude > LIMITS.min_amplitude * np.percentile(amplitude, 80)]))
    is_bar = cv2.dilate((amplitude > LIMITS.bar_ratio * typical).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not is_bar.any() or is_bar.mean() > LIMITS.max_bars:
        return wave
    outside = np.where(is_bar, 0, 1.0)
    real, imaginary, weight = (
        _smooth(part * outside, LIMITS.bridge / 2) for part in (wave.real, wave.imag, np.ones(wave.shape))
    )
    return np.asarray(np.where(is_bar, (real + 1j * imaginary) / (weight + 1e-6), wave), dtype=np.complex128)


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian blur, cut at 4 sigma, with the values mirrored at the edges."""
    size = 2 * int(4 * sigma + 0.5) + 1
    blurred = cv2.GaussianBlur(values, (size, size), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, dtype=np.float64)


def _unwrap(
    phase: NDArray[np.float64], strength: NDArray[np.float64], is_visible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Phases without jumps of whole turns, along the most certain steps between neighbors.

    Those are the minimum spanning tree of the places where the grid was strong enough (Prim 1957). A step is certain
    between strong places and where the phase hardly changes: one of half a turn may go either way. scikit-image's
    ``unwrap_phase`` ranks by the phase alone, and its import takes longer than reading a page.
    """
    if not is_visible.any():
        return phase
    turns = phase / (2 * np.pi)
    # Places are numbered row by row with a border around them, so that every place has four neighbors.
    mask, wide = np.pad(is_visible, 1), is_visible.shape[1] + 2
    down, right = (
        np.pad(_step_costs(turns, strength, axis), ((1, 2 - axis), (1, 1 + axis))).ravel().tolist() for axis in (0, 1)
    )
    out, is_open = np.pad(turns, 1).ravel().tolist(), mask.ravel().tolist()
    start = int(np.where(mask, np.pad(strength, 1), 0).argmax())
    heap: list[tuple[float, int, float]] = [(0.0, start, out[start])]
    while heap:
        _, place, before = heapq.heappop(heap)
        if not is_open[place]:
            continue
        is_open[place] = False
        here = out[place] = out[place] + round(before - out[place])
        if is_open[place - wide]:
            heapq.heappush(heap, (down[place - wide], place - wide, here))
        if is_open[place + wide]:
            heapq.heappush(heap, (down[place], place + wide, here))
        if is_open[place - 1]:
            heapq.heappush(heap, (right[place - 1], place - 1, here))
        if is_open[place + 1]:
            heapq.heappush(heap, (right[place], place + 1, here))
    return np.asarray(out, dtype=np.float64).reshape(mask.shape)[1:-1, 1:-1] * 2 * np.pi


def _step_costs(turns: NDArray[np.float64], strength: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Uncertainty of the step from each place to the next along an axis."""
    step = np.diff(turns, axis=axis)
    moved = np.abs(step - np.rint(step))
    weaker = np.minimum(strength[1:], strength[:-1]) if axis == 0 else np.minimum(strength[:, 1:], strength[:, :-1])
    return np.asarray((1 + (moved / LIMITS.certain_step) ** 2) / np.maximum(weaker, 1e-9), dtype=np.float64)


def _fit_surfaces(
    moved: NDArray[np.float64], weight: NDArray[np.float64], smooth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Through the weighted places: a cubic over the whole page, and the same with what it leaves, smoothed."""
    y, x = np.mgrid[-1 : 1 : moved.shape[0] * 1j, -1 : 1 : moved.shape[1] * 1j]
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=-1)
    flat_terms = terms.reshape(-1, terms.shape[-1])
    weighted = flat_terms * weight.reshape(-1, 1)
    # Normal equations: ten terms on [-1, 1] are well conditioned, and least squares by SVD take 20 times as long.
    curved = np.diag([LIMITS.ridge * float(weight.sum()) * (i + j > 1) for i in range(4) for j in range(4 - i)])
    solution = np.linalg.lstsq(weighted.T @ flat_terms + curved, weighted.T @ moved.ravel(), rcond=None)[0]
    surface = np.asarray(terms @ solution, dtype=np.float64)
    residual = _smooth((moved - surface) * weight, smooth) / (_smooth(weight, smooth) + 0.05)
    return surface, surface + residual


def _interpolate(
    moved: NDArray[np.float64], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Displacements between places, bilinear."""
    full = cv2.remap(moved.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(full, dtype=np.float32)
