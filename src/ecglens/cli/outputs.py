"""Files that commands write of records: refused where they exist, and listed in the manifest of their folder."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

import ecglens
from ecglens.arguments import folder_name
from ecglens.cli.answers import error_line
from ecglens.cli.inputs import InputFile
from ecglens.cli.names import printable
from ecglens.documents import parse_json
from ecglens.errors import EcgLensError

__all__ = ["MANIFEST", "add_to_manifest", "check_nothing_exists", "drop_from_manifest", "print_refusals"]

MANIFEST = "manifest.jsonl"
"""Name of the file that says which files of a folder come from which input."""


def check_nothing_exists(paths: Iterable[Path]) -> None:
    """Refuse to overwrite what was written before, which may be of another patient.

    Raises:
        EcgLensError: A file exists.
    """
    existing = next((path for path in paths if path.exists()), None)
    if existing is not None:
        raise EcgLensError(
            f"Expected no {existing.name} in {folder_name(existing.parent)}; write to another folder, or add --force "
            "to overwrite it."
        )


def print_refusals(console: Console, name: str, refusals: Mapping[str, str]) -> None:
    """Print a line for each format in which a record was not written.

    Args:
        console: Console of stderr.
        name: Path of the input, as for text.
        refusals: Sentences by format.
    """
    for form, reason in refusals.items():
        error_line(console, printable(f"{name}: {form} is not written: {reason}"))


def add_to_manifest(
    folder: Path, source: InputFile, written: Iterable[str], facts: Mapping[str, Any] | None = None
) -> None:
    """Add a line to the manifest of a folder, which says where its files come from.

    Args:
        folder: Folder of the files and of the manifest.
        source: The input.
        written: Names of the files; lines of others with these names, which they replaced, are dropped.
        facts: Further values of the line.
    """
    names = list(written)
    drop_from_manifest(folder, names)
    line = {"file": source.argument, "sha256": source.sha256, **(facts or {}), "written": names}
    with (folder / MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write(json.dumps({**line, "version": ecglens.__version__}, ensure_ascii=True) + "\n")


def drop_from_manifest(folder: Path, written: Iterable[str]) -> None:
    """Drop the lines of a manifest, where there is one, whose files were replaced.

    Args:
        folder: Folder of the manifest.
        written: Names of the files that replaced others.
    """
    path = folder / MANIFEST
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    valid = [text for text in before if _list_written(text).isdisjoint(written)]
    if len(valid) < len(before):
        path.write_text("".join(f"{text}\n" for text in valid), encoding="utf-8")


def _list_written(line: str) -> set[str]:
    """Files of a line of the manifest; none where it is damaged."""
    try:
        return set(parse_json(line)["written"])
    except (ValueError, KeyError, TypeError):
        return set()
