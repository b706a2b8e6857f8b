"""Summarize a result on one page for people: counts, distributions, failures and the least certain pages."""

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.batch.markup import Picture, compute_histogram, render
from ecglens.batch.pictures import load_pictures
from ecglens.batch.results import PAGES, RunInfo, find_entries, open_result, write_atomically
from ecglens.batch.rows import FAILURES
from ecglens.extras import require
from ecglens.labels import TITLES, format_probability

__all__ = ["ABSTENTIONS", "SUMMARY", "Summary", "format_label", "summarize", "write_summary"]

SUMMARY = "index.html"


ABSTENTIONS: Mapping[str, str] = {
    "uncertain": "No label is probable enough",
    "unfamiliar": "The page is of a kind that the model was not trained on",
    "no_layout": "Not recognized as an ECG page",
}

_LEAST_CERTAIN = 24
_MOST_ROWS = 30
_ROWS_AT_ONCE = 5000
_DISTRIBUTIONS: Mapping[str, tuple[str, str, float, float, int]] = {
    "confidence": ("Confidence of the top label", "", 0.0, 1.0, 40),
    "rate_bpm": ("Ventricular rate", "1/min", 20.0, 220.0, 40),
    "quality_mean": ("Quality of the signals, mean of a page's leads", "", 0.0, 1.0, 40),
    "qrs_ms": ("QRS duration", "ms", 40.0, 240.0, 40),
}
"""Columns whose distribution is shown: title, unit, lower and upper end, number of steps."""

_LEAD = r"(?:I{1,3}|aV[RLF]|V[1-6])(?:-rhythm)?"
_VARIABLE_PARTS = re.compile(
    rf"'[^']*'|\b{_LEAD}(?:(?:, | and ){_LEAD})+\b|\b\d+x\d+(?:\+\d+)?|(?<![A-Za-z])-?\d+(?:[.,]\d+)*"
)
"""Parts of a sentence that differ from page to page: quoted names, lists of leads, layouts and numbers."""


@dataclass(slots=True)
class Summary:
    """Counts over the pages of a result.

    Attributes:
        pages: Number of rows.
        copies: Number of files that hold the same bytes as another file.
        labels: Number of pages by label.
        abstentions: Number of pages without a label, by kind of abstention.
        failures: Number of pages by kind of failure and generalized reason, without its numbers and names.
        warnings: Number of pages by generalized warning.
        distributions: Counts in steps, by column; values outside the range count in the first or last step.
        explained: Number of pages whose explanation passed all its checks, and of pages with an explanation.
        least_certain: Rows with the lowest confidence, in ascending order.
        sentences: Text to show for each generalized sentence: the original if it is the same on all pages, else the
            generalized sentence itself.
    """

    pages: int = 0
    copies: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    abstentions: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    distributions: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    explained: tuple[int, int] = (0, 0)
    least_certain: list[dict[str, Any]] = field(default_factory=list)
    sentences: dict[str, str] = field(default_factory=dict)

    def generalize(self, text: str) -> str:
        """Return a sentence without the parts that differ from page to page, and remember how to show it."""
        general = _generalize(text)
        if self.sentences.setdefault(general, text) != text:
            self.sentences[general] = general
        return general

    def to_dict(self) -> dict[str, Any]:
        """Return the counts in plain types."""
        return {
            "pages": self.pages,
            "copies": self.copies,
            "labels": dict(self.labels),
            "abstentions": dict(self.abstentions),
            "failures": [
                {"failure": kind, "reason": self.sentences[reason], "pages": count}
                for (kind, reason), count in self.failures.most_common()
            ],
            "warnings": {self.sentences[text]: count for text, count in self.warnings.most_common()},
            "explanations_passed": self.explained[0],
            "explanations": self.explained[1],
            "least_certain": [row["file"] for row in self.least_certain],
        }


def summarize(folder: Path) -> Summary:
    """Count labels, abstentions, failures and warnings over the pages of a result, a batch of rows at a time.

    Args:
        folder: Folder of the result.
    """
    summary = Summary()
    lowest: list[tuple[float, str, int, dict[str, Any]]] = []
    for columns, rows in _read_batches(folder):
        summary.pages += len(rows)
        summary.copies += sum(row["copies"] - 1 for row in rows)
        for row in rows:
            if row["failure"] is not None:
                summary.failures[row["failure"], summary.generalize(row["reason"])] += 1
            elif row.get("label") is not None:
                summary.labels[row["label"]] += 1
            elif row.get("abstention") is not None:
                summary.abstentions[row["abstention"]] += 1
            if row.get("explanation_passed") is not None:
                passed, total = summary.explained
                summary.explained = passed + row["explanation_passed"], total + 1
            summary.warnings.update(summary.generalize(text) for text in row["warnings"] or ())
        predicted = (row for row in rows if row.get("confidence") is not None)
        keyed = ((row["confidence"], row["file"], row["page"], row) for row in predicted)
        lowest = heapq.nsmallest(_LEAST_CERTAIN, [*lowest, *keyed], key=lambda each: each[:3])
        for name, (_, _, low, high, steps) in _DISTRIBUTIONS.items():
            if name in columns:
                values = np.array([row[name] for row in rows if row[name] is not None])
                counts, _ = np.histogram(np.clip(values, low, high), bins=steps, range=(low, high))
                summary.distributions[name] = summary.distributions.get(name, 0) + counts
    summary.least_certain = [row for *_, row in lowest]
    return summary


def write_summary(folder: Path, *, pictures: bool = True) -> Path:
    """Write ``index.html`` for a result whose tables have been written.

    Args:
        folder: Folder of the result.
        pictures: Show small pictures of the least certain pages.

    Returns:
        Path of the page.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    info, summary = open_result(folder), summarize(folder)
    rows = summary.least_certain
    jpegs = _load_pictures(folder, info, rows) if pictures else [None] * len(rows)
    with write_atomically(folder / SUMMARY) as path:
        path.write_text(_html(info, summary, jpegs), encoding="utf-8")
    return folder / SUMMARY


def format_label(label: str) -> str:
    """Return a label in the words that people read, such as "Myocardial infarction" for ``mi``."""
    return TITLES.get(label, label)


def _read_batches(folder: Path) -> Iterator[tuple[set[str], list[dict[str, Any]]]]:
    parquet = require("pyarrow.parquet", extra="batch")
    with parquet.ParquetFile(folder / PAGES) as pages:
        names = pages.schema_arrow.names
        needed = {"file", "copies", "sha256", "page", "failure", "reason", "warnings", "label", "abstention"}
        needed.add("explanation_passed")
        needed |= {*_DISTRIBUTIONS, *(name for name in names if name.startswith("probability_"))}
        columns = [name for name in names if name in needed]
        for batch in pages.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
            yield set(columns), batch.to_pylist()


def _generalize(text: str) -> str:
    """Replace the numbers, quoted names, leads and layouts of a sentence by an ellipsis.

    >>> _generalize("The file is cut short: the last 12 of 786 rows of the page are missing.")
    'The file is cut short: the last … of … rows of the page are missing.'
    >>> _generalize("2 lead names could not be read; the layout 3x4+1 implies them; V1, V2 and aVF are weak.")
    '… lead names could not be read; the layout … implies them; … are weak.'
    """
    return _VARIABLE_PARTS.sub("…", text)


def _load_pictures(folder: Path, info: RunInfo, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
    entries = find_entries(folder, {row["sha256"] for row in rows})
    return load_pictures([(entries[row["sha256"]], row["page"]) for row in rows], info.job)


def _html(info: RunInfo, summary: Summary, jpegs: Sequence[bytes | None]) -> str:
    has_labels = "label" in info.job.parts
    totals = [(f"{summary.pages:,}", "pages")]
    if has_labels:
        totals.append((f"{summary.labels.total():,}", "with a label"))
        totals.append((f"{summary.abstentions.total():,}", "without a label"))
    totals.append((f"{summary.failures.total():,}", "that failed"))
    abstentions = summary.abstentions.most_common() if has_labels else []
    return render(
        "summary.html",
        title=f"ECG pages in {_last_part(info.source)}",
        facts=_facts(info, summary),
        totals=totals,
        pages=summary.pages,
        labels=[(format_label(label), summary.labels[label]) for label in info.job.labels] if has_labels else [],
        abstentions=[(ABSTENTIONS.get(kind, kind), count) for kind, count in abstentions],
        failures=[
            (_capitalize(FAILURES.get(kind, kind)), summary.sentences[reason], count)
            for (kind, reason), count in summary.failures.most_common(_MOST_ROWS)
        ],
        distributions=[_distribution(name, counts) for name, counts in summary.distributions.items() if counts.any()],
        explanations=_describe_explanations(*summary.explained) if summary.explained[1] else "",
        warnings=[(summary.sentences[text], count) for text, count in summary.warnings.most_common(_MOST_ROWS)],
        least_certain=[
            Picture(jpeg, row["file"], [_caption(row)]) for jpeg, row in zip(jpegs, summary.least_certain, strict=True)
        ],
    )


def _facts(info: RunInfo, summary: Summary) -> list[str]:
    job = info.job
    model = f"Labels by {job.model_name} {job.model_version}" if job.model_name else "No labels were requested"
    state = (
        f"finished {_format_time(info.finished)}"
        if info.finished
        else "not finished yet: this page covers what has been read so far"
    )
    facts = [f"{model}; the run reads {', '.join(job.parts)} with ecglens {job.version}, {state}."]
    if summary.copies:
        facts.append(f"Files without a row of their own, because another file has the same bytes: {summary.copies:,}.")
    if info.skipped_files:
        names = f", such as {', '.join(info.skipped_names)}" if info.skipped_names else ""
        facts.append(f"Other files of the source, skipped because of their names: {info.skipped_files:,}{names}.")
    return facts


def _distribution(name: str, counts: NDArray[np.int64]) -> dict[str, Any]:
    title, unit, low, high, _ = _DISTRIBUTIONS[name]
    plot = compute_histogram(counts.tolist(), low=low, high=high, unit=unit)
    return {"title": title, "note": f"Pages: {counts.sum():,}.", "plot": plot}


def _describe_explanations(passed: int, total: int) -> str:
    return f"{passed:,} of {total:,} explanations passed all the checks that were made on their page."


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _caption(row: Mapping[str, Any]) -> str:
    by_label = {name.removeprefix("probability_"): row[name] for name in row if name.startswith("probability_")}
    top_label = max(by_label, key=lambda label: by_label[label] or 0.0)
    abstained = "" if row["label"] is not None else ", no label given"
    page = f"page {row['page']}: " if row["page"] > 1 else ""
    return f"{page}{format_label(top_label)} {format_probability(row['confidence'])}{abstained}"


def _last_part(source: str) -> str:
    return source.rstrip("/").rpartition("/")[2] or source


def _format_time(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")
