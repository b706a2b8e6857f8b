"""Demo pages that ship with ecglens, rendered by ``ecglens render`` from public records, with their truth.

The records are from PTB-XL (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6, CC BY 4.0). The print around the traces
is invented except for the heart rate. ``docs/make_demo_pages.py`` makes the pages.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ecglens.documents import parse_json

__all__ = ["FOLDER", "DemoPage", "copy_demo_pages", "demo_pages"]

FOLDER = Path(__file__).resolve().parent
"""Folder of the pages, their truth, ``pages.json`` and the license note."""


@dataclass(frozen=True, slots=True)
class DemoPage:
    """A demo page.

    Attributes:
        name: Short name, for addresses.
        title: Description for people.
        label: Label of the record by the rule of ``ecglens.datasets.sources.ptbxl_label``.
        record: Number of the record in PTB-XL.
        path: Path of the page, a JPEG file.
        truth: Path of its truth, a JSON file as ``ecglens.render.PageTruth.to_dict`` defines it.
    """

    name: str
    title: str
    label: str
    record: int
    path: Path
    truth: Path


def demo_pages() -> tuple[DemoPage, ...]:
    """Return the demo pages, in the order in which to show them."""
    rows = parse_json((FOLDER / "pages.json").read_text(encoding="utf-8"))
    return tuple(
        DemoPage(**row, path=FOLDER / f"{row['name']}.jpg", truth=FOLDER / f"{row['name']}.json") for row in rows
    )


def copy_demo_pages(folder: str | Path) -> tuple[Path, ...]:
    """Copy the pages, their truth and the license note.

    Args:
        folder: Created if it does not exist.

    Returns:
        Paths of the copied pages.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FOLDER / "LICENSE.md", folder)
    for page in demo_pages():
        shutil.copy(page.truth, folder)
    return tuple(Path(shutil.copy(page.path, folder)) for page in demo_pages())
