"""``ecglens fetch``: download a public data set."""

from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.choices import complete_from
from ecglens.cli.progress import bar

__all__ = ["command"]


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="mendeley, ptbxl, ludb or mitbih.",
            show_default=False,
            autocompletion=complete_from("ecglens.datasets.fetch:PUBLIC_SETS"),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the archive.")] = Path("data"),
) -> None:
    """Download a public data set: resume where it stopped, and verify the publisher's checksums."""
    from ecglens.datasets.fetch import PUBLIC_SETS, fetch

    if name in PUBLIC_SETS:
        chosen = PUBLIC_SETS[name]
        print(f"{chosen.title}\nLicense: {chosen.license}\n{chosen.page}")
    with bar("Downloading") as progress:
        path = fetch(name, out, progress=progress)
    print(path)
