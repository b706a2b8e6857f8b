"""What changed between two results over the same pages: two models, or two versions."""

import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.batch.markup import Cell, document, gallery, section, table, tiles
from ecglens.batch.pictures import pictures as pictures_of
from ecglens.batch.results import PAGES, RunInfo, entries_of, open_result, written
from ecglens.batch.rows import FIGURES
from ecglens.batch.summary import ABSTENTIONS, FOOT, title_of
from ecglens.errors import BatchError
from ecglens.extras import require
from ecglens.labels import format_probability

__all__ = ["BatchComparison", "compare"]

_MOST_PICTURES = 48
_FAILED = "failed"
_NO_LABEL = "no label"
_OUTCOMES: Mapping[str, str] = {**ABSTENTIONS, _FAILED: "Failed", _NO_LABEL: "No label was asked for"}
_KEYS = ("sha256", "page")
_COLUMNS = ("file", "label", "abstention", "confidence", "failure")
_MOVED = ("file", "page", "sha256", "first", "second", "confidence_first", "confidence_second")
"""Columns of ``moved.csv``."""


@dataclass(frozen=True, slots=True)
class BatchComparison:
    """Two results, page by page.

    Attributes:
        folders: Of the two.
        runs: What each was.
        agreement: Pages by outcome in the first and in the second: a label, a kind of abstention, or ``failed``.
        moved: A row for each page whose outcome differs, labels that turned into another first.
        only: Pages that only the first has, and only the second.
        figures: By measurement that both have: pages, median and 95th percentile of the absolute difference.
    """

    folders: tuple[Path, Path]
    runs: tuple[RunInfo, RunInfo]
    agreement: Mapping[tuple[str, str], int]
    moved: Sequence[Mapping[str, Any]]
    only: tuple[int, int]
    figures: Mapping[str, tuple[int, float, float]]

    @property
    def pages(self) -> int:
        """Pages that both have."""
        return sum(self.agreement.values())

    @property
    def failed(self) -> int:
        """Pages that have no answer in either."""
        return self.agreement.get((_FAILED, _FAILED), 0)

    def to_dict(self) -> dict[str, Any]:
        """The comparison in plain types, without the single pages."""
        return {
            "first": _called(self.runs[0]),
            "second": _called(self.runs[1]),
            "pages": self.pages,
            "moved": len(self.moved),
            "failed_in_both": self.failed,
            "only_in_first": self.only[0],
            "only_in_second": self.only[1],
            "agreement": [
                {"first": first, "second": second, "pages": count} for (first, second), count in self.agreement.items()
            ],
            "figures": {
                name: {"pages": pages, "median_difference": median, "percentile_95": percentile}
                for name, (pages, median, percentile) in self.figures.items()
            },
        }

    def write(self, folder: Path, *, pictures: bool = True) -> Path:
        """Write ``index.html``, ``moved.csv`` and ``comparison.json``.

        Args:
            folder: Made where it is missing.
            pictures: Whether the page shows pictures of pages that moved.

        Returns:
            The page.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with written(folder / "moved.csv") as path, path.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.DictWriter(stream, _MOVED, lineterminator="\n")
            rows.writeheader()
            rows.writerows(self.moved)
        with written(folder / "comparison.json") as path:
            path.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        with written(folder / "index.html") as path:
            path.write_text(self._html(pictures=pictures), encoding="utf-8")
        return folder / "index.html"

    def _html(self, *, pictures: bool) -> str:
        answered = self.pages - self.failed
        same = f"{1 - len(self.moved) / answered:.1%}" if answered else "none"
        told = [(f"{self.pages:,}", "pages in both"), (f"{len(self.moved):,}", "moved")]
        told.append((same, "the same, of those that did not fail in both"))
        parts = [
            tiles(told),
            section("Agreement", self._agreement_table(), note="Rows: the first result. Columns: the second. Pages."),
        ]
        if self.figures:
            figures: list[tuple[Cell, ...]] = [(FIGURES[name], *values) for name, values in self.figures.items()]
            head = ("figure", "pages", "median difference", "95 % are below")
            parts.append(
                section("Measurements", table(head, figures), note="Absolute differences where both have a value.")
            )
        shown = self.moved[:_MOST_PICTURES]
        if shown:
            note = f"The first {len(shown)} of {len(self.moved):,}; all of them stand in moved.csv."
            found = self._pictures(shown) if pictures else [None] * len(shown)
            captions = [(picture, row["file"], _caption(row)) for picture, row in zip(found, shown, strict=True)]
            parts.append(section("Pages that moved", gallery(captions), note=note))
        return document("Two results over the same pages", self._facts(), parts, foot=FOOT)

    def _facts(self) -> list[str]:
        facts = [f"First: {_called(self.runs[0])}. Second: {_called(self.runs[1])}."]
        if any(self.only):
            first, second = self.only
            facts.append(f"Left out: pages that only the first has, {first:,}, and only the second, {second:,}.")
        return facts

    def _agreement_table(self) -> str:
        names = _ordered({outcome for pair in self.agreement for outcome in pair}, self.runs)
        rows: list[tuple[Cell, ...]] = [
            (_shown(first), *(self.agreement.get((first, second), 0) for second in names)) for first in names
        ]
        return table(("", *map(_shown, names)), rows, same=True)

    def _pictures(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
        found = entries_of(self.folders[0], {row["sha256"] for row in rows})
        return pictures_of([(found[row["sha256"]], row["page"]) for row in rows], self.runs[0].job)


def compare(first: Path, second: Path) -> BatchComparison:
    """Compare two results by the content of their files.

    Args:
        first: Folder of a result.
        second: Folder of the other.

    Raises:
        BatchError: One is no result, or they have no page in common.
    """
    runs = open_result(first), open_result(second)
    for folder in (first, second):
        if not (folder / PAGES).is_file():
            raise BatchError(f"Expected a finished result, found no {PAGES} in {folder}; run: ecglens report {folder}")
    sides = _read(first, "first"), _read(second, "second")
    joined = sides[0].join(sides[1], ["sha256", "page"], join_type="inner")
    if not joined.num_rows:
        raise BatchError(f"Expected two results over the same pages, found none in both {first} and {second}.")
    outcomes = [_outcomes(joined, side) for side in ("first", "second")]
    agreement = Counter(zip(*(side.to_pylist() for side in outcomes), strict=True))
    for name, found in zip(("first", "second"), outcomes, strict=True):
        joined = joined.append_column(name, found)
    compute = require("pyarrow.compute", extra="batch")
    moved = joined.filter(compute.not_equal(joined["first"], joined["second"])).to_pylist()
    rows = [{**{name: row.get(name) for name in _MOVED}, "file": row["file_first"]} for row in moved]
    both = [name for name in FIGURES if {f"{name}_first", f"{name}_second"} <= set(joined.column_names)]
    figures = {name: _difference(joined[f"{name}_first"], joined[f"{name}_second"]) for name in both}
    return BatchComparison(
        (first, second),
        runs,
        dict(agreement),
        sorted(rows, key=_weight),
        (sides[0].num_rows - joined.num_rows, sides[1].num_rows - joined.num_rows),
        {name: found for name, found in figures.items() if found[0]},
    )


def _read(folder: Path, side: str) -> Any:
    """A result's rows that have a key, their columns named after the side."""
    parquet, compute = require("pyarrow.parquet", extra="batch"), require("pyarrow.compute", extra="batch")
    with parquet.ParquetFile(folder / PAGES) as pages:
        kept = [name for name in pages.schema_arrow.names if name in {*_KEYS, *_COLUMNS, *FIGURES}]
        found = pages.read(columns=kept)
    found = found.filter(compute.is_valid(found["sha256"]))
    return found.rename_columns([name if name in _KEYS else f"{name}_{side}" for name in found.column_names])


def _outcomes(joined: Any, side: str) -> Any:
    """A label, a kind of abstention, or ``failed``, for each row."""
    arrow, compute = require("pyarrow", extra="batch"), require("pyarrow.compute", extra="batch")
    failed = compute.if_else(compute.is_valid(joined[f"failure_{side}"]), _FAILED, arrow.scalar(None, arrow.string()))
    told = [joined[f"{name}_{side}"] for name in ("label", "abstention") if f"{name}_{side}" in joined.column_names]
    return compute.coalesce(failed, *told, _NO_LABEL)


def _difference(first: Any, second: Any) -> tuple[int, float, float]:
    """Pages where both have a value, median and 95th percentile of how far apart these are."""
    values = np.abs(first.to_numpy() - second.to_numpy())
    known = values[~np.isnan(values)]
    if not known.size:
        return 0, math.nan, math.nan
    return int(known.size), float(np.median(known)), float(np.quantile(known, 0.95))


def _weight(row: Mapping[str, Any]) -> tuple[int, float, str, int]:
    """Labels that became another come first, the surest of them first."""
    labels = sum(row[side] not in _OUTCOMES for side in ("first", "second"))
    sure = min(row["confidence_first"] or 0.0, row["confidence_second"] or 0.0)
    return -labels, -sure, row["file"], row["page"]


def _ordered(outcomes: set[str], runs: Sequence[RunInfo]) -> list[str]:
    """Labels in the models' order, then everything else in its own."""
    order = dict.fromkeys((*runs[0].job.labels, *runs[1].job.labels, *_OUTCOMES))
    return [name for name in order if name in outcomes]


def _shown(outcome: str) -> str:
    return _OUTCOMES.get(outcome) or title_of(outcome)


def _caption(row: Mapping[str, Any]) -> list[str]:
    lines = [f"Page {row['page']}"] if row["page"] > 1 else []
    for side in ("first", "second"):
        sure = row[f"confidence_{side}"]
        probability = "" if sure is None else f", {format_probability(sure)}"
        lines.append(f"{side.capitalize()}: {_shown(row[side])}{probability}")
    return lines


def _called(run: RunInfo) -> str:
    job = run.job
    model = f"{job.model_name} {job.model_version}" if job.model_name else ", ".join(job.what)
    return f"{model}, ecglens {job.version}"
