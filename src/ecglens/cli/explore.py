"""``ecglens explore``: look at a data set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.progress import bar
from ecglens.cli.sources import Rules, Scheme, check_outside
from ecglens.extras import require

__all__ = ["command"]


def command(
    data: Annotated[Path, typer.Argument(help="Folder by label, a CSV of recordings, or PTB-XL.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder for index.html and PNGs.", show_default=False)] = None,
    labels: Rules = None,
    scheme: Scheme = None,
    samples: Annotated[int, typer.Option(help="Pages shown of each label.", min=1)] = 12,
    plots: Annotated[bool, typer.Option(help="Draw the distributions; needs the extra 'plot'.")] = True,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
) -> None:
    """Count and show what a data set holds: labels, splits, sizes, brightness, printed rates."""
    from ecglens.datasets.explore import explore
    from ecglens.datasets.sources import from_path, read_rules

    if out is not None and plots:
        require("matplotlib", extra="plot")
    check_outside(out, data)
    recordings = from_path(data, rules=None if labels is None else read_rules(labels), scheme=scheme)
    with bar("Opening pages") as progress:
        found = explore(recordings, samples=samples, seed=seed, progress=progress)
    if out is not None:
        found.write(out, plots=plots)
    print(json.dumps(found.to_dict(), indent=1))
