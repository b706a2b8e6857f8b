"""The table of results and its picture, written from results on disk alone."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.evaluation.bootstrap import share_interval
from ecglens.evaluation.classification import figures
from ecglens.evaluation.predictions import Predictions
from ecglens.evaluation.report import format_count
from ecglens.extras import require
from ecglens.reproduce.results import UNGROUPED, Result, has_no_groups, load_result, result_path
from ecglens.reproduce.works import ROWS, WORKS, Row

__all__ = ["write_tables"]

_PROTOCOLS = ("as-published", "honest", "batch")
_NOT_RUN = "not run"
_DRAWS = 2000
_COPY = "copy in training"
_HONEST = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "expected_calibration_error": "calibration error",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """All seeds of one row under one protocol."""

    seeds: tuple[Result, ...]
    interval: tuple[float, float] | None

    @property
    def accuracies(self) -> list[float]:
        return [_accuracy(result.predictions) for result in self.seeds]

    @property
    def folds(self) -> NDArray[np.intp]:
        """Folds of the first seed, ``(pages,)``."""
        return self.seeds[0].predictions.folds

    @property
    def stuck(self) -> int:
        """Folds of the first seed whose model answers every page with one label, though they have pages of several."""
        predictions = self.seeds[0].predictions
        answers = predictions.probabilities.argmax(axis=1)
        parts = [self.folds == fold for fold in np.unique(self.folds)]
        return sum(len(np.unique(answers[p])) == 1 < len(np.unique(predictions.targets[p])) for p in parts)

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))


def write_tables(results: Path, out: Path, *, quick: bool = False) -> str:
    """Write the table of all results as Markdown, and beside it the picture.

    Args:
        results: Folder of results.
        out: File of the table; the picture goes to ``images/results.png`` beside it.
        quick: Whether these are partial jobs, as the text then says.

    Returns:
        The text.

    Raises:
        DatasetError: A result cannot be read.
        MissingExtraError: matplotlib is not installed.
    """
    cells = {
        (row.name, protocol): cell
        for row in ROWS.values()
        for protocol in _PROTOCOLS
        if (cell := _cell(results, row, protocol)) is not None
    }
    displayed = [row for row in ROWS.values() if not quick or any((row.name, name) in cells for name in _PROTOCOLS)]
    parts = [
        ["# Results", "", *_introduction(cells, quick=quick), ""],
        _main_table(results, displayed, cells),
        ["", *_stuck(cells), *([] if quick else _meaning(cells)), ""],
        *_further_tables(displayed, cells),
        ["", *_list_commands(cells, results, quick=quick), ""],
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    if cells and not quick:
        picture = out.parent / "images" / "results.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(_picture(cells))
        parts.insert(3, ["![Reported accuracy of each model and that under each protocol](images/results.png)", ""])
    text = "\n".join(line for part in parts for line in part)
    out.write_text(text, encoding="utf-8")
    return text


def _cell(results: Path, row: Row, protocol: str) -> _Cell | None:
    folder = result_path(results, row.name, protocol, 0).parent
    numbers = sorted(int(path.stem.removeprefix("seed")) for path in folder.glob("seed*.json"))
    stored = [load_result(result_path(results, row.name, protocol, number)) for number in numbers]
    seeds = tuple(result for result in stored if result is not None)
    return _Cell(seeds, _interval(seeds[0].predictions)) if seeds else None


def _interval(predictions: Predictions) -> tuple[float, float] | None:
    right = predictions.probabilities.argmax(axis=1) == predictions.targets
    return share_interval(predictions.group_codes, right, rng=np.random.default_rng(0), draws=_DRAWS)


def _introduction(cells: Mapping[tuple[str, str], _Cell], *, quick: bool) -> list[str]:
    """Describe the data and the protocols."""
    if not cells:
        return ["Nothing has been run yet."]
    note = next(iter(cells.values())).seeds[0].note
    lines = [
        f"Accuracy of the models of five student works on page images, {note['files']} files of {note['recordings']} "
        f"recordings in {note['groups']} groups (on the public pages: printed exam numbers): **as published** on files "
        "split at random, copies and all, whole pages with header and footer (of the works on lead crops the crops, of "
        "the model that ships the traces, of controls what they name); **honest** on one file a recording, five "
        "folds that keep groups whole, traces alone, every page answered by a model that has not seen its group; "
        "**leave one batch out** on the recordings of a month by a model that has seen none of them. In brackets the "
        "95 % interval by bootstrap over groups of the first seed, and the range over seeds where there are several. "
        f'What was not run says "{_NOT_RUN}". Parameters are those of this code: where a work does not describe its '
        "layers, such as those of the 423 K compact CNN, they differ.",
    ]
    if has_no_groups(note["files"], note["groups"]):
        lines += ["", f"**{UNGROUPED}**"]
    if quick:
        lines += [
            "",
            "**Quick**: a sixth of the epochs, and of the honest folds and of the batches the first alone. Not for "
            "comparing.",
        ]
    return lines


def _main_table(results: Path, rows: Sequence[Row], cells: Mapping[tuple[str, str], _Cell]) -> list[str]:
    lines = [
        "| model | work | reported there | as published, this code | honest | leave one batch out | ImageNet weights "
        "| parameters | ms a page, of it the model | training, one seed, honest |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = [cells.get((row.name, protocol)) for protocol in _PROTOCOLS]
        lines.append(
            f"| {row.title} | {WORKS[row.work]} | {row.reported_text} | {' | '.join(map(_format_cell, own))} "
            f"| {_weights(row, own)} | {_size(results / row.name / 'speed.json')} | {_minutes(own[1])} |"
        )
    return lines


def _format_cell(cell: _Cell | None) -> str:
    if cell is None:
        return _NOT_RUN
    ends = [] if cell.interval is None else ["{:.3f} to {:.3f}".format(*cell.interval)]
    several = cell.accuracies
    if len(several) > 1:
        ends.append(f"{len(several)} seeds {min(several):.3f} to {max(several):.3f}")
    return f"{cell.mean:.3f} ({'; '.join(ends)})" if ends else f"{cell.mean:.3f}"


def _weights(row: Row, own: Sequence[_Cell | None]) -> str:
    if row.pretrained is None:
        return "-"
    pretrained = [cell.seeds[0].note["pretrained"] for cell in own if cell is not None]
    return "-" if not pretrained else "yes" if all(pretrained) else "from scratch"


def _size(path: Path) -> str:
    if not path.is_file():
        return "- | -"
    values = parse_json(path.read_text(encoding="utf-8"))
    return f"{values['parameters']:,} | {values['reading_ms'] + values['model_ms']:.0f}, {values['model_ms']:.0f}"


def _minutes(cell: _Cell | None) -> str:
    if cell is None or "training_s" not in cell.seeds[0].note:
        return "-"
    note = cell.seeds[0].note
    device = f"{note['threads']} CPU thread{'s' if note['threads'] != 1 else ''}" if note["device"] == "cpu" else "GPU"
    return f"{note['training_s'] / 60:.0f} min, {device}"


def _stuck(cells: Mapping[tuple[str, str], _Cell]) -> list[str]:
    """List trainings that failed: their figure says little about what such a model can do."""
    stuck = [
        f"{ROWS[name].title}, {protocol}, {cell.stuck} of {format_count(len(set(cell.folds.tolist())), 'fold')}"
        for (name, protocol), cell in cells.items()
        if cell.stuck and ROWS[name].work != "controls"
    ]
    if not stuck:
        return []
    return [f"Folds whose model answers every page with one label, first seed: {'; '.join(stuck)}.", ""]


def _meaning(cells: Mapping[tuple[str, str], _Cell]) -> list[str]:
    """Explain the difference between the columns, in two sentences with figures."""
    both = [
        (cells[name, "as-published"].mean, cells[name, "honest"].mean)
        for name, row in ROWS.items()
        if row.reported is not None and (name, "as-published") in cells and (name, "honest") in cells
        if not cells[name, "as-published"].stuck and not cells[name, "honest"].stuck
    ]
    copies, note = _by_copy(cells), next(iter(cells.values())).seeds[0].note if cells else {}
    if not both or not copies or has_no_groups(note["files"], note["groups"]):
        return []
    published, honest = np.mean(both, axis=0)
    shares = [sides["yes"][0] / (sides["yes"][0] + sides["no"][0]) for sides in copies.values()]
    with_copy, without = (np.mean([sides[side][1] for sides in copies.values()]) for side in ("yes", "no"))
    return [
        f"As published, {np.mean(shares):.0%} of the test files are copies of training files; the models answer those "
        f"with {with_copy:.3f} right, the others with {without:.3f}{_explain_labels_without_copies(cells)}. "
        "Recordings of groups that they have not seen, the traces alone and fewer pages to learn from take "
        f"{format_count(len(both), 'model')} of the works, all of whose trainings came to something, from "
        f"{published:.3f} to {honest:.3f} on average: the second figure is what such a model "
        "is worth on a new page of this recorder.",
    ]


def _explain_labels_without_copies(cells: Mapping[tuple[str, str], _Cell]) -> str:
    """Explain why files with and without a copy cannot be compared, where a label has none."""
    labels: set[str] = set()
    copied: set[str] = set()
    for (_, protocol), cell in cells.items():
        predictions = cell.seeds[0].predictions
        if protocol == "as-published" and _COPY in predictions.extra:
            true = [predictions.labels[target] for target in predictions.targets]
            labels.update(true)
            copied.update(label for label, side in zip(true, predictions.extra[_COPY], strict=True) if side == "yes")
    bare = sorted(labels - copied)
    if not bare:
        return ""
    return f", but {' and '.join(bare)} has no copies at all, so that this alone does not tell memory from difficulty"


def _by_copy(cells: Mapping[tuple[str, str], _Cell]) -> dict[str, dict[str, tuple[int, float]]]:
    """Count by row the test files with and without a copy in training, and the share right; first seed."""
    copies = {}
    for (name, protocol), cell in cells.items():
        predictions = cell.seeds[0].predictions
        if protocol != "as-published" or _COPY not in predictions.extra or ROWS[name].work == "controls":
            continue
        right = predictions.probabilities.argmax(axis=1) == predictions.targets
        sides = np.array(predictions.extra[_COPY])
        if len(set(sides.tolist())) < 2:
            continue
        copies[name] = {
            side: (int((sides == side).sum()), float(right[sides == side].mean())) for side in ("yes", "no")
        }
    return copies


def _further_tables(rows: Sequence[Row], cells: Mapping[tuple[str, str], _Cell]) -> list[list[str]]:
    tables = []
    honest = [(row, cells[row.name, "honest"]) for row in rows if (row.name, "honest") in cells]
    if honest:
        lines = ["## Honest, first seed", "", f"| model | {' | '.join(_HONEST.values())} | recall for mi |"]
        lines.append("|---" * (len(_HONEST) + 2) + "|")
        for row, cell in honest:
            scored = figures(*_arrays(cell.seeds[0].predictions))
            values = [*(scored[name] for name in _HONEST), scored["by_label"].get("mi", {}).get("recall")]
            lines.append(f"| {row.title} | {' | '.join(map(_number, values))} |")
        tables.append([*lines, ""])
    copies = _by_copy(cells)
    if copies:
        lines = ["## As published: test files with and without a copy in training, first seed", ""]
        lines += ["| model | with: files | right | without: files | right |", "|---|---|---|---|---|"]
        lines += [
            f"| {ROWS[name].title} | {sides['yes'][0]} | {sides['yes'][1]:.3f} | {sides['no'][0]} "
            f"| {sides['no'][1]:.3f} |"
            for name, sides in copies.items()
        ]
        tables.append([*lines, ""])
    crops = [
        (ROWS[name], protocol, cell)
        for (name, protocol), cell in cells.items()
        if "crops" in cell.seeds[0].note and protocol != "batch"
    ]
    if crops:
        lines = ["## Models of leads, scored as their work did: every crop counts, first seed", ""]
        lines += ["| model | protocol | crops | accuracy over crops | macro F1 | pages |", "|---|---|---|---|---|---|"]
        for row, protocol, cell in crops:
            values = cell.seeds[0].note["crops"]
            lines.append(
                f"| {row.title} | {protocol} | {values['count']} | {values['accuracy']:.3f} | {values['macro_f1']:.3f} "
                f"| {_accuracy(cell.seeds[0].predictions):.3f} |"
            )
        lines += ["", *_compare_crops(crops)]
        tables.append([*lines, ""])
    return tables


def _compare_crops(crops: Sequence[tuple[Row, str, _Cell]]) -> list[str]:
    """Compare these with what their work reports, which are accuracies over crops."""
    below = [
        f"{row.title} {cell.seeds[0].note['crops']['accuracy']:.3f}, reported {row.reported:.4f}"
        for row, protocol, cell in crops
        if protocol == "as-published"
        and row.reported is not None
        and cell.seeds[0].note["crops"]["accuracy"] < row.reported
    ]
    below_reported = f" Over crops, as that work counts, this code stays below it: {'; '.join(below)}." if below else ""
    return [f"The crops of one page stay on one side here; in that work they could land on both.{below_reported}"]


def _list_commands(cells: Mapping[tuple[str, str], _Cell], results: Path, *, quick: bool) -> list[str]:
    commands = sorted(
        {
            f"`{result.note['command']}` at {(result.note['git'] or {}).get('commit', 'no commit')[:7]}"
            + (" with changes" if (result.note["git"] or {}).get("changed") else "")
            for cell in cells.values()
            for result in cell.seeds
        }
    )
    lines = ["## Made by", "", *(f"- {command}" for command in commands)]
    folder = results.name if results.is_absolute() else results.as_posix()
    if not quick:
        lines += [
            "",
            f"Each result's answers and where they come from lie in `{folder}`; `ecglens evaluate "
            f"{folder}/ROW/PROTOCOL/seed0.csv` gives every figure of it, `ecglens reproduce` writes this page anew. "
            "Times are those of a machine that did other work beside. For research and teaching; not a medical device.",
        ]
    return lines


def _picture(cells: Mapping[tuple[str, str], _Cell]) -> bytes:
    """Plot each model's reported accuracy and those under each protocol on one line."""
    names = [name for name in ROWS if (name, "honest") in cells or (name, "as-published") in cells][::-1]
    figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(8, 0.9 + 0.4 * len(names)), layout="constrained"
    )
    axes = figure.subplots()
    styles = {
        "as-published": ("#d55e00", "s", 0.2, "as published"),
        "honest": ("#0072b2", "o", 0.0, "honest"),
        "batch": ("#009e73", "^", -0.2, "leave one batch out"),
    }
    for protocol, (color, marker, lift, title) in styles.items():
        label: str | None = title
        for place, name in enumerate(names):
            cell = cells.get((name, protocol))
            if cell is None:
                continue
            axes.plot(cell.interval or (cell.mean,) * 2, (place + lift,) * 2, color=color, linewidth=1.4)
            axes.plot(cell.mean, place + lift, marker, color=color, markersize=5, label=label)
            label = None
    for crops, color, title in ((False, "black", "reported"), (True, "#999999", "reported, of crops")):
        reported = [
            (ROWS[name].reported, place)
            for place, name in enumerate(names)
            if ROWS[name].reported is not None and ROWS[name].crops is crops
        ]
        if reported:
            axes.plot(*zip(*reported, strict=True), "|", color=color, markersize=13, markeredgewidth=1.8, label=title)
    axes.set_yticks(range(len(names)), [ROWS[name].title for name in names])
    axes.set(xlabel="accuracy, with its 95 % interval", xlim=(None, 1.005))
    axes.grid(axis="x", alpha=0.3)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=5)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue()


def _accuracy(predictions: Predictions) -> float:
    return float((predictions.probabilities.argmax(axis=1) == predictions.targets).mean())


def _arrays(predictions: Predictions) -> tuple[NDArray[np.intp], NDArray[np.float64], tuple[str, ...]]:
    return predictions.targets, predictions.probabilities, predictions.labels


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"
