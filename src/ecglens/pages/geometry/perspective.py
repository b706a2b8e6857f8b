"""Perspective: photographs rectified by how the squares of their grid change over the picture.

A plane that is photographed at an angle is mapped by a homography, and so is its grid: counted in squares, the place
``(u, v)`` on the paper of a pixel ``(x, y)`` is ``(a x + b y, d x + e y) / (1 + g x + h y)``. The spectrum of a small
part of the picture tells how fast u and v grow there; a homography is fitted to many such parts and undone.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft2
from scipy.optimize import least_squares

from ecglens.limits import threshold
from ecglens.pages.geometry.paper_map import SourceView
from ecglens.pages.preprocessing import color_extremes, extract_ink_from, extract_tint_from, local_mean
from ecglens.records import Page

__all__ = ["LIMITS", "PerspectiveLimits", "rectify_by_grid"]


@dataclass(frozen=True)
class PerspectiveLimits:
    """Thresholds of finding the perspective from the grid."""

    work_width_px: int = threshold(
        1100,
        "px",
        "Width to which photographs are reduced.",
        low="Fine grids are lost.",
        high="Finding takes longer.",
    )
    pitch_range_px: tuple[float, float] = threshold(
        (9.0, 60.0),
        "px",
        "Pitches of the grid that are searched.",
        low="Noise looks like a fine grid.",
        high="Fine or distant grids are not found.",
    )
    ink: int = threshold(
        90,
        "ink of 255",
        "Ink that hides the grid.",
        low="Grid lines count as ink.",
        high="Traces disturb the spectrum.",
    )
    max_line: int = threshold(
        60,
        "gray levels",
        "Strength of a line that counts at most.",
        low="Grid lines lose their strength.",
        high="Shadows dominate the spectrum.",
    )
    min_tiles: int = threshold(
        12,
        "tiles",
        "Least number of tiles.",
        low="A homography is fitted to noise.",
        high="Small photographs are not used.",
    )
    min_peak: float = threshold(
        5.0,
        "1",
        "Height of a peak above its spectrum's median from which it may be of a grid.",
        low="Noise counts as a grid.",
        high="Faint grids are not used.",
    )
    certain_peak: float = threshold(
        10.0,
        "1",
        "Height from which it counts fully.",
        low="Noise counts as much as the grid.",
        high="Faint parts count little.",
    )
    min_background: float = threshold(
        20.0,
        "1",
        "Least background of a spectrum: rounding has a pattern too.",
        low="Blank parts look like grids.",
        high="Faint grids are not used.",
    )
    pitch_tolerance: float = threshold(
        0.12,
        "1",
        "Relative difference of pitches of one kind before the fit.",
        low="Strong perspective is not fitted.",
        high="Harmonics are mixed.",
    )
    fit_tolerance: float = threshold(
        0.05,
        "1",
        "Relative deviation of a tile from the fit.",
        low="Bent paper has no homography.",
        high="Wrong homographies are accepted.",
    )
    min_agreement: float = threshold(
        0.5,
        "1",
        "Least share of the tiles with plain lines that agree.",
        low="Wrong homographies are accepted.",
        high="Photographs with other patterns are not used.",
    )
    min_cover: float = threshold(
        0.2,
        "1",
        "Least share of all tiles that agree.",
        low="Small patterns decide.",
        high="Small pages in large photographs are not used.",
    )
    rounds: int = threshold(
        4,
        "rounds",
        "Rounds of the fit.",
        low="Harmonics are not resolved.",
        high="The fit takes longer.",
    )
    min_depth: float = threshold(
        0.3,
        "1",
        "Least relative depth of a corner: beyond it the picture would be stretched threefold and more.",
        low="Pictures are stretched into blur.",
        high="Strong perspective is not undone.",
    )
    max_px_per_square: float = threshold(
        60.0,
        "px",
        "Resolution of the result, pixels for 5 mm.",
        low="Thin tips are blurred.",
        high="The result takes more memory.",
    )


LIMITS = PerspectiveLimits()


_TILE_PX, _SPECTRUM_PX = 176, 256
_TURN = float(np.tan(np.deg2rad(35)))
"""Largest turn of the lines, as a slope."""
_FOLDS = np.array([1 / 3, 1 / 2, 1.0, 2.0, 3.0])
"""Peaks are the grid's own or a harmonic of it; as long as all are of one kind the homography is the same."""

_Gradients = NDArray[np.float64]


def rectify_by_grid(page: Page) -> tuple[Page, SourceView] | None:
    """Rectify a photograph by its grid, with a warning; ``None`` where the grid does not show the perspective.

    Args:
        page: A photograph, turned by at most 30 degrees.

    Returns:
        The page from straight above, and the picture that it was resampled from.
    """
    step = max(1, round(page.width / LIMITS.work_width_px))
    height, width = page.height // step, page.width // step
    work = page.pixels[: height * step, : width * step]
    if step > 1:
        work = np.asarray(cv2.resize(work, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if min(height, width) < _TILE_PX:
        return None
    tiles, centers = _tiles(_grid_lines(work))
    middle, reach = np.array([width / 2, height / 2]), max(width, height) / 2
    plane = _fit_homography((centers - middle) / reach, *_peaks(tiles)) if len(centers) >= LIMITS.min_tiles else None
    if plane is None:
        return None
    a, b, d, e, g, h = plane
    pitch = 1 / float(np.sqrt(abs(a * e - b * d)))  # so that the middle stays as large as it is
    if any(1 + g * x + h * y < LIMITS.min_depth for x in (-1, 1) for y in (-height / width, height / width)):
        return None
    shrink = max(1, round(pitch * step / LIMITS.max_px_per_square))
    pixels = page.pixels
    if shrink > 1:
        size = (page.width // shrink, page.height // shrink)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    to_work = np.diag([step / shrink, step / shrink, 1.0])
    to_places = np.array([[1 / reach, 0, -middle[0] / reach], [0, 1 / reach, -middle[1] / reach], [0, 0, 1]])
    to_squares = np.array([[a, b, 0], [d, e, 0], [g, h, 1]]) @ to_places
    to_px = np.diag([reach * pitch * step / shrink, reach * pitch * step / shrink, 1.0])
    flat, matrix = _warp_whole(pixels, to_px @ to_squares @ np.linalg.inv(to_work))
    warning = "The page was photographed at an angle; it was rectified by its grid."
    view = replace(page, pixels=flat, warnings=(*page.warnings, warning), curves=(), texts=())
    return view, SourceView(pixels, np.asarray(np.linalg.inv(matrix), dtype=np.float64))


def _grid_lines(work: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grid lines about a mean of nothing; nothing where ink hides them."""
    brightest, lowest = color_extremes(work)
    dark = extract_ink_from(brightest)
    lines = extract_tint_from(lowest, dark).astype(np.float32)
    valid = (cv2.dilate(dark, np.ones((5, 5), np.uint8)) < LIMITS.ink).astype(np.float32)
    return np.asarray(
        np.clip((lines - local_mean(lines, valid)) * valid, -LIMITS.max_line, LIMITS.max_line), dtype=np.float32
    )


def _tiles(lines: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Amplitudes of overlapping parts, ``(parts, rows, columns)``, and the parts' centers, ``(parts, 2)`` px."""
    window = np.outer(np.hanning(_TILE_PX), np.hanning(_TILE_PX)).astype(np.float32)
    corners = [
        (top, left)
        for top in range(0, lines.shape[0] - _TILE_PX + 1, _TILE_PX // 2)
        for left in range(0, lines.shape[1] - _TILE_PX + 1, _TILE_PX // 2)
    ]
    spectra = [
        np.abs(rfft2(lines[top : top + _TILE_PX, left : left + _TILE_PX] * window, (_SPECTRUM_PX, _SPECTRUM_PX)))
        for top, left in corners
    ]
    centers = np.array([(left, top) for top, left in corners], dtype=np.float64).reshape(-1, 2) + _TILE_PX / 2
    return np.asarray(spectra, dtype=np.float32), centers


def _peaks(tiles: NDArray[np.float32]) -> tuple[_Gradients, NDArray[np.float64], _Gradients, NDArray[np.float64]]:
    """Frequency of the strongest lines that go down, and its height; and of those that go across. ``(x, y)``, 1/px."""
    across = np.fft.rfftfreq(_SPECTRUM_PX)[None, :]
    down = np.fft.fftfreq(_SPECTRUM_PX)[:, None]
    pitch = 1 / np.maximum(np.hypot(across, down), 1e-9)
    band = (pitch >= LIMITS.pitch_range_px[0]) & (pitch <= LIMITS.pitch_range_px[1])
    floor = np.maximum(np.median(tiles[:, band], axis=1), LIMITS.min_background)
    peaks: list[NDArray[np.float64]] = []
    for sector in (band & (np.abs(down) < _TURN * across), band & (across < _TURN * np.abs(down))):
        best = np.where(sector, tiles, 0).reshape(len(tiles), -1).argmax(axis=1)
        rows, columns = np.unravel_index(best, tiles.shape[1:])
        places = []
        for tile, row, column in zip(tiles, rows, columns, strict=True):
            left = tile[row, column - 1] if column else tile[-row, 1]  # a spectrum is the same about its middle
            beside_x = _interpolate(left, tile[row, column], tile[row, column + 1])
            beside_y = _interpolate(tile[row - 1, column], tile[row, column], tile[(row + 1) % _SPECTRUM_PX, column])
            places.append((across[0, column] + beside_x / _SPECTRUM_PX, down[row, 0] + beside_y / _SPECTRUM_PX))
        peaks += [np.array(places), tiles[np.arange(len(tiles)), rows, columns] / floor]
    peaks[2] *= np.where(peaks[2][:, 1:] < 0, -1, 1)  # a line across counts downwards
    return peaks[0], peaks[1], peaks[2], peaks[3]


def _interpolate(before: float, here: float, after: float) -> float:
    """Place of a parabola's peak through three amplitudes."""
    bend = before - 2 * here + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def _fit_homography(
    places: NDArray[np.float64],
    across: _Gradients,
    across_height: NDArray[np.float64],
    down: _Gradients,
    down_height: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """The homography ``(a, b, d, e, g, h)`` that most parts agree with, in squares a px.

    Args:
        places: ``(parts, 2)``, ``(x, y)`` about the picture's middle, within -1 and 1.
        across: Frequency of the lines that go down.
        across_height: Of its peaks.
        down: Frequency of the lines that go across.
        down_height: Of its peaks.
    """
    measured = (across, down)
    heights = (across_height, down_height)
    pitches = [1 / np.maximum(np.hypot(*one.T), 1e-6) for one in measured]
    plain = np.concatenate([pitch[height > LIMITS.min_peak] for pitch, height in zip(pitches, heights, strict=True)])
    if len(plain) < 2 * LIMITS.min_tiles:
        return None
    tried = np.geomspace(LIMITS.pitch_range_px[0], 2 * LIMITS.pitch_range_px[0], 60, endpoint=False)
    counts = [
        np.count_nonzero(np.abs(np.log(plain * _nearest_harmonic(plain, pitch) / pitch)) < LIMITS.pitch_tolerance)
        for pitch in tried
    ]
    typical = float(tried[int(np.argmax(counts))])
    plane = np.array([1 / typical, 0.0, 0.0, 1 / typical, 0.0, 0.0])
    expected = [np.full(len(places), typical)] * 2
    weights = [np.clip(height / LIMITS.certain_peak, 0, 1)[:, None] for height in heights]
    off: list[NDArray[np.float64]] = []
    for _ in range(LIMITS.rounds):
        own = [
            one / _nearest_harmonic(pitch, target)[:, None]
            for one, pitch, target in zip(measured, pitches, expected, strict=True)
        ]

        def apart(tried_plane: NDArray[np.float64], own: list[_Gradients] = own) -> NDArray[np.float64]:
            grown = _gradients(tried_plane, places)
            parts = [
                (typical * weight * (one - other)).ravel()
                for weight, one, other in zip(weights, grown, own, strict=True)
            ]
            return np.concatenate(parts)

        plane = least_squares(apart, plane, loss="soft_l1", f_scale=0.02).x
        grown = _gradients(plane, places)
        expected = [1 / np.maximum(np.hypot(*one.T), 1e-6) for one in grown]
        off = [np.hypot(*(one - other).T) * pitch for one, other, pitch in zip(grown, own, expected, strict=True)]
    lined = np.minimum(*heights) > LIMITS.min_peak
    agree = lined & (off[0] < LIMITS.fit_tolerance) & (off[1] < LIMITS.fit_tolerance)
    enough = agree.mean() >= LIMITS.min_cover and agree.sum() >= LIMITS.min_agreement * lined.sum()
    return np.asarray(plane, dtype=np.float64) if enough else None


def _nearest_harmonic(pitches: NDArray[np.float64], target: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Factor by which each pitch comes nearest to a target."""
    apart = np.abs(np.log(pitches[:, None] * _FOLDS / np.reshape(target, (-1, 1))))
    return np.asarray(_FOLDS[apart.argmin(axis=1)], dtype=np.float64)


def _gradients(plane: NDArray[np.float64], places: NDArray[np.float64]) -> tuple[_Gradients, _Gradients]:
    """Growth of u and v to the right and downwards at some places."""
    a, b, d, e, g, h = plane
    x, y = places.T
    depth = 1 + g * x + h * y
    u, v = (a * x + b * y) / depth, (d * x + e * y) / depth
    return (
        np.stack([(a - g * u) / depth, (b - h * u) / depth], axis=1),
        np.stack([(d - g * v) / depth, (e - h * v) / depth], axis=1),
    )


def _warp_whole(
    pixels: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Warp the whole picture by a homography, shifted to show all of it, and return that homography too.

    What was beside the picture gets its median color.
    """
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    moved = cv2.perspectiveTransform(corners[None], matrix)[0]
    first = moved.min(axis=0)
    size = np.ceil(moved.max(axis=0) - first).astype(int).tolist()
    shifted = np.array([[1, 0, -first[0]], [0, 1, -first[1]], [0, 0, 1]]) @ matrix
    typical = np.median(pixels[::8, ::8].reshape(-1, 3), axis=0).tolist()
    flat = cv2.warpPerspective(pixels, shifted, (size[0], size[1]), flags=cv2.INTER_CUBIC, borderValue=typical)
    return np.asarray(flat, dtype=np.uint8), np.asarray(shifted, dtype=np.float64)
