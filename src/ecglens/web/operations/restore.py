"""Restores an archive of ``ecglens.web.operations.backup`` into an empty database and storage, after checking it."""

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.core import serializers
from django.core.files import File
from django.core.management.base import CommandError
from django.core.management.color import no_style
from django.core.serializers.base import DeserializationError
from django.db import DatabaseError, connection, transaction
from django.db.models import Max, Model
from pydantic import ValidationError

from ecglens.documents import parse_json
from ecglens.web.accounts.models import AuditEntry, User
from ecglens.web.operations.backup import (
    FORMAT,
    MANIFEST,
    TABLES,
    Manifest,
    is_file_name,
    list_file_fields,
    list_migrations,
    list_tables,
)
from ecglens.web.readings.models import Batch
from ecglens.web.readings.store import pages
from ecglens.web.readings.tasks import enqueue_next, list_unfinished, unpack

__all__ = ["restore"]

_CHUNK_ROWS = 500
_CHUNK_BYTES = 1024**2
_MANIFEST_LIMIT_BYTES = 512 * 1024**2
_ALTERED = "the archive was altered or is not complete; use another backup"


def restore(path: Path) -> Manifest:
    """Insert everything in an archive into an empty, migrated database, and restart unfinished work.

    Nothing is written before the complete archive was checked, and nothing remains after a failure.

    Args:
        path: The archive.

    Raises:
        CommandError: The file is no archive, was altered or does not fit; or the database is not empty.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = _list_members(archive)
            manifest = _read_manifest(archive, members)
            _check_hashes(archive, members, manifest)
            _check_database(manifest)
            _insert(archive, members, manifest)
    except tarfile.TarError as error:
        raise CommandError(
            f"Expected an archive of 'ecglens manage backup', got {path}, which is none; choose another file."
        ) from error
    except OSError as error:
        raise CommandError(
            f"Expected an archive that can be read and a storage that can be written, got an error: {error}."
        ) from error
    return manifest


def _list_members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        folder, _, name = member.name.partition("/")
        expected = {
            MANIFEST: not name,
            "tables": name.removesuffix(".jsonl") in TABLES,
            "files": is_file_name(name),
        }
        if not member.isreg() or not expected.get(folder, False) or member.name in members:
            raise CommandError(f"The archive contains {member.name!r}, which no backup has; nothing was restored.")
        members[member.name] = member
    return members


def _read_manifest(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Manifest:
    if MANIFEST not in members or members[MANIFEST].size > _MANIFEST_LIMIT_BYTES:
        raise CommandError(f"The archive has no {MANIFEST}: {_ALTERED}.")
    with closing(_open_member(archive, members[MANIFEST])) as file:
        text = file.read()
    try:
        number = parse_json(text).get("format")
        if number != FORMAT:
            raise CommandError(f"Expected an archive of format {FORMAT}, got one of format {number}; update ecglens.")
        return Manifest.model_validate_json(text)
    except (ValidationError, ValueError, AttributeError) as error:
        raise CommandError(f"The archive's {MANIFEST} cannot be read: {_ALTERED}.") from error


def _check_hashes(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    hashes = {f"files/{name}": sha256 for name, sha256 in manifest.files.items()}
    hashes |= {f"tables/{name}.jsonl": table.sha256 for name, table in manifest.tables.items()}
    for name in {*hashes, *members} - {MANIFEST}:
        if name not in hashes or name not in members:
            container = "archive" if name in hashes else "manifest"
            raise CommandError(f"The {container} lacks {name}: {_ALTERED}.")
    for name, member in members.items():
        if name != MANIFEST:
            with closing(_open_member(archive, member)) as file:
                if _sha256(file) != hashes[name]:
                    raise CommandError(f"The hash of {name} differs from the manifest: {_ALTERED}.")


def _check_database(manifest: Manifest) -> None:
    tables = {model._meta.label_lower: model for model in list_tables()}
    for name, table in manifest.tables.items():
        if table.rows and name not in tables:
            raise CommandError(
                f"The archive has rows of {name}, but this site has no table for them; configure it like the site of "
                "the backup (ECGLENS_OPENID_URL), migrate, and restore again."
            )
    ours, theirs = _group_by_app(list_migrations()), _group_by_app(manifest.migrations)
    if any(ours[app] != theirs[app] for app in ours.keys() & theirs.keys()):
        raise CommandError(
            f"The archive has the tables of ecglens {manifest.ecglens_version}, this database has others; run 'ecglens "
            "manage migrate' with that version, restore, and update then."
        )
    for name, model in tables.items():
        if model._base_manager.exists():
            raise CommandError(
                f"Expected an empty database, got one with rows of {name}; restore into a new one, or empty it with "
                "'ecglens manage flush'."
            )


def _group_by_app(names: tuple[str, ...]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], set()).add(name)
    return groups


def _insert(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    written: list[str] = []
    try:
        for name in manifest.files:
            if _insert_file(archive, members[f"files/{name}"], name, manifest.files[name]):
                written.append(name)
        with transaction.atomic():
            names = {*manifest.files, *manifest.missing}
            for model in list_tables():
                if (member := members.get(f"tables/{model._meta.label_lower}.jsonl")) is not None:
                    with closing(_open_member(archive, member)) as file:
                        _insert_rows(model, file, names)
            _reset_sequences()
            _restart_work()
    except (DatabaseError, DeserializationError, ValueError, TypeError) as error:
        _delete_files(written)
        raise CommandError(f"The rows of the archive do not fit the tables: {str(error).splitlines()[0]}.") from error
    except BaseException:
        _delete_files(written)
        raise


def _insert_file(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, sha256: str) -> bool:
    """Return whether the file was written; an interrupted restore may have left one with the same content."""
    if pages().exists(name):
        with pages().open(name) as existing:
            if _sha256(existing) == sha256:
                return False
        raise CommandError(f"Expected a private storage without {name}, got one with another file; use an empty one.")
    with closing(_open_member(archive, member)) as file:
        stored = pages().save(name, File(file, name=name))
    if stored != name:
        pages().delete(stored)
        raise CommandError(
            f"Expected a private storage that accepts the name {name}, got one that changes it; use another storage."
        )
    return True


def _insert_rows(model: type[Model], file: IO[bytes], names: set[str]) -> None:
    columns = list_file_fields(model)
    for lines in _iterate_lines(file):
        if any(line.get("model") != model._meta.label_lower for line in lines):
            raise ValueError(f"rows of another table in {model._meta.label_lower}")
        rows = list(serializers.deserialize("python", lines))
        for column in columns:
            if any((name := str(getattr(row.object, column) or "")) and name not in names for row in rows):
                raise ValueError(f"a file that {model._meta.label_lower} names is not in the archive")
        model._base_manager.bulk_create([row.object for row in rows])
        for row in rows:
            for accessor, values in (row.m2m_data or {}).items():
                if values:
                    getattr(row.object, accessor).set(values)


def _reset_sequences() -> None:
    """Assign no number twice: rows are inserted with theirs, and the audit log refers to users that were deleted."""
    numbers = AuditEntry.objects.aggregate(actor=Max("actor_id"), owner=Max("owner_id"))
    highest = max(numbers["actor"] or 0, numbers["owner"] or 0)
    if not User.objects.filter(pk__gte=highest).exists() and highest:
        placeholder = User.objects.bulk_create([User(pk=highest, email="restored@localhost.invalid")])[0]
    else:
        placeholder = None
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list_tables()):
            cursor.execute(statement)
    if placeholder is not None:
        User.objects.filter(pk=highest).delete()


def _restart_work() -> None:
    for reading in list_unfinished():
        enqueue_next(reading)
    for pk in Batch.objects.filter(listed=False, failure_reason="").exclude(archive="").values_list("pk", flat=True):
        unpack.enqueue(str(pk))


def _delete_files(names: list[str]) -> None:
    for name in names:
        pages().delete(name)


def _iterate_lines(file: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    while lines := list(islice(file, _CHUNK_ROWS)):
        yield [parse_json(line) for line in lines]


def _open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise CommandError(f"The archive contains {member.name!r}, which is no file; nothing was restored.")
    return file


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
