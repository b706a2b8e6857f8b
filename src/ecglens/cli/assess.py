"""``ecglens assess``: say whether a picture of a page can be read well, and what to do for a better one."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ecglens.cli.answers import make_note, print_page_error
from ecglens.cli.inputs import InputFile, Kind, PageNumber, PageResult, Quiet, open_inputs, read_pages
from ecglens.documents import dump_document
from ecglens.pages.assessing import Assessment, assess_page

__all__ = ["command"]


def command(
    pages: Annotated[
        list[str],
        typer.Argument(help="Photos, scans or PDFs, folders of them, or - for standard input.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each page, one per line.")] = False,
    page: PageNumber = None,
    quiet: Quiet = False,
) -> None:
    """Assess pictures of pages in a moment: sharp, bright, whole and close enough; exit 1 where one is not."""
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    bad = poor = 0
    note = make_note(err, quiet=quiet)
    with open_inputs(pages, note, Kind.PAGES) as inputs:
        for source in inputs:
            for result in read_pages(source, page, lambda decoded, _stem: assess_page(decoded), note):
                if result.value is None:
                    bad += 1
                    print_page_error(err, source, result, as_json=as_json)
                    continue
                poor += not result.value.is_good
                _print(out, source, result, result.value, as_json=as_json)
    if bad or poor:
        raise typer.Exit(2 if bad else 1)


def _print(
    out: Console, source: InputFile, result: PageResult[Assessment], assessment: Assessment, *, as_json: bool
) -> None:
    if as_json:
        identity = {"file": source.file, "sha256": source.sha256, "page": result.number}
        print(dump_document("ecglens-assessment", {**identity, **assessment.to_dict()}))
        return
    scale = "no grid" if assessment.px_per_mm is None else f"{assessment.px_per_mm:.1f} px/mm"
    size = f"{assessment.width_px} x {assessment.height_px} px, {scale}"
    verdict = " ".join(assessment.hints) or "good"
    out.print(Text(f"{result.name}: {verdict} ({size})"), soft_wrap=True)
