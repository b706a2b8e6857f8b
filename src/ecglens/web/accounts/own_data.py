"""All data of a user as a ZIP: tables as JSON, pages, pictures and signals as files."""

import json
import tempfile
import zipfile
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder

from ecglens.web.accounts.models import AuditEntry, Token, User

__all__ = ["own_data"]

_IN_MEMORY_BYTES = 1 << 24
_README = """What ecglens keeps of this account.

account.json        the account and its tokens, without their keys, which are not kept
readings.json       every reading: answers, measurements, explanations, notes, corrections
batches.json        every batch
audit.json          who saw or changed what of yours
readings/ID/        page, pictures and signals of each reading

For research and teaching; not a medical device.
"""


def own_data(user: User) -> IO[bytes]:
    """Everything that is kept of a user.

    Args:
        user: Whose.

    Returns:
        A ZIP, from its beginning.
    """
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # its reader closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        _put(
            archive,
            "account.json",
            {
                **_row(user, {"password"}),
                "tokens": [_row(each, {"sha256"}) for each in Token.objects.filter(owner=user)],
            },
        )
        _put(archive, "batches.json", [_row(each, {"archive"}) for each in user.batches.all()])
        readings = []
        for reading in user.readings.prefetch_related("answers", "pictures").iterator(chunk_size=50):
            told = _row(reading, {"lease", "request_sha256"})
            readings.append({**told, "answers": [each.prediction for each in reading.answers.all()]})
            for name, kept in (("page", reading.page), ("signals", reading.signals)):
                _file(archive, f"readings/{reading.pk}/{name}", kept)
            for picture in reading.pictures.all():
                _file(archive, f"readings/{reading.pk}/{picture.name.replace(':', '-')}", picture.file)
        _put(archive, "readings.json", readings)
        _put(archive, "audit.json", [_row(each, set()) for each in AuditEntry.objects.filter(owner_id=user.pk)])
    file.seek(0)
    return file


def _row(thing: Any, without: set[str]) -> dict[str, Any]:
    return {
        field.name: str(value) if field.get_internal_type() == "FileField" else value
        for field in thing._meta.concrete_fields
        if field.name not in without
        for value in [field.value_from_object(thing)]
    }


def _put(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    archive.writestr(name, json.dumps(content, indent=1, cls=DjangoJSONEncoder))


def _file(archive: zipfile.ZipFile, stem: str, kept: Any) -> None:
    if not kept:
        return
    ending = kept.name.rpartition(".")[2]
    with kept.open("rb") as source, archive.open(f"{stem}.{ending}", "w") as target:
        for chunk in iter(lambda: source.read(1 << 20), b""):
            target.write(chunk)
