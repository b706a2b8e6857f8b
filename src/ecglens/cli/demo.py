"""``ecglens demo``: write pages to try ecglens with."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Argument(help="Folder to write to.", show_default=False)],
) -> None:
    """Write the demo pages that ship with ecglens, with their truth, to try it without data of your own."""
    from ecglens.demo import copy_demo_pages

    for path in copy_demo_pages(out):
        print(path)
