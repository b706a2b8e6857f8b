"""Beats of WFDB records with marks, such as MIT-BIH, drawn as single-lead strips by AAMI class."""

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.rendering import write_page
from ecglens.datasets.sources import AAMI
from ecglens.datasets.visible_files import list_visible
from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.wfdb import read_wfdb
from ecglens.records import EcgRecord
from ecglens.render import render_page

__all__ = ["draw_beats"]

_SAME_PERSON = MappingProxyType({"202": "201"})
"""Records 201 and 202 of MIT-BIH are of one person."""


def draw_beats(
    root: str | Path,
    out: str | Path,
    *,
    seconds: float = 3.0,
    most: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Recordings:
    """Draw a strip around beats of every record below a folder; each record's person is a group.

    Args:
        root: Folder with ``.hea``, ``.dat`` and ``.atr`` files.
        out: Folder for the strips and ``recordings.csv``.
        seconds: Length of a strip; the beat is in its middle.
        most: Maximum number of beats of each class of a record, sampled at random.
        seed: Random seed of the sample and of the print.
        progress: Called with the number of records done and of all.
        **options: Options of :func:`ecglens.render.render_page`.

    Raises:
        DatasetError: There is no record with marks below ``root``.
        MissingExtraError: wfdb is not installed.
    """
    out, rng = Path(out), np.random.default_rng(seed)
    headers = [path for path in list_visible(Path(root), "*.hea") if path.with_suffix(".atr").is_file()]
    if not headers:
        raise DatasetError(f"Expected WFDB records with .atr marks below {root}, got none.")
    rows: list[Recording] = []
    for number, header in enumerate(headers, start=1):
        record = read_wfdb(header)
        half = round(seconds * record.fs_hz / 2)
        counts: Counter[str] = Counter()
        marks = _marks(header)
        for place in rng.permutation(len(marks)).tolist():
            sample, label = marks[place]
            if half <= sample < record.signals_mv.shape[1] - half and counts[label] < most:
                counts[label] += 1
                window = EcgRecord(record.signals_mv[:1, sample - half : sample + half], record.fs_hz, record.leads[:1])
                page = render_page(window, **{"layout": "1x1", "seconds": seconds, "rng": rng, **options})
                path = out / label / f"{header.stem}-{sample}.png"
                write_page(page, path)
                group = _SAME_PERSON.get(header.stem, header.stem)
                rows.append(Recording(path, label, path.stem, group, None, "beats"))
        progress(number, len(headers))
    if not rows:
        raise DatasetError(f"Expected beats of the classes N, S, V, F, Q in the marks below {root}, got none.")
    table = Recordings(tuple(rows))
    table.to_csv(out / "recordings.csv")
    return table


def _marks(header: Path) -> list[tuple[int, str]]:
    """Return sample and AAMI class of each beat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb makes pandas warn
        wfdb = require("wfdb", extra="signal")
        try:
            annotations = wfdb.rdann(str(header.with_suffix("")), "atr")
        except (OSError, ValueError, IndexError) as error:
            raise DatasetError(f"Expected beat marks in {header.stem}.atr, but they cannot be read.") from error
    pairs = zip(annotations.sample.tolist(), annotations.symbol, strict=True)
    return [(int(sample), AAMI[symbol]) for sample, symbol in pairs if symbol in AAMI]
