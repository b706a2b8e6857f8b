"""Restores: an archive of ``ecglens.web.project.archives``, checked first, into an empty database and storage."""

import hashlib
import json
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

from ecglens.web.accounts.models import AuditEntry, User
from ecglens.web.project.archives import (
    FORMAT,
    MANIFEST,
    TABLES,
    Manifest,
    file_fields,
    is_file_name,
    kept_tables,
    migrations,
)
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.store import pages
from ecglens.web.readings.tasks import BATCH_PRIORITY, look_closer, read_waiting, unpack

__all__ = ["restore"]

_ROWS_AT_ONCE = 500
_CHUNK_BYTES = 1024**2
_MANIFEST_LIMIT_BYTES = 512 * 1024**2
_ALTERED = "it was altered or is not whole; take another backup"


def restore(path: Path) -> Manifest:
    """Put everything of an archive into an empty, migrated database, and begin unfinished work again.

    Nothing is written before all of the archive was checked, and nothing stays where it fails.

    Args:
        path: Of the archive.

    Raises:
        CommandError: The archive is not one, was altered or does not fit; or the database is not empty.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = _members(archive)
            manifest = _manifest(archive, members)
            _check_hashes(archive, members, manifest)
            _check_database(manifest)
            _put_in(archive, members, manifest)
    except tarfile.TarError as error:
        raise CommandError(f"Expected an archive of 'ecglens manage backup', but {path} is none.") from error
    except OSError as error:
        raise CommandError(f"Expected an archive that can be read and a place for its files: {error}.") from error
    return manifest


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        folder, _, name = member.name.partition("/")
        known = {
            MANIFEST: not name,
            "tables": name.removesuffix(".jsonl") in TABLES,
            "files": is_file_name(name),
        }
        if not member.isreg() or not known.get(folder, False) or member.name in found:
            raise CommandError(f"The archive holds {member.name!r}, which no backup has; nothing was restored.")
        found[member.name] = member
    return found


def _manifest(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Manifest:
    if MANIFEST not in members or members[MANIFEST].size > _MANIFEST_LIMIT_BYTES:
        raise CommandError(f"The archive has no {MANIFEST}: {_ALTERED}.")
    with closing(_content(archive, members[MANIFEST])) as file:
        text = file.read()
    try:
        number = json.loads(text).get("format")
        if number != FORMAT:
            raise CommandError(f"Expected an archive of format {FORMAT}, found one of format {number}; update ecglens.")
        return Manifest.model_validate_json(text)
    except (ValidationError, ValueError, AttributeError) as error:
        raise CommandError(f"The archive's {MANIFEST} cannot be read: {_ALTERED}.") from error


def _check_hashes(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    stated = {f"files/{name}": sha256 for name, sha256 in manifest.files.items()}
    stated |= {f"tables/{name}.jsonl": table.sha256 for name, table in manifest.tables.items()}
    for name in {*stated, *members} - {MANIFEST}:
        if name not in stated or name not in members:
            where = "archive" if name in stated else "manifest"
            raise CommandError(f"The {where} lacks {name}: {_ALTERED}.")
    for name, member in members.items():
        if name != MANIFEST:
            with closing(_content(archive, member)) as file:
                if _sha256(file) != stated[name]:
                    raise CommandError(f"The hash of {name} is not the one in the manifest: {_ALTERED}.")


def _check_database(manifest: Manifest) -> None:
    tables = {model._meta.label_lower: model for model in kept_tables()}
    for name, table in manifest.tables.items():
        if table.rows and name not in tables:
            raise CommandError(
                f"The archive has rows of {name}, which this site has no table for; set it up as the other was "
                "(ECGLENS_OPENID_URL), migrate, and restore again."
            )
    ours, theirs = _by_app(migrations()), _by_app(manifest.migrations)
    if any(ours[app] != theirs[app] for app in ours.keys() & theirs.keys()):
        raise CommandError(
            f"The archive has the tables of ecglens {manifest.made_by}, this database has others; run 'ecglens manage "
            "migrate' with that version, restore, and update then."
        )
    for name, model in tables.items():
        if model._base_manager.exists():
            raise CommandError(
                f"Expected an empty database, found rows of {name}; restore into a new one, or empty it with "
                "'ecglens manage flush'."
            )


def _by_app(names: tuple[str, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        found.setdefault(name.partition(".")[0], set()).add(name)
    return found


def _put_in(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    written: list[str] = []
    try:
        for name in manifest.files:
            if _put_file(archive, members[f"files/{name}"], name, manifest.files[name]):
                written.append(name)
        with transaction.atomic():
            names = {*manifest.files, *manifest.missing}
            for model in kept_tables():
                if (member := members.get(f"tables/{model._meta.label_lower}.jsonl")) is not None:
                    with closing(_content(archive, member)) as file:
                        _put_rows(model, file, names)
            _count_on()
            _begin_again()
    except (DatabaseError, DeserializationError, ValueError, TypeError) as error:
        _take_back(written)
        raise CommandError(f"The rows of the archive do not fit the tables: {str(error).splitlines()[0]}.") from error
    except BaseException:
        _take_back(written)
        raise


def _put_file(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, sha256: str) -> bool:
    """Whether the file was written; one with the same content may lie there from a restore that was broken off."""
    if pages().exists(name):
        with pages().open(name) as there:
            if _sha256(there) == sha256:
                return False
        raise CommandError(f"Expected a private storage without {name}, found another file there; use an empty one.")
    with closing(_content(archive, member)) as file:
        kept = pages().save(name, File(file, name=name))
    if kept != name:
        pages().delete(kept)
        raise CommandError(f"Expected a private storage that takes the name {name}, found one that changes it.")
    return True


def _put_rows(model: type[Model], file: IO[bytes], names: set[str]) -> None:
    columns = file_fields(model)
    for lines in _in_parts(file):
        if any(line.get("model") != model._meta.label_lower for line in lines):
            raise ValueError(f"rows of another table in {model._meta.label_lower}")
        found = list(serializers.deserialize("python", lines))
        for column in columns:
            if any((name := str(getattr(one.object, column) or "")) and name not in names for one in found):
                raise ValueError(f"a file that {model._meta.label_lower} names is not in the archive")
        model._base_manager.bulk_create([one.object for one in found])
        for one in found:
            for accessor, values in (one.m2m_data or {}).items():
                if values:
                    getattr(one.object, accessor).set(values)


def _count_on() -> None:
    """Give out no number twice: rows are put in with theirs, and the audit log knows users that are gone."""
    known = AuditEntry.objects.aggregate(actor=Max("actor_id"), owner=Max("owner_id"))
    highest = max(known["actor"] or 0, known["owner"] or 0)
    if not User.objects.filter(pk__gte=highest).exists() and highest:
        gone = User.objects.bulk_create([User(pk=highest, email="restored@localhost.invalid")])[0]
    else:
        gone = None
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), kept_tables()):
            cursor.execute(statement)
    if gone is not None:
        User.objects.filter(pk=highest).delete()


def _begin_again() -> None:
    for pk in Reading.objects.filter(state=Reading.State.WAITING).values_list("pk", flat=True).order_by("created_at"):
        read_waiting.enqueue(str(pk))
    for pk, batch in Reading.objects.filter(state=Reading.State.ANSWERED).values_list("pk", "batch_id"):
        look_closer.using(priority=BATCH_PRIORITY if batch else 0).enqueue(str(pk))
    for pk in Batch.objects.filter(listed=False, trouble="").exclude(archive="").values_list("pk", flat=True):
        unpack.enqueue(str(pk))


def _take_back(names: list[str]) -> None:
    for name in names:
        pages().delete(name)


def _in_parts(file: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    while lines := list(islice(file, _ROWS_AT_ONCE)):
        yield [json.loads(line) for line in lines]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise CommandError(f"The archive holds {member.name!r}, which is no file; nothing was restored.")
    return file


def _sha256(file: Any) -> str:
    hashed = hashlib.sha256()
    while part := file.read(_CHUNK_BYTES):
        hashed.update(part)
    return hashed.hexdigest()
