"""The printed grid: its pitch and its position, from the page itself.

ECG paper repeats every 1 mm with a stronger line every 5 mm. Row and column sums of the grid's color are combs; their
spectrum has a peak at the 5 mm pitch and at its multiples, which gives the scale to a few parts in ten thousand.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.preprocessing import extract_tint
from ecglens.pages.sliding import sliding_maximum
from ecglens.records import Box, NotFound

__all__ = ["LIMITS", "Grid", "GridLimits", "crop_to_grid", "find_grid", "find_grid_lines"]


@dataclass(frozen=True)
class GridLimits:
    """Thresholds of finding the printed grid."""

    refined_step: float = threshold(
        0.2,
        "1",
        "Step of a refined pitch as a part of the step of the search.",
        low="Print beside the grid changes the pitch.",
        high="The pitch is inexact.",
    )
    background_block: int = threshold(
        512,
        "bins",
        "Width over which the background of a spectrum is estimated.",
        low="Peaks raise their own background.",
        high="Sloping backgrounds hide peaks.",
    )
    min_strength: float = threshold(
        3.0,
        "1",
        "Mean height of the comb's peaks above the background; blank paper and text stay near 1.",
        low="Text looks like a grid.",
        high="Faint grids are not found.",
    )

    min_classified_strength: float = threshold(
        2.4,
        "1",
        "The same where the pixels were classified: the class of the grid holds no text and no traces.",
        low="Texture looks like a grid.",
        high="Grids of photographs are not found.",
    )


LIMITS = GridLimits()


_HARMONICS = np.arange(1, 6)
_SPECTRUM = 1 << 14
_PITCH_RANGE_PX = (7.0, 66.0)
"""5 mm at 36 to 335 dpi; finer pages are reduced before."""
_PITCHES_PX = np.geomspace(*_PITCH_RANGE_PX, 900)
_ANISOTROPY = 0.05
"""Largest difference of the two pitches from their common value; printers and scanners stretch by a few percent."""
_ANISOTROPY_STEPS = 2 * round(_ANISOTROPY / np.log(_PITCHES_PX[1] / _PITCHES_PX[0])) + 1


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of 1 mm with stronger lines every 5 mm.

    Attributes:
        px_per_mm: ``(vertical, horizontal)``.
        box: Position of the grid.
        strength: Height of its spectral peaks above the background, both ways; 3 is faint, 20 is plain.
    """

    px_per_mm: tuple[float, float]
    box: Box
    strength: float


def find_grid(pixels: NDArray[np.uint8]) -> Grid | NotFound:
    """Find the grid of an upright page.

    Args:
        pixels: ``(height, width, 3)`` uint8 RGB, turned upright to about 0.2 degrees.

    Returns:
        The grid, or a falsy reason.
    """
    return find_grid_lines(extract_tint(pixels))


def find_grid_lines(lines_image: NDArray[np.uint8], *, min_strength: float = LIMITS.min_strength) -> Grid | NotFound:
    """Find the grid in the ``(height, width)`` uint8 image of an upright page that :func:`extract_tint` gives."""
    lines = lines_image.astype(np.float32)
    spectra = [_spectrum(lines.mean(axis=axis)) for axis in (1, 0)]
    scores = [_comb_scores(spectrum, _PITCHES_PX) for spectrum in spectra]
    both = np.sum([sliding_maximum(score, _ANISOTROPY_STEPS) for score in scores], axis=0)
    strength = float(np.exp(both.max() / 2))
    if strength < min_strength:
        return NotFound(f"No regular grid was found (strength {strength:.2f}, at least {min_strength:.2f} needed).")
    rough = float(_PITCHES_PX[_coarsest_peak(both)])
    vertical, horizontal = (_refine(spectrum, rough) for spectrum in spectra)
    rows = _extent(_comb_strength(lines, horizontal), vertical)
    columns = _extent(_comb_strength(np.ascontiguousarray(lines[rows[0] : rows[1]].T), vertical), horizontal)
    box = Box(top=rows[0], left=columns[0], bottom=rows[1], right=columns[1])
    return Grid(px_per_mm=(vertical / 5, horizontal / 5), box=box, strength=strength)


def crop_to_grid(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop an upright page to its grid; unchanged where no grid is found."""
    grid = find_grid(pixels)
    if isinstance(grid, NotFound):
        return pixels.copy()
    box = grid.box
    return pixels[int(box.top) : int(box.bottom), int(box.left) : int(box.right)].copy()


def _spectrum(profile: NDArray[np.float32]) -> NDArray[np.float64]:
    """Amplitudes of a profile's fluctuations over their running median: 1 is background."""
    flat = (profile - cv2.blur(profile.reshape(1, -1), (61, 1)).ravel()) * np.hanning(len(profile))
    spectrum = np.abs(np.fft.rfft(flat, _SPECTRUM))
    blocks = np.median(
        spectrum[: len(spectrum) // LIMITS.background_block * LIMITS.background_block].reshape(
            -1, LIMITS.background_block
        ),
        axis=1,
    )
    floor = np.interp(np.arange(len(spectrum)), (np.arange(len(blocks)) + 0.5) * LIMITS.background_block, blocks)
    return np.asarray(spectrum / (floor + 1e-9), dtype=np.float64)


def _comb_scores(spectrum: NDArray[np.float64], pitches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean log height of the first five harmonics of each pitch."""
    heights = np.interp(_SPECTRUM * _HARMONICS[:, None] / pitches, np.arange(len(spectrum)), spectrum, right=1.0)
    return np.asarray(np.log(np.maximum(heights, 1e-3)).mean(axis=0), dtype=np.float64)


def _coarsest_peak(score: NDArray[np.float64]) -> int:
    """The longest pitch whose score comes near the best: a fifth of the pitch scores well too."""
    peaks = (score >= np.roll(score, 1)) & (score >= np.roll(score, -1)) & (score > 0.8 * score.max())
    return int(np.flatnonzero(peaks)[-1])


def _refine(spectrum: NDArray[np.float64], rough: float) -> float:
    """The pitch near ``rough`` that carries most amplitude in its harmonics."""
    near = np.linspace((1 - _ANISOTROPY) * rough, (1 + _ANISOTROPY) * rough, 801)
    scores = _comb_scores(spectrum, near)
    best = int(scores.argmax())
    if not 0 < best < len(near) - 1:
        return float(near[best])
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    beside = 0.5 * (before - after) / bend if bend < 0 else 0.0
    beside = round(beside / LIMITS.refined_step) * LIMITS.refined_step  # print beside the grid moves it by less
    return float(near[best] + beside * (near[1] - near[0]))


def _comb_strength(lines: NDArray[np.float32], pitch: float) -> NDArray[np.float64]:
    """Strength of the comb of ``pitch`` along each row."""
    phase = 2 * np.pi * np.arange(lines.shape[1]) / pitch
    waves = np.stack([np.cos(phase), np.sin(phase), np.cos(5 * phase), np.sin(5 * phase)], axis=1)
    parts = (lines @ waves.astype(np.float32)).astype(np.float64)
    return np.hypot(parts[:, 0], parts[:, 1]) + np.hypot(parts[:, 2], parts[:, 3])


def _extent(carried: NDArray[np.float64], pitch: float) -> tuple[int, int]:
    """First and last place, exclusive, at which the comb stands over two pitches or more."""
    width = max(3, 2 * round(pitch) + 1)
    smooth = np.convolve(carried, np.ones(width) / width, mode="same")
    there = smooth > 0.3 * float(np.quantile(smooth, 0.9))
    starts, ends = _longest_run(there, gap=2 * width)
    return starts, ends


def _longest_run(there: NDArray[np.bool_], *, gap: int) -> tuple[int, int]:
    """Ends of the longest stretch of True, gaps up to ``gap`` overlooked."""
    places = np.flatnonzero(there)
    breaks = np.flatnonzero(np.diff(places) > gap)
    firsts = np.concatenate([places[:1], places[breaks + 1]])
    lasts = np.concatenate([places[breaks], places[-1:]])
    longest = int((lasts - firsts).argmax())
    return int(firsts[longest]), int(lasts[longest]) + 1
