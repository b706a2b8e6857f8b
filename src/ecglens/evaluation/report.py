"""Evaluations and comparisons as text: Markdown for repositories and cards, HTML pages with their plots for people.

The HTML pages are Jinja2 templates in ``templates``, which escape every name that comes from data.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecglens.documents import dump_document
from ecglens.evaluation.guidelines import ITEMS
from ecglens.evaluation.names import CONTROLS, FIGURES
from ecglens.evaluation.plots import PLOTS, draw, draw_differences
from ecglens.evaluation.predictions import write_predictions
from ecglens.evaluation.results import Comparison, Difference, Evaluation
from ecglens.evaluation.sections import Section
from ecglens.extras import require

__all__ = [
    "comparison_to_html",
    "comparison_to_markdown",
    "format_count",
    "guidelines_section",
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


def to_markdown(evaluation: Evaluation, sections: Sequence[Section] = ()) -> str:
    """Return the evaluation as Markdown, without pictures of pages."""
    lines = [f"# {plain_markdown(evaluation.name)}", "", plain_markdown(_summarize(evaluation)), ""]
    for section in (*_own_sections(evaluation), *sections):
        if not section.rows and (section.gallery or not section.text):
            continue
        lines += [f"## {plain_markdown(section.title)}", ""]
        lines += [plain_markdown(section.text), ""] if section.text else []
        lines += [*markdown_table(section.rows), ""] if section.rows else []
    return "\n".join(lines)


def write_report(evaluation: Evaluation, folder: str | Path, sections: Sequence[Section] = ()) -> None:
    """Write ``index.html`` with its plots, ``evaluation.md``, ``evaluation.json`` and the predictions themselves.

    Args:
        evaluation: The evaluation to report.
        folder: Created if it does not exist.
        sections: Further sections of the report.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    own = _own_sections(evaluation)
    everything = (*own, *sections)
    everything = (*everything, guidelines_section(everything))
    html = _render(
        "evaluation.html", title=evaluation.name, summary=_summarize(evaluation), sections=everything, plots=list(PLOTS)
    )
    plots = draw(evaluation)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in (plots | {name: png for section in sections for name, png in section.pictures.items()}).items():
        (folder / f"{name}.png").write_bytes(png)
    for picture in (picture for section in sections for picture in section.gallery if picture.data):
        (folder / picture.file).parent.mkdir(exist_ok=True)
        (folder / picture.file).write_bytes(picture.data)
    (folder / "evaluation.md").write_text(to_markdown(evaluation, everything[len(own) :]), encoding="utf-8")
    (folder / "evaluation.json").write_text(
        dump_document("ecglens-evaluation", evaluation.to_dict(), indent=1) + "\n", encoding="utf-8"
    )
    (folder / "index.html").write_text(html, encoding="utf-8")
    write_predictions(evaluation.predictions, folder / "predictions.csv")


def comparison_to_markdown(comparison: Comparison) -> str:
    """Return the comparison as a table in Markdown."""
    summary = [line for sentence in _summarize_comparison(comparison) for line in (plain_markdown(sentence), "")]
    title, rows = plain_markdown(_title_of(comparison)), _comparison_rows(comparison)
    return "\n".join([f"# {title}", "", *summary, *markdown_table(rows), ""])


def comparison_to_html(comparison: Comparison) -> str:
    """Return the comparison as one page of HTML that contains its plot.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    return _render(
        "comparison.html",
        title=_title_of(comparison),
        summary=_summarize_comparison(comparison),
        rows=_comparison_rows(comparison),
        plot=b64encode(draw_differences(comparison)).decode("ascii"),
    )


def guidelines_section(sections: Sequence[Section]) -> Section:
    """List which items of the guidelines for such studies a report covers, and in which sections.

    Args:
        sections: Sections of the report.
    """
    rows = [
        (guideline, item, request, "; ".join(covering))
        for guideline, item, request, topics in ITEMS
        if (covering := [section.title for section in sections if (section.topic or section.title) in topics])
    ]
    text = (
        "Items of TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378) and CLAIM (Mongan et al. 2020, "
        "doi:10.1148/ryai.2020200029) that this report covers. The others, such as how patients were chosen and who "
        "set the labels, are for the study's authors to report."
    )
    return Section("Reporting guidelines", text, (("guideline", "item", "asks for", "section"), *rows))


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines of Markdown, its head first."""
    cells = ((plain_markdown(cell).replace("|", r"\|") for cell in row) for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def plain_markdown(text: str) -> str:
    """Escape text from data so that no part of it becomes an HTML tag or entity, and put it on one line."""
    return " ".join(re.sub(r"<(?=[A-Za-z/!?])", "&lt;", re.sub(r"&(?=#?\w+;)", "&amp;", text)).splitlines())


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one.

    >>> format_count(1, "page"), format_count(2, "page")
    ('1 page', '2 pages')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _render(template: str, **values: Any) -> str:
    jinja2 = require("jinja2", extra="report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ecglens.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return f"{environment.get_template(template).render(values)}\n"


def _summarize(evaluation: Evaluation) -> str:
    plain = evaluation.to_dict()
    labels = ", ".join(f"{count} {name}" for name, count in plain["labels"].items())
    notes = "".join(f" {note}" for note in evaluation.notes)
    counts = ", ".join(format_count(plain[noun], noun.removesuffix("s")) for noun in ("files", "recordings", "groups"))
    method = (
        f"Intervals are of 95 %, by {evaluation.draws:,} draws of groups, and by Clopper and Pearson over groups for "
        'shares that are 0 or 1; "-" where a figure or its interval is undefined.'
        if plain["groups"] > 1
        else "There are no intervals: one group says nothing about others."
    )
    return (
        f"{format_count(plain['pages'], 'page')} answered, of {counts}: {labels}. {method} "
        f"For research and teaching; not a medical device.{notes}"
    )


def _own_sections(evaluation: Evaluation) -> tuple[Section, ...]:
    """Return the sections that every report has."""
    missing = [name for name in CONTROLS if not any(key.startswith(name) for key in evaluation.references)]
    absent = f" Not available: {', '.join(missing)}." if missing else ""
    has_intervals = any(ends is not None for ends in evaluation.intervals.values())
    draws = " Draws repeat pages, which makes the calibration error larger: its interval lies high." * has_intervals
    texts = {"Figures": f"Beside them what any model has to beat, on the same pages.{absent}{draws}"}
    return tuple(
        Section(
            title,
            texts.get(title, ""),
            tuple(tuple(row) for row in rows),
            topic="" if has_intervals else f"{title} without intervals",
        )
        for title, rows in _tables(evaluation)
    )


def _tables(evaluation: Evaluation) -> list[tuple[str, list[list[str]]]]:
    """Return titles and tables, the first row of each its head."""
    scored, ends = evaluation.scored, evaluation.intervals
    controls = list(evaluation.references)
    rows = [["figure", "value", "95 % interval", *controls]]
    rows += [
        [title, _number(scored[name]), _interval(ends[name])]
        + [
            _with_interval(evaluation.references[control][name], evaluation.reference_intervals[control][name])
            for control in controls
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
            for column, subgroups in evaluation.subgroups.items()
            for value, row in subgroups.items()
        ]
        tables.append(("Subgroups", parts))
    return tables


def _title_of(comparison: Comparison) -> str:
    return " against ".join(comparison.names)


def _summarize_comparison(comparison: Comparison) -> tuple[str, ...]:
    left_out = f"; {comparison.left_out} that one of them alone answered are left out." if comparison.left_out else "."
    return (
        f"{format_count(comparison.pages, 'page')} of {format_count(comparison.recordings, 'recording')} in "
        f"{format_count(comparison.groups, 'group')} that both answered{left_out}",
        *comparison.notes,
        f"p is adjusted by Holm over all rows; before that a paired bootstrap of {comparison.draws:,} draws gives "
        f"{2 / (comparison.draws + 1):.2g} at least. DeLong and McNemar treat pages of a group as independent. Of log "
        "loss and Brier score less is better. For research and teaching; not a medical device.",
    )


def _comparison_rows(comparison: Comparison) -> list[list[str]]:
    head = ["figure", *comparison.names, "difference, 95 % interval", "test", "p"]
    return [head] + [
        [title, _number(row.first), _number(row.second), _difference(row), test, _p_value(row.adjusted_p)]
        for title, test, row in comparison.tests
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _with_interval(value: Any, ends: Sequence[float] | None) -> str:
    if value is None or ends is None:
        return _number(value)
    return f"{_number(value)} ({_interval(ends)})"


def _p_value(p: float | None) -> str:
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _difference(row: Difference) -> str:
    if row.first is None or row.second is None:
        return "-"
    ends = "" if row.interval is None else f" ({row.interval[0]:+.3f} to {row.interval[1]:+.3f})"
    return f"{row.first - row.second:+.3f}{ends}"
