"""Tables of text as people's programs write them, and tables for people in which no cell is a formula.

A spreadsheet runs a cell that begins with a sign of a formula, after white space too [1]. One that expects another
separator than ours begins a cell at each semicolon, tab or line break within ours. An apostrophe before such a sign
makes it text; reading takes it off again. All CSV is written here, which ruff's TID251 checks.

[1] OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import re
from collections.abc import Container, Iterable
from numbers import Number
from pathlib import Path
from typing import TextIO

__all__ = ["format_cell", "parse_cell", "read_table", "write_rows"]

_SEPARATORS = ",;\t"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
"""Signs of a formula, as spreadsheets in Chinese, Japanese and Korean take them too."""
_BLANKS = r"\s\x00-\x1f\u200b-\u200f\u2060\ufeff'\""
"""Characters that a spreadsheet may skip before a sign: white space, characters without width, and quotes."""
_FORMULA = re.compile(rf"(?P<before>\A[{_BLANKS};]*+|[{_BLANKS};]++)(?P<sign>[{_SIGNS}]?)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SEPARATORS_WITHIN = frozenset(";\t\r\n")
"""Characters in a cell after which another one may begin."""


def read_table(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Read a table with a header: columns separated by commas, semicolons or tabs, in UTF-8, or UTF-16 with a mark.

    The separator is the one that the header has most of. Empty rows, and empty columns at the end, are left out, and
    cells are as :func:`parse_cell` returns them.

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
    header, *body = ([parse_cell(cell) for cell in row[:used]] for row in rows)
    return header, body


def write_rows(
    stream: TextIO, rows: Iterable[Iterable[object]], *, unchanged: Container[object] = (), line_end: str = "\n"
) -> None:
    """Write rows as CSV, separated by commas, with cells as :func:`format_cell` returns them.

    Args:
        stream: File that was opened with ``newline=""``.
        rows: The header is a row too.
        unchanged: Our own names that begin like a formula, such as the lead -aVR, and are written as they are.
        line_end: End of each line.
    """
    plain, quoted = (
        csv.writer(stream, lineterminator=line_end, quoting=quoting) for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    for row in rows:
        cells = [cell if cell in unchanged else format_cell(cell) for cell in row]
        # Before Python 3.13, a carriage return is not quoted where lines end in another character.
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoted if has_return else plain).writerow(cells)


def format_cell(value: object) -> object:
    """Return text that no spreadsheet runs as a formula; numbers and ``None`` stay as they are.

    >>> format_cell("=1+1"), format_cell("page.jpg"), format_cell("-0.5"), format_cell(-0.5)
    ("'=1+1", 'page.jpg', '-0.5', -0.5)
    """
    if value is None or isinstance(value, Number):
        return value
    text = str(value)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(_insert_apostrophe, text)


def parse_cell(text: str) -> str:
    """Return the text that :func:`format_cell` made a cell of.

    >>> parse_cell("'=1+1"), parse_cell("'quoted'")
    ('=1+1', "'quoted'")
    """
    return _FORMULA.sub(_remove_apostrophe, text)


def _insert_apostrophe(match: re.Match[str]) -> str:
    return f"{match['before']}'{match['sign']}" if _begins_cell(match) else match[0]


def _remove_apostrophe(match: re.Match[str]) -> str:
    return match["before"].removesuffix("'") + match["sign"] if _begins_cell(match) else match[0]


def _begins_cell(match: re.Match[str]) -> bool:
    return bool(match["sign"]) and (match.start() == 0 or not _SEPARATORS_WITHIN.isdisjoint(match["before"]))
