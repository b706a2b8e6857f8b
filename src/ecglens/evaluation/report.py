"""An evaluation as text: Markdown for repositories and cards, one HTML page with its pictures for people."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ecglens.evaluation.curves import PICTURES, draw
from ecglens.evaluation.evaluate import FIGURES, Evaluation
from ecglens.evaluation.predictions import write_predictions

__all__ = ["to_markdown", "write_report"]

_BY_LABEL = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;"
    "text-align:left;font-variant-numeric:tabular-nums}img{max-width:32%;min-width:18rem}"
)


def to_markdown(evaluation: Evaluation) -> str:
    """The evaluation as Markdown."""
    return "\n".join(
        [f"# {evaluation.name}", "", _counted(evaluation), ""]
        + [line for title, rows in _tables(evaluation) for line in (f"## {title}", "", *_markdown(rows), "")]
    )


def write_report(evaluation: Evaluation, folder: str | Path) -> None:
    """Write ``index.html`` with its pictures, ``evaluation.md``, ``evaluation.json`` and the answers themselves.

    Args:
        evaluation: What to tell.
        folder: Made where it is missing.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    folder = Path(folder)
    drawn = draw(evaluation)
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in drawn.items():
        (folder / f"{name}.png").write_bytes(png)
    (folder / "evaluation.md").write_text(to_markdown(evaluation), encoding="utf-8")
    (folder / "evaluation.json").write_text(json.dumps(evaluation.to_dict(), indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(_html(evaluation), encoding="utf-8")
    write_predictions(evaluation.predictions, folder / "predictions.csv")


def _counted(evaluation: Evaluation) -> str:
    told = evaluation.to_dict()
    labels = ", ".join(f"{count} {name}" for name, count in told["labels"].items())
    return (
        f"{told['pages']} pages answered, of {told['files']} files, {told['recordings']} recordings, "
        f"{told['groups']} groups: {labels}. Intervals are of 95 % by bootstrap over groups. "
        "For research and teaching; not a medical device."
    )


def _tables(evaluation: Evaluation) -> list[tuple[str, list[list[str]]]]:
    """Titles and tables, the first row of each its head."""
    scored, ends = evaluation.scored, evaluation.intervals
    beside = list(evaluation.references)
    rows = [["figure", "value", "95 % interval", *beside]]
    rows += [
        [title, _shown(scored[name]), _interval(ends[name])]
        + [_shown(evaluation.references[other][name]) for other in beside]
        for name, title in FIGURES.items()
    ]
    labels = [["label", "pages", *_BY_LABEL.values()]]
    for label, values in scored["by_label"].items():
        cells = [_with_interval(values[name], ends[f"{label}/{name}"]) for name in _BY_LABEL]
        labels.append([label, str(values["pages"]), *cells])
    names = evaluation.predictions.labels
    confusion = [["true label", *names]]
    confusion += [[name, *map(str, row)] for name, row in zip(names, scored["confusion"], strict=True)]
    tables = [("Figures", rows), ("By label", labels), ("Answers", confusion)]
    if evaluation.subgroups:
        parts = [["subgroup", "pages", "accuracy"]]
        parts += [
            [f"{column}: {value}", str(row["pages"]), _with_interval(row["accuracy"], row["interval"])]
            for column, found in evaluation.subgroups.items()
            for value, row in found.items()
        ]
        tables.append(("Subgroups", parts))
    return tables


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def _html(evaluation: Evaluation) -> str:
    parts = [f"<h1>{escape(evaluation.name)}</h1><p>{escape(_counted(evaluation))}</p>"]
    for title, rows in _tables(evaluation):
        head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in rows[0])
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows[1:])
        parts.append(f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if title == "Figures":
            shown = (f"<img src='{name}.png' alt='{escape(name.replace('_', ' '))}'>" for name in PICTURES)
            parts.append(f"<p>{''.join(shown)}</p>")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(evaluation.name)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _with_interval(value: Any, ends: Sequence[float] | None) -> str:
    return "-" if value is None else f"{_shown(value)} ({_interval(ends)})"
