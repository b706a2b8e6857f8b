"""Dewarping: bent pages made flat by their printed grid.

A photograph's perspective, a curl or a fold bends the printed grid with the paper. Demodulating the page with the
grid's own 5 mm pitch gives, place by place, the distance of each line from its position (Takeda et al. 1982, fringe
analysis by Fourier transform); the page is then resampled with every line in its position. The rest of a strong curl is
found in the new picture in the same way.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.grid import Grid, find_grid_lines
from ecglens.pages.preprocessing import (
    color_extremes,
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
    smooth: float = threshold(
        1.5,
        "places",
        "Smoothing of the displacements.",
        low="Noise bends the page.",
        high="Folds stay bent.",
    )
    smooth_again: float = threshold(
        3.0,
        "places",
        "Smoothing the second time: what is left of a strong curl is broad.",
        low="Noise bends the page.",
        high="The rest of a curl stays.",
    )
    min_bend_mm: float = threshold(
        0.8,
        "mm",
        "Bend from which a page is dewarped; unevenly printed grids deviate by up to 0.64 mm on the public pages.",
        low="Flat pages are resampled.",
        high="Bent pages are read bent.",
    )
    min_strong_bend_mm: float = threshold(
        4.0,
        "mm",
        "Bend from which a page is dewarped twice.",
        low="Dewarping takes longer.",
        high="Strong curls stay bent.",
    )
    min_strength_after: float = threshold(
        0.8,
        "1",
        "Strength of the grid after dewarping, as a part of its strength before, below which its pitch was mistaken: "
        "1.1 to 6 on bent pages, 0.4 to 0.7 on flat ones.",
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
    max_line_px: int = threshold(
        15,
        "px",
        "Width of a grid line in the reduced picture.",
        low="Grid lines are removed.",
        high="Shadows of folds look like lines.",
    )
    span_percentile: int = threshold(
        97,
        "%",
        "Percentile of the displacements that is the bend of the page.",
        low="Bends at one edge are overlooked.",
        high="Noise at one place bends the page.",
    )


LIMITS = DewarpingLimits()


_STRIP_PX = 256


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
        strength: How far the grid stands out of the page, by :class:`Grid`.
    """

    across_px: NDArray[np.float64]
    down_px: NDArray[np.float64]
    step_px: float
    angle_deg: float
    px_per_mm: tuple[float, float]
    is_visible: NDArray[np.bool_]
    most_mm: float
    strength: float


def flatten(page: Page, *, from_mm: float = LIMITS.min_bend_mm) -> Page:
    """Resample the page with its grid's lines in their positions; unchanged where it is flat or has no grid.

    A grid that stands out less afterwards was not bent: its pitch was mistaken, as on gray pages saved as JPEG.

    Args:
        page: Page as it was decoded, turned by at most 10 degrees.
        from_mm: Least bend at which it is resampled.
    """
    bend = estimate_bend(page)
    if bend is None:
        return page
    most_mm = max(page.bend_mm, bend.most_mm)  # what was dewarped once is no flatter than it was
    if bend.most_mm < from_mm:
        return replace(page, bend_mm=most_mm)
    flat = _resample(page.pixels, [bend])
    left = estimate_bend(replace(page, pixels=flat), smooth=LIMITS.smooth_again)
    if left is None or left.strength < LIMITS.min_strength_after * bend.strength:
        return replace(page, bend_mm=page.bend_mm)
    if bend.most_mm > LIMITS.min_strong_bend_mm:
        flat = _resample(page.pixels, [bend, left])
    warning = (
        f"The paper was bent or photographed at an angle, by up to {bend.most_mm:.1f} mm; it was dewarped by its grid."
    )
    warnings = (*page.warnings, warning)
    return replace(page, pixels=flat, warnings=warnings, curves=(), texts=(), bend_mm=most_mm)


def _resample(pixels: NDArray[np.uint8], bends: Sequence[Bend]) -> NDArray[np.uint8]:
    """Resample the picture with every line in its position.

    It works in strips, because the positions of all pixels take ten times the memory of the picture.

    Args:
        pixels: Of the page.
        bends: Its own, and those of the picture that is resampled by the ones before.
    """
    height, width = pixels.shape[:2]
    flat = np.empty_like(pixels)
    for top in range(0, height, _STRIP_PX):
        strip = slice(top, min(top + _STRIP_PX, height))
        rows, columns = np.mgrid[strip, :width].astype(np.float32)
        for bend in reversed(bends):
            at = columns / bend.step_px, rows / bend.step_px
            columns, rows = columns + _interpolate(bend.across_px, *at), rows + _interpolate(bend.down_px, *at)
            back = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -bend.angle_deg, 1.0)
            columns, rows = (
                np.asarray(turn[0] * columns + turn[1] * rows + turn[2], dtype=np.float32) for turn in back
            )
        cv2.remap(pixels, columns, rows, cv2.INTER_CUBIC, dst=flat[strip], borderMode=cv2.BORDER_REPLICATE)
    return flat


def estimate_bend(page: Page, *, smooth: float = LIMITS.smooth) -> Bend | None:
    """Estimate how the page's grid is bent; ``None`` where no grid is found.

    Args:
        page: As for :func:`flatten`.
        smooth: Over how many places, half a large square each, displacements are smoothed.
    """
    step = max(1, round(page.width / LIMITS.work_width_px))
    height, width = page.height // step, page.width // step
    work = page.pixels[: height * step, : width * step]
    if step > 1:
        work = np.asarray(cv2.resize(work, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    brightest, lowest = color_extremes(work)
    dark = extract_ink_from(brightest)
    lines = extract_tint_from(lowest, dark)
    paper = np.where(cv2.dilate(dark, np.ones((7, 7), np.uint8)) < LIMITS.ink, np.uint8(255), np.uint8(0))
    angle = estimate_skew_from(lowest)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    lines, paper = (
        np.asarray(cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
        for image in (lines, paper)
    )
    grid = find_grid_lines(lines)
    if isinstance(grid, NotFound):
        return None
    across, down, rough_mm, is_visible, places = _measure_displacements(_level_lines(lines, paper), grid, smooth)
    if is_visible.mean() < LIMITS.min_cover:
        return None
    return Bend(
        most_mm=rough_mm,
        strength=grid.strength,
        across_px=across * step,
        down_px=down * step,
        step_px=places * step,
        angle_deg=angle,
        px_per_mm=(grid.px_per_mm[0] * step, grid.px_per_mm[1] * step),
        is_visible=is_visible,
    )


def _level_lines(lines: NDArray[np.uint8], paper: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grid lines about a mean of nothing, and nothing where ink hides them: a hole must not look like a line.

    What is broader than a line is taken off first: a fold's shadow must not look like one either.
    """
    valid = (paper > 127).astype(np.float32)
    filled = np.where(valid > 0, lines, local_mean(lines, valid)).astype(np.float32)
    thin = cv2.morphologyEx(filled, cv2.MORPH_TOPHAT, np.ones((LIMITS.max_line_px, LIMITS.max_line_px), np.uint8))
    return np.asarray((thin - local_mean(thin, valid)) * valid, dtype=np.float32)


def _measure_displacements(
    lines: NDArray[np.float32], grid: Grid, smooth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.bool_], float]:
    """Displacements across and down in px, how far they go in mm, where they were seen, and the places' distance."""
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
    strength = np.minimum(*(np.abs(wave) / (np.percentile(np.abs(wave), 80) + 1e-9) for wave in waves))
    # Strong places beside the grid, such as print, are another part.
    _, parts = cv2.connectedComponents((strength > LIMITS.min_amplitude).astype(np.uint8), connectivity=4)
    largest = np.bincount(np.asarray(parts).ravel(), minlength=2)[1:].argmax() + 1
    is_visible = np.asarray(parts == largest, dtype=np.bool_)
    displacements, rough = [], []
    for wave, pitch in zip(waves, reversed(pitches), strict=True):
        turned = _unwrap(np.angle(wave), strength, is_visible)
        moved = -turned * pitch / (2 * np.pi)
        moved -= np.median(moved[is_visible]) if is_visible.any() else 0.0
        surface, whole = _fit_surfaces(moved, np.where(is_visible, np.minimum(strength, 1.0), 0.0), smooth)
        rough.append(surface * 5 / pitch)
        displacements.append(whole)
    apart = np.hypot(*rough)[is_visible]
    return (
        displacements[0],
        displacements[1],
        float(np.percentile(apart, LIMITS.span_percentile)) if apart.size else 0.0,
        is_visible,
        places,
    )


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
    solution = np.linalg.lstsq(weighted.T @ flat_terms, weighted.T @ moved.ravel(), rcond=None)[0]
    surface = np.asarray(terms @ solution, dtype=np.float64)
    residual = _smooth((moved - surface) * weight, smooth) / (_smooth(weight, smooth) + 0.05)
    return surface, surface + residual


def _interpolate(
    moved: NDArray[np.float64], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Displacements between places, bilinear."""
    full = cv2.remap(moved.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(full, dtype=np.float32)
