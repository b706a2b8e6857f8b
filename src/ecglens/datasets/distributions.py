"""Plots of the distributions of a data set: sizes, brightness and printed rates, as PNGs."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecglens.extras import require

__all__ = ["draw_histograms", "draw_sizes"]

_INCH_DPI = 110
_BINS = 40
_MOST_SIZES = 12
_INK, _FILL = "#22303c", "#3b74a5"


def draw_histograms(values: Mapping[str, Sequence[float]], title: str) -> bytes:
    """Draw a histogram for each label, one above the other on one axis, with the median marked.

    Args:
        values: Values by label; labels without a value are left out.
        title: Title of the axis, with its unit.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    by_label = {label: list(numbers) for label, numbers in values.items() if len(numbers)}
    figure, rows = _figure(len(by_label), 0.9)
    every = [number for numbers in by_label.values() for number in numbers]
    low, high = min(every), max(every)
    edges = np.linspace(low - 0.5, high + 0.5, _BINS + 1) if high - low < 1 else np.linspace(low, high, _BINS + 1)
    for axes, (label, numbers) in zip(rows, by_label.items(), strict=True):
        axes.hist(numbers, edges, color=_FILL)
        axes.axvline(float(np.median(numbers)), color=_INK, linewidth=1.5)
        note = f"{label}: {len(numbers)} files, median {np.median(numbers):.0f}"
        axes.set_title(note, loc="left", fontsize=9, color=_INK, parse_math=False)
        axes.label_outer()
    rows[-1].set_xlabel(title)
    return _png(figure)


def draw_sizes(sizes: Mapping[str, int]) -> bytes:
    """Draw a bar for each size of page, the most common first.

    Args:
        sizes: Number of files by ``width x height``.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    first = list(sizes.items())[:_MOST_SIZES]
    remaining = sum(sizes.values()) - sum(count for _, count in first)
    counts = [*first, *([(f"{len(sizes) - len(first)} others", remaining)] if remaining else [])]
    figure, (axes,) = _figure(1, 0.4 + 0.3 * len(counts))
    bars = axes.barh([name for name, _ in counts], [count for _, count in counts], color=_FILL)
    axes.bar_label(bars, padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("files by width x height, px")
    return _png(figure)


def _figure(rows: int, inches: float) -> tuple[Any, Any]:
    figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(7.5, 0.6 + inches * rows + 0.25 * (rows - 1)), dpi=_INCH_DPI, layout="constrained"
    )
    axes = figure.subplots(rows, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
    return figure, axes


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
