"""What a result says, on one page for people: counts, distributions, failures, the pages that are least certain."""

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.batch.markup import bars, document, gallery, histogram, section, table, tiles
from ecglens.batch.pictures import pictures as pictures_of
from ecglens.batch.results import PAGES, RunInfo, entries_of, open_result, written
from ecglens.batch.rows import FAILURES
from ecglens.extras import require
from ecglens.labels import TITLES, format_probability

__all__ = ["ABSTENTIONS", "FOOT", "SUMMARY", "Summary", "gather", "title_of", "write_summary"]

SUMMARY = "index.html"

FOOT = "Made by ecglens batch. For research and teaching; not a medical device, and no diagnosis."

ABSTENTIONS: Mapping[str, str] = {
    "uncertain": "No label is sure enough",
    "unfamiliar": "A page of a kind that the model has not learned",
    "no_layout": "Not recognized as an ECG page",
}

_LEAST_CERTAIN = 24
_MOST_ROWS = 30
_DISTRIBUTIONS: Mapping[str, tuple[str, str, float, float, int]] = {
    "confidence": ("Confidence of the likeliest label", "", 0.0, 1.0, 40),
    "rate_bpm": ("Ventricular rate", "1/min", 20.0, 220.0, 40),
    "quality_mean": ("Quality of the signals, mean of a page's leads", "", 0.0, 1.0, 40),
    "qrs_ms": ("QRS duration", "ms", 40.0, 240.0, 40),
}
"""Title, unit, range and steps of the columns whose distribution is shown."""

_LEAD = r"(?:I{1,3}|aV[RLF]|V[1-6])(?:-rhythm)?"
_DIFFERS = re.compile(
    rf"'[^']*'|\b{_LEAD}(?:(?:, | and ){_LEAD})+\b|\b\d+x\d+(?:\+\d+)?|(?<![A-Za-z])-?\d+(?:[.,]\d+)*"
)
"""Quoted names, lists of leads, layouts and numbers."""


@dataclass(slots=True)
class Summary:
    """What was counted over a result's pages.

    Attributes:
        pages: Rows.
        copies: Files that hold the same as another.
        labels: Pages by label.
        abstentions: Pages without a label, by kind.
        failures: By kind and reason, where numbers and names are left out of the reason.
        warnings: Pages by warning, likewise.
        distributions: Counts in steps, by column; values beyond the range count in the last step.
        explained: Pages whose explanation passed all its checks, and pages with one.
        least_certain: Rows with the lowest confidence, the lowest first.
        sentences: The words of a reason or warning that all its pages share, by the general one.
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

    def general(self, text: str) -> str:
        """A sentence without what differs from page to page, so that its like can be counted."""
        general = _general(text)
        if self.sentences.setdefault(general, text) != text:
            self.sentences[general] = general
        return general

    def to_dict(self) -> dict[str, Any]:
        """The counts in plain types."""
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


def gather(folder: Path) -> Summary:
    """Count over a result's pages, a batch of rows at a time.

    Args:
        folder: Of the result.
    """
    found = Summary()
    nearest: list[tuple[float, str, int, dict[str, Any]]] = []
    for columns, rows in _batches(folder):
        found.pages += len(rows)
        found.copies += sum(row["copies"] - 1 for row in rows)
        for row in rows:
            if row["failure"] is not None:
                found.failures[row["failure"], found.general(row["reason"])] += 1
            elif row.get("label") is not None:
                found.labels[row["label"]] += 1
            elif row.get("abstention") is not None:
                found.abstentions[row["abstention"]] += 1
            if row.get("explanation_passed") is not None:
                passed, made = found.explained
                found.explained = passed + row["explanation_passed"], made + 1
            found.warnings.update(found.general(text) for text in row["warnings"] or ())
        unsure = (row for row in rows if row.get("confidence") is not None)
        told = ((row["confidence"], row["file"], row["page"], row) for row in unsure)
        nearest = heapq.nsmallest(_LEAST_CERTAIN, [*nearest, *told], key=lambda each: each[:3])
        for name, (_, _, low, high, steps) in _DISTRIBUTIONS.items():
            if name in columns:
                values = np.array([row[name] for row in rows if row[name] is not None])
                counts, _ = np.histogram(np.clip(values, low, high), bins=steps, range=(low, high))
                found.distributions[name] = found.distributions.get(name, 0) + counts
    found.least_certain = [row for *_, row in nearest]
    return found


def write_summary(folder: Path, *, pictures: bool = True) -> Path:
    """Write ``index.html`` for a result whose tables are there.

    Args:
        folder: Of the result.
        pictures: Whether it shows small pictures of the least certain pages.
    """
    info, found = open_result(folder), gather(folder)
    shown = _pictured(folder, info, found.least_certain) if pictures else [None] * len(found.least_certain)
    with written(folder / SUMMARY) as path:
        path.write_text(_html(info, found, shown), encoding="utf-8")
    return folder / SUMMARY


def title_of(label: str) -> str:
    """A label as people read it."""
    return TITLES.get(label, label)


def _batches(folder: Path) -> Iterator[tuple[set[str], list[dict[str, Any]]]]:
    parquet = require("pyarrow.parquet", extra="batch")
    with parquet.ParquetFile(folder / PAGES) as pages:
        names = pages.schema_arrow.names
        wanted = {"file", "copies", "sha256", "page", "failure", "reason", "warnings", "label", "abstention"}
        wanted.add("explanation_passed")
        wanted |= {*_DISTRIBUTIONS, *(name for name in names if name.startswith("probability_"))}
        kept = [name for name in names if name in wanted]
        for batch in pages.iter_batches(batch_size=5000, columns=kept):
            yield set(kept), batch.to_pylist()


def _general(text: str) -> str:
    """A sentence without its numbers and quoted names.

    >>> _general("The file is cut short: the last 12 of 786 rows of the page are missing.")
    'The file is cut short: the last … of … rows of the page are missing.'
    >>> _general("2 lead names could not be read; the layout 3x4+1 tells them; V1, V2 and aVF are weak.")
    '… lead names could not be read; the layout … tells them; … are weak.'
    """
    return _DIFFERS.sub("…", text)


def _pictured(folder: Path, info: RunInfo, rows: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
    entries = entries_of(folder, {row["sha256"] for row in rows})
    return pictures_of([(entries[row["sha256"]], row["page"]) for row in rows], info.job)


def _html(info: RunInfo, found: Summary, shown: Sequence[bytes | None]) -> str:
    labelled, abstained = found.labels.total(), found.abstentions.total()
    failed = found.failures.total()
    figures = [(f"{found.pages:,}", "pages")]
    if "label" in info.job.what:
        figures += [(f"{labelled:,}", "with a label"), (f"{abstained:,}", "without a label")]
    figures.append((f"{failed:,}", "that failed"))
    parts = [tiles(figures)]
    if "label" in info.job.what:
        answers = [(title_of(label), found.labels[label]) for label in info.job.labels]
        kinds = [(ABSTENTIONS.get(kind, kind), count) for kind, count in found.abstentions.most_common()]
        parts.append(section("Answers", bars(("label", "pages"), answers, of=found.pages)))
        if kinds:
            parts.append(section("Pages without a label", bars(("reason", "pages"), kinds, of=found.pages)))
    if failed:
        rows = [
            (_sentence(FAILURES.get(kind, kind)), found.sentences[reason], count)
            for (kind, reason), count in found.failures.most_common(_MOST_ROWS)
        ]
        note = "Every one with its reason stands in failures.csv."
        parts.append(section("Failures", table(("what", "reason", "pages"), rows), note=note))
    drawn = [_distribution(name, counts) for name, counts in found.distributions.items() if counts.any()]
    if drawn:
        parts.append(f'<div class="pair">{"".join(drawn)}</div>')
    if found.explained[1]:
        passed, made = found.explained
        said = f"{passed:,} of {made:,} explanations passed all the checks that were made on their page."
        parts.append(section("Explanations", note=said))
    if found.warnings:
        warned = [(found.sentences[text], count) for text, count in found.warnings.most_common(_MOST_ROWS)]
        parts.append(section("Warnings", table(("warning", "pages"), warned)))
    if found.least_certain:
        captions = [
            (picture, row["file"], _caption(row)) for picture, row in zip(shown, found.least_certain, strict=True)
        ]
        note = "The pages whose likeliest label has the lowest probability."
        parts.append(section("Least certain", gallery(captions), note=note))
    return document(f"ECG pages in {_short(info.source)}", _facts(info, found), parts, foot=FOOT)


def _facts(info: RunInfo, found: Summary) -> list[str]:
    job = info.job
    model = f"Answers by {job.model_name} {job.model_version}" if job.model_name else "No model was asked"
    state = f"finished {_when(info.finished)}" if info.finished else "not finished yet: this is what was read so far"
    facts = [f"{model}; read for {', '.join(job.what)} with ecglens {job.version}, {state}."]
    if found.copies:
        facts.append(f"Files without a row of their own, since they hold the same bytes as another: {found.copies:,}.")
    if info.passed_over:
        facts.append(f"Other files of the source, not taken for pages by their names: {info.passed_over:,}.")
    return facts


def _distribution(name: str, counts: NDArray[np.int64]) -> str:
    title, unit, low, high, _ = _DISTRIBUTIONS[name]
    return section(title, histogram(counts.tolist(), low=low, high=high, unit=unit), note=f"Pages: {counts.sum():,}.")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _caption(row: Mapping[str, Any]) -> list[str]:
    by_label = {name.removeprefix("probability_"): row[name] for name in row if name.startswith("probability_")}
    likeliest = max(by_label, key=lambda label: by_label[label] or 0.0)
    said = "" if row["label"] is not None else ", no label given"
    page = f"page {row['page']}: " if row["page"] > 1 else ""
    return [f"{page}{title_of(likeliest)} {format_probability(row['confidence'])}{said}"]


def _short(source: str) -> str:
    return source.rstrip("/").rpartition("/")[2] or source


def _when(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")
