"""``ecglens report``: summarize a result of ecglens batch, or compare two results."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.names import printable

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result of ecglens batch.", show_default=False)],
    other: Annotated[
        Path | None,
        typer.Option("--compare", help="Another result over the same pages; DIR is the first.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the comparison; DIR/compared-with-NAME by default.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Write the page without pictures.")] = False,
) -> None:
    """Write the summary of a result again, also of a run that was stopped, or compare two results.

    A comparison has an agreement table, the pages that changed with their pictures, and moved.csv.
    """
    from ecglens.batch import compare, report
    from ecglens.batch.summary import summarize

    if other is None:
        page = report(folder, pictures=not no_pictures)
        values = summarize(folder).to_dict()
        failed = sum(each["pages"] for each in values["failures"])
        counts = {**values["labels"], "without a label": sum(values["abstentions"].values()), "failed": failed}
        line = f"Pages: {values['pages']:,}; " + ", ".join(f"{name} {count:,}" for name, count in counts.items()) + "."
    else:
        comparison = compare(folder, other)
        page = comparison.write(out or folder / f"compared-with-{other.resolve().name}", pictures=not no_pictures)
        values = comparison.to_dict()
        changed, failed = len(comparison.moved), comparison.failed
        line = f"Pages in both: {comparison.pages:,}; changed {changed:,}, failed in both {failed:,}."
    if as_json:
        print(json.dumps(values, indent=1))
        return
    console = Console(highlight=False)
    for text in (line, f"Report: {page}"):
        console.print(printable(text), soft_wrap=True, markup=False)
