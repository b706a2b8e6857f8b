"""The file behind a page while it is being read, and what it must keep to before anything is decoded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import EcgReadError
from ecglens.limits import threshold
from ecglens.records import PageText

__all__ = ["LIMITS", "MIN_SIDE_PX", "Decoded", "PageSizeLimits", "SourceFile"]


@dataclass(frozen=True)
class PageSizeLimits:
    """Limits of the size of a page."""

    max_aspect: int = threshold(
        10,
        "1",
        "Largest ratio of the sides of a page.",
        low="Long strips are refused.",
        high="Pictures that are no page are read.",
    )


LIMITS = PageSizeLimits()


MIN_SIDE_PX = 300
"""A page of thirteen leads below this height or width has no readable trace."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Pixels as a decoder hands them over.

    Attributes:
        pixels: ``(height, width, 3)`` uint8 RGB, upright.
        pages: How many pages the file has.
        warnings: One sentence each.
        curves: As in ``ecglens.records.Page``.
        texts: As in ``ecglens.records.Page``.
    """

    pixels: NDArray[np.uint8]
    pages: int = 1
    warnings: tuple[str, ...] = ()
    curves: tuple[NDArray[np.float32], ...] = ()
    texts: tuple[PageText, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """Bytes to read, with the limits they must keep.

    Attributes:
        data: The whole file.
        name: File name without its folder, or ``"bytes"``.
        page: Which page is wanted, from 1.
        max_megapixels: Pages above this are refused.
    """

    data: bytes
    name: str
    page: int
    max_megapixels: float

    @property
    def max_pixels(self) -> int:
        """The limit in pixels."""
        return int(self.max_megapixels * 1_000_000)

    def check_size(self, width_px: float, height_px: float, *, of: str = "a page") -> None:
        """Refuse a size that cannot be read or must not be decoded.

        Raises:
            EcgReadError: It is below ``MIN_SIDE_PX``, above the limit, or a long narrow strip.
        """
        actual = f"found {width_px:,.0f} x {height_px:,.0f} px"
        if width_px * height_px > self.max_pixels:
            raise EcgReadError(
                code="too_large",
                source=self.name,
                detail=f"expected {of} of at most {self.max_megapixels:g} megapixels, {actual}; "
                "scan it at a lower resolution.",
            )
        if min(width_px, height_px) < MIN_SIDE_PX:
            raise EcgReadError(
                code="too_small",
                source=self.name,
                detail=f"expected a page of at least {MIN_SIDE_PX} px each way, {actual}; "
                "scan it at a higher resolution.",
            )
        if max(width_px, height_px) > LIMITS.max_aspect * min(width_px, height_px):
            raise EcgReadError(
                code="too_narrow",
                source=self.name,
                detail=f"expected a page at most {LIMITS.max_aspect} times as long as it is wide, {actual}; "
                "cut the page out of the picture.",
            )

    def check_page(self, pages: int) -> None:
        """Refuse a page number that the file does not have.

        Raises:
            EcgReadError: ``page`` is not in ``1..pages``.
        """
        if not 1 <= self.page <= pages:
            detail = f"expected page 1, found page {self.page}; the file has one page."
            if pages > 1:
                detail = (
                    f"expected a page number from 1 to {pages}, found {self.page}; the file has {pages} pages, and no "
                    f"page {self.page}."
                )
            raise EcgReadError(code="no_such_page", source=self.name, detail=detail)

    def damage_error(self, kind: str) -> EcgReadError:
        """Return the error for bytes that begin as ``kind`` and cannot be decoded."""
        return EcgReadError(
            code="damaged",
            source=self.name,
            detail=f"expected a whole {kind} file, found one that is damaged or cut short; "
            "export or scan the page again.",
        )
