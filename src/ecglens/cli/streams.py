"""Write to stdout and stderr only characters that their encoding has and warnings of one line; end where none reads."""

import codecs
import os
import sys
import warnings
from types import MappingProxyType
from typing import TextIO

from ecglens.errors import SettingsWarning

__all__ = ["OUTPUT_CLOSED", "discard_output", "show_warning", "use_replacements"]

OUTPUT_CLOSED = 141
"""Exit code of a command whose output nobody reads any more, as shells report it after SIGPIPE."""

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


def discard_output() -> None:
    """Send what is not written yet nowhere, so that Python does not fail to write it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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
