"""``ecglens audit``: find the problems of a data set before training on it."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.inputs import Quiet
from ecglens.cli.progress import bar
from ecglens.cli.sources import Rules, check_outside, load_pages
from ecglens.documents import dump_document
from ecglens.errors import MissingExtraError
from ecglens.extras import require

__all__ = ["command"]


def command(
    data: Annotated[Path, typer.Argument(help="Folder by label, or a CSV of recordings.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Folder for recordings.csv, audit.json and audit.md.", show_default=False)
    ] = None,
    labels: Rules = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    ocr: Annotated[bool, typer.Option("--ocr", help="Read the printed fields too; needs the extra 'ocr'.")] = False,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=0)] = 2,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Find copies, groups, shortcuts and broken files; exit 1 if copies cross the data set's own split.

    With --out, intermediate results are stored there, and an audit that was stopped resumes.
    """
    from ecglens.datasets.audit import audit

    if ocr:
        try:
            require("rapidocr", extra="ocr")
        except MissingExtraError as error:
            print(f"ecglens: The printed fields are left out. {error}", file=sys.stderr)
            ocr = False
    check_outside(out, data)
    recordings = load_pages(data, labels)
    with bar("Reading pages", quiet=quiet) as progress:
        report = audit(
            recordings,
            store=None if out is None else out / "facts.sqlite",
            workers=workers,
            seed=seed,
            ocr=ocr,
            progress=progress,
        )
    if out is not None:
        report.write(out)
    if as_json:
        print(dump_document("ecglens-audit", report.to_dict()))
    else:
        Console(highlight=False, soft_wrap=True).print(report.to_markdown(), markup=False)
    if report.crossing:
        raise typer.Exit(1)
