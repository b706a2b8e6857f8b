"""``ecglens render``: a page from signals, with its truth."""

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    signals: Annotated[Path, typer.Argument(help="A WFDB header or a CSV.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="PNG or JPEG to write.", show_default=False)],
    layout: Annotated[str, typer.Option(help="Such as 3x4+1, 6x2, 12x1, 3x4+1-cabrera.")] = "3x4+1",
    style: Annotated[str, typer.Option(help="Look of a recorder.")] = "plain",
    grid: Annotated[str | None, typer.Option(help="Grid in place of the style's.", show_default=False)] = None,
    speed: Annotated[float, typer.Option(help="Paper speed in mm/s.")] = 25.0,
    gain: Annotated[float, typer.Option(help="Gain in mm/mV.")] = 10.0,
    dpi: Annotated[float, typer.Option(help="Dots per inch, 100 to 600.")] = 200.0,
    rate: Annotated[float | None, typer.Option(help="Sampling rate of a CSV without time.", show_default=False)] = None,
    damage: Annotated[
        list[str] | None, typer.Option(help="KIND or KIND:STRENGTH, as often as wanted.", show_default=False)
    ] = None,
    truth: Annotated[bool, typer.Option(help="Write the truth beside the page, as JSON.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of print and damage.")] = 0,
) -> None:
    """Draw a page from signals; a CSV holds a column time_s and a column of mV for each lead."""
    from ecglens.datasets.drawing import draw_file

    rendered = draw_file(
        signals,
        out,
        damages=damage or [],
        seed=seed,
        fs_hz=rate,
        layout=layout,
        style=style,
        speed_mm_s=speed,
        gain_mm_mv=gain,
        dpi=dpi,
        **({} if grid is None else {"grid": grid}),
    )
    if truth:
        path = out.with_suffix(".json")
        path.write_text(json.dumps(rendered.truth.to_dict()) + "\n", encoding="utf-8")
    print(f"{out.name}: {rendered.page.width} x {rendered.page.height} px, {rendered.truth.layout}")
