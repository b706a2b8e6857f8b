"""JSON and TOML from anyone, and names and versions of the JSON documents that ecglens writes.

No other module decodes JSON or TOML, which ruff's TID251 checks: a document that is nested thousands of levels deep
makes a decoder raise ``RecursionError``, and one with hundreds of levels makes functions that walk through it do so.

A document begins with ``format``, its name, and ``format_version``. The version is raised when a program that reads
the older version would misread the newer one; a new field alone does not raise it.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ecglens.errors import DatasetError

__all__ = ["MAX_DEPTH", "VERSIONS", "check_depth", "check_version", "dump_document", "parse_json", "parse_toml"]

MAX_DEPTH = 100
"""Levels of lists and tables that a document may have. A Keras model within a model within a model has about 30, and
Python's limit of 1,000 calls leaves room for several calls a level above the calls that are under way."""

_LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}""",
)
"""A key of TOML with so many parts."""

VERSIONS: Mapping[str, int] = MappingProxyType(
    {
        "ecglens-record": 1,
        "ecglens-reading": 1,
        "ecglens-record-reading": 1,
        "ecglens-explanation": 1,
        "ecglens-split": 1,
        "ecglens-audit": 1,
        "ecglens-evaluation": 1,
        "ecglens-comparison": 1,
        "ecglens-session": 1,
        "ecglens-corrections": 1,
        "ecglens-assessment": 1,
    }
)
"""Current version of each format."""


def dump_document(name: str, content: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return a document as JSON, its format and version first.

    Args:
        name: Key of :data:`VERSIONS`.
        content: Fields of the document. Bytes of file names that are no text become the replacement character, as
            JSON has no way to write them.
        indent: Spaces of indentation; by default everything is on one line.

    Raises:
        ValueError: A number is not finite.
    """
    document = {"format": name, "format_version": VERSIONS[name], **content}
    text = json.dumps(document, indent=indent, allow_nan=False)
    return text if "\\ud" not in text else json.dumps(_without_surrogates(document), indent=indent, allow_nan=False)


def parse_json(text: str | bytes | bytearray, *, allow_nan: bool = True, allow_surrogates: bool = True) -> Any:
    """Return the content of a JSON document.

    Args:
        text: The document; bytes are UTF-8, UTF-16 or UTF-32.
        allow_nan: Whether numbers may be infinite or NaN, which JSON has no way to write but Python's writer does.
        allow_surrogates: Whether texts may have halves of characters, which no file and no terminal takes. Names of
            files on this machine have them where they are no UTF-8.

    Raises:
        ValueError: The text is no JSON or is nested too deep; the message says which.

    >>> parse_json('{"leads": ["I", "II"]}')
    {'leads': ['I', 'II']}
    """
    strict: dict[str, Any] = {} if allow_nan else {"parse_constant": _parse_finite, "parse_float": _parse_finite}
    try:
        document = json.loads(text, **strict)
    except RecursionError:
        raise _make_depth_error() from None
    check_depth(document)
    if not allow_surrogates:
        _check_text(document)
    return document


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML document.

    Raises:
        ValueError: The text is no TOML or is nested too deep; the message says which.
    """
    if _LONG_KEY.search(text):  # tomllib would take gigabytes for a key of ten thousand parts
        raise _make_depth_error()
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise _make_depth_error() from None
    check_depth(document)
    return document


def _check_text(document: object) -> None:
    """Refuse a document with halves of characters.

    Raises:
        ValueError: It has some.
    """
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it has halves of characters, which no text has") from None


def check_depth(document: object) -> None:
    """Refuse a document that has more than ``MAX_DEPTH`` levels of lists and tables.

    Raises:
        ValueError: It has more.
    """
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MAX_DEPTH):
        parts = (part for each in level for part in (each.values() if isinstance(each, dict) else each))
        level = [part for part in parts if isinstance(part, dict | list)]
    if level:
        raise _make_depth_error()


def check_version(document: Mapping[str, Any], name: str, file: str) -> None:
    """Refuse a document of a version that this program does not know.

    Args:
        document: Content of the file; without a version, it is of version 1.
        name: Key of :data:`VERSIONS`.
        file: Name of the file, for the error.

    Raises:
        DatasetError: The version is newer.
    """
    version = document.get("format_version", 1)
    if not isinstance(version, int) or version > VERSIONS[name]:
        raise DatasetError(
            f"Expected version {VERSIONS[name]} of the format '{name}' in {file}, got {version}; "
            "update ecglens to read it."
        )


def _make_depth_error() -> ValueError:
    return ValueError(f"it is nested in more than {MAX_DEPTH} levels")


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, Mapping):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value
