"""``ecglens demo``: pages to try it on."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Argument(help="Folder to write to.", show_default=False)],
) -> None:
    """Write the demo pages that ship, with their truth: pages to try ecglens on without data of one's own."""
    from ecglens.demo import copy_demo_pages

    for path in copy_demo_pages(out):
        print(path)
