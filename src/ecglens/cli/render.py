"""``ecglens render``: pages from signals, with their truth."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ecglens.cli.progress import bar
from ecglens.cli.sources import Scheme
from ecglens.errors import RenderError

__all__ = ["command"]


def command(
    signals: Annotated[Path, typer.Argument(help="WFDB header, CSV, or a folder of records.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="PNG or JPEG to write; a folder for many.", show_default=False)],
    layout: Annotated[
        str | None, typer.Option(help="Such as 3x4+1 (usual), 6x2, 12x1, 3x4+1-cabrera.", show_default=False)
    ] = None,
    style: Annotated[str, typer.Option(help="Look of a recorder.")] = "plain",
    grid: Annotated[str | None, typer.Option(help="Grid in place of the style's.", show_default=False)] = None,
    speed: Annotated[float, typer.Option(help="Paper speed in mm/s.")] = 25.0,
    gain: Annotated[float, typer.Option(help="Gain in mm/mV.")] = 10.0,
    dpi: Annotated[float, typer.Option(help="Dots per inch, 100 to 600.")] = 200.0,
    rate: Annotated[float | None, typer.Option(help="Sampling rate of a CSV without time.", show_default=False)] = None,
    heart_rate: Annotated[
        int | None, typer.Option(help="Heart rate to print; an invented one where none is given.", show_default=False)
    ] = None,
    damage: Annotated[
        list[str] | None, typer.Option(help="KIND or KIND:STRENGTH, as often as wanted.", show_default=False)
    ] = None,
    quality: Annotated[int, typer.Option(help="Of a single JPEG.", min=1, max=100)] = 95,
    truth: Annotated[bool, typer.Option(help="Write the truth beside the page, as JSON.")] = True,
    scheme: Scheme = None,
    beats: Annotated[bool, typer.Option("--beats", help="A strip around each marked beat, by AAMI class.")] = False,
    most: Annotated[int, typer.Option(help="Beats of each class of a record at most.", min=1)] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of print, damage and draw.")] = 0,
) -> None:
    """Draw a page from signals; of a folder, a page a record or --beats, with a table recordings.csv.

    A CSV holds a column time_s and a column of mV for each lead.
    """
    from ecglens.datasets import beat_strips as strips
    from ecglens.datasets import rendering, sources

    if beats and damage:
        raise RenderError("Expected --damage for pages, but --beats draws strips; leave one of them out.")
    chosen: dict[str, Any] = {"style": style, "speed_mm_s": speed, "gain_mm_mv": gain, "dpi": dpi}
    named = {"layout": layout, "grid": grid, "rate_bpm": heart_rate}
    chosen |= {name: value for name, value in named.items() if value is not None}
    if not signals.is_dir() and not beats:
        rendered = rendering.draw_file(
            signals, out, damages=damage or [], seed=seed, fs_hz=rate, quality=quality, **chosen
        )
        if truth:
            rendering.write_truth(rendered, out)
        print(f"{out.name}: {rendered.page.width} x {rendered.page.height} px, {rendered.truth.layout}")
        return
    with bar("Drawing") as progress:
        if beats:
            table = strips.draw_beats(signals, out, most=most, seed=seed, progress=progress, **chosen)
        else:
            table = rendering.draw_records(
                sources.records_from_path(signals, scheme=scheme),
                out,
                damages=damage or [],
                seed=seed,
                truth=truth,
                progress=progress,
                **chosen,
            )
    print(f"{out / 'recordings.csv'}: {', '.join(f'{count} {label}' for label, count in table.counts().items())}")
