"""Near-copies planted among real pages: alone, among made-up pages, and among pages of four other recorders.

python benchmarks/audit_copies.py FOLDER_OF_PAGES [--seeds 5] [--signals FOLDER_OF_WFDB] > benchmarks/audit_copies.md
"""

import argparse
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np

from ecglens.datasets.duplicates.candidates import ALL_PAIRS
from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH, near_copies, same_traces, trace_gray, trace_signature
from ecglens.formats.wfdb import read_wfdb
from ecglens.records import EcgRecord
from ecglens.render import STYLES, render_page

COPIES = 40
AROUND = 2 * ALL_PAIRS
"""Pages around the real ones: enough that not all pairs are compared."""

RECORDERS = (("red-cart", "3x4+1"), ("green-clinic", "6x2"), ("blue-export", "12x1"), ("gray-copy", "3x4+3"))
"""Style and layout of the pages of each other recorder."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--signals", type=Path, help="records to render as the pages of other recorders")
    asked = parser.parse_args()
    pages = sorted(asked.pages.glob("*.jpg"))
    signatures = [_signature(cv2.imread(str(path))) for path in pages]
    around = {"none": [], f"{AROUND} made-up": [_made(np.random.default_rng(n)) for n in range(AROUND)]}
    if asked.signals is not None:
        around[f"{AROUND} of four recorders"] = _rendered(asked.signals)
    print(f"# Near-copies planted\n\n`python benchmarks/audit_copies.py {shlex.join(sys.argv[1:])}`: ", end="")
    print(f"{COPIES} copies among {len(pages)} distinct pages.\n\n| seed | pages around | planted | found | false |")
    print("|---|---|---|---|---|", flush=True)
    for seed in range(asked.seeds):
        rng = np.random.default_rng(seed)
        owners = rng.choice(len(pages), COPIES, replace=False)
        planted = [_signature(copied(cv2.imread(str(pages[owner])), rng)) for owner in owners]
        right = {(int(owner), len(pages) + number) for number, owner in enumerate(owners)}
        for name, others in around.items():
            pairs = set(near_copies(signatures + planted + others))
            print(f"| {seed} | {name} | {COPIES} | {len(right & pairs)} | {len(pairs - right)} |", flush=True)
    if asked.signals is not None:
        records = records_below(asked.signals)
        print(f"\nCopies of {COPIES} rendered pages that are not known again, pair by pair:\n")
        print("| style | 100 dpi | 200 dpi |")
        print("|---|---|---|")
        for style in STYLES:
            print(f"| {style} | {_missed(records, style, 100)} | {_missed(records, style, 200)} |", flush=True)


def copied(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cropped by up to 3 % an edge, resized by 0.6 to 1.4, recompressed with quality 40 to 85: one to all of it."""
    height, width = page.shape[:2]
    cut = (rng.uniform(0, 0.03, 4) * [height, height, width, width]).astype(int)
    asked = rng.integers(1, 8)
    if asked & 1:
        page = page[cut[0] : height - cut[1], cut[2] : width - cut[3]]
    if asked & 2:
        scale = float(rng.uniform(0.6, 1.4))
        page = cv2.resize(
            page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    if asked & 4:
        page = cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 86))])[1], 1)
    return page


def other_page(records: list[EcgRecord], number: int, rng: np.random.Generator) -> np.ndarray:
    """A page of its own at 100 dpi, BGR: a record's leads in another order, turned in time, scaled."""
    record = records[int(rng.integers(len(records)))]
    count, length = record.signals_mv.shape
    rows = [
        np.roll(record.signals_mv[lead], int(rng.integers(length))) * rng.uniform(0.7, 1.4)
        for lead in rng.permutation(count)
    ]
    style, layout = RECORDERS[number % len(RECORDERS)]
    mixed = EcgRecord(np.float32(rows), record.fs_hz, record.leads)
    return cv2.cvtColor(render_page(mixed, layout=layout, style=style, dpi=100, rng=rng).page.pixels, cv2.COLOR_RGB2BGR)


def records_below(folder: Path) -> list[EcgRecord]:
    """Every WFDB record below a folder."""
    return [read_wfdb(path) for path in sorted(folder.rglob("*.hea"))]


def _signature(page: np.ndarray) -> np.ndarray | None:
    return trace_signature(trace_gray(page[..., ::-1]))


def _made(rng: np.random.Generator) -> np.ndarray:
    """Signature of four random walks."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(4):
        wave = np.cumsum(rng.standard_normal(WIDTH))
        wave = 15 + 30 * line + 12 * (wave - wave.mean()) / np.abs(wave).max()
        points = np.stack([np.arange(WIDTH), wave], axis=1).round().astype(np.int32)
        cv2.polylines(ink, [points[:, None]], False, 1, 2)
    return np.packbits(ink > 0)


def _rendered(folder: Path) -> list[np.ndarray]:
    rng, records = np.random.default_rng(0), records_below(folder)
    return [_signature(other_page(records, number, rng)) for number in range(AROUND)]


def _missed(records: list[EcgRecord], style: str, dpi: int) -> int:
    """How many copies of one page each of the first records are not known again."""
    rng, missed = np.random.default_rng(0), 0
    for record in records[:COPIES]:
        page = cv2.cvtColor(render_page(record, style=style, dpi=dpi, rng=rng).page.pixels, cv2.COLOR_RGB2BGR)
        one, other = _signature(page), _signature(copied(page, rng))
        missed += one is None or other is None or not same_traces(one, other)
    return missed


if __name__ == "__main__":
    main()
