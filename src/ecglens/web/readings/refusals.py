"""A page that could not be read, for the person who sent it: what was seen, and corrections by hand to try again with.

Nothing is stored: the print on such a page cannot be redacted, as nobody knows where it is.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import cv2

from ecglens.corrections import Corrections
from ecglens.pages.geometry.paper_edges import find_paper_corners
from ecglens.records import Page
from ecglens.web.readings.pictures import PictureFile, encode_jpeg

__all__ = ["RefusedPage", "build_corrections", "encode_whole", "show_refused"]

_JPEG_QUALITY = 92
_CORNERS = re.compile(r"-?\d{1,6}(\.\d{1,3})?,-?\d{1,6}(\.\d{1,3})?( -?\d{1,6}(\.\d{1,3})?,-?\d{1,6}(\.\d{1,3})?){3}")


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """A page that could not be read, as its sender sees it.

    Attributes:
        picture: The page as it was decoded, small enough for a browser.
        width_px: Width of the decoded page.
        height_px: Its height.
        corners: ``(column, row)`` of the paper's corners that were seen, clockwise from the top left, in px of the
            decoded page; those of the picture where no paper was seen.
        has_paper: Whether edges of the paper were seen.
    """

    picture: PictureFile = field(repr=False)
    width_px: int
    height_px: int
    corners: tuple[tuple[float, float], ...]
    has_paper: bool

    @property
    def address(self) -> str:
        """The picture as an address."""
        return f"data:{self.picture.media_type};base64,{base64.b64encode(self.picture.content).decode('ascii')}"

    @property
    def corners_text(self) -> str:
        """The corners as :func:`build_corrections` takes them."""
        return " ".join(f"{column:.1f},{row:.1f}" for column, row in self.corners)

    def to_dict(self) -> dict[str, Any]:
        """Return the page in plain types."""
        return {
            "picture": self.address,
            "width": self.width_px,
            "height": self.height_px,
            "corners": self.corners_text,
            "has_paper": self.has_paper,
        }


def show_refused(page: Page) -> RefusedPage:
    """Return what the sender of a page sees that could not be read."""
    corners = find_paper_corners(page)
    right, bottom = page.width - 1.0, page.height - 1.0
    whole = ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom))
    return RefusedPage(encode_jpeg(page.pixels), page.width, page.height, corners or whole, corners is not None)


def encode_whole(page: Page) -> str:
    """Return the decoded page as a JPEG in base64, which its sender sends again with corrections."""
    bgr = cv2.cvtColor(page.pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(encoded.tobytes()).decode("ascii")


def build_corrections(corners: str, rotation_deg: float, layout: str) -> Corrections | None:
    """Return the corrections of a form, or ``None`` where there are none.

    Args:
        corners: Four corners such as ``"0,0 99.5,0 99.5,70 0,70"``; empty where they are not corrected.
        rotation_deg: By how much the page is turned clockwise.
        layout: One of ``ecglens.layouts.LAYOUTS``, or empty.

    Raises:
        ValueError: The corners are no four points.
        EcgReadError: A value is out of range.
    """
    points = None
    if corners:
        if not _CORNERS.fullmatch(corners):
            raise ValueError("no four points")
        one, two, three, four = (tuple(map(float, point.split(","))) for point in corners.split())
        points = ((one[0], one[1]), (two[0], two[1]), (three[0], three[1]), (four[0], four[1]))
    fix = Corrections(corners=points, rotation_deg=rotation_deg, layout=layout or None)
    return fix if fix else None
