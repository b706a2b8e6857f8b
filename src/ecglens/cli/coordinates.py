"""Options with coordinates: corners of the paper, boxes of leads, points of traces."""

from ecglens.errors import EcgLensError
from ecglens.records import Box

__all__ = ["parse_box", "parse_corners", "parse_numbers", "parse_stretch", "parse_trace", "split_lead"]


def parse_corners(text: str, option: str = "--corners") -> list[tuple[float, float]]:
    """Return four corners, ``(column, row)``.

    Raises:
        EcgLensError: There are not eight numbers.
    """
    values = parse_numbers(text, option, 8)
    return list(zip(values[::2], values[1::2], strict=True))


def parse_box(text: str, option: str = "--box") -> tuple[str, Box]:
    """Return the lead and the box of ``LEAD=top,left,bottom,right``.

    Raises:
        EcgLensError: It is no such text.
    """
    lead, numbers = split_lead(text)
    top, left, bottom, right = parse_numbers(numbers, option, 4)
    if not (top < bottom and left < right):
        raise EcgLensError(f"{option}: expected LEAD=top,left,bottom,right with top above bottom, got '{text}'.")
    return lead, Box(top, left, bottom, right)


def parse_trace(text: str, option: str = "--trace") -> tuple[str, tuple[tuple[float, float], ...]]:
    """Return the lead and the points, ``(column, row)``, of ``LEAD=column,row,column,row...``.

    Raises:
        EcgLensError: It is no such text.
    """
    lead, numbers = split_lead(text)
    values = parse_numbers(numbers, option)
    if len(values) < 4 or len(values) % 2:
        raise EcgLensError(f"{option}: expected LEAD=column,row,column,row with two points or more, got '{text}'.")
    return lead, tuple(zip(values[::2], values[1::2], strict=True))


def parse_stretch(text: str, option: str = "--remove") -> tuple[str, tuple[tuple[float, float], tuple[float, float]]]:
    """Return the lead and the ends, as points in row 0, of ``LEAD=from,to``.

    Raises:
        EcgLensError: It is no such text.
    """
    lead, numbers = split_lead(text)
    first, last = parse_numbers(numbers, option, 2)
    if last <= first:
        raise EcgLensError(f"{option}: expected LEAD=from,to with columns from left to right, got '{text}'.")
    return lead, ((first, 0.0), (last, 0.0))


def split_lead(text: str) -> tuple[str, str]:
    """Return the lead and the value of ``LEAD=value``."""
    lead, _, value = text.partition("=")
    return lead.strip(), value.strip()


def parse_numbers(text: str, option: str, count: int | None = None) -> list[float]:
    """Return numbers with commas between them.

    Raises:
        EcgLensError: A part is no number, or there are more or fewer than ``count``.
    """
    try:
        values = [float(part) for part in text.replace(";", ",").replace(" ", ",").split(",") if part]
    except ValueError:
        values = []
    if not values or count not in (None, len(values)):
        expected = "numbers" if count is None else f"{count} numbers"
        raise EcgLensError(f"{option}: expected {expected} with commas between them, got '{text}'.")
    return values
