"""Names of files, safe to show and to write."""

import re
from pathlib import Path

__all__ = ["own_stem", "printable", "table_name"]


def printable(text: str) -> str:
    """Replace what is no text, or could steer a terminal, in a file's name."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in decoded)


def table_name(path: Path, *, folders: int = 1) -> str:
    """What a table of answers is of: its stem, with as many folders before it as asked for.

    A report's ``predictions.csv`` goes by its folder; a result's ``seed0.csv`` says nothing without the two above it.

    >>> table_name(Path("reports/ours/predictions.csv")), table_name(Path("results/cnn/honest/seed0.csv"))
    ('ours', 'cnn/honest/seed0')
    """
    whole = path.resolve()
    parts = whole.parent.parts[1:] if whole.stem == "predictions" else (*whole.parent.parts[1:], whole.stem)
    least = 3 if re.fullmatch(r"seed\d+", whole.stem) else 1
    return "/".join(parts[-max(folders, least) :]) or whole.stem


def own_stem(stem: str, taken: set[str]) -> str:
    """Keep two pages of one name in different folders apart, and names that a format writes as one, such as WFDB."""
    from ecglens.formats.files import plain_name

    own, number = stem, 1
    while plain_name(own).casefold() in taken:
        number += 1
        own = f"{stem}-{number}"
    taken.add(plain_name(own).casefold())
    return own
