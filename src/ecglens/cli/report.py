"""``ecglens report``: what a result of many pages says, and what changed from one to another."""

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
        typer.Option(help="Folder for the comparison; DIR/compared-with-NAME otherwise.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Leave the pictures of pages out.")] = False,
) -> None:
    """Write the summary of a result again, also of a run that was stopped, or tell what changed between two.

    A comparison has an agreement table, the pages that moved with their pictures, and moved.csv.
    """
    from ecglens.batch import compare, report
    from ecglens.batch.summary import gather

    if other is None:
        page = report(folder, pictures=not no_pictures)
        told = gather(folder).to_dict()
        failed = sum(each["pages"] for each in told["failures"])
        counts = {**told["labels"], "without a label": sum(told["abstentions"].values()), "failed": failed}
        said = f"Pages: {told['pages']:,}; " + ", ".join(f"{name} {count:,}" for name, count in counts.items()) + "."
    else:
        found = compare(folder, other)
        page = found.write(out or folder / f"compared-with-{other.resolve().name}", pictures=not no_pictures)
        told = found.to_dict()
        said = f"Pages in both: {found.pages:,}; moved {len(found.moved):,}, failed in both {found.failed:,}."
    if as_json:
        print(json.dumps(told, indent=1))
        return
    console = Console(highlight=False)
    for line in (said, f"Report: {page}"):
        console.print(printable(line), soft_wrap=True, markup=False)
