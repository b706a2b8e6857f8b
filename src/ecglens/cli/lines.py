"""Tables and sentences on a terminal of any width: what does not fit wraps at words, with an indent."""

import os
from itertools import chain

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["print_rows", "print_table", "print_wrapped"]

_MOST_CELLS = 1000
_INDENT = 2
_MIN_CELLS = 8
"""Least width of wrapped words; a narrower terminal breaks the lines by itself."""


def print_table(console: Console, table: Table) -> None:
    """Print a table at its own width, or as sentences where the terminal is narrower; no digit of a figure is cut off.

    Args:
        console: Console to print to.
        table: Its columns may have titles; an empty first one is an indent.
    """
    width = max(1, Measurement.get(console, console.options.update(max_width=_MOST_CELLS), table).maximum)
    if width > console.width and _has_width(console):
        print_rows(console, table)
        return
    table.width = width
    console.print(table, crop=False, no_wrap=True, overflow="ignore")


def print_rows(console: Console, table: Table) -> None:
    """Print the rows of a table as sentences, in which the titles of the columns name the figures.

    Args:
        console: Console to print to.
        table: As for :func:`print_table`.
    """
    titles = [str(column.header).strip() for column in table.columns]
    first = next((number for number, title in enumerate(titles) if title), len(titles))
    if first < len(titles):
        print_wrapped(console, " " * _INDENT, Text(titles[first], style="dim"))
    for row in zip(*(column.cells for column in table.columns), strict=True):
        cells = [cell if isinstance(cell, Text) else Text(str(cell).replace("\n", ", ")) for cell in row]
        continues = first < len(cells) and not cells[first].plain.strip()
        line = Text()
        for number, text in enumerate(cells):
            if text.plain.strip():
                title = f"{titles[number]}: " if titles[number] and number != first and not continues else ""
                space = ", " if title and line else " " if line else ""
                line.append(f"{space}{title}").append_text(text)
        print_wrapped(console, " " * (2 * _INDENT if continues else _INDENT), line, hanging=2 * _INDENT)


def print_wrapped(console: Console, start: str, text: Text, *, hanging: int = 0) -> None:
    """Print a sentence that wraps at words, or on one line where the output is no terminal.

    Args:
        console: Console to print to.
        start: Beginning of the line, such as spaces or a title.
        text: The sentence.
        hanging: Indent of the lines after the first; by default, as long as the beginning.
    """
    indent = max(hanging, len(start))
    if not _has_width(console) or console.width < indent + _MIN_CELLS:
        console.print(Text(start).append_text(text), soft_wrap=True)
        return
    lines = text.wrap(console, console.width - indent, overflow="fold")
    for before, line in zip(chain([start], iter(lambda: " " * indent, None)), lines, strict=False):
        line.rstrip()
        console.print(Text(before).append_text(line), soft_wrap=True)


def _has_width(console: Console) -> bool:
    """Return whether the width of the output is a terminal's, or that of the environment."""
    return console.is_terminal or "COLUMNS" in os.environ
