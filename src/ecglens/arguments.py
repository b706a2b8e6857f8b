"""Checks of arguments, and how errors name them, where Python would fail somewhere inside with words of its own."""

import math
import os
from numbers import Real

from ecglens.errors import ArgumentError

__all__ = ["check_type", "describe_value", "folder_name", "is_number_in"]

_MAX_CHARACTERS = 100


def check_type(value: object, kinds: type | tuple[type, ...], words: str) -> None:
    """Refuse an argument of another type.

    Args:
        value: The argument.
        kinds: Types that it may have.
        words: What was expected, such as ``"a record of ecglens.read_record"``.

    Raises:
        ArgumentError: It has none of these types.
    """
    if not isinstance(value, kinds):
        raise ArgumentError(f"Expected {words}, got {type(value).__name__}; give one.")


def is_number_in(value: object, low: float, high: float = math.inf) -> bool:
    """Return whether an argument is a finite number within limits; a truth value is none.

    >>> is_number_in(25, 5, 200), is_number_in("25", 5, 200), is_number_in(True, 0), is_number_in(math.nan, 0)
    (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all others
        return False
    return low <= number <= high and number < math.inf


def describe_value(value: object) -> str:
    """Return a value as an error names it: a number as people write it, anything else as Python does, cut short.

    >>> describe_value(25.0), describe_value("fast"), describe_value(None)
    ('25', "'fast'", 'None')
    """
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."


def folder_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a folder for an error, also of ``.`` and ``..``; of the root, its path.

    >>> folder_name("results/"), folder_name("/data/.."), folder_name("/data/pages/.")
    ('results', '/', 'pages')
    """
    whole = os.path.abspath(path)
    return os.path.basename(whole) or whole
