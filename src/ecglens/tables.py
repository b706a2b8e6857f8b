"""Tables of text as people's programs write them."""

import csv
import io
from pathlib import Path

__all__ = ["read_table"]

_SEPARATORS = ",;\t"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_table(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Read a table with a header: columns separated by commas, semicolons or tabs, in UTF-8, or UTF-16 with a mark.

    The separator is the one that the header has most of. Empty rows, and empty columns at the end, are left out.

    Args:
        path: The file.

    Returns:
        The header, which is empty for an empty file, and the rows, which may differ in length from the header.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is not such a table; the message says why.
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("its letters are not UTF-8; save it as CSV UTF-8") from error
    separator = max(_SEPARATORS, key=text.lstrip("\r\n").partition("\n")[0].count)
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if not rows:
        return [], []
    used = max(place for row in rows for place, cell in enumerate(row, start=1) if cell.strip())
    return rows[0][:used], [row[:used] for row in rows[1:]]
