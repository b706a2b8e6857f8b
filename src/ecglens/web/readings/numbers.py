"""Numbers in the language of the reader: German has a decimal comma."""

import re

from django.utils.formats import get_format

__all__ = ["localize"]

_POINT = re.compile(r"(?<=\d)\.(?=\d)")


def localize(text: str) -> str:
    """Return a text whose numbers have the decimal sign of the active language.

    Args:
        text: A formatted number, or a phrase with numbers; without dates, versions and addresses.
    """
    sign = str(get_format("DECIMAL_SEPARATOR"))
    return text if sign == "." else _POINT.sub(sign, text)
