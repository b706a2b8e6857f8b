"""Names of files that are safe to print and to write."""

import re
from pathlib import Path

from ecglens.formats.names import plain_name

__all__ = ["own_stem", "printable", "table_name"]


def printable(text: str) -> str:
    """Replace characters of a file name that cannot be printed or could control a terminal."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in decoded)


def table_name(path: Path, *, folders: int = 1) -> str:
    """Return a name for a table of predictions: its stem, with at least a number of folders before it.

    The ``predictions.csv`` of a report is named after its folder, and ``seed0.csv`` of a run with two folders.

    >>> table_name(Path("reports/ours/predictions.csv")), table_name(Path("results/cnn/honest/seed0.csv"))
    ('ours', 'cnn/honest/seed0')
    """
    whole = path.resolve()
    parts = whole.parent.parts[1:] if whole.stem == "predictions" else (*whole.parent.parts[1:], whole.stem)
    least = 3 if re.fullmatch(r"seed\d+", whole.stem) else 1
    return "/".join(parts[-max(folders, least) :]) or whole.stem


def own_stem(stem: str, used: set[str]) -> str:
    """Return a stem that is not in use yet, also after WFDB has replaced its characters, and add it to those in use.

    Pages of the same name from different folders get different stems.
    """
    own, number = stem, 1
    while plain_name(own).casefold() in used:
        number += 1
        own = f"{stem}-{number}"
    used.add(plain_name(own).casefold())
    return own
