"""Classes of a hostile file and of a kind of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

__all__ = ["Content", "Entry", "HostileFile", "Kind", "Maker", "draw_depth"]

Entry: TypeAlias = Literal[
    "page", "archive", "model", "keras", "recipe", "search space", "label rules", "recordings", "record"
]
"""Part of the program that reads a file: see ``hostile.entries.read_hostile``."""

Content: TypeAlias = bytes | Mapping[str, bytes]
"""A file, or the files of a folder by name."""

Maker: TypeAlias = Callable[[np.random.Generator], Content]
"""Draws a file; sizes and damage vary with the generator."""


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file that costs its reader more than its size, or that no reader expects.

    Attributes:
        name: Short description; no other file has the same.
        kind: Name of its kind.
        entry: Part of the program that reads it.
        files: Its bytes by name; several where a folder is read.
        target: Name of the file to read; empty for the whole folder.
    """

    name: str
    kind: str
    entry: Entry
    files: Mapping[str, bytes]
    target: str

    def write(self, folder: Path) -> Path:
        """Write the files below a folder, and return the path to read."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder / self.target


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of files.

    Attributes:
        name: Its name.
        entry: Part of the program that reads it.
        target: Name of the file to read; empty where it is a folder.
        makers: Functions that draw files.
    """

    name: str
    entry: Entry
    target: str
    makers: tuple[Maker, ...]

    def draw(self, number: int, random: np.random.Generator) -> HostileFile:
        """Draw the file of a number; after the last maker the first follows, with other sizes."""
        maker = self.makers[number % len(self.makers)]
        content = maker(random)
        files = {self.target: content} if isinstance(content, bytes) else content
        target = self.target if self.target in files or not self.target else next(iter(files))
        name = f"{self.name} {number + 1}: {maker.__name__.strip('_').replace('_', ' ')}"
        return HostileFile(name, self.name, self.entry, files, target)


def draw_depth(random: np.random.Generator) -> int:
    """Draw a number of levels that walks through a document, decoders in Python or decoders in C cannot go down."""
    return int(10 ** random.uniform(2.2, 4.5))
