"""``ecglens explore``: describe a data set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.progress import bar
from ecglens.cli.sources import Rules, Scheme, check_outside, report_loose_pages
from ecglens.extras import require

__all__ = ["command"]


def command(
    data: Annotated[
        Path,
        typer.Argument(help="Folder of pages, by label or without, a CSV, or PTB-XL.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for index.html and PNGs.", show_default=False)] = None,
    labels: Rules = None,
    scheme: Scheme = None,
    samples: Annotated[int, typer.Option(help="Number of pages to show for each label.", min=1)] = 12,
    plots: Annotated[bool, typer.Option(help="Plot the distributions; needs the extra 'report'.")] = True,
    seed: Annotated[int, typer.Option(help="Random seed of the samples.")] = 0,
) -> None:
    """Describe a data set: labels, splits, sizes, brightness and printed rates."""
    from ecglens.datasets.explore import explore
    from ecglens.datasets.sources import from_flat_folder, from_path, read_rules

    for module in ("jinja2", "matplotlib") if plots else ("jinja2",):
        if out is not None:
            require(module, extra="report")
    check_outside(out, data)
    recordings = from_flat_folder(data) if labels is None and scheme is None else None
    if recordings is None:
        recordings = from_path(data, rules=None if labels is None else read_rules(labels), scheme=scheme)
        report_loose_pages(data, recordings)
    with bar("Opening pages") as progress:
        overview = explore(recordings, samples=samples, seed=seed, progress=progress)
    if out is not None:
        overview.write(out, plots=plots)
    print(json.dumps(overview.to_dict(), indent=1))
