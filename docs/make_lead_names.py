"""Make ``src/ecglens/leads/name_templates.png``: what each lead's name looks like, as the median over many pages.

The traces that cross a name differ from page to page, so that the median shows the print alone. Needs the pages of "ECG
Images dataset of Cardiac Patients" (DOI 10.17632/gwbz3fsgp8.2, CC BY 4.0) in the folder given as the argument.
"""

import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from ecglens.layouts import STANDARD_LEADS
from ecglens.leads import find_layout
from ecglens.leads.name_templates import TILE
from ecglens.pages import read_page
from ecglens.records import Layout

TARGET = Path(__file__).resolve().parents[1] / "src" / "ecglens" / "leads" / "names.png"
PAPER, FULL = 40, 170
SEPARATOR_PX = 3
BASELINE_PX = 2


def main(folder: Path) -> None:
    """Collect every name's surroundings on every page and write the medians below each other."""
    tiles_by_lead: dict[str, list[np.ndarray]] = defaultdict(list)
    for path in sorted(folder.glob("*.jpg")):
        layout = find_layout(read_page(path))
        if not isinstance(layout, Layout):
            continue
        ink = layout.ink
        for lead in layout.leads:
            bottom = round(ink.row(lead.baseline_px)) - 3
            left = round(ink.column(lead.box.left)) - 1
            tile = ink.pixels[bottom - TILE[0] : bottom, max(0, left) : left + TILE[1]]
            if not lead.rhythm and tile.shape == TILE:
                tiles_by_lead[lead.lead].append(tile)
    tiles = []
    for name in STANDARD_LEADS:
        tile = np.clip((np.median(tiles_by_lead[name], axis=0) - PAPER) / FULL * 255, 0, 255).astype(np.uint8)
        tile[-BASELINE_PX:] = 0
        if name not in ("I", "II", "III"):
            tile[:, :SEPARATOR_PX] = 0
        tiles.append(tile)
    cv2.imwrite(str(TARGET), np.vstack(tiles))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET.parents[4] / "shared" / "data" / "mendeley" / "pages")
