"""``ecglens calibrate``: fit a model's probabilities on a site's own pages."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ecglens.cli.answers import error_line
from ecglens.cli.choices import complete_models
from ecglens.cli.lines import print_table
from ecglens.cli.names import printable
from ecglens.cli.progress import bar
from ecglens.cli.sources import Rules, check_outside

__all__ = ["command"]

_TITLES = {
    "calibration_error": "Calibration error",
    "accuracy": "Accuracy of the top label",
    "answered": "Answered at the threshold",
    "right_when_answered": "Right when answered",
    "coverage": "Sets that hold the truth",
    "decided": "Sets with one answer",
}


def command(
    model: Annotated[
        str, typer.Argument(help="Name or folder of a model, such as any_recorder.", autocompletion=complete_models)
    ],
    data: Annotated[
        Path,
        typer.Option(help="Folder with a folder for each label, or a CSV; several labels as MI;STTC."),
    ],
    out: Annotated[Path, typer.Option(help="Model folder to write; its name is the model's.")],
    labels: Rules = None,
    right: Annotated[float, typer.Option(min=0.5, max=1, help="Share of right labels that is aimed at.")] = 0.98,
    coverage: Annotated[float, typer.Option(min=0.5, max=0.999, help="Share of sets that hold the truth.")] = 0.9,
) -> None:
    """Calibrate a model on a site's own labeled pages: temperature, sets and threshold; its weights stay."""
    from ecglens.calibrating import calibrate
    from ecglens.datasets.sources import from_path, read_rules

    check_outside(out, data)
    recordings = from_path(data, rules=None if labels is None else read_rules(labels))
    with bar("Reading") as show:
        result = calibrate(model, recordings, out, right=right, coverage=coverage, on_page=show)
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    for name, reason in result.unread:
        error_line(err, printable(f"{name}: {reason}"))
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for title in ("", "before", "after"):
        table.add_column(title, justify="left" if not title else "right")
    for name in dict.fromkeys([*result.before, *result.after]):
        cells = (f"{figures[name]:.3f}" if name in figures else "-" for figures in (result.before, result.after))
        table.add_row(_TITLES[name], *cells)
    print_table(console, table)
    console.print(
        f"{result.answered} of {result.pages} pages or records were read; {printable(str(out))} is calibrated on them. "
        "The figures are of pages that their calibration was not fitted on."
    )
