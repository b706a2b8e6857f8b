"""``ecglens render``: render pages from signals, with their truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ecglens.cli.answers import describe_error, error_line
from ecglens.cli.choices import complete_from
from ecglens.cli.names import printable
from ecglens.cli.progress import bar
from ecglens.cli.sources import Scheme
from ecglens.errors import EcgLensError, RenderError
from ecglens.layouts import STANDARD_SPEED_MM_S

if TYPE_CHECKING:
    from ecglens.datasets.recordings import Recording

__all__ = ["command"]


def command(
    signals: Annotated[
        Path,
        typer.Argument(
            help="Digital ECG in any format that ecglens reads, or a folder of them, of PTB-XL or of MIT-BIH.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Argument(help="PNG, JPEG, TIFF, BMP or WebP to write; a folder for many.", show_default=False)
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            help="Layout: 3x4+1, 3x4, 3x4+2, 3x4+3, 6x2, 6x2+1, 12x1, 6x1-limb, 6x1-precordial, 3x2-limb, "
            "3x2-precordial, 4x3, 1x1; 3x4-cabrera, 3x4+1-cabrera, 6x2-cabrera, 12x1-cabrera, 4x3-cabrera. By default "
            "3x4+1, or 6x1-limb, 6x1-precordial or 1x1 where the record lacks leads.",
            show_default=False,
            autocompletion=complete_from("ecglens.layouts:LAYOUTS"),
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            help="Style of a recorder: plain, dotted-report, red-cart, green-clinic, blue-export, orange-strip, "
            "gray-copy, bare.",
            autocompletion=complete_from("ecglens.render:STYLES"),
        ),
    ] = "plain",
    grid: Annotated[
        str | None,
        typer.Option(
            help="Grid, instead of that of the style: pink-dotted, pink-lines, red-lines, red-dotted, green-lines, "
            "green-dotted, blue-lines, blue-dotted, orange-lines, gray-lines, gray-dotted, none.",
            show_default=False,
            autocompletion=complete_from("ecglens.render:GRIDS"),
        ),
    ] = None,
    speed: Annotated[float, typer.Option(help="Paper speed in mm/s.")] = STANDARD_SPEED_MM_S,
    gain: Annotated[float, typer.Option(help="Gain in mm/mV.")] = 10.0,
    dpi: Annotated[float, typer.Option(help="Dots per inch, 100 to 600.")] = 200.0,
    rate: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz of a CSV without times.", show_default=False)
    ] = None,
    heart_rate: Annotated[
        int | None, typer.Option(help="Heart rate to print; invented by default.", min=10, max=400, show_default=False)
    ] = None,
    damage: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND or KIND:STRENGTH (0 to 1), repeatable; kinds: rotation, perspective, curl, fold, crease, "
            "shadow, uneven-light, blur, noise, jpeg, stains, handwriting, screen, fax, fading, crop.",
            show_default=False,
            autocompletion=complete_from("ecglens.render:DAMAGES"),
        ),
    ] = None,
    quality: Annotated[int, typer.Option(help="Quality of a single JPEG.", min=1, max=100)] = 95,
    truth: Annotated[bool, typer.Option(help="Write the truth next to the page, as JSON.")] = True,
    scheme: Scheme = None,
    beats: Annotated[
        bool, typer.Option("--beats", help="Render a strip around each annotated beat, by AAMI class.")
    ] = False,
    most: Annotated[int, typer.Option(help="Maximum number of beats of each class of a record.", min=1)] = 200,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of the print, the damage and the sampling of beats.")
    ] = 0,
) -> None:
    """Render a page from signals, or from a folder a page for each record or beat, with recordings.csv.

    A record of a folder that cannot be rendered is named, the others go on, and the exit code is 2. A CSV file has a
    column time_s and a column in mV for each lead. The name, numbers, dates, filters and measurements that a style
    prints are invented, whatever the recording states.
    """
    from ecglens.datasets import beat_strips as strips
    from ecglens.datasets import rendering, sources

    if beats and damage:
        raise RenderError("Expected --damage for pages, but --beats renders strips; leave one of them out.")
    options: dict[str, Any] = {"style": style, "speed_mm_s": speed, "gain_mm_mv": gain, "dpi": dpi}
    optional = {"layout": layout, "grid": grid, "rate_bpm": heart_rate}
    options |= {name: value for name, value in optional.items() if value is not None}
    if not signals.is_dir() and not beats:
        rendered = rendering.draw_file(
            signals, out, damages=damage or [], seed=seed, fs_hz=rate, quality=quality, **options
        )
        if truth:
            rendering.write_truth(rendered, out)
        leads = " ".join(dict.fromkeys(each.lead for each in rendered.truth.leads))
        size = f"{rendered.page.width} x {rendered.page.height} px"
        print(printable(f"{out.name}: {size}, {rendered.truth.layout} with {leads}"))
        return
    failures: list[str] = []

    def add_failure(row: "Recording", error: EcgLensError) -> None:
        failures.append(printable(describe_error(error, str(row.path))))

    with bar("Rendering") as progress:
        if beats:
            table = strips.draw_beats(signals, out, most=most, seed=seed, progress=progress, **options)
        else:
            table = rendering.draw_records(
                sources.records_from_path(signals, scheme=scheme),
                out,
                damages=damage or [],
                seed=seed,
                truth=truth,
                fs_hz=rate,
                progress=progress,
                on_failure=add_failure,
                **options,
            )
    err = Console(stderr=True, highlight=False)
    for failure in failures:
        error_line(err, failure)
    counts = ", ".join(f"{count} {label}" for label, count in table.counts().items())
    print(f"{out / 'recordings.csv'}: {counts or 'no page'}")
    if failures:
        raise typer.Exit(2)
