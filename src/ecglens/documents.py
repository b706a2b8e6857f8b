"""Names and versions of the JSON documents that ecglens writes.

A document begins with ``format``, its name, and ``format_version``. The version is raised when a program that reads
the older version would misread the newer one; a new field alone does not raise it.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ecglens.errors import DatasetError

__all__ = ["VERSIONS", "check_version", "dump_document"]

VERSIONS: Mapping[str, int] = MappingProxyType(
    {
        "ecglens-record": 1,
        "ecglens-reading": 1,
        "ecglens-explanation": 1,
        "ecglens-split": 1,
        "ecglens-audit": 1,
        "ecglens-evaluation": 1,
        "ecglens-comparison": 1,
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


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, Mapping):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value
