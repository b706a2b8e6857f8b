"""Make ``src/ecglens/leads/name_shapes.png``: lead names in common typefaces, for telling names by their print.

Rows of tiles, one row a name, one tile a typeface: the name's ink in a box of its own height, left-aligned. Needs
Debian's ``fonts-dejavu`` and ``fonts-liberation`` beside the typefaces that come with ecglens and Pillow.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ecglens.leads.name_shapes import NAMES, TILE

TARGET = Path(__file__).resolve().parents[1] / "src" / "ecglens" / "leads" / "words.png"
OWN = TARGET.parents[1] / "render" / "fonts"
DEBIAN = Path("/usr/share/fonts/truetype")
TYPEFACES = [
    OWN / "serif.ttf",
    OWN / "mono.ttf",
    *(DEBIAN / "dejavu" / f"DejaVu{name}.ttf" for name in ("Sans", "Sans-Bold", "Serif", "SansMono", "SansMono-Bold")),
    *(
        DEBIAN / "liberation" / f"Liberation{name}.ttf"
        for name in (
            "Sans-Regular",
            "Sans-Bold",
            "SansNarrow-Regular",
            "Serif-Regular",
            "Serif-Bold",
            "Mono-Regular",
            "Sans-Italic",
            "Serif-Italic",
        )
    ),
]
SIZE_PX = 96


def main() -> None:
    """Draw every name in every typeface and write the tiles."""
    fonts = [ImageFont.load_default(SIZE_PX), *(ImageFont.truetype(str(path), SIZE_PX) for path in TYPEFACES)]
    rows = []
    for name in NAMES:
        tiles = []
        for font in fonts:
            picture = Image.new("L", (8 * SIZE_PX, 2 * SIZE_PX))
            ImageDraw.Draw(picture).text((SIZE_PX, SIZE_PX // 4), name, font=font, fill=255)
            word = np.asarray(picture.crop(picture.getbbox()))
            width = max(1, round(word.shape[1] * TILE[0] / word.shape[0]))
            tile = np.zeros(TILE, np.uint8)
            tile[:, :width] = cv2.resize(word, (width, TILE[0]), interpolation=cv2.INTER_AREA)[:, : TILE[1]]
            tiles.append(tile)
        rows.append(np.hstack(tiles))
    cv2.imwrite(str(TARGET), np.vstack(rows))


if __name__ == "__main__":
    main()
