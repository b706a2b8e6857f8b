"""Audit a data set before it is used: copies, groups, shortcuts, broken files, and a verdict in words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from ecglens.datasets.duplicates.signatures import near_copies
from ecglens.datasets.file_facts import FileFacts, file_digest, gather
from ecglens.datasets.header_groups import group_by_header
from ecglens.datasets.label_errors import LabelError, find_label_errors
from ecglens.datasets.printed_fields import join_by_exam, read_prints
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.shortcuts import FOLDS, Shortcut, shortcuts
from ecglens.documents import dump_document
from ecglens.errors import DatasetError, MissingExtraError

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True)
class Audit:
    """Findings of an audit.

    Attributes:
        recordings: Every usable file with its recording, group, canonical file and reasons.
        problems: Files that cannot be used, with the reason.
        same_bytes: Files beyond the first of each content.
        same_pixels: Files with other bytes that decode to the same pixels as an earlier one.
        near: Files whose traces are those of an earlier one, pixels differing.
        crossing: Recordings that are on more than one side of the data set's own split.
        two_labels: Recordings under more than one label.
        grouped: Whether groups came from a printed field of the header.
        mixed_groups: Groups of more than one recording with more than one label.
        shortcuts: How well each thing that is not the trace predicts the label.
        doubtful: Files whose traces contradict their label; to be inspected.
        truncated: Usable files whose last rows are missing, with the reader's warnings.
        rare: Labels with too few groups for folds, with their groups; nothing is measured on them.
        skipped: Reason why label errors were not searched for, empty where they were.
    """

    recordings: Recordings
    problems: tuple[tuple[Path, str], ...]
    same_bytes: int
    same_pixels: int
    near: int
    crossing: tuple[str, ...]
    two_labels: tuple[str, ...]
    grouped: bool
    mixed_groups: int
    shortcuts: tuple[Shortcut, ...]
    doubtful: tuple[LabelError, ...] = ()
    truncated: tuple[tuple[Path, str], ...] = ()
    rare: tuple[tuple[str, int], ...] = ()
    skipped: str = ""

    @property
    def files(self) -> int:
        """Number of files, unusable ones included."""
        return len(self.recordings) + len(self.problems)

    @property
    def distinct(self) -> int:
        """Number of distinct recordings."""
        return len(set(self.recordings.column("recording")))

    @property
    def surplus(self) -> int:
        """Number of files beyond one for each recording."""
        return len(self.recordings) - self.distinct

    def verdict(self) -> str:
        """Return what to know before training, in words."""
        groups = len(set(self.recordings.column("group")))
        lines = [f"{self.files} files hold {self.distinct} distinct recordings; {self.surplus} are surplus copies."]
        if self.crossing:
            lines.append(
                f"{len(self.crossing)} recordings are on more than one side of the data set's own split: "
                "figures measured on it are measured on training pages."
            )
        elif self.surplus:
            lines.append("A random split of the files would put copies of training pages into the test side.")
        if self.two_labels:
            lines.append(f"{len(self.two_labels)} recordings have two labels, such as '{self.two_labels[0]}'.")
        if self.grouped:
            lines.append(
                f"By the number printed in the header they are {groups} groups, {self.mixed_groups} of them with "
                "several labels; keep groups on one side of a split."
            )
        if self.rare:
            named = ", ".join(f"{count} of '{label}'" for label, count in self.rare)
            lines.append(
                f"Expected at least {FOLDS} groups of recordings of each label, got only {named}: nothing is "
                "measured on them, and an honest split is refused; add recordings, merge labels or leave them out."
            )
        telling = [item for item in self.shortcuts if item.low > 0.5 and item.auroc >= 0.6]
        if telling:
            named = ", ".join(f"{item.name} (AUROC {item.auroc:.2f})" for item in telling)
            lines.append(f"The label can be guessed without the traces, from: {named}.")
        if self.doubtful:
            lines.append(
                f"{len(self.doubtful)} files look mislabeled, the first: {self.doubtful[0].path.name}; look at them."
            )
        if self.skipped:
            lines.append(f"Label errors were not searched for. {self.skipped}")
        if self.truncated:
            lines.append(f"{len(self.truncated)} files are cut short, the first: {self.truncated[0][0].name}.")
        if self.problems:
            lines.append(f"{len(self.problems)} files cannot be used, the first: {self.problems[0][0].name}.")
        if len(lines) == 1:
            lines.append("Nothing was found that would spoil a random split.")
        return " ".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings in plain types, without the table of files."""
        return {
            "verdict": self.verdict(),
            "files": self.files,
            "recordings": self.distinct,
            "surplus_copies": self.surplus,
            "same_bytes": self.same_bytes,
            "same_pixels": self.same_pixels,
            "near_copies": self.near,
            "groups": len(set(self.recordings.column("group"))),
            "groups_from_header": self.grouped,
            "groups_with_several_labels": self.mixed_groups,
            "recordings_across_splits": list(self.crossing),
            "recordings_under_two_labels": list(self.two_labels),
            "labels_with_too_few_groups": [{"label": label, "groups": count} for label, count in self.rare],
            "problems": [{"file": path.name, "reason": reason} for path, reason in self.problems],
            "truncated": [{"file": path.name, "reason": reason} for path, reason in self.truncated],
            "looks_mislabelled": [item.to_dict() for item in self.doubtful],
            "labels": [
                {"label": label, "files": files, "recordings": self.recordings.canonical().counts().get(label, 0)}
                for label, files in self.recordings.counts().items()
            ],
            "shortcuts": [item.to_dict() for item in self.shortcuts],
        }

    def to_markdown(self) -> str:
        """Return the verdict and the tables as Markdown."""
        plain = self.to_dict()
        lines = ["# Audit", "", plain["verdict"], "", "| label | files | recordings |", "|---|---|---|"]
        lines += [f"| {row['label']} | {row['files']} | {row['recordings']} |" for row in plain["labels"]]
        lines += ["", "| copies | files |", "|---|---|"]
        lines += [
            f"| {name.replace('_', ' ')} | {plain[name]} |" for name in ("same_bytes", "same_pixels", "near_copies")
        ]
        if self.shortcuts:
            lines += [
                "",
                "| read without the traces | AUROC | 95 % | accuracy | majority | n |",
                "|---|---|---|---|---|---|",
            ]
            lines += [item.to_row() for item in self.shortcuts]
        if self.doubtful:
            lines += [
                "",
                "| looks mislabeled, look at it | label | probability | likelier | its probability |",
                "|---|---|---|---|---|",
            ]
            lines += ["| " + " | ".join(map(str, item.to_dict().values())) + " |" for item in self.doubtful]
        for title, rows in (("truncated", self.truncated), ("cannot be used", self.problems)):
            if rows:
                lines += ["", f"| {title} | why |", "|---|---|"]
                lines += [f"| {path.name} | {reason} |" for path, reason in rows]
        return "\n".join(lines) + "\n"

    def write(self, folder: str | Path) -> None:
        """Write ``recordings.csv``, ``audit.json`` and ``audit.md`` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.recordings.to_csv(folder / "recordings.csv")
        (folder / "audit.json").write_text(
            dump_document("ecglens-audit", self.to_dict(), indent=1) + "\n", encoding="utf-8"
        )
        (folder / "audit.md").write_text(self.to_markdown(), encoding="utf-8")


def audit(
    recordings: Recordings,
    *,
    store: Path | None = None,
    workers: int = 2,
    seed: int = 0,
    ocr: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """Audit a data set.

    Each distinct file is read once. Equal bytes and pixels are found by SHA-256, near-copies by the signature of the
    traces (``ecglens.datasets.duplicates.signatures``), groups by the word of the header that varies most
    (``ecglens.datasets.header_groups``). Without scikit-learn, label errors are not searched for and the verdict says
    so.

    Args:
        recordings: The files, from ``ecglens.datasets.sources``.
        store: A file that stores what was read of each page, so that a stopped audit can resume.
        workers: Number of processes.
        seed: Random seed.
        ocr: Read exam number, date and rate of each distinct recording into columns of the table, some seconds each,
            and group by the exam number where the header's pixels cannot. ``store`` stores these too.
        progress: Called with the number of distinct files read and of all.

    Raises:
        DatasetError: No file can be read as an ECG page.
        MissingExtraError: ``ocr`` is requested, and rapidocr is not installed.
    """
    paths = [row.path for row in recordings]
    digests = [file_digest(path) for path in paths]
    facts = gather(paths, digests, store=store, workers=workers, progress=progress)
    usable = [index for index, digest in enumerate(digests) if not facts[digest].problem]
    problems = tuple((path, facts[d].problem) for path, d in zip(paths, digests, strict=True) if facts[d].problem)
    if not usable:
        raise DatasetError(f"Expected ECG pages, but none of {len(paths)} files is one; the first: {problems[0][1]}")
    facts_of = [facts[digests[index]] for index in usable]
    leader, why = _leaders([digests[index] for index in usable], facts_of, seed)
    chosen = sorted(set(leader))
    places = [usable[index] for index in chosen]
    prints: list[dict[str, str]] = [{}] * len(chosen)
    if ocr:
        prints = read_prints([paths[i] for i in places], [digests[i] for i in places], store=store, progress=progress)
    group_of, grouped = _groups(
        recordings, usable, chosen, facts_of, [fields.get("exam_number", "") for fields in prints]
    )
    rows = _rows(recordings, usable, leader, why, group_of, dict(zip(chosen, prints, strict=True)))
    return _findings(Recordings(tuple(rows)), problems, why, grouped, facts_of, chosen, seed)


def _leaders(digests: Sequence[str], facts_of: Sequence[FileFacts], seed: int) -> tuple[list[int], list[str]]:
    """Return for each file the first file of its recording, and why it is a copy (``""`` for the first)."""
    leader, why = list(range(len(facts_of))), [""] * len(facts_of)
    by_bytes: dict[str, int] = {}
    by_pixels: dict[str, int] = {}
    for index, (digest, facts) in enumerate(zip(digests, facts_of, strict=True)):
        if digest in by_bytes:
            leader[index], why[index] = leader[by_bytes[digest]], "same bytes"
        elif facts.pixels in by_pixels:
            leader[index], why[index] = by_pixels[facts.pixels], "same pixels"
        by_bytes.setdefault(digest, index)
        by_pixels.setdefault(facts.pixels, leader[index])
    distinct = [index for index in range(len(facts_of)) if leader[index] == index]
    same_traces = DisjointSet(distinct)
    for one, other in near_copies([facts_of[index].signature for index in distinct], seed=seed):
        same_traces.merge(distinct[one], distinct[other])
    first = {index: min(files) for files in same_traces.subsets() for index in files}
    for index in range(len(facts_of)):
        if leader[index] == index and first[index] != index:
            why[index] = "same traces"
        leader[index] = first[leader[index]]
    return leader, why


def _groups(
    recordings: Recordings,
    usable: Sequence[int],
    chosen: Sequence[int],
    facts_of: Sequence[FileFacts],
    exams: Sequence[str],
) -> tuple[dict[int, str], bool]:
    """Return the group of each distinct recording: the header's number, by pixels or by OCR, or the table's group."""
    numbers = join_by_exam(group_by_header([facts_of[index].words for index in chosen]), exams)
    table_groups = {index: recordings[usable[index]].group for index in chosen}
    own = any(recordings[i].group != recordings[i].recording for i in usable)
    if numbers is None or own:
        return table_groups, False
    order = {number: rank for rank, number in enumerate(dict.fromkeys(numbers.tolist()), start=1)}
    return {index: f"h{order[int(number)]:04d}" for index, number in zip(chosen, numbers, strict=True)}, True


def _rows(
    recordings: Recordings,
    usable: Sequence[int],
    leader: Sequence[int],
    why: Sequence[str],
    group_of: Mapping[int, str],
    print_of: Mapping[int, Mapping[str, str]],
) -> Iterable[Recording]:
    for index, place in enumerate(usable):
        row, first = recordings[place], recordings[usable[leader[index]]]
        extra = {
            **print_of[leader[index]],
            **row.extra,
            "canonical": "yes" if leader[index] == index else "no",
            "copy_of": "" if leader[index] == index else first.recording,
            "reasons": why[index],
        }
        yield Recording(
            row.path,
            row.label,
            first.recording,
            group_of[leader[index]],
            row.split,
            row.source,
            MappingProxyType(extra),
        )


def _findings(
    table: Recordings,
    problems: tuple[tuple[Path, str], ...],
    why: Sequence[str],
    grouped: bool,
    facts: Sequence[FileFacts],
    chosen: Sequence[int],
    seed: int,
) -> Audit:
    labels: defaultdict[str, set[str]] = defaultdict(set)
    sides: defaultdict[str, set[str]] = defaultdict(set)
    group_labels: defaultdict[str, set[str]] = defaultdict(set)
    for row in table:
        labels[row.recording].add(row.label)
        group_labels[row.group].add(row.label)
        if row.split:
            sides[row.recording].add(row.split)
    reasons = Counter(why)
    rare = _rare(table)
    judged = [index for index in chosen if table[index].label not in dict(rare)]
    distinct = table.subset(judged)
    pages = [facts[index] for index in judged]
    doubtful, skipped = _label_errors(distinct, pages, seed)
    return Audit(
        recordings=table,
        problems=problems,
        same_bytes=reasons["same bytes"],
        same_pixels=reasons["same pixels"],
        near=reasons["same traces"],
        crossing=tuple(sorted(name for name, own in sides.items() if len(own) > 1)),
        two_labels=tuple(sorted(name for name, own in labels.items() if len(own) > 1)),
        grouped=grouped,
        mixed_groups=sum(len(own) > 1 for own in group_labels.values()),
        shortcuts=shortcuts(distinct, _probes(pages, distinct), seed=seed) if judged else (),
        doubtful=doubtful,
        truncated=tuple(
            (row.path, " ".join(page.warnings)) for row, page in zip(table, facts, strict=True) if page.warnings
        ),
        rare=rare,
        skipped=skipped,
    )


def _label_errors(distinct: Recordings, pages: Sequence[FileFacts], seed: int) -> tuple[tuple[LabelError, ...], str]:
    """Find label errors; without scikit-learn return none, and the reason."""
    if not pages:
        return (), ""
    beats = np.array([page.beats for page in pages])
    try:
        return find_label_errors(distinct, [page.signature for page in pages], beats, seed=seed), ""
    except MissingExtraError as error:
        return (), str(error)


def _rare(table: Recordings) -> tuple[tuple[str, int], ...]:
    """Return the labels with fewer groups than there are folds, and their groups, the rarest first."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for row in table:
        groups[row.label].add(row.group)
    return tuple(sorted(((x, len(g)) for x, g in groups.items() if len(g) < FOLDS), key=lambda item: item[::-1]))


def _probes(pages: Sequence[FileFacts], table: Recordings) -> dict[str, NDArray[np.float64]]:
    """Return what can be read of a page besides its traces: ``(recordings, values)`` each."""

    def numbers(*names: str) -> NDArray[np.float64]:
        return np.array([[float(getattr(page, name)) for name in names] for page in pages])

    def strips(name: str) -> NDArray[np.float64]:
        arrays = [getattr(page, name) for page in pages]
        size = max(len(array) for array in arrays)
        return np.stack([array if len(array) == size else np.full(size, 255) for array in arrays]).astype(np.float64)

    probes = {
        "header": strips("header"),
        "footer": strips("footer"),
        "printed date": strips("date"),
        "file size": numbers("size_bytes"),
        "size in pixels": numbers("height", "width"),
        "JPEG tables": numbers("tables"),
        "sharpness": numbers("sharpness"),
        "heart rate, measured": numbers("beats"),
    }
    if any(row.extra.get("printed_rate_bpm") for row in table):
        probes["heart rate, printed"] = np.array([[float(row.extra.get("printed_rate_bpm") or 0)] for row in table])
    return {name: values for name, values in probes.items() if values.shape[1]}
