"""``ecglens correct``: correct by hand how a page is read, and store the corrections beside the page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ecglens.cli.choices import PageLayout
from ecglens.cli.coordinates import parse_box, parse_corners, parse_numbers, parse_stretch, parse_trace, split_lead
from ecglens.cli.inputs import InputFile
from ecglens.cli.names import printable
from ecglens.errors import EcgLensError

__all__ = ["command"]


def command(
    page_file: Annotated[Path, typer.Argument(metavar="PAGE", help="Photo, scan or PDF.", show_default=False)],
    page: Annotated[int, typer.Option(help="Number of the page in the file.", min=1)] = 1,
    corners: Annotated[
        str | None,
        typer.Option(
            help="The paper's corners in px of the file, x,y four times, clockwise from top left.", show_default=False
        ),
    ] = None,
    rotation: Annotated[float, typer.Option(help="Degrees by which the page is turned clockwise.")] = 0.0,
    layout: PageLayout = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(help="New name of a lead, such as V1=V2 or II-rhythm=V1.", show_default=False),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="Pixels of the overlay per mm, upright and across, such as 8,8.1.", show_default=False),
    ] = None,
    speed: Annotated[float | None, typer.Option(help="Paper speed in mm/s.", show_default=False)] = None,
    gain: Annotated[float | None, typer.Option(help="Gain in mm/mV.", show_default=False)] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="A lead's box in px of the overlay: V1=top,left,bottom,right.", show_default=False),
    ] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            help="Points of a lead's trace in px of the overlay, left to right: V1=x,y,x,y,...", show_default=False
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="A stretch of a trace that is none, in px of the overlay: V1=from,to.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; PAGE.corrections.json by default.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Correct by hand how a page is read, check the corrections on it, and store them beside it.

    Give the file to ecglens read or ecglens digitize with --corrections. The overlay is the picture that
    ecglens digitize --overlay writes.
    """
    from ecglens.corrections import Corrections, HandTrace, place_corrections, write_corrections
    from ecglens.digitizing import digitize_page, find_view
    from ecglens.pages.read import read_page

    path = out or place_corrections(page_file, page)
    if path.exists() and not force:
        raise EcgLensError(f"Expected no {printable(path.name)}, but it exists; add --force to overwrite it.")
    source = InputFile(str(page_file), page_file, page_file.stem)
    values: dict[str, Any] = {
        "page": page,
        "sha256": source.sha256,
        "corners": None if corners is None else tuple(parse_corners(corners)),
        "rotation_deg": rotation,
        "layout": layout,
        "names": dict(split_lead(text) for text in rename or ()),
        "speed_mm_s": speed,
        "gain_mm_mv": gain,
    }
    fix = Corrections(**values)
    decoded = read_page(page_file, page=page)
    if scale or box or trace or remove:
        view = find_view(decoded, fix)
        fix = replace(
            fix,
            view_px=(view.width, view.height),
            px_per_mm=None if scale is None else _pair(parse_numbers(scale, "--scale", 2)),
            boxes=dict(parse_box(text) for text in box or ()),
            traces=(
                *(HandTrace(*parse_trace(text)) for text in trace or ()),
                *(HandTrace(*parse_stretch(text), is_removed=True) for text in remove or ()),
            ),
        )
    if not fix:
        raise EcgLensError("Expected a correction, such as --rename V1=V2, got none; add one.")
    tracing = digitize_page(decoded, corrections=fix)
    write_corrections(fix, path)
    console = Console(highlight=False)
    console.print(Text(f"{tracing.layout.name}: {'; '.join(fix.describe())}"), soft_wrap=True)
    console.print(Text(f"Written: {printable(str(path))}"), soft_wrap=True)


def _pair(values: list[float]) -> tuple[float, float]:
    first, second = values
    return first, second
