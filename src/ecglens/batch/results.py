"""The folder of a result: its files, the description of its run, and the tables for people and programs."""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ecglens.batch.entries import Entry
from ecglens.batch.job import SCHEMA_VERSION, Job
from ecglens.batch.rows import schema
from ecglens.batch.store import Journal, JournalRow
from ecglens.documents import parse_json
from ecglens.errors import BatchError
from ecglens.extras import require
from ecglens.tables import write_rows

__all__ = [
    "FAILED",
    "FILES",
    "JOURNAL",
    "PAGES",
    "RunInfo",
    "choose_folder",
    "find_entries",
    "has_run",
    "open_result",
    "remove_empty_result",
    "store_files",
    "write_atomically",
    "write_info",
    "write_tables",
]

_FAILURE_COLUMNS = ("file", "page", "failure", "reason", "sha256")
PAGES, FILES, FAILED, JOURNAL, _RUN = "pages.parquet", "files.parquet", "failures.csv", "journal.sqlite", "run.json"

_ROWS_AT_ONCE = 5000
_SIGNAL_FILE = re.compile(r"signals/[0-9a-f]{2}/[0-9a-f]{64}-\d+\.(parquet|hea|dat)")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Description of a run, as ``run.json`` contains it.

    Attributes:
        fingerprint: Hash that is the same for the same source, options, model and version.
        source: Where the pages came from.
        job: What was read from each page.
        schema_version: Version of the tables.
        started: Start of the run, in ISO format and UTC.
        finished: When the result was complete, or ``None``.
        skipped_files: Number of files of the source that were skipped because of their names.
        skipped_names: Names of the first of these.
    """

    fingerprint: str
    source: str
    job: Job
    schema_version: int = SCHEMA_VERSION
    started: str = ""
    finished: str | None = None
    skipped_files: int = 0
    skipped_names: tuple[str, ...] = ()


def choose_folder(out: Path, info: RunInfo) -> Path:
    """Choose the folder for a run: ``out`` itself, or a folder in it if ``out`` holds the result of another run.

    Raises:
        BatchError: ``out`` is a file, or a folder with other files.
    """
    if out.exists() and not out.is_dir():
        raise BatchError(f"Expected a folder for the result, got the file {out}; name another.")
    if not out.exists() or not any(out.iterdir()):
        return out
    if not (out / _RUN).is_file():
        raise BatchError(f"Expected an empty folder or one with a result, got other files in {out}; name another.")
    for path in (out / _RUN, *sorted(out.glob(f"*/{_RUN}"))):
        if _read_info(path.parent).fingerprint == info.fingerprint:
            return path.parent
    model = f"{info.job.model_name}-{info.job.model_version}" if info.job.model_name else "signals"
    return out / f"{model}-{info.fingerprint[:8]}"


def has_run(folder: Path) -> bool:
    """Return whether a folder holds a result, finished or not."""
    return (folder / _RUN).is_file()


def open_result(folder: Path) -> RunInfo:
    """Read the description of a result.

    Raises:
        BatchError: The folder holds no result, or one of another schema.
    """
    if not has_run(folder):
        raise BatchError(f"Expected a folder written by ecglens batch, got no {_RUN} in {folder}.")
    info = _read_info(folder)
    if info.schema_version != SCHEMA_VERSION:
        raise BatchError(
            f"Expected a result of schema {SCHEMA_VERSION}, got {info.schema_version} in {folder}; read it with the "
            f"ecglens that made it, {info.job.version}."
        )
    return info


def write_info(folder: Path, info: RunInfo) -> None:
    """Write ``run.json``."""
    values = asdict(info) | {"job": info.job.to_dict()}
    values["passed_over"] = values.pop("skipped_files")
    with write_atomically(folder / _RUN) as path:
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def remove_empty_result(folder: Path) -> None:
    """Remove a result that contains no pages yet."""
    for name in (_RUN, JOURNAL, f"{JOURNAL}-wal"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def store_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of signals. Their names contain hashes of the pages, so writing them again changes nothing.

    Args:
        folder: Folder of the result.
        files: Contents by path relative to the folder.

    Raises:
        BatchError: A path is not that of a file of signals.
    """
    for name, content in files.items():
        if not _SIGNAL_FILE.fullmatch(name):
            raise BatchError(f"Expected a file of signals from a reader, got '{name[:100]}'.")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(folder / name) as path:
            path.write_bytes(content)


def write_tables(journal: Journal, folder: Path, job: Job) -> None:
    """Write ``pages.parquet``, ``files.parquet`` and ``failures.csv``. The same journal gives the same rows."""
    arrow, parquet = require("pyarrow", extra="batch"), require("pyarrow.parquet", extra="batch")
    page_schema = schema(job)
    with (
        write_atomically(folder / PAGES) as pages,
        write_atomically(folder / FAILED) as failed,
        failed.open("w", newline="", encoding="utf-8") as stream,
        parquet.ParquetWriter(pages, page_schema, compression="zstd") as writer,
    ):
        write_rows(stream, [_FAILURE_COLUMNS])
        for rows in _batches(_ROWS_AT_ONCE, journal.rows()):
            table = _to_table(rows, job)
            writer.write_table(table)
            failures = table.filter(arrow.compute.is_valid(table["failure"])).to_pylist()
            write_rows(stream, ([row[name] for name in _FAILURE_COLUMNS] for row in failures))
    columns = [(name, arrow.string()) for name in ("file", "sha256", "entry")]
    file_schema = arrow.schema(columns, metadata=page_schema.metadata)
    with (
        write_atomically(folder / FILES) as files,
        parquet.ParquetWriter(files, file_schema, compression="zstd") as writer,
    ):
        for batch in _batches(_ROWS_AT_ONCE, journal.files()):
            cells = [(entry.name, digest, entry.to_json()) for entry, digest in batch]
            writer.write_table(arrow.table(list(zip(*cells, strict=True)), schema=file_schema))


def find_entries(folder: Path, digests: set[str]) -> dict[str, Entry]:
    """Find the files with some contents; of several files with the same bytes, the first by name.

    Args:
        folder: Folder of a result.
        digests: SHA-256 hashes of the bytes, in hexadecimal.

    Returns:
        Entries by hash.
    """
    parquet = require("pyarrow.parquet", extra="batch")
    entries: dict[str, Entry] = {}
    with parquet.ParquetFile(folder / FILES) as files:
        for batch in files.iter_batches(columns=["sha256", "entry"]):
            for digest, entry in zip(batch["sha256"].to_pylist(), batch["entry"].to_pylist(), strict=True):
                if digest in digests:
                    entries.setdefault(digest, Entry.from_json(entry))
    return entries


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block succeeds, and is removed when it fails."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _to_table(rows: list[JournalRow], job: Job) -> Any:
    """Return rows of the journal as an Arrow table with the columns of the result."""
    arrow, arrow_json = require("pyarrow", extra="batch"), require("pyarrow.json", extra="batch")
    file_columns = ("file", "copies", "sha256")
    page_schema = schema(job)
    lines = "\n".join(row.text for row in rows).encode()
    table = arrow_json.read_json(
        io.BytesIO(lines),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=schema(job, without=file_columns), unexpected_field_behavior="error"
        ),
    )
    values = [[row.name for row in rows], [row.copies for row in rows], [row.sha256 for row in rows]]
    for position, (name, cells) in enumerate(zip(file_columns, values, strict=True)):
        field = page_schema.field(name)
        table = table.add_column(position, field, arrow.array(cells, field.type))
    return table.select(page_schema.names).cast(page_schema)


def _read_info(folder: Path) -> RunInfo:
    try:
        values = parse_json((folder / _RUN).read_text(encoding="utf-8"))
        values["skipped_files"] = values.pop("passed_over", 0)
        names = tuple(values.get("skipped_names", ()))
        return RunInfo(**{**values, "job": Job.from_dict(values["job"]), "skipped_names": names})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BatchError(f"Expected the description of a run in {folder / _RUN}, got something else.") from error


def _batches(size: int, items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
