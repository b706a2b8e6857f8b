"""Store the signals that the digitizer reads from pages, for training and testing the model ``any_recorder``.

    python benchmarks/any_recorder_pages.py --out FOLDER [--data ../shared/data] [--only mendeley|ptbxl|ludb]

``mendeley`` are the 393 public pages. Each record of ``ptbxl`` and ``ludb`` is filtered as recorders filter, rendered
once in a random layout and print, and digitized. What is random depends on the record's number alone, so that the
command can be stopped and started again: pages that are stored already are left out.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scipy.signal import butter, sosfiltfilt

from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgLensError
from ecglens.formats.wfdb import read_wfdb
from ecglens.models.train.digitized import DigitizedPage, save_page
from ecglens.pages.read import read_page
from ecglens.records import EcgRecord, Page, Tracing
from ecglens.render import damage_page, random_style, render_page

HERE = Path(__file__).resolve().parent
FS_HZ = 250.0
LAYOUTS = {
    "3x4+1": 0.3,
    "3x4": 0.12,
    "3x4+3": 0.1,
    "6x2": 0.15,
    "6x2+1": 0.08,
    "12x1": 0.15,
    "4x3": 0.05,
    "3x4+1-cabrera": 0.05,
}
"""Share of each layout among the rendered pages."""
MakePage = Callable[[], tuple[Page, str]]
Job = tuple[str, MakePage]
"""Name of the file, and what makes the page with the name of its layout."""
DAMAGES = ("jpeg", "noise", "blur", "uneven-light", "rotation")


def main() -> None:
    """Digitize what is not stored yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Folder for the digitized pages.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--only", choices=("mendeley", "ptbxl", "ludb"), help="One source alone.")
    parser.add_argument("--seed", type=int, default=0, help="Another page of each record.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sources = {"mendeley": public_pages, "ptbxl": ptbxl_pages, "ludb": ludb_pages}
    for name in [options.only] if options.only else sources:
        folder = options.out / (name if name == "mendeley" or options.seed == 0 else f"{name}-{options.seed}")
        folder.mkdir(parents=True, exist_ok=True)
        for key, make_page in sources[name](options.data, options.seed):
            path = folder / f"{key}.npz"
            if not path.exists():
                save_page(digitize_or_refuse(make_page), path)


def digitize_or_refuse(make_page: MakePage) -> DigitizedPage:
    """Digitize a page; one that is refused is stored without a record."""
    page, layout = make_page()
    try:
        tracing: Tracing | None = digitize_page(page, fs_hz=FS_HZ)
    except EcgLensError:
        tracing = None
    return DigitizedPage(None if tracing is None else tracing.record, layout)


def public_pages(data: Path, seed: int) -> Iterator[Job]:
    """Yield the public pages, as they are."""
    for path in sorted((data / "mendeley" / "pages").glob("*.jpg")):
        yield path.stem, partial(read_public_page, path)


def ptbxl_pages(data: Path, seed: int) -> Iterator[Job]:
    """Yield a rendered page of each record of PTB-XL in mV, in random order, so that a part is a sample of all."""
    records = [
        one
        for one in chain(read_ptbxl(data / "ptbxl"), read_ptbxl_arrays(data / "ptbxl_signals", data / "ptbxl"))
        if one.is_in_mv
    ]
    for place in np.random.default_rng(seed).permutation(len(records)):
        one = records[place]
        yield str(one.ecg_id), partial(render, one.record, one.ecg_id, seed)


def ludb_pages(data: Path, seed: int) -> Iterator[Job]:
    """Yield a rendered page of each record of LUDB."""
    for header in sorted((data / "ludb" / "data").glob("*.hea"), key=lambda path: int(path.stem)):
        yield header.stem, partial(render, read_wfdb(header), 100_000 + int(header.stem), seed)


def read_public_page(path: Path) -> tuple[Page, str]:
    """Read a public page, all of which have one layout."""
    return read_page(path), "3x4+1"


def render(record: EcgRecord, number: int, seed: int) -> tuple[Page, str]:
    """Render a record in a random layout and print, with a filter of recorders and sometimes a damage."""
    rng = np.random.default_rng([number, seed])
    layout = str(rng.choice(list(LAYOUTS), p=list(LAYOUTS.values())))
    dpi = float(rng.uniform(110, 180))
    style = random_style(rng, dpi=dpi)
    page = render_page(filter_record(record, rng), layout=layout, style=style, rng=rng).page
    if rng.random() < 0.4:
        kind, strength = str(rng.choice(DAMAGES)), float(rng.uniform(0.1, 0.4))
        page = damage_page(page, kind, strength, int(rng.integers(2**31)), dpi=dpi)
    return page, layout


def filter_record(record: EcgRecord, rng: np.random.Generator) -> EcgRecord:
    """Filter a record as recorders filter what they print: 25 to 100 Hz low pass, 0.05 to 0.67 Hz high pass."""
    low_hz, high_hz = rng.choice((0.05, 0.15, 0.5, 0.67)), rng.choice((25.0, 35.0, 40.0, 70.0, 100.0))
    sections = butter(1, (low_hz, high_hz), "bandpass", fs=record.fs_hz, output="sos")
    signals = sosfiltfilt(sections, np.nan_to_num(record.signals_mv), axis=1)
    return replace(record, signals_mv=signals.astype(np.float32))


if __name__ == "__main__":
    main()
