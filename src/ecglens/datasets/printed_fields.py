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
from ecglens.documents import parse_json
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
    """Extract exam number, date and rate from lines of print; a field that is not there is left out.

    >>> fields_of(["ID:168594", "25mm/s 10mm/mV 4*2.5s+1r ♥85 SE-3", "2020-08-06 08:32:14 AM"])
    {'exam_number': '168594', 'printed_date': '2020-08-06', 'printed_rate_bpm': '85'}
    """
    text = "\n".join(lines)
    fields = {}
    if exam := _EXAM.search(text):
        fields["exam_number"] = exam[1]
    if date := _DATE.search(text):
        fields["printed_date"] = "-".join(date.groups())
    rates = [one or other for one, other in re.findall(RATE, text)]
    plausible = [rate for rate in rates if _RATES_BPM[0] <= int(rate) <= _RATES_BPM[1]]
    return fields | ({"printed_rate_bpm": plausible[0]} if plausible else {})


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
        digests: SHA-256 of each, by which what was read is stored.
        store: A file that stores what was read, so that the work can resume; ``None`` stores nothing.
        progress: Called with the number done and of all.

    Returns:
        Fields of each, as :func:`fields_of` returns them.

    Raises:
        MissingExtraError: rapidocr is not installed.
    """
    rapidocr = require("rapidocr", extra="ocr")
    engine = None
    fields = []
    with closing(open_store(store)) as connection:
        stored = dict(connection.execute("SELECT digest, prints FROM prints WHERE version = ?", (_VERSION,)))
        for number, (path, digest) in enumerate(zip(paths, digests, strict=True), start=1):
            if digest not in stored:
                engine = engine or rapidocr.RapidOCR(params={"Global.log_level": "critical"})
                stored[digest] = json.dumps(_fields(path, engine))
                connection.execute("INSERT OR REPLACE INTO prints VALUES (?, ?, ?)", (digest, _VERSION, stored[digest]))
                connection.commit()
            fields.append(parse_json(stored[digest]))
            progress(number, len(paths))
    return fields


def join_by_exam(groups: NDArray[np.intp] | None, exams: Sequence[str]) -> NDArray[np.intp] | None:
    """Join pages that are alone in their group by the header's pixels with those that have the same exam number.

    The number joins groups and never splits one: where it was misread, pages stay with those whose header is the same.

    Args:
        groups: ``(pages,)`` group of each by the header's pixels, or ``None`` where these do not distinguish pages.
        exams: Exam number of each page as it was read, ``""`` where there is none.

    Returns:
        ``(pages,)`` groups; ``None`` where neither distinguishes pages.

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
