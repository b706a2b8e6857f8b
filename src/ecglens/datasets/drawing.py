"""Pages drawn from files of signals, with their truth: what ``ecglens render`` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.errors import RenderError
from ecglens.formats.csv import read_csv
from ecglens.formats.wfdb import read_wfdb
from ecglens.records import EcgRecord
from ecglens.render import RenderedPage, damage, render_page

__all__ = ["draw_file", "read_signals", "write_page"]


def read_signals(path: str | Path, *, fs_hz: float | None = None) -> EcgRecord:
    """Read a record from a CSV or WFDB file.

    Args:
        path: A ``.csv``, or a WFDB header with or without ``.hea``.
        fs_hz: Sampling rate of a CSV without a column of time.

    Raises:
        DatasetError: The file is not what it should be.
    """
    path = Path(path)
    return read_csv(path, fs_hz=fs_hz) if path.suffix.lower() == ".csv" else read_wfdb(path)


def draw_file(
    signals: str | Path,
    out: str | Path,
    *,
    damages: Sequence[str] = (),
    seed: int = 0,
    fs_hz: float | None = None,
    **options: Any,
) -> RenderedPage:
    """Draw a page from a file of signals and write it.

    Args:
        signals: A CSV or WFDB file.
        out: PNG or JPEG to write.
        damages: ``KIND`` or ``KIND:STRENGTH``, in the order in which they are done; 0.5 where no strength is said.
        seed: Of print and damage.
        fs_hz: Sampling rate of a CSV without a column of time.
        **options: For :func:`ecglens.render.render_page`.

    Returns:
        The page with its truth.

    Raises:
        DatasetError: The signals cannot be read.
        RenderError: The page cannot be drawn or written as asked.
    """
    rendered = render_page(read_signals(signals, fs_hz=fs_hz), rng=np.random.default_rng(seed), **options)
    for number, asked in enumerate(damages):
        kind, _, strength = asked.partition(":")
        try:
            share = float(strength) if strength else 0.5
        except ValueError:
            raise RenderError(f"Expected a damage as KIND or KIND:STRENGTH, but got '{asked}'.") from None
        rendered = damage(rendered, kind, share, seed + number)
    write_page(rendered, out)
    return rendered


def write_page(rendered: RenderedPage, out: str | Path) -> None:
    """Write the pixels of a page.

    Args:
        rendered: The page.
        out: Its ending says the format: PNG, JPEG, TIFF, BMP or WebP.

    Raises:
        RenderError: The ending is none of these, or the file cannot be written.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        good, data = cv2.imencode(out.suffix.lower() or ".none", rendered.page.pixels[..., ::-1])
    except cv2.error:
        good = False
    if not good:
        raise RenderError(f"Expected a file ending in .png, .jpg, .tif, .bmp or .webp, but got '{out.name}'.")
    out.write_bytes(data.tobytes())
