"""Results of batches without reading pages: the given rows, written by the code that writes real results."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batch_stubs import NO_MODEL

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.batch.readers import FileResult, Row
from ecglens.batch.results import JOURNAL, RunInfo, write_info, write_tables
from ecglens.batch.store import Journal

LABELED = replace(NO_MODEL, parts=("label",), model_name="first", model_version="1.0", labels=("normal", "mi"))


def write_result(folder: Path, rows: Sequence[Mapping[str, Any]], *, job: Job = LABELED) -> Path:
    """Write a finished result.

    Args:
        folder: Folder to create.
        rows: Values by column. ``file`` is the name of the file, whose hash stands for that of the content; ``path`` is
            its path.
        job: Job of the run.
    """
    folder.mkdir()
    with Journal(folder / JOURNAL) as journal:
        journal.add(Entry(row["file"], str(row.get("path", row["file"]))) for row in rows)
        numbers = {entry.name: number for number, entry in journal.pending()}
        for row in rows:
            values = {"page": 1, **{name: value for name, value in row.items() if name not in {"file", "path"}}}
            digest = hashlib.sha256(row["file"].encode()).hexdigest()
            result = FileResult(digest, [Row(1, row.get("failure"), json.dumps(values))])
            journal.store([(numbers[row["file"]], result)])
        write_tables(journal, folder, job)
    write_info(
        folder, RunInfo(job.fingerprint("pages"), "pages", job, started="a", finished="2026-01-01T00:00:00+00:00")
    )
    return folder


def labeled_row(file: str, label: str, confidence: float, **more: Any) -> dict[str, Any]:
    """Return a row with a label and its probability."""
    other = {"normal": "mi", "mi": "normal"}[label]
    probabilities = {f"probability_{label}": confidence, f"probability_{other}": 1 - confidence}
    return {"file": file, "label": label, "confidence": confidence, **probabilities, **more}
