"""Make the pictures of docs/photographs.md: one good photograph of a page, and five that ask for another.

    python docs/make_photographs.py

The page is rendered from record 1 of PTB-XL (CC BY 4.0), in ``tests/data``, and damaged with fixed seeds. The hints of
``ecglens.assess`` for each picture at its full size are written to standard output; photographs.md repeats them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ecglens.formats.csv import read_csv
from ecglens.pages.assessing import assess_page
from ecglens.records import Page
from ecglens.render import RenderedPage, damage, render_page

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "images"
WIDTH_PX = 420
TABLE = (92, 84, 74)

PICTURES: dict[str, Sequence[tuple[str, float]]] = {
    "good": (("perspective", 0.1), ("uneven-light", 0.2)),
    "blurred": (("perspective", 0.1), ("blur", 1.0), ("noise", 0.2)),
    "dark": (("perspective", 0.1),),
    "cut": (("perspective", 0.1),),
    "far": (("perspective", 0.3),),
    "crumpled": (("crease", 1.0), ("curl", 1.0), ("perspective", 0.5), ("shadow", 0.8)),
}
"""Damage of each picture, one after the other; light, frame and distance are added to some of them."""


def main() -> None:
    """Render the page, damage it in each of the ways, and print the hints."""
    record = read_csv(ROOT / "tests" / "data" / "ptbxl_00001.csv")
    page = render_page(record, grid="red-lines", dpi=150)
    for name, kinds in PICTURES.items():
        pixels = photograph(page, kinds, name)
        assessment = assess_page(Page(pixels))
        height = round(WIDTH_PX * pixels.shape[0] / pixels.shape[1])
        small = cv2.resize(pixels, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(OUT / f"photograph-{name}.jpg"), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])
        sys.stdout.write(f"{name}: {' '.join(assessment.hints) or 'no hint'}\n")


def photograph(page: RenderedPage, kinds: Sequence[tuple[str, float]], name: str) -> np.ndarray:
    """Return the pixels of a damaged page on a table."""
    for seed, (kind, strength) in enumerate(kinds):
        page = damage(page, kind, strength, seed)
    pixels = page.page.pixels
    if name == "cut":
        return np.ascontiguousarray(pixels[:, : round(0.8 * pixels.shape[1])])
    margin = round((1.4 if name == "far" else 0.06) * pixels.shape[1])
    framed = cv2.copyMakeBorder(pixels, *[margin] * 4, cv2.BORDER_CONSTANT, value=TABLE)
    if name == "far":
        framed = cv2.resize(framed, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(framed * (0.28 if name == "dark" else 1.0), dtype=np.uint8)


if __name__ == "__main__":
    main()
