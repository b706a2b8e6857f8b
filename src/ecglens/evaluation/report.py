"""An evaluation as text: Markdown for repositories and cards, one HTML page with its pictures for people."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglens.evaluation.curves import PICTURES, draw
from ecglens.evaluation.guidelines import ITEMS
from ecglens.evaluation.names import CONTROLS, FIGURES
from ecglens.evaluation.predictions import write_predictions

if TYPE_CHECKING:
    from ecglens.evaluation.evaluate import Evaluation

__all__ = [
    "Picture",
    "Section",
    "counted",
    "guidelines_section",
    "html_page",
    "html_table",
    "markdown_table",
    "plain_markdown",
    "to_markdown",
    "write_report",
]

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
    "text-align:left;font-variant-numeric:tabular-nums}div{overflow-x:auto}"
    "img{max-width:32%;min-width:18rem}img.wide{max-width:100%}"
    ".pages{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:1rem}"
    "figure{margin:0}figure img{box-sizing:border-box;width:100%;max-width:100%;min-width:0;border:1px solid #ddd}"
    "figcaption{font-size:13px;overflow-wrap:anywhere}"
)
_PNG = b"\x89PNG"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report.

    Attributes:
        name: Stem of its file; what an address does not hold becomes an underline.
        caption: What is seen.
        data: PNG or JPEG; empty where there is nothing to show but the caption.
    """

    name: str
    caption: str
    data: bytes = field(repr=False)

    @property
    def file(self) -> str:
        """Its name within the report's folder."""
        plain = re.sub(r"[^\w.-]", "_", self.name, flags=re.ASCII)
        return f"pages/{plain}.{'png' if self.data.startswith(_PNG) else 'jpg'}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report beside the figures.

    Attributes:
        title: Its headline.
        text: Sentences before the table.
        rows: A table, its head first; empty without one.
        pictures: Drawn figures, PNG by file stem.
        gallery: Pages to look at.
        topic: What of a study it tells, where its title does not say so.
    """

    title: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    gallery: tuple[Picture, ...] = ()
    topic: str = ""


def to_markdown(evaluation: "Evaluation", sections: Sequence[Section] = ()) -> str:
    """The evaluation as Markdown, without pictures of pages."""
    lines = [f"# {plain_markdown(evaluation.name)}", "", plain_markdown(_counted(evaluation)), ""]
    for section in (*_own(evaluation), *sections):
        if not section.rows and (section.gallery or not section.text):
            continue
        lines += [f"## {plain_markdown(section.title)}", ""]
        lines += [plain_markdown(section.text), ""] if section.text else []
        lines += [*markdown_table(section.rows), ""] if section.rows else []
    return "\n".join(lines)


def write_report(evaluation: "Evaluation", folder: str | Path, sections: Sequence[Section] = ()) -> None:
    """Write ``index.html`` with its pictures, ``evaluation.md``, ``evaluation.json`` and the answers themselves.

    Args:
        evaluation: What to tell.
        folder: Made where it is missing.
        sections: What else there is to tell.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    folder = Path(folder)
    drawn = draw(evaluation)
    folder.mkdir(parents=True, exist_ok=True)
    told = (*_own(evaluation), *sections)
    told = (*told, guidelines_section(told))
    for name, png in (drawn | {name: png for section in sections for name, png in section.pictures.items()}).items():
        (folder / f"{name}.png").write_bytes(png)
    for picture in (picture for section in sections for picture in section.gallery if picture.data):
        (folder / picture.file).parent.mkdir(exist_ok=True)
        (folder / picture.file).write_bytes(picture.data)
    (folder / "evaluation.md").write_text(to_markdown(evaluation, told[len(_own(evaluation)) :]), encoding="utf-8")
    (folder / "evaluation.json").write_text(json.dumps(evaluation.to_dict(), indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(_html(evaluation, told), encoding="utf-8")
    write_predictions(evaluation.predictions, folder / "predictions.csv")


def guidelines_section(sections: Sequence[Section]) -> Section:
    """Which items of the guidelines for such studies a report covers, and where.

    Args:
        sections: Of the report.
    """
    rows = [
        (guideline, item, asks, "; ".join(found))
        for guideline, item, asks, where in ITEMS
        if (found := [section.title for section in sections if (section.topic or section.title) in where])
    ]
    text = (
        "Items of TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378) and CLAIM (Mongan et al. 2020, "
        "doi:10.1148/ryai.2020200029) that this report covers. The others, such as how patients were chosen and who "
        "set the labels, are for the study's authors to tell."
    )
    return Section("Reporting guidelines", text, (("guideline", "item", "asks for", "section"), *rows))


def _counted(evaluation: "Evaluation") -> str:
    told = evaluation.to_dict()
    labels = ", ".join(f"{count} {name}" for name, count in told["labels"].items())
    beware = "".join(f" {note}" for note in evaluation.notes)
    counts = ", ".join(counted(told[what], what.removesuffix("s")) for what in ("files", "recordings", "groups"))
    several = told["groups"] > 1
    how = (
        f"Intervals are of 95 %, by {evaluation.draws:,} draws of groups, and by Clopper and Pearson over groups for "
        'shares that are 0 or 1; "-" where a figure or its interval is undefined.'
        if several
        else "There are no intervals: one group says nothing of others."
    )
    return (
        f"{counted(told['pages'], 'page')} answered, of {counts}: {labels}. {how} "
        f"For research and teaching; not a medical device.{beware}"
    )


def _own(evaluation: "Evaluation") -> tuple[Section, ...]:
    """What every report tells."""
    missing = [name for name in CONTROLS if not any(known.startswith(name) for known in evaluation.references)]
    beside = f" Not at hand: {', '.join(missing)}." if missing else ""
    surely = any(ends is not None for ends in evaluation.intervals.values())
    draws = " Draws repeat pages, which makes the calibration error larger: its interval lies high." * surely
    texts = {"Figures": f"Beside them what any model has to beat, on the same pages.{beside}{draws}"}
    return tuple(
        Section(
            title,
            texts.get(title, ""),
            tuple(tuple(row) for row in rows),
            topic="" if surely else f"{title} without intervals",
        )
        for title, rows in _tables(evaluation)
    )


def _tables(evaluation: "Evaluation") -> list[tuple[str, list[list[str]]]]:
    """Titles and tables, the first row of each its head."""
    scored, ends = evaluation.scored, evaluation.intervals
    beside = list(evaluation.references)
    rows = [["figure", "value", "95 % interval", *beside]]
    rows += [
        [title, _shown(scored[name]), _interval(ends[name])]
        + [
            _with_interval(evaluation.references[other][name], evaluation.reference_intervals[other][name])
            for other in beside
        ]
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
            [f"{column}: {value or 'not given'}", str(row["pages"]), _with_interval(row["accuracy"], row["interval"])]
            for column, found in evaluation.subgroups.items()
            for value, row in found.items()
        ]
        tables.append(("Subgroups", parts))
    return tables


def _html(evaluation: "Evaluation", sections: Sequence[Section]) -> str:
    parts = [f"<h1>{escape(evaluation.name)}</h1><p>{escape(_counted(evaluation))}</p>"]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        if section.text:
            parts.append(f"<p>{escape(section.text)}</p>")
        if section.rows:
            parts.append(html_table(section.rows))
        if section.title == "Figures":
            shown = (f"<img src='{name}.png' alt='{escape(name.replace('_', ' '))}'>" for name in PICTURES)
            parts.append(f"<p>{''.join(shown)}</p>")
        for name in section.pictures:
            parts.append(f"<p><img class='wide' src='{name}.png' alt='{escape(section.title)}'></p>")
        if section.gallery:
            parts.append(f"<div class='pages'>{''.join(map(_figure, section.gallery))}</div>")
    return html_page(evaluation.name, "".join(parts))


def html_page(title: str, body: str) -> str:
    """A page of its own in the look of the reports.

    Args:
        title: As text.
        body: As HTML.
    """
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML, its head first."""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows[1:])
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of Markdown, its head first."""
    cells = ((plain_markdown(cell).replace("|", r"\|") for cell in row) for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def plain_markdown(text: str) -> str:
    """Text from data as it stands: nothing in it becomes a tag or a letter of HTML, and it stays on its line."""
    return " ".join(re.sub(r"<(?=[A-Za-z/!?])", "&lt;", re.sub(r"&(?=#?\w+;)", "&amp;", text)).splitlines())


def _figure(picture: Picture) -> str:
    caption = escape(picture.caption)
    image = f"<img loading='lazy' src='{escape(picture.file)}' alt='{caption}'>" if picture.data else ""
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def counted(number: int, thing: str) -> str:
    """A number of things, one without an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _with_interval(value: Any, ends: Sequence[float] | None) -> str:
    if value is None or ends is None:
        return _shown(value)
    return f"{_shown(value)} ({_interval(ends)})"
