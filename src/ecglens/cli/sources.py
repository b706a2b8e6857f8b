"""Options for the source of recordings, shared by the commands that read a data set."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecglens.cli.choices import complete_from
from ecglens.cli.names import printable
from ecglens.errors import DatasetError

if TYPE_CHECKING:
    from ecglens.datasets.recordings import Recordings

__all__ = ["Rules", "Scheme", "check_outside", "load_pages", "load_training", "report_loose_pages"]

Rules = Annotated[
    Path | None,
    typer.Option("--labels", help="CSV (folder,label) or TOML (table labels) of folder patterns.", show_default=False),
]

Scheme = Annotated[
    str | None,
    typer.Option(
        help="Labels of PTB-XL: four, superclass or stage.",
        show_default=False,
        metavar="NAME",
        autocompletion=complete_from("ecglens.datasets.sources:SCHEMES"),
    ),
]


def check_outside(out: Path | None, data: Path) -> None:
    """Refuse to write into the folder of the data, where the next run would read the output as data."""
    if out is not None and data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise DatasetError(f"Expected a folder outside of {data} to write to, got {out}; name another.")


def load_pages(data: Path, rules: Path | None) -> "Recordings":
    """Load the pages of a folder or table, labeled by the rules of the user if there are any."""
    from ecglens.datasets.sources import pages_from_path, read_rules

    recordings = pages_from_path(data, rules=None if rules is None else read_rules(rules))
    report_loose_pages(data, recordings)
    return recordings


def report_loose_pages(data: Path, recordings: "Recordings") -> None:
    """Print how many pages lie beside the folders by label, where they have none and are left out."""
    from ecglens.datasets.sources import IMAGE_SUFFIXES
    from ecglens.datasets.visible_files import is_hidden

    if not data.is_dir():
        return
    inside = {row.path for row in recordings}
    pages = [path for path in data.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path.name)]
    loose = [path for path in pages if path not in inside]
    if loose:
        count = "1 page" if len(loose) == 1 else f"{len(loose)} pages"
        text = f"ecglens: {count} beside the folders by label left out for want of a label, such as {loose[0].name}."
        print(printable(text), file=sys.stderr)


def load_training(data: Path, rules: Path | None, scheme: str | None, *, signals: bool) -> "Recordings":
    """Load the recordings to train on: pages, or also WFDB records if the model reads signals."""
    from ecglens.datasets.sources import from_path, read_rules, records_from_path
    from ecglens.datasets.visible_files import list_visible

    if not signals:
        if scheme is not None:
            raise DatasetError(
                "Expected --scheme with a model that reads signals, got a model that reads pages; leave it out, and "
                "choose the labels with ecglens render --scheme."
            )
        return load_pages(data, rules)
    if rules is None and data.is_dir() and list_visible(data, "*.hea"):
        return records_from_path(data, scheme=scheme)
    return from_path(data, rules=None if rules is None else read_rules(rules), scheme=scheme)
