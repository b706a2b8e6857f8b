"""Fields printed above and below the traces, read by OCR where the extra is installed."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.duplicates.signatures import grid_rows
from ecglens.datasets.file_facts import open_store
from ecglens.errors import EcgReadError
from ecglens.extras import require
from ecglens.pages.read import read_page
from ecglens.printed.facts import RATE

__all__ = ["fields_of", "join_by_exam", "read_prints"]

_VERSION = 1
_EXAM = re.compile(r"\b(?:ID|No|Exam|Patient)[.:\s#]*(\d{4,})", re.IGNORECASE)
_DATE = re.compile(r"\b((?:19|20)\d\d)[-/.](\d\d)[-/.](\d\d)")
_RATES_BPM = (20, 300)


def fields_of(lines: Iterable[str]) -> dict[str, str]:
    """Exam number, date and rate out of lines of print; a field that is not there is left out.

    >>> fields_of(["ID:168594", "25mm/s 10mm/mV 4*2.5s+1r ♥85 SE-3", "2020-08-06 08:32:14 AM"])
    {'exam_number': '168594', 'printed_date': '2020-08-06', 'printed_rate_bpm': '85'}
    """
    text = "\n".join(lines)
    found = {}
    if exam := _EXAM.search(text):
        found["exam_number"] = exam[1]
    if date := _DATE.search(text):
        found["printed_date"] = "-".join(date.groups())
    rates = [one or other for one, other in RATE.findall(text)]
    known = [rate for rate in rates if _RATES_BPM[0] <= int(rate) <= _RATES_BPM[1]]
    return found | ({"printed_rate_bpm": known[0]} if known else {})


def read_prints(
    paths: Sequence[Path],
    digests: Sequence[str],
    *,
    store: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, str]]:
    """Read the printed fields of pages; a few seconds each.

    Args:
        paths: Files.
        digests: SHA-256 of each, by which what was read is kept.
        store: A file that keeps what was read, so that the work can be stopped and run again; ``None`` keeps nothing.
        progress: Called with the number done and of all.

    Returns:
        For each what :func:`fields_of` found.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    rapidocr = require("rapidocr", extra="ocr")
    engine = None
    found = []
    with closing(open_store(store)) as kept:
        known = dict(kept.execute("SELECT digest, prints FROM prints WHERE version = ?", (_VERSION,)))
        for number, (path, digest) in enumerate(zip(paths, digests, strict=True), start=1):
            if digest not in known:
                engine = engine or rapidocr.RapidOCR(params={"Global.log_level": "critical"})
                known[digest] = json.dumps(_fields(path, engine))
                kept.execute("INSERT OR REPLACE INTO prints VALUES (?, ?, ?)", (digest, _VERSION, known[digest]))
                kept.commit()
            found.append(json.loads(known[digest]))
            progress(number, len(paths))
    return found


def join_by_exam(groups: NDArray[np.intp] | None, exams: Sequence[str]) -> NDArray[np.intp] | None:
    """Groups in which pages that the header's pixels leave alone join those with the same exam number.

    The number joins groups and never parts one: where it was misread, pages stay with those whose header is the same.

    Args:
        groups: ``(pages,)`` group of each by the header's pixels, or ``None`` where these tell nothing.
        exams: Exam number of each page as it was read, ``""`` where there is none.

    Returns:
        ``(pages,)`` groups; ``None`` where neither tells pages apart.

    >>> join_by_exam(np.array([0, 0, 1, 2]), ["17", "17", "17", ""]).tolist()
    [0, 0, 0, 2]
    """
    if groups is None and len(set(filter(None, exams))) < 2:
        return None
    joined = np.arange(len(exams), dtype=np.intp) if groups is None else groups.copy()
    size = np.bincount(joined)
    first: dict[str, int] = {}
    for page in np.argsort(-size[joined], kind="stable").tolist():
        group = first.setdefault(exams[page], int(joined[page])) if exams[page] else int(joined[page])
        if size[joined[page]] == 1:
            joined[page] = group
    return joined


def _fields(path: Path, engine: Any) -> dict[str, str]:
    try:
        pixels = read_page(path).pixels
    except EcgReadError:
        return {}
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    top, bottom = grid_rows(gray) or (0, 0)
    lines: list[str] = []
    for strip in (pixels[:top], pixels[bottom:]):
        if min(strip.shape[:2]) >= 8:
            lines += engine(strip[..., ::-1], use_cls=False).txts or ()
    return fields_of(lines)
