"""Write to stdout and stderr only characters that their encoding has, and warnings of one line."""

import codecs
import sys
import warnings
from types import MappingProxyType
from typing import TextIO

from ecglens.errors import SettingsWarning

__all__ = ["show_warning", "use_replacements"]

_HANDLER = "ecglens.replace"
_REPLACEMENTS = MappingProxyType(
    {"−": "-", "–": "-", "±": "+-", "°": " deg", "µ": "u", "μ": "u", "×": "x", "√": "sqrt", "²": "2"}
    | {"≤": "<=", "≥": ">=", "…": "...", "·": ".", "█": "#", "━": "-", "•": "*", "“": '"', "”": '"', "’": "'"}
)
"""Replacements of characters that cannot be encoded, as a figure must not lose its sign. All others become ``?``."""


def use_replacements() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, such as the bars in Latin-1 or ASCII."""
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning of the settings as one line of ours, any other one as Python does.

    It takes the place of ``warnings.showwarning``, whose arguments it has.
    """
    stream = sys.stderr if file is None else file
    if issubclass(category, SettingsWarning):
        stream.write(f"ecglens: {message}\n")
    else:
        stream.write(warnings.formatwarning(message, category, filename, lineno, line))


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_REPLACEMENTS.get(letter, "?") for letter in letters), error.end
