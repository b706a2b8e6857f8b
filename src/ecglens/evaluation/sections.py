"""Sections of a report beside the figures, which other packages make: their text, tables, plots and pages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Picture", "Section"]

_PNG = b"\x89PNG"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page in a report.

    Attributes:
        name: Stem of its file; characters that do not belong in an address become underscores.
        caption: What the picture shows.
        data: PNG or JPEG; empty where there is nothing to show but the caption.
    """

    name: str
    caption: str
    data: bytes = field(repr=False)

    @property
    def file(self) -> str:
        """Its path within the report's folder."""
        plain = re.sub(r"[^\w.-]", "_", self.name, flags=re.ASCII)
        return f"pages/{plain}.{'png' if self.data.startswith(_PNG) else 'jpg'}"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report beside the figures.

    Attributes:
        title: Its headline.
        text: Sentences before the table.
        rows: A table, its head first; empty without one.
        pictures: Plots, PNG by file stem.
        gallery: Pages to look at.
        topic: Topic of a study that it covers, where its title is not the topic.
    """

    title: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    gallery: tuple[Picture, ...] = ()
    topic: str = ""
