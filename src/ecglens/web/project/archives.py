"""Backups: one TAR with every row that matters and every file that a row names, and a manifest with their hashes.

Rows are JSON lines as Django's serializers have them, so that an archive of one kind of database can be restored into
another. The archive holds hashed passwords and the secrets of second factors as they are kept, and pages of patients:
whoever has it has the site.
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
from pydantic import BaseModel, ConfigDict

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
    "file_fields",
    "is_file_name",
    "kept_tables",
    "migrations",
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
    "accounts.auditentry",
    "admin.logentry",
)
"""In the order in which rows can be put in, with what they refer to before them."""

LEFT_OUT = (
    "account.emailconfirmation",
    "auth.permission",
    "contenttypes.contenttype",
    "django_tasks_database.dbtaskresult",
    "readings.workerlife",
    "sessions.session",
    "socialaccount.socialapp",
    "socialaccount.socialtoken",
)
"""Made anew: by ``migrate``, by the settings, by who logs in again, and by work that is begun again."""

_BY_NAME = frozenset({"auth.group", "accounts.user", "admin.logentry"})
"""Tables that refer to permissions and kinds of things, whose numbers differ between databases."""

_ROWS_AT_ONCE = 500
_IN_MEMORY_BYTES = 32 * 1024**2
_FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}(\.[a-z0-9]{1,8})?")


class Table(BaseModel):
    """What the archive has of one table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    sha256: str


class Manifest(BaseModel):
    """What the archive has.

    Attributes:
        format: Of the archive.
        made_by: Version of ecglens.
        made_at: When.
        migrations: Of the tables, as ``app.name``.
        tables: By name.
        files: SHA-256 by name in the storage.
        missing: Files that a row names and that were not there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    made_by: str
    made_at: datetime
    migrations: tuple[str, ...]
    tables: dict[str, Table]
    files: dict[str, str]
    missing: tuple[str, ...] = ()


def back_up(path: Path) -> Manifest:
    """Write everything into a new archive that only its owner can read; the site may go on meanwhile.

    Args:
        path: Of the archive; it appears when it is whole.

    Raises:
        CommandError: It is there already or cannot be written.
    """
    if path.exists():
        raise CommandError(f"Expected the name of a new file, but {path} is there already; choose another.")
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                manifest = _written(archive, path.parent)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise CommandError(f"Expected a place where {path} can be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return manifest


def kept_tables() -> list[type[Model]]:
    """Tables of :data:`TABLES` that this site has."""
    return [apps.get_model(name) for name in TABLES if apps.is_installed(_package(name))]


def file_fields(model: type[Model]) -> list[str]:
    """Columns that name a file in the private storage."""
    return [field.attname for field in model._meta.concrete_fields if isinstance(field, FileField)]


def migrations() -> tuple[str, ...]:
    """Of the kept tables, those that this database has been through."""
    labels = {model._meta.app_label for model in kept_tables()}
    done = MigrationRecorder(connection).applied_migrations()
    return tuple(sorted(f"{app}.{name}" for app, name in done if app in labels))


def is_file_name(name: str) -> bool:
    """Whether the private storage gives out such names.

    >>> is_file_name("../etc/passwd"), is_file_name("ab/" + "0" * 40 + ".png")
    (False, True)
    """
    return _FILE_NAME.fullmatch(name) is not None


def _written(archive: tarfile.TarFile, folder: Path) -> Manifest:
    tables: dict[str, Table] = {}
    names: dict[str, None] = {}
    with _one_moment():
        done = migrations()
        for model in kept_tables():
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
        migrations=done,
        tables=tables,
        files=files,
        missing=tuple(missing),
    )
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=str(folder)) as content:
        content.write(manifest.model_dump_json(indent=1).encode())
        _add(archive, MANIFEST, content)
    return manifest


def _write_rows(model: type[Model], file: IO[bytes], names: dict[str, None]) -> int:
    columns, count = file_fields(model), 0
    for found in _in_parts(model):
        for row in found:
            names.update(dict.fromkeys(name for column in columns if (name := str(getattr(row, column) or ""))))
        by_name = model._meta.label_lower in _BY_NAME
        for line in serializers.serialize("python", found, use_natural_foreign_keys=by_name):
            file.write(json.dumps(line, cls=_Exact).encode() + b"\n")
        count += len(found)
    return count


def _in_parts(model: type[Model]) -> Iterator[Sequence[Model]]:
    """Rows in the order of their keys, a part at a time, since MySQL's client would hold all of them."""
    wanted = model._base_manager.order_by("pk")
    found = list(wanted[:_ROWS_AT_ONCE])
    while found:
        yield found
        found = list(wanted.filter(pk__gt=found[-1].pk)[:_ROWS_AT_ONCE])


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> str:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = content.tell(), 0o600, int(timezone.now().timestamp())
    content.seek(0)
    hashed = hashlib.sha256()
    archive.addfile(member, _Hashing(content, hashed.update))
    return hashed.hexdigest()


@contextmanager
def _one_moment() -> Iterator[None]:
    """What is read inside is of one moment, whatever others write meanwhile."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # Django's own transactions would keep writers out
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
    """Of a table's app, by its label."""
    label = name.partition(".")[0]
    ours = {"accounts": "ecglens.web.accounts", "readings": "ecglens.web.readings"}
    django = {"auth": "django.contrib.auth", "admin": "django.contrib.admin"}
    return {**ours, **django}.get(label, f"allauth.{label}")


class _Exact(DjangoJSONEncoder):
    """Django's own drops microseconds."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes], seen: Callable[[bytes], None]) -> None:
        self._file, self._seen = file, seen

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self._seen(found)
        return found
