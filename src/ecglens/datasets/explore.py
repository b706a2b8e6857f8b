"""Overview of a data set: counts, samples of each label, sizes, brightness and printed rates, as HTML and PNGs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.distributions import draw_histograms, draw_sizes
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.rendering import open_page
from ecglens.errors import DatasetError, EcgReadError, RenderError
from ecglens.extras import require

__all__ = ["Overview", "explore"]

_TILE = (320, 228)
_SIZES = 30
_RATE = "printed_rate_bpm"


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """Counts, distributions and samples of a data set.

    Attributes:
        counts: Files by label, then by split; ``""`` where there is none.
        sizes: Number of opened files by ``width x height``.
        brightness: Gray level of each opened file, by label.
        rates_bpm: Printed rate of each file where the table has it, by label.
        sheets: A contact sheet for each label, ``(height, width, 3)`` uint8 RGB.
        broken: Files that could not be read.
    """

    counts: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, int]
    brightness: Mapping[str, tuple[float, ...]]
    rates_bpm: Mapping[str, tuple[float, ...]]
    sheets: Mapping[str, NDArray[np.uint8]]
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return counts and distributions in plain types."""
        return {
            "counts": {label: dict(splits) for label, splits in self.counts.items()},
            "sizes": dict(self.sizes),
            "brightness": {label: _five(values) for label, values in self.brightness.items()},
            "printed_rate_bpm": {label: _five(values) for label, values in self.rates_bpm.items()},
            "broken": list(self.broken),
        }

    def write(self, folder: str | Path, *, plots: bool = True) -> None:
        """Write ``index.html`` and PNGs into a folder: the distributions, and samples of each label.

        Args:
            folder: Created if it does not exist.
            plots: Draw the distributions.

        Raises:
            MissingExtraError: jinja2 is not installed, or matplotlib if ``plots`` are requested.
        """
        plot_pngs = self._plots() if plots else {}
        pictures = [(label, f"samples-{number}.png") for number, label in enumerate(self.sheets)]
        html = _html(self.to_dict(), pictures, set(plot_pngs))
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, png in plot_pngs.items():
            (folder / f"{name}.png").write_bytes(png)
        for label, name in pictures:
            (folder / name).write_bytes(cv2.imencode(".png", self.sheets[label][..., ::-1])[1].tobytes())
        (folder / "index.html").write_text(html, encoding="utf-8")

    def _plots(self) -> dict[str, bytes]:
        plots = {"sizes": draw_sizes(self.sizes), "brightness": draw_histograms(self.brightness, "mean gray level")}
        if self.rates_bpm:
            plots["rates"] = draw_histograms(self.rates_bpm, "printed rate, bpm")
        return plots


def explore(
    recordings: Recordings,
    *,
    samples: int = 12,
    looked: int = 400,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Overview:
    """Describe a data set by its counts and a sample of its files.

    Args:
        recordings: The files.
        samples: Pages on the contact sheet of each label.
        looked: Maximum number of files of each label that are opened, sampled at random.
        seed: Random seed.
        progress: Called with the number of files opened and of all to open.

    Raises:
        DatasetError: None of the files can be read.
    """
    rng = np.random.default_rng(seed)
    labels = np.array(recordings.column("label"))
    sample = {label: rng.permutation(np.flatnonzero(labels == label))[:looked] for label in recordings.labels}
    total, done = sum(map(len, sample.values())), 0
    sizes: Counter[str] = Counter()
    brightness: dict[str, list[float]] = {label: [] for label in sample}
    tiles: dict[str, list[NDArray[np.uint8]]] = {label: [] for label in sample}
    broken, reason = [], ""
    for label, rows in sample.items():
        for row in rows:
            done += 1
            progress(done, total)
            try:
                page = open_page(recordings[int(row)].path)
            except (EcgReadError, DatasetError, RenderError) as error:
                broken.append(recordings[int(row)].path.name)
                reason = reason or str(error)
                continue
            sizes[f"{page.width} x {page.height}"] += 1
            brightness[label].append(float(page.pixels.mean()))
            if len(tiles[label]) < samples:
                tiles[label].append(_tile(page.pixels))
    if not sizes:
        raise DatasetError(f"Expected pages that can be read, but none of {total} files is one; the first: {reason}")
    counts = {label: Counter(row.split or "" for row in recordings if row.label == label) for label in sample}
    return Overview(
        counts=MappingProxyType(counts),
        sizes=MappingProxyType(dict(sizes.most_common())),
        brightness=MappingProxyType({label: tuple(values) for label, values in brightness.items()}),
        rates_bpm=MappingProxyType(_rates(recordings)),
        sheets=MappingProxyType({label: _sheet(own) for label, own in tiles.items() if own}),
        broken=tuple(broken),
    )


def _rates(recordings: Recordings) -> dict[str, tuple[float, ...]]:
    rates: dict[str, list[float]] = {}
    for row in recordings:
        value = row.extra.get(_RATE, "")
        if value.replace(".", "", 1).isdigit():
            rates.setdefault(row.label, []).append(float(value))
    return {label: tuple(values) for label, values in sorted(rates.items())}


def _tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(_TILE[0] / pixels.shape[1], _TILE[1] / pixels.shape[0])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[: _TILE[1], : _TILE[0]]
    tile = np.full((_TILE[1], _TILE[0], 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile


def _sheet(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    filled = tiles + [np.full_like(tiles[0], 255)] * (-len(tiles) % 4)
    return np.vstack([np.hstack(filled[start : start + 4]) for start in range(0, len(filled), 4)])


def _five(values: tuple[float, ...]) -> dict[str, float]:
    if not values:
        return {}
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {
        "n": len(values),
        "p5": round(float(low), 1),
        "median": round(float(middle), 1),
        "p95": round(float(high), 1),
    }


def _html(overview: Mapping[str, Any], pictures: Sequence[tuple[str, str]], plots: Set[str]) -> str:
    distributions = [
        (title, picture if picture in plots else None, rows)
        for title, name, picture in (
            ("Brightness", "brightness", "brightness"),
            ("Printed rate, bpm", "printed_rate_bpm", "rates"),
        )
        if (rows := [(label, *five.values()) for label, five in overview[name].items() if five])
    ]
    jinja2 = require("jinja2", extra="report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ecglens.datasets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("overview.html").render(
        counts=[(label, split or "-", n) for label, sides in overview["counts"].items() for split, n in sides.items()],
        sizes=list(overview["sizes"].items())[:_SIZES],
        has_size_plot="sizes" in plots,
        distributions=distributions,
        pictures=pictures,
    )
    return f"{html}\n"
