"""The journal of a result: the files of the source and the rows of their pages, in one SQLite file.

While a run is in progress, the journal is the only record of it. A file and its rows are committed in one transaction,
so that a run that is killed at any moment has stored either both or neither. The tables for people are written from the
journal at the end.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ecglens.batch.entries import Entry
from ecglens.batch.readers import FileResult
from ecglens.errors import BatchError

__all__ = ["Counts", "Journal", "JournalRow"]

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY, spot TEXT UNIQUE NOT NULL, name TEXT NOT NULL, entry TEXT NOT NULL, stamp TEXT NOT NULL,
  sha256 BLOB, failure TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS pages (
  id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL, page INTEGER NOT NULL, failure TEXT, row TEXT NOT NULL,
  UNIQUE (sha256, page));
CREATE INDEX IF NOT EXISTS entries_by_content ON entries (sha256);
"""

_UPSERT = """
INSERT INTO entries (spot, name, entry, stamp) VALUES (?, ?, ?, ?)
ON CONFLICT (spot) DO UPDATE SET
  sha256 = CASE WHEN stamp = excluded.stamp THEN sha256 END, entry = excluded.entry, stamp = excluded.stamp
WHERE stamp <> excluded.stamp OR sha256 IS NULL
"""

_ROWS = """
SELECT first.name, first.copies, first.sha256, pages.page, pages.row
FROM (SELECT min(name) AS name, count(*) AS copies, sha256 FROM entries WHERE sha256 IS NOT NULL GROUP BY sha256) first
JOIN pages ON pages.sha256 = first.sha256
UNION ALL
SELECT name, 1, NULL, 1, json_object('page', 1, 'failure', failure, 'reason', reason)
FROM entries WHERE sha256 IS NULL AND failure IS NOT NULL
ORDER BY 1, 3, 4
"""

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of files and pages in a journal.

    Attributes:
        files: Number of files to read.
        done: Number of files that were processed.
        pages: Number of rows.
        failures: Number of rows of failed pages.
        copies: Number of files with the same bytes as another.
    """

    files: int = 0
    done: int = 0
    pages: int = 0
    failures: int = 0
    copies: int = 0


@dataclass(frozen=True, slots=True)
class JournalRow:
    """The row of a page with the name of its file.

    Attributes:
        name: Name of the file; the first in alphabetical order of several identical files.
        copies: Number of files with the same bytes.
        sha256: Hash of the bytes in hexadecimal, or ``None`` if they could not be read.
        text: The other columns as JSON.
    """

    name: str
    copies: int
    sha256: str | None
    text: str


class Journal:
    """The journal in the folder of a result, which one process at a time can open.

    Args:
        path: Path of the file, which is created if it does not exist.

    Raises:
        BatchError: Another process has opened it, or the file is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._map_errors():
            self._database = sqlite3.connect(path, timeout=1, isolation_level=None)
            # An exclusive lock needs no shared memory, so that the journal works on network folders too.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)

    def close(self) -> None:
        """Close the journal, so that another process can open it."""
        self._database.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entries: Iterable[Entry]) -> None:
        """Add files to read. Files that were read and have the same stamp keep their rows."""
        iterator = iter(entries)
        while chunk := list(islice(iterator, _AT_ONCE)):
            rows = [(json.dumps([each.address, *each.place]), each.name, each.to_json(), each.stamp) for each in chunk]
            with self._transaction():
                self._database.executemany(_UPSERT, rows)

    def pending(self) -> Iterator[tuple[int, Entry]]:
        """Yield each file without rows once, with its number, including files that become unreachable meanwhile."""
        last = 0
        query = "SELECT id, entry FROM entries WHERE id > ? AND sha256 IS NULL ORDER BY id LIMIT ?"
        while rows := self._fetch_all(query, (last, _AT_ONCE)):
            last = rows[-1][0]
            for number, text in rows:
                yield number, Entry.from_json(text)

    def forget_failures(self) -> None:
        """Remove the failures of files whose bytes could not be read, so that the next run tries them again."""
        with self._transaction():
            self._database.execute("UPDATE entries SET failure = NULL, reason = NULL WHERE sha256 IS NULL")

    def store(self, results: Sequence[tuple[int, FileResult]]) -> None:
        """Store results, all of them or none.

        Args:
            results: Results, each with the number of its entry.
        """
        with self._transaction():
            for number, result in results:
                digest = None if result.sha256 is None else bytes.fromhex(result.sha256)
                self._database.execute(
                    "UPDATE entries SET sha256 = ?, failure = ?, reason = ? WHERE id = ?",
                    (digest, result.failure, result.reason, number),
                )
                self._database.executemany(
                    "INSERT OR IGNORE INTO pages (sha256, page, failure, row) VALUES (?, ?, ?, ?)",
                    [(digest, row.page, row.failure, row.text) for row in result.rows],
                )

    def count(self) -> Counts:
        """Count the files and pages."""
        files, done, lost, contents = self._fetch_all(
            "SELECT count(*), count(coalesce(sha256, failure)), count(CASE WHEN sha256 IS NULL THEN failure END), "
            "count(DISTINCT sha256) FROM entries"
        )[0]
        pages, failed = self._fetch_all(
            "SELECT count(*), count(failure) FROM pages WHERE sha256 IN (SELECT sha256 FROM entries)"
        )[0]
        return Counts(files, done, pages + lost, failed + lost, done - lost - contents)

    def rows(self) -> Iterator[JournalRow]:
        """Yield the rows of all pages and of files that could not be read, by name of the file and number."""
        with self._map_errors():
            for name, copies, digest, _, text in self._database.execute(_ROWS):
                yield JournalRow(name, copies, None if digest is None else digest.hex(), text)

    def files(self) -> Iterator[tuple[Entry, str | None]]:
        """Yield every file with the hash of its bytes, by name."""
        with self._map_errors():
            for text, digest in self._database.execute("SELECT entry, sha256 FROM entries ORDER BY name, spot"):
                yield Entry.from_json(text), None if digest is None else digest.hex()

    def _fetch_all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._map_errors():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._map_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it already
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _map_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BatchError(
                    f"Expected a result without a running process, but another run works on {self._path.parent}; "
                    "wait for it."
                ) from error
            raise BatchError(
                f"The journal {self._path} cannot be written: {error}. Finished pages are stored; run the same command "
                "to resume."
            ) from error
        except sqlite3.DatabaseError as error:
            raise BatchError(
                f"Expected the journal of a result at {self._path}, got something else; name another folder."
            ) from error
