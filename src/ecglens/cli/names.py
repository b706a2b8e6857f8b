"""Names of files that are safe to print and to write."""

import re
from collections.abc import Sequence
from pathlib import Path

from ecglens.formats.names import plain_name

__all__ = ["name_skipped", "own_stem", "printable", "replace_bytes", "table_name"]

_MOST_NAMED = 3
"""Files that a sentence names."""


def name_skipped(names: Sequence[str], count: int) -> str:
    """Return the number of files that were skipped, and the names of the first ones.

    Args:
        names: Those of the first files, at least three where there are so many.
        count: Number of all files.

    >>> name_skipped(["a.txt"], 1), name_skipped(["a.txt", "b.txt", "c.txt"], 2000)
    ('1 other file (a.txt)', '2,000 other files (a.txt, b.txt, c.txt and 1,997 more)')
    """
    named = ", ".join(map(printable, names[:_MOST_NAMED]))
    remaining = count - len(names[:_MOST_NAMED])
    files = "1 other file" if count == 1 else f"{count:,} other files"
    return f"{files} ({named}{f' and {remaining:,} more' if remaining else ''})"


def printable(text: str) -> str:
    """Replace characters of a file name that cannot be printed or could control a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in replace_bytes(text))


def replace_bytes(text: str) -> str:
    """Replace bytes of a file name that are no text, which neither JSON nor a table has a way to write."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


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
