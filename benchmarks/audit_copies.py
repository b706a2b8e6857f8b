"""Plant near-copies among real pages: alone, among synthetic pages, and among pages of four other recorders.

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
"""Number of pages added to the real ones: enough that not all pairs are compared."""

RECORDERS = (("red-cart", "3x4+1"), ("green-clinic", "6x2"), ("blue-export", "12x1"), ("gray-copy", "3x4+3"))
"""Style and layout of the pages of each other recorder."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", type=Path, help="folder of pages")
    parser.add_argument("--seeds", type=int, default=5, help="number of random seeds")
    parser.add_argument("--signals", type=Path, help="folder of WFDB records to render as the pages of other recorders")
    options = parser.parse_args()
    pages = sorted(options.pages.glob("*.jpg"))
    signatures = [_signature(cv2.imread(str(path))) for path in pages]
    around = {"none": [], f"{AROUND} synthetic": [_make_signature(np.random.default_rng(n)) for n in range(AROUND)]}
    if options.signals is not None:
        around[f"{AROUND} of four recorders"] = _render_signatures(options.signals)
    print(f"# Near-copies planted\n\n`python benchmarks/audit_copies.py {shlex.join(sys.argv[1:])}`: ", end="")
    print(f"{COPIES} copies among {len(pages)} distinct pages.\n\n| seed | other pages | planted | found | false |")
    print("|---|---|---|---|---|", flush=True)
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        owners = rng.choice(len(pages), COPIES, replace=False)
        planted = [_signature(make_copy(cv2.imread(str(pages[owner])), rng)) for owner in owners]
        right = {(int(owner), len(pages) + number) for number, owner in enumerate(owners)}
        for name, others in around.items():
            pairs = set(near_copies(signatures + planted + others))
            print(f"| {seed} | {name} | {COPIES} | {len(right & pairs)} | {len(pairs - right)} |", flush=True)
    if options.signals is not None:
        records = read_records(options.signals)
        print(f"\nCopies of {COPIES} rendered pages that are not recognized, pair by pair:\n")
        print("| style | 100 dpi | 200 dpi |")
        print("|---|---|---|")
        for style in STYLES:
            print(
                f"| {style} | {_count_missed(records, style, 100)} | {_count_missed(records, style, 200)} |", flush=True
            )


def make_copy(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop by up to 3 % on each edge, resize by 0.6 to 1.4, recompress with quality 40 to 85: one to all of these."""
    height, width = page.shape[:2]
    cut = (rng.uniform(0, 0.03, 4) * [height, height, width, width]).astype(int)
    steps = rng.integers(1, 8)
    if steps & 1:
        page = page[cut[0] : height - cut[1], cut[2] : width - cut[3]]
    if steps & 2:
        scale = float(rng.uniform(0.6, 1.4))
        page = cv2.resize(
            page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    if steps & 4:
        page = cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 86))])[1], 1)
    return page


def render_other_page(records: list[EcgRecord], number: int, rng: np.random.Generator) -> np.ndarray:
    """Render a distinct page at 100 dpi, BGR: a record's leads in another order, rotated in time and scaled."""
    record = records[int(rng.integers(len(records)))]
    count, length = record.signals_mv.shape
    rows = [
        np.roll(record.signals_mv[lead], int(rng.integers(length))) * rng.uniform(0.7, 1.4)
        for lead in rng.permutation(count)
    ]
    style, layout = RECORDERS[number % len(RECORDERS)]
    mixed = EcgRecord(np.float32(rows), record.fs_hz, record.leads)
    return cv2.cvtColor(render_page(mixed, layout=layout, style=style, dpi=100, rng=rng).page.pixels, cv2.COLOR_RGB2BGR)


def read_records(folder: Path) -> list[EcgRecord]:
    """Read every WFDB record below a folder."""
    return [read_wfdb(path) for path in sorted(folder.rglob("*.hea"))]


def _signature(page: np.ndarray) -> np.ndarray | None:
    return trace_signature(trace_gray(page[..., ::-1]))


def _make_signature(rng: np.random.Generator) -> np.ndarray:
    """Return the signature of four random walks."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(4):
        wave = np.cumsum(rng.standard_normal(WIDTH))
        wave = 15 + 30 * line + 12 * (wave - wave.mean()) / np.abs(wave).max()
        points = np.stack([np.arange(WIDTH), wave], axis=1).round().astype(np.int32)
        cv2.polylines(ink, [points[:, None]], False, 1, 2)
    return np.packbits(ink > 0)


def _render_signatures(folder: Path) -> list[np.ndarray]:
    rng, records = np.random.default_rng(0), read_records(folder)
    return [_signature(render_other_page(records, number, rng)) for number in range(AROUND)]


def _count_missed(records: list[EcgRecord], style: str, dpi: int) -> int:
    """Count the unrecognized copies among one page of each of the first records."""
    rng, missed = np.random.default_rng(0), 0
    for record in records[:COPIES]:
        page = cv2.cvtColor(render_page(record, style=style, dpi=dpi, rng=rng).page.pixels, cv2.COLOR_RGB2BGR)
        one, other = _signature(page), _signature(make_copy(page, rng))
        missed += one is None or other is None or not same_traces(one, other)
    return missed


if __name__ == "__main__":
    main()
