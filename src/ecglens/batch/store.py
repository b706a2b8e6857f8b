"""The journal of a result: which files there are and what came of each, in one SQLite file.

It is the only truth while a run goes on. What was answered is committed together with what it is an answer to, so a run
that is killed at any moment has either both or neither; the tables for people are made from it when all is done.
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
from ecglens.batch.readers import Answer
from ecglens.errors import BatchError

__all__ = ["Counts", "Journal", "Told"]

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
    """How far a result is.

    Attributes:
        files: Files that there are to read.
        done: Those that were read, or tried.
        pages: Rows.
        failures: Rows without an answer.
        copies: Files that hold the same as another.
    """

    files: int = 0
    done: int = 0
    pages: int = 0
    failures: int = 0
    copies: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A row as the journal has it.

    Attributes:
        name: Of the file, the first by the alphabet where several hold the same.
        copies: How many do.
        sha256: Hexadecimal, or ``None``.
        text: The other columns as JSON.
    """

    name: str
    copies: int
    sha256: str | None
    text: str


class Journal:
    """The journal in a result's folder; one process at a time has it.

    Args:
        path: Of the file, made where it is missing.

    Raises:
        BatchError: Another run has it, or it is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._mapped_errors():
            self._database = sqlite3.connect(path, timeout=1, isolation_level=None)
            # Alone, so that no shared memory is needed: that works on network folders too.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)

    def close(self) -> None:
        """Let others have it."""
        self._database.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entries: Iterable[Entry]) -> None:
        """Add what there is to read; what was answered and has the same stamp stays answered."""
        waiting = iter(entries)
        while chunk := list(islice(waiting, _AT_ONCE)):
            rows = [(json.dumps([each.address, *each.place]), each.name, each.to_json(), each.stamp) for each in chunk]
            with self._transaction():
                self._database.executemany(_UPSERT, rows)

    def pending(self) -> Iterator[tuple[int, Entry]]:
        """What has no answer, with its number, each once; what cannot be reached is not tried twice."""
        last = 0
        query = "SELECT id, entry FROM entries WHERE id > ? AND sha256 IS NULL ORDER BY id LIMIT ?"
        while rows := self._fetched(query, (last, _AT_ONCE)):
            last = rows[-1][0]
            for number, text in rows:
                yield number, Entry.from_json(text)

    def forget_failures(self) -> None:
        """Let what could not be reached be tried again."""
        with self._transaction():
            self._database.execute("UPDATE entries SET failure = NULL, reason = NULL WHERE sha256 IS NULL")

    def take(self, answers: Sequence[tuple[int, Answer]]) -> None:
        """Keep answers, all of them or none.

        Args:
            answers: By the number of their entry.
        """
        with self._transaction():
            for number, answer in answers:
                digest = None if answer.sha256 is None else bytes.fromhex(answer.sha256)
                self._database.execute(
                    "UPDATE entries SET sha256 = ?, failure = ?, reason = ? WHERE id = ?",
                    (digest, answer.failure, answer.reason, number),
                )
                self._database.executemany(
                    "INSERT OR IGNORE INTO pages (sha256, page, failure, row) VALUES (?, ?, ?, ?)",
                    [(digest, row.page, row.failure, row.text) for row in answer.rows],
                )

    def counts(self) -> Counts:
        """How far the result is."""
        files, done, lost, contents = self._fetched(
            "SELECT count(*), count(coalesce(sha256, failure)), count(CASE WHEN sha256 IS NULL THEN failure END), "
            "count(DISTINCT sha256) FROM entries"
        )[0]
        pages, failed = self._fetched(
            "SELECT count(*), count(failure) FROM pages WHERE sha256 IN (SELECT sha256 FROM entries)"
        )[0]
        return Counts(files, done, pages + lost, failed + lost, done - lost - contents)

    def rows(self) -> Iterator[Told]:
        """Every page by the name of its file, its number within; what could not be reached too."""
        with self._mapped_errors():
            for name, copies, digest, _, text in self._database.execute(_ROWS):
                yield Told(name, copies, None if digest is None else digest.hex(), text)

    def files(self) -> Iterator[tuple[Entry, str | None]]:
        """Every file with the hash of its bytes, by name."""
        with self._mapped_errors():
            for text, digest in self._database.execute("SELECT entry, sha256 FROM entries ORDER BY name, spot"):
                yield Entry.from_json(text), None if digest is None else digest.hex()

    def _fetched(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._mapped_errors():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._mapped_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it already
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BatchError(
                    f"Expected a result that nobody works on, but another run has {self._path.parent}; wait for it."
                ) from error
            raise BatchError(
                f"The journal {self._path} cannot be written: {error}; what was answered is kept, start again to go on."
            ) from error
        except sqlite3.DatabaseError as error:
            raise BatchError(
                f"Expected the journal of a result at {self._path}, found something else; name another folder."
            ) from error
