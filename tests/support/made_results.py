"""Results of many pages without reading any: rows as they would have been answered, told by the same code."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batch_stubs import NO_MODEL

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.batch.readers import Answer, Row
from ecglens.batch.results import JOURNAL, RunInfo, write_info, write_tables
from ecglens.batch.store import Journal

LABELLED = replace(NO_MODEL, what=("label",), model_name="first", model_version="1.0", labels=("normal", "mi"))


def write_result(folder: Path, rows: Sequence[Mapping[str, Any]], *, job: Job = LABELLED) -> Path:
    """A finished result; a row's ``file`` is its name, ``path`` where it is, its content's hash is of the name."""
    folder.mkdir()
    with Journal(folder / JOURNAL) as journal:
        journal.add(Entry(row["file"], str(row.get("path", row["file"]))) for row in rows)
        numbers = {entry.name: number for number, entry in journal.pending()}
        for row in rows:
            told = {"page": 1, **{name: value for name, value in row.items() if name not in {"file", "path"}}}
            digest = hashlib.sha256(row["file"].encode()).hexdigest()
            answer = Answer(digest, [Row(1, row.get("failure"), json.dumps(told))])
            journal.take([(numbers[row["file"]], answer)])
        write_tables(journal, folder, job)
    write_info(
        folder, RunInfo(job.fingerprint("pages"), "pages", job, started="a", finished="2026-01-01T00:00:00+00:00")
    )
    return folder


def labelled(file: str, label: str, confidence: float, **more: Any) -> dict[str, Any]:
    """A row with a label."""
    other = {"normal": "mi", "mi": "normal"}[label]
    found = {f"probability_{label}": confidence, f"probability_{other}": 1 - confidence}
    return {"file": file, "label": label, "confidence": confidence, **found, **more}
