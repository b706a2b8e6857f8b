"""Backups: one TAR with every row that matters and every file that a row names, and a manifest with their hashes.

Rows are JSON lines as Django's serializers write them, so that an archive of one kind of database can be restored into
another. The archive contains hashed passwords and the secrets of second factors as they are stored, and pages of
patients: whoever has the archive has the site.
"""

import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.core import serializers
from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import FileField, Model
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field

from ecglens import __version__
from ecglens.web.readings.store import pages

__all__ = [
    "FORMAT",
    "LEFT_OUT",
    "MANIFEST",
    "TABLES",
    "Manifest",
    "Table",
    "back_up",
    "is_file_name",
    "list_file_fields",
    "list_migrations",
    "list_tables",
]

FORMAT = 1
MANIFEST = "manifest.json"
TABLES = (
    "auth.group",
    "accounts.user",
    "account.emailaddress",
    "mfa.authenticator",
    "socialaccount.socialaccount",
    "accounts.token",
    "readings.batch",
    "readings.reading",
    "readings.answer",
    "readings.picture",
    "cases.case",
    "cases.membership",
    "cases.share",
    "cases.review",
    "accounts.auditentry",
    "admin.logentry",
)
"""Tables in the order in which their rows can be inserted: after the rows that they refer to."""

LEFT_OUT = (
    "account.emailconfirmation",
    "auth.permission",
    "contenttypes.contenttype",
    "django_tasks_database.dbtaskresult",
    "readings.workerlife",
    "sessions.session",
    "socialaccount.socialapp",
    "socialaccount.socialtoken",
    "streams.streamsession",
)
"""Tables that are not in the archive: ``migrate``, the settings, logins and restarted tasks fill them again.
Streams are not in it either, as their recordings are files of one machine; what was made a reading is."""

_BY_NAME = frozenset({"auth.group", "accounts.user", "admin.logentry"})
"""Tables that refer to permissions and content types, whose numbers differ between databases."""

_CHUNK_ROWS = 500
_IN_MEMORY_BYTES = 32 * 1024**2
_FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}(\.[a-z0-9]{1,8})?")


class Table(BaseModel):
    """Entry of the manifest for one table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    sha256: str


class Manifest(BaseModel):
    """Contents of the archive.

    Attributes:
        format: Version of the archive's format.
        ecglens_version: Version of ecglens that wrote the archive; ``made_by`` in the file.
        created_at: Time of the backup; ``made_at`` in the file.
        migrations: Applied migrations of the tables, as ``app.name``.
        tables: Rows and hash of each table, by the table's name.
        files: SHA-256 of each file, by its name in the storage.
        missing: Files that a row names but that are not in the storage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    ecglens_version: str = Field(alias="made_by")
    created_at: datetime = Field(alias="made_at")
    migrations: tuple[str, ...]
    tables: dict[str, Table]
    files: dict[str, str]
    missing: tuple[str, ...] = ()


def back_up(path: Path) -> Manifest:
    """Write everything into a new archive that only its owner can read; the site may run meanwhile.

    Args:
        path: The archive; it appears when it is complete.

    Raises:
        CommandError: The file exists already or cannot be written.
    """
    if path.exists():
        raise CommandError(f"Expected the name of a new file, but {path} exists already; choose another.")
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                manifest = _write_archive(archive, path.parent)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise CommandError(
            f"Expected a folder in which {path.name} can be written, got {path.parent}: {error.strerror or error}; "
            "choose another."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return manifest


def list_tables() -> list[type[Model]]:
    """Return the tables of :data:`TABLES` that this site has."""
    return [apps.get_model(name) for name in TABLES if apps.is_installed(_package(name))]


def list_file_fields(model: type[Model]) -> list[str]:
    """Return the columns that name a file in the private storage."""
    return [field.attname for field in model._meta.concrete_fields if isinstance(field, FileField)]


def list_migrations() -> tuple[str, ...]:
    """Return the migrations of the archive's tables that were applied to this database."""
    labels = {model._meta.app_label for model in list_tables()}
    applied = MigrationRecorder(connection).applied_migrations()
    return tuple(sorted(f"{app}.{name}" for app, name in applied if app in labels))


def is_file_name(name: str) -> bool:
    """Return whether the private storage generates such names.

    >>> is_file_name("../etc/passwd"), is_file_name("ab/" + "0" * 40 + ".png")
    (False, True)
    """
    return _FILE_NAME.fullmatch(name) is not None


def _write_archive(archive: tarfile.TarFile, folder: Path) -> Manifest:
    tables: dict[str, Table] = {}
    names: dict[str, None] = {}
    with _snapshot():
        migrations = list_migrations()
        for model in list_tables():
            label = model._meta.label_lower
            with tempfile.TemporaryFile(dir=folder) as file:
                rows = _write_rows(model, file, names)
                tables[label] = Table(rows=rows, sha256=_add(archive, f"tables/{label}.jsonl", file))
    files, missing = {}, []
    for name in names:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=str(folder)) as content:
            try:
                with pages().open(name) as stored:
                    shutil.copyfileobj(stored, content)
            except FileNotFoundError:
                missing.append(name)
                continue
            files[name] = _add(archive, f"files/{name}", content)
    manifest = Manifest(
        format=FORMAT,
        made_by=__version__,
        made_at=timezone.now(),
        migrations=migrations,
        tables=tables,
        files=files,
        missing=tuple(missing),
    )
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=str(folder)) as content:
        content.write(manifest.model_dump_json(indent=1, by_alias=True).encode())
        _add(archive, MANIFEST, content)
    return manifest


def _write_rows(model: type[Model], file: IO[bytes], names: dict[str, None]) -> int:
    columns, count = list_file_fields(model), 0
    for rows in _iterate_rows(model):
        for row in rows:
            names.update(dict.fromkeys(name for column in columns if (name := str(getattr(row, column) or ""))))
        by_name = model._meta.label_lower in _BY_NAME
        for line in serializers.serialize("python", rows, use_natural_foreign_keys=by_name):
            file.write(json.dumps(line, cls=_ExactEncoder).encode() + b"\n")
        count += len(rows)
    return count


def _iterate_rows(model: type[Model]) -> Iterator[Sequence[Model]]:
    """Yield rows in the order of their keys, in chunks, since MySQL's client would hold all of them in memory."""
    query = model._base_manager.order_by("pk")
    rows = list(query[:_CHUNK_ROWS])
    while rows:
        yield rows
        rows = list(query.filter(pk__gt=rows[-1].pk)[:_CHUNK_ROWS])


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> str:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = content.tell(), 0o600, int(timezone.now().timestamp())
    content.seek(0)
    hashed = hashlib.sha256()
    archive.addfile(member, _Hashing(content, hashed.update))
    return hashed.hexdigest()


@contextmanager
def _snapshot() -> Iterator[None]:
    """Read one state of the database inside, whatever others write meanwhile."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # Django's own transactions would block writers
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
            return
        if connection.vendor == "mysql":
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


def _package(name: str) -> str:
    """Return the package of a table's app."""
    label = name.partition(".")[0]
    ours = {name: f"ecglens.web.{name}" for name in ("accounts", "readings", "cases")}
    django = {"auth": "django.contrib.auth", "admin": "django.contrib.admin"}
    return {**ours, **django}.get(label, f"allauth.{label}")


class _ExactEncoder(DjangoJSONEncoder):
    """Encoder that keeps microseconds, which Django's own drops."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


class _Hashing:
    """File that is hashed as it is read."""

    def __init__(self, file: IO[bytes], update: Callable[[bytes], None]) -> None:
        self._file, self._update = file, update

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._update(content)
        return content
