"""Pages rendered from files of signals, with their truth, for ``ecglens render``."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import EcgLensError, RenderError
from ecglens.formats.csv import read_csv
from ecglens.formats.files import read_record
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.pages.read import read_page
from ecglens.records import EcgRecord, Page
from ecglens.render import RenderedPage, damage, draw_record, render_page

__all__ = ["draw_file", "draw_records", "open_page", "read_signals", "write_page", "write_truth"]

_PAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
"""Formats that ``ecglens read`` reads too."""
_EXAMPLE = EcgRecord(np.zeros((len(STANDARD_LEADS), 1000), np.float32), 100.0, STANDARD_LEADS)
"""Record of every lead, on which options are tried."""


def read_signals(path: str | Path, *, fs_hz: float | None = None) -> EcgRecord:
    """Read a record from a file of signals.

    Args:
        path: A digital ECG in one of ``ecglens.formats.files.RECORD_TITLES``; a WFDB header with or without ``.hea``.
        fs_hz: Sampling rate of a CSV without a column of time.

    Raises:
        DatasetError: The file cannot be read as such.
    """
    path = Path(path)
    return read_csv(path, fs_hz=fs_hz) if fs_hz is not None and path.suffix.lower() == ".csv" else read_record(path)


def draw_file(
    signals: str | Path,
    out: str | Path,
    *,
    damages: Sequence[str] = (),
    seed: int = 0,
    fs_hz: float | None = None,
    quality: int = 95,
    **options: Any,
) -> RenderedPage:
    """Draw a page from a file of signals and write it.

    Args:
        signals: As for :func:`read_signals`.
        out: PNG or JPEG to write.
        damages: ``KIND`` or ``KIND:STRENGTH``, in the order in which they are applied; the default strength is 0.5.
        seed: Random seed of print and damage.
        fs_hz: Sampling rate of a CSV without a column of time.
        quality: Quality of a JPEG, 1 to 100.
        **options: Options of :func:`ecglens.render.render_page`; without ``layout``, the first of
            :func:`ecglens.render.draw_record` whose leads the record has.

    Returns:
        The page with its truth.

    Raises:
        DatasetError: The signals cannot be read.
        RenderError: The page cannot be rendered or written with these options.
    """
    rendered = _render_record(read_signals(signals, fs_hz=fs_hz), damages, seed, options)
    write_page(rendered, out, quality=quality)
    return rendered


def draw_records(
    records: Recordings,
    out: str | Path,
    *,
    damages: Sequence[str] = (),
    seed: int = 0,
    truth: bool = True,
    fs_hz: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_failure: Callable[[Recording, EcgLensError], None],
    **options: Any,
) -> Recordings:
    """Draw a page of each record of a table, into a folder for each label; pages that exist are not drawn again.

    A record that cannot be drawn costs no more than its own page.

    Args:
        records: Rows whose files are digital ECGs, such as those of PTB-XL.
        out: Folder for the pages and their table ``recordings.csv``.
        damages: Damages as in :func:`draw_file`.
        seed: Random seed of print and damage; each page has its own.
        truth: Write each page's truth beside it, as JSON.
        fs_hz: As for :func:`draw_file`.
        progress: Called with the number of pages done and of all.
        on_failure: Called with each record that cannot be read or drawn, and the reason.
        **options: Options as in :func:`draw_file`.

    Returns:
        The table of the pages, with the groups and columns of the records.

    Raises:
        RenderError: No page can be rendered with these options, or the folder has pages rendered with others.
    """
    out, rows = Path(out), []
    _render_record(_EXAMPLE, damages, seed, options)  # what is wrong with the options is said once
    named = [[row.label, row.recording] for row in records]
    rate = {} if fs_hz is None else {"fs_hz": fs_hz}
    _begin(out, {"damages": list(damages), "seed": seed, "truth": truth, "options": options | rate, "records": named})
    for number, row in enumerate(records):
        path = out / _file_name(row.label) / f"{_file_name(row.recording)}.png"
        try:
            if not path.is_file():
                rendered = _render_record(read_signals(row.path, fs_hz=fs_hz), damages, seed + number, options)
                _write_both(rendered, path, truth=truth)
            rows.append(replace(row, path=path))
        except EcgLensError as error:
            on_failure(row, error)
        progress(number + 1, len(records))
    table = Recordings(tuple(rows))
    table.to_csv(out / "recordings.csv")
    return table


def open_page(path: Path) -> Page:
    """Read the page in a file, or render signals as a page at 100 dpi.

    Raises:
        DatasetError: The signals cannot be read.
        EcgReadError: The file is no page.
    """
    return render_page(read_wfdb(path), dpi=100).page if path.suffix.lower() == ".hea" else read_page(path)


def write_page(rendered: RenderedPage, out: str | Path, *, quality: int = 95) -> None:
    """Write the pixels of a page.

    Args:
        rendered: The page.
        out: Path of the file; its suffix gives the format: PNG, JPEG, TIFF, BMP or WebP.
        quality: Quality of a JPEG, 1 to 100.

    Raises:
        RenderError: The ending is none of these, or the file cannot be written.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in _PAGE_SUFFIXES:
        raise RenderError(f"Expected a file ending in .png, .jpg, .tif, .bmp or .webp, got '{out.name}'.")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in {".jpg", ".jpeg"} else []
        good, data = cv2.imencode(suffix, rendered.page.pixels[..., ::-1], options)
    except cv2.error:
        good = False
    if not good:
        raise RenderError(f"Expected a page that {suffix} can hold, but '{out.name}' cannot be written; try .png.")
    part = out.with_name(f"{out.name}.part")
    part.write_bytes(data.tobytes())
    part.replace(out)


def write_truth(rendered: RenderedPage, out: str | Path) -> Path:
    """Write the truth of a page as JSON beside its file, and return the path."""
    path = Path(out).with_suffix(".json")
    path.write_text(json.dumps(rendered.truth.to_dict()) + "\n", encoding="utf-8")
    return path


def _write_both(rendered: RenderedPage, path: Path, *, truth: bool) -> None:
    """Write a page after its truth, so that one that was stopped in between is rendered again."""
    if truth:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_truth(rendered, path)
    write_page(rendered, path)


def _begin(out: Path, requested: Mapping[str, Any]) -> None:
    """Note in the folder what is rendered, or check that what was begun there is the same."""
    path = out / "render.json"
    text = json.dumps(requested, default=str) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise RenderError(f"Expected a new folder or one of the same records and options, but {out} holds other pages.")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _file_name(text: str) -> str:
    return text.replace("/", "-").lstrip(".") or "-"


def _render_record(record: EcgRecord, damages: Sequence[str], seed: int, options: Mapping[str, Any]) -> RenderedPage:
    draw = render_page if "layout" in options else draw_record  # which chooses one that fits
    rendered = draw(record, rng=np.random.default_rng(seed), **options)
    for number, requested in enumerate(damages):
        kind, _, strength = requested.partition(":")
        try:
            share = float(strength) if strength else 0.5
        except ValueError:
            raise RenderError(f"Expected a damage as KIND or KIND:STRENGTH, got '{requested}'.") from None
        rendered = damage(rendered, kind, share, seed + number)
    return rendered
