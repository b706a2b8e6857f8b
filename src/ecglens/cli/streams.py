"""Output on terminals and files whose encoding lacks some of our characters."""

import codecs
import sys
from types import MappingProxyType

__all__ = ["use_replacements"]

_HANDLER = "ecglens.replace"
_REPLACEMENTS = MappingProxyType(
    {"−": "-", "–": "-", "±": "+-", "°": " deg", "µ": "u", "μ": "u", "×": "x", "√": "sqrt", "²": "2"}
    | {"≤": "<=", "≥": ">=", "…": "...", "·": ".", "█": "#", "━": "-", "•": "*", "“": '"', "”": '"', "’": "'"}
)
"""What stands for a character that cannot be encoded; a figure must not lose its sign. All others become ``?``."""


def use_replacements() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, such as the bars in Latin-1 or ASCII."""
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_REPLACEMENTS.get(letter, "?") for letter in letters), error.end
