"""The folder of a result: what lies in it, which run it belongs to, and the tables for people and programs."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ecglens.batch.entries import Entry
from ecglens.batch.job import SCHEMA_VERSION, Job
from ecglens.batch.rows import schema
from ecglens.batch.store import Journal, Told
from ecglens.errors import BatchError
from ecglens.extras import require

__all__ = [
    "FAILED",
    "FILES",
    "JOURNAL",
    "PAGES",
    "RunInfo",
    "entries_of",
    "has_run",
    "keep_files",
    "open_result",
    "result_folder",
    "take_back",
    "write_info",
    "write_tables",
    "written",
]

PAGES, FILES, FAILED, JOURNAL, _RUN = "pages.parquet", "files.parquet", "failures.csv", "journal.sqlite", "run.json"

_AT_ONCE = 5000
_KEPT_BESIDE = re.compile(r"signals/[0-9a-f]{2}/[0-9a-f]{64}-\d+\.(parquet|hea|dat)")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What ``run.json`` says of a result.

    Attributes:
        fingerprint: Same for the same source, options, model and version.
        source: Where the pages came from.
        job: What was asked of each.
        schema_version: Of the tables.
        started: When, in UTC.
        finished: When all was read and told, or ``None``.
        passed_over: Files of the source that were not taken for pages.
    """

    fingerprint: str
    source: str
    job: Job
    schema_version: int = SCHEMA_VERSION
    started: str = ""
    finished: str | None = None
    passed_over: int = 0


def result_folder(out: Path, info: RunInfo) -> Path:
    """The folder for a run: ``out`` itself, or below it where that holds the result of another.

    Raises:
        BatchError: ``out`` holds something else.
    """
    if out.exists() and not out.is_dir():
        raise BatchError(f"Expected a folder for the result, found the file {out}; name another.")
    if not out.exists() or not any(out.iterdir()):
        return out
    if not (out / _RUN).is_file():
        raise BatchError(f"Expected an empty folder or one with a result, found other files in {out}; name another.")
    for found in (out / _RUN, *sorted(out.glob(f"*/{_RUN}"))):
        if _read_info(found.parent).fingerprint == info.fingerprint:
            return found.parent
    model = f"{info.job.model_name}-{info.job.model_version}" if info.job.model_name else "signals"
    return out / f"{model}-{info.fingerprint[:8]}"


def has_run(folder: Path) -> bool:
    """Return whether a folder holds a result, finished or not."""
    return (folder / _RUN).is_file()


def open_result(folder: Path) -> RunInfo:
    """What is known of a result.

    Raises:
        BatchError: There is none, or one of another schema.
    """
    if not has_run(folder):
        raise BatchError(f"Expected a folder that ecglens batch has written, found no {_RUN} in {folder}.")
    info = _read_info(folder)
    if info.schema_version != SCHEMA_VERSION:
        raise BatchError(
            f"Expected a result of schema {SCHEMA_VERSION}, found {info.schema_version} in {folder}; read it with the "
            f"ecglens that made it, {info.job.version}."
        )
    return info


def write_info(folder: Path, info: RunInfo) -> None:
    """Write ``run.json``."""
    with written(folder / _RUN) as path:
        path.write_text(json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8")


def take_back(folder: Path) -> None:
    """Remove a result that has not begun."""
    for name in (_RUN, JOURNAL, f"{JOURNAL}-wal"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def keep_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write what is kept beside the tables; names are hashes, so a second writing changes nothing.

    Raises:
        BatchError: A name is none of those that pages have.
    """
    for name, content in files.items():
        if not _KEPT_BESIDE.fullmatch(name):
            raise BatchError(f"Expected a file of signals from a reader, found '{name[:100]}'.")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with written(folder / name) as path:
            path.write_bytes(content)


def write_tables(journal: Journal, folder: Path, job: Job) -> None:
    """Write ``pages.parquet``, ``files.parquet`` and ``failures.csv``; from the same journal the same rows."""
    arrow, parquet = require("pyarrow", extra="batch"), require("pyarrow.parquet", extra="batch")
    wanted = schema(job)
    with (
        written(folder / PAGES) as pages,
        written(folder / FAILED) as failed,
        failed.open("w", newline="", encoding="utf-8") as stream,
        parquet.ParquetWriter(pages, wanted, compression="zstd") as writer,
    ):
        failures = csv.writer(stream, lineterminator="\n")
        failures.writerow(("file", "page", "failure", "reason", "sha256"))
        for rows in _by(_AT_ONCE, journal.rows()):
            table = _as_table(rows, job)
            writer.write_table(table)
            for row in table.filter(arrow.compute.is_valid(table["failure"])).to_pylist():
                failures.writerow(row[name] for name in ("file", "page", "failure", "reason", "sha256"))
    names = arrow.schema([(name, arrow.string()) for name in ("file", "sha256", "entry")], metadata=wanted.metadata)
    with written(folder / FILES) as files, parquet.ParquetWriter(files, names, compression="zstd") as writer:
        for batch in _by(_AT_ONCE, journal.files()):
            cells = [(entry.name, digest, entry.to_json()) for entry, digest in batch]
            writer.write_table(arrow.table(list(zip(*cells, strict=True)), schema=names))


def entries_of(folder: Path, digests: set[str]) -> dict[str, Entry]:
    """Where the files with some contents are, the first by name for each.

    Args:
        folder: Of a result.
        digests: Hashes of their bytes.
    """
    parquet = require("pyarrow.parquet", extra="batch")
    found: dict[str, Entry] = {}
    with parquet.ParquetFile(folder / FILES) as files:
        for batch in files.iter_batches(columns=["sha256", "entry"]):
            for digest, entry in zip(batch["sha256"].to_pylist(), batch["entry"].to_pylist(), strict=True):
                if digest in digests:
                    found.setdefault(digest, Entry.from_json(entry))
    return found


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A place to write a file that then takes its name whole, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _as_table(rows: list[Told], job: Job) -> Any:
    arrow, arrow_json = require("pyarrow", extra="batch"), require("pyarrow.json", extra="batch")
    own = ("file", "copies", "sha256")
    wanted = schema(job)
    lines = "\n".join(row.text for row in rows).encode()
    table = arrow_json.read_json(
        io.BytesIO(lines),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=schema(job, without=own), unexpected_field_behavior="error"
        ),
    )
    told = [[row.name for row in rows], [row.copies for row in rows], [row.sha256 for row in rows]]
    for place, (name, cells) in enumerate(zip(own, told, strict=True)):
        table = table.add_column(place, wanted.field(name), arrow.array(cells, wanted.field(name).type))
    return table.select(wanted.names).cast(wanted)


def _read_info(folder: Path) -> RunInfo:
    try:
        told = json.loads((folder / _RUN).read_text(encoding="utf-8"))
        return replace(RunInfo(**told), job=Job.from_dict(told["job"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BatchError(f"Expected what a run says of itself in {folder / _RUN}, found something else.") from error


def _by(count: int, items: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(items)
    while taken := list(islice(waiting, count)):
        yield taken
