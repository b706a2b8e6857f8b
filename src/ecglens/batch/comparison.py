"""Compare two results over the same pages, for example of two models or of two versions."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.batch.markup import Picture, render
from ecglens.batch.pictures import load_pictures
from ecglens.batch.results import PAGES, RunInfo, find_entries, open_result, write_atomically
from ecglens.batch.rows import MEASUREMENT_COLUMNS
from ecglens.batch.summary import ABSTENTIONS, format_label
from ecglens.errors import BatchError
from ecglens.extras import require
from ecglens.labels import format_probability
from ecglens.tables import write_rows

__all__ = ["BatchComparison", "compare"]

_MOST_PICTURES = 48
_FAILED = "failed"
_NO_LABEL = "no label"
_OUTCOMES: Mapping[str, str] = {**ABSTENTIONS, _FAILED: "Failed", _NO_LABEL: "No label was requested"}
_KEYS = ("sha256", "page")
_COLUMNS = ("file", "label", "abstention", "confidence", "failure")
_MOVED = ("file", "page", "sha256", "first", "second", "confidence_first", "confidence_second")
"""Columns of ``moved.csv``."""


@dataclass(frozen=True, slots=True)
class BatchComparison:
    """Comparison of two results, page by page.

    Attributes:
        folders: Folders of the first and the second result.
        runs: Descriptions of the two runs.
        agreement: Number of pages by outcome in the first and in the second result. An outcome is a label, a kind of
            abstention, or ``failed``.
        moved: A row for each page whose outcome differs; pages with a different label come first.
        only: Number of pages that are only in the first result, and only in the second.
        measurements: Number of pages, median and 95th percentile of the absolute difference, for each measurement that
            both results have.
    """

    folders: tuple[Path, Path]
    runs: tuple[RunInfo, RunInfo]
    agreement: Mapping[tuple[str, str], int]
    moved: Sequence[Mapping[str, Any]]
    only: tuple[int, int]
    measurements: Mapping[str, tuple[int, float, float]]

    @property
    def pages(self) -> int:
        """Number of pages that are in both results."""
        return sum(self.agreement.values())

    @property
    def failed(self) -> int:
        """Number of pages that failed in both results."""
        return self.agreement.get((_FAILED, _FAILED), 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison in plain types, without the rows of single pages."""
        return {
            "first": _describe_run(self.runs[0]),
            "second": _describe_run(self.runs[1]),
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
                for name, (pages, median, percentile) in self.measurements.items()
            },
        }

    def write(self, folder: Path, *, pictures: bool = True) -> Path:
        """Write ``index.html``, ``moved.csv`` and ``comparison.json``.

        Args:
            folder: Created if it does not exist.
            pictures: Show pictures of the pages that changed.

        Returns:
            Path of ``index.html``.

        Raises:
            MissingExtraError: jinja2 is not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(folder / "moved.csv") as path, path.open("w", newline="", encoding="utf-8") as stream:
            write_rows(stream, [_MOVED, *([row[name] for name in _MOVED] for row in self.moved)])
        with write_atomically(folder / "comparison.json") as path:
            path.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        with write_atomically(folder / "index.html") as path:
            path.write_text(self._html(pictures=pictures), encoding="utf-8")
        return folder / "index.html"

    def _html(self, *, pictures: bool) -> str:
        with_result = self.pages - self.failed
        unchanged = f"{1 - len(self.moved) / with_result:.1%}" if with_result else "none"
        rows = self.moved[:_MOST_PICTURES]
        jpegs = self._load_pictures(rows) if pictures else [None] * len(rows)
        names = _sort_outcomes({outcome for pair in self.agreement for outcome in pair}, self.runs)
        return render(
            "comparison.html",
            title="Two results over the same pages",
            facts=self._facts(),
            totals=[
                (f"{self.pages:,}", "pages in both"),
                (f"{len(self.moved):,}", "changed"),
                (unchanged, "the same, of those that did not fail in both"),
            ],
            agreement_head=["", *map(_format_outcome, names)],
            agreement=[
                (_format_outcome(first), *(self.agreement.get((first, second), 0) for second in names))
                for first in names
            ],
            measurements=[(MEASUREMENT_COLUMNS[name], *values) for name, values in self.measurements.items()],
            changed=[Picture(jpeg, row["file"], _caption(row)) for jpeg, row in zip(jpegs, rows, strict=True)],
            changed_note=f"The first {len(rows)} of {len(self.moved):,}; moved.csv lists all of them.",
        )

    def _facts(self) -> list[str]:
        facts = [f"First: {_describe_run(self.runs[0])}. Second: {_describe_run(self.runs[1])}."]
        if any(self.only):
            first, second = self.only
            facts.append(f"Pages left out: {first:,} only in the first result, {second:,} only in the second.")
        return facts

    def _load_pictures(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
        entries = find_entries(self.folders[0], {row["sha256"] for row in rows})
        return load_pictures([(entries[row["sha256"]], row["page"]) for row in rows], self.runs[0].job)


def compare(first: Path, second: Path) -> BatchComparison:
    """Compare two results by the content of their files.

    Args:
        first: Folder of the first result.
        second: Folder of the second result.

    Raises:
        BatchError: A folder holds no finished result, or the results have no page in common.
    """
    runs = open_result(first), open_result(second)
    for folder in (first, second):
        if not (folder / PAGES).is_file():
            raise BatchError(f"Expected a finished result, got no {PAGES} in {folder}; run: ecglens report {folder}")
    sides = _read(first, "first"), _read(second, "second")
    joined = sides[0].join(sides[1], ["sha256", "page"], join_type="inner")
    if not joined.num_rows:
        raise BatchError(f"Expected two results over the same pages, got none in both {first} and {second}.")
    outcomes = [_outcomes(joined, side) for side in ("first", "second")]
    agreement = Counter(zip(*(side.to_pylist() for side in outcomes), strict=True))
    for name, column in zip(("first", "second"), outcomes, strict=True):
        joined = joined.append_column(name, column)
    compute = require("pyarrow.compute", extra="batch")
    moved = joined.filter(compute.not_equal(joined["first"], joined["second"])).to_pylist()
    rows = [{**{name: row.get(name) for name in _MOVED}, "file": row["file_first"]} for row in moved]
    both = [name for name in MEASUREMENT_COLUMNS if {f"{name}_first", f"{name}_second"} <= set(joined.column_names)]
    differences = {name: _difference(joined[f"{name}_first"], joined[f"{name}_second"]) for name in both}
    return BatchComparison(
        (first, second),
        runs,
        dict(agreement),
        sorted(rows, key=_sort_key),
        (sides[0].num_rows - joined.num_rows, sides[1].num_rows - joined.num_rows),
        {name: values for name, values in differences.items() if values[0]},
    )


def _read(folder: Path, side: str) -> Any:
    """Read the rows of a result that have a key, with the side appended to the names of the other columns."""
    parquet, compute = require("pyarrow.parquet", extra="batch"), require("pyarrow.compute", extra="batch")
    with parquet.ParquetFile(folder / PAGES) as pages:
        columns = [name for name in pages.schema_arrow.names if name in {*_KEYS, *_COLUMNS, *MEASUREMENT_COLUMNS}]
        rows = pages.read(columns=columns)
    rows = rows.filter(compute.is_valid(rows["sha256"]))
    return rows.rename_columns([name if name in _KEYS else f"{name}_{side}" for name in rows.column_names])


def _outcomes(joined: Any, side: str) -> Any:
    """Return the outcome of each row: a label, a kind of abstention, or ``failed``."""
    arrow, compute = require("pyarrow", extra="batch"), require("pyarrow.compute", extra="batch")
    failed = compute.if_else(compute.is_valid(joined[f"failure_{side}"]), _FAILED, arrow.scalar(None, arrow.string()))
    outcomes = [joined[f"{name}_{side}"] for name in ("label", "abstention") if f"{name}_{side}" in joined.column_names]
    return compute.coalesce(failed, *outcomes, _NO_LABEL)


def _difference(first: Any, second: Any) -> tuple[int, float, float]:
    """Return the number of pages where both have a value, and the median and 95th percentile of the difference."""
    differences = np.abs(first.to_numpy() - second.to_numpy())
    valid = differences[~np.isnan(differences)]
    if not valid.size:
        return 0, math.nan, math.nan
    return int(valid.size), float(np.median(valid)), float(np.quantile(valid, 0.95))


def _sort_key(row: Mapping[str, Any]) -> tuple[int, float, str, int]:
    """Order pages with two different labels first, then by the lower of both confidences, descending."""
    labels = sum(row[side] not in _OUTCOMES for side in ("first", "second"))
    confidence = min(row["confidence_first"] or 0.0, row["confidence_second"] or 0.0)
    return -labels, -confidence, row["file"], row["page"]


def _sort_outcomes(outcomes: set[str], runs: Sequence[RunInfo]) -> list[str]:
    """Sort labels in the order of the models, and the other outcomes after them."""
    order = dict.fromkeys((*runs[0].job.labels, *runs[1].job.labels, *_OUTCOMES))
    return [name for name in order if name in outcomes]


def _format_outcome(outcome: str) -> str:
    return _OUTCOMES.get(outcome) or format_label(outcome)


def _caption(row: Mapping[str, Any]) -> list[str]:
    lines = [f"Page {row['page']}"] if row["page"] > 1 else []
    for side in ("first", "second"):
        confidence = row[f"confidence_{side}"]
        probability = "" if confidence is None else f", {format_probability(confidence)}"
        lines.append(f"{side.capitalize()}: {_format_outcome(row[side])}{probability}")
    return lines


def _describe_run(run: RunInfo) -> str:
    job = run.job
    model = f"{job.model_name} {job.model_version}" if job.model_name else ", ".join(job.parts)
    return f"{model}, ecglens {job.version}"
