"""Print a reading as text for people."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecglens.cli.inputs import InputFile, PageResult
from ecglens.cli.lines import print_table, print_wrapped
from ecglens.cli.names import printable, replace_bytes
from ecglens.criteria.presentation import list_statements, list_unknown
from ecglens.errors import EcgLensError
from ecglens.labels import find_title, format_probability
from ecglens.measuring.presentation import Figure, describe_print, list_figures, list_missing, list_st_leads
from ecglens.outcomes import OUTCOME_TITLES
from ecglens.records import Layout, Measurements, Prediction, Reading, RecordReading
from ecglens.statements import Statement

__all__ = [
    "DISCLAIMER",
    "INTERRUPTED",
    "describe_error",
    "error_line",
    "make_note",
    "print_page_error",
    "print_reading",
    "print_record_reading",
]

DISCLAIMER = "For research and teaching; not a diagnosis."

INTERRUPTED = 130
"""Exit code of a command that the user stops, as shells report it after SIGINT."""

_HOLDS = {True: "yes", False: "no", None: "yes or no"}
"""Words for whether a label of several holds."""

_BAR_CELLS = 24


def error_line(console: Console, message: str) -> None:
    """Print one error on its own line, whatever the width of the terminal."""
    console.print(Text(f"ecglens: {message}", style="red"), soft_wrap=True)


def make_note(console: Console, *, quiet: bool) -> Callable[[str], None]:
    """Return a function that prints what may surprise, or nothing where that is not wanted."""

    def note(text: str) -> None:
        if not quiet:
            console.print(Text(f"ecglens: {text}", style="dim"), soft_wrap=True)

    return note


def print_page_error(console: Console, source: InputFile, result: PageResult[Any], *, as_json: bool) -> None:
    """Print why a page was not read: a line on the console, or an object on stdout.

    Args:
        console: Console of stderr.
        source: The page's file.
        result: Result with an error.
        as_json: Whether an object is printed.
    """
    assert result.error is not None
    if as_json:
        code = getattr(result.error, "code", "") or None
        reason = replace_bytes(describe_error(result.error, result.file))
        identity = {"file": result.file, "sha256": _try_to_hash(source), "page": result.number}
        print(json.dumps({**identity, "error": reason, "code": code}))
    else:
        error_line(console, printable(describe_error(result.error, result.name)))


def _try_to_hash(source: InputFile) -> str | None:
    """Return the SHA-256 of a file, ``None`` where there is none that can be read."""
    try:
        return source.sha256
    except (EcgLensError, OSError):
        return None


def describe_error(error: Exception, name: str) -> str:
    """Return what ended the work on a page, so that a command can go on with the next page.

    Args:
        error: Error of the page: an ``EcgLensError``, or any other one, which is a bug or a fault of the machine.
        name: Path of the page's file, as the user gave it.
    """
    if isinstance(error, EcgLensError):
        return str(error) if not error.source and name in str(error) else f"{name}: {error.detail}"
    if isinstance(error, OSError):
        file = f" '{error.filename}'" if error.filename else ""
        return f"{name}: the file or folder{file} cannot be used: {error.strerror or error}."
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{name}: this page triggers an error in the program, please report it: {words}"


def print_reading(console: Console, name: str, reading: Reading, *, measured: bool = True) -> None:
    """Print the prediction, measurements and warnings of one page.

    Args:
        console: Console to print to.
        name: Path of the page's file, as the user gave it.
        reading: Reading of the page.
        measured: Whether measurements were requested.
    """
    prediction = reading.prediction
    console.print(Text(name, style="bold"), soft_wrap=True)
    print_wrapped(console, "  ", _format_prediction(prediction), hanging=4)
    if prediction.probabilities:
        print_table(console, _bars(prediction))
    if reading.beside is not None:
        beside = Text(f"Signal model {reading.beside.model}: ") + _format_prediction(reading.beside)
        print_wrapped(console, "  ", beside, hanging=4)
        if reading.beside.probabilities:
            print_table(console, _bars(reading.beside))
    if measured:
        _print_measurements(console, reading.measurements)
        _print_statements(console, reading.statements)
    for title, fact in _facts(reading):
        print_wrapped(console, f"  {title:<9}", Text(fact))
    console.print()


def print_record_reading(console: Console, name: str, reading: RecordReading) -> None:
    """Print the prediction, measurements, statements and warnings of one digital ECG.

    Args:
        console: Console to print to.
        name: Path of the file, as the user gave it.
        reading: Reading of the record.
    """
    record, prediction = reading.record, reading.prediction
    console.print(Text(name, style="bold"), soft_wrap=True)
    if prediction is not None:
        print_wrapped(console, "  ", _format_prediction(prediction), hanging=4)
        if prediction.probabilities:
            print_table(console, _bars(prediction))
    _print_measurements(console, reading.measurements)
    _print_statements(console, reading.statements)
    leads = "1 lead" if len(record.leads) == 1 else f"{len(record.leads)} leads"
    signals = f"{leads} at {record.fs_hz:g} Hz, {record.duration_s:.1f} s: {' '.join(record.leads)}"
    facts = [("Signals", signals), *(("Stated", comment) for comment in record.comments)]
    if prediction is not None:
        facts.append(("Model", f"{prediction.model} {prediction.model_version}"))
    for title, fact in [*facts, *(("Warning", warning) for warning in reading.warnings)]:
        print_wrapped(console, f"  {title:<9}", Text(fact))
    console.print()


def _format_prediction(prediction: Prediction) -> Text:
    if prediction.label is not None:
        return Text(find_title(prediction.label), style="bold green")
    reason = prediction.abstention.reason if prediction.abstention else "No reason was given."
    return Text.assemble((f"{OUTCOME_TITLES[prediction.outcome]}: ", "bold yellow"), reason)


def _bars(prediction: Prediction) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=1)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])
    for label, probability in ranked:
        bar = "█" * round(probability * _BAR_CELLS)
        says = "" if prediction.holds is None else f" {_HOLDS[prediction.holds[label]]}"
        table.add_row("", find_title(label), format_probability(probability), Text.assemble((bar, "cyan"), says))
    return table


def _print_measurements(console: Console, measurements: Measurements | None) -> None:
    if measurements is None:
        print_wrapped(console, "  ", Text("Not measured: the signals or their scale could not be read."), hanging=4)
        return
    figures = list_figures(measurements)
    outside = [lead for lead in list_st_leads(measurements) if lead.is_outside]
    if figures:
        table = _grid("Measured", ">", "", "", "reference", "")
        for figure in figures:
            table.add_row("", figure.title, figure.value, figure.error, figure.unit, figure.reference, _mark(figure))
        print_table(console, table)
    if outside:
        table = _grid("ST, mV", ">J point", "", "", ">60 ms later", "", "", "reference")
        for lead in outside:
            table.add_row("", lead.lead, *_st(lead.at_j), *_st(lead.after_j), lead.reference)
        print_table(console, table)
    missing = list_missing(measurements)
    if missing:
        print_wrapped(console, "  ", Text(f"Not measured: {', '.join(missing)}"), hanging=4)


def _print_statements(console: Console, statements: Sequence[Statement]) -> None:
    if not statements:
        return
    visible = list_statements(statements)
    table = _grid("Criteria", "", "measured, limit")
    for statement in visible:
        style = "bold" if statement.is_met else ""
        first, *others = statement.figures or ("",)
        table.add_row("", statement.title, Text(statement.outcome, style=style), first)
        for figure in others:
            table.add_row("", "", "", figure)
    if visible:
        print_table(console, table)
    unknown = list_unknown(statements)
    others_not_met = len(statements) - len(visible) - len(unknown)
    words = f"{others_not_met} other criteria are not met; for orientation, not a diagnosis"
    print_wrapped(console, "  ", Text(words), hanging=4)
    if unknown:
        print_wrapped(console, "  ", Text(f"Cannot be evaluated: {', '.join(unknown)}"), hanging=4)


def _st(figure: Figure | None) -> tuple[str, str, Text]:
    return ("-", "", Text()) if figure is None else (figure.value, figure.error, _mark(figure))


def _grid(*titles: str) -> Table:
    """Return an empty, indented table; columns whose title begins with ``>`` are aligned to the right."""
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="dim")
    table.add_column(min_width=1)
    for title in titles:
        table.add_column(title.removeprefix(">"), justify="right" if title.startswith(">") else "left", no_wrap=True)
    return table


def _mark(figure: Figure | None) -> Text:
    outside = figure is not None and figure.position in {"below", "above"}
    return Text(figure.position, style="bold") if figure is not None and outside else Text()


def _facts(reading: Reading) -> list[tuple[str, str]]:
    facts = []
    if isinstance(reading.layout, Layout):
        layout = reading.layout
        vertical, horizontal = layout.px_per_mm
        pulse = "no pulse found" if layout.pulse_mm is None else f"pulse {layout.pulse_mm:.1f} mm"
        rhythm = ", ".join(layout.rhythm_leads) or "none"
        facts.append(
            (
                "Layout",
                f"{layout.name}, rhythm lead {rhythm}, {horizontal:.2f} x {vertical:.2f} px/mm by the "
                f"{layout.px_per_mm_source}, {pulse}, rotated by {layout.rotation_deg:.1f}°",
            )
        )
    if reading.tracing is not None and reading.tracing.printed is not None:
        facts.append(("Printed", describe_print(reading.tracing.printed)))
    facts.append(("Model", f"{reading.prediction.model} {reading.prediction.model_version}"))
    facts += [("Warning", warning) for warning in reading.warnings]
    return facts
