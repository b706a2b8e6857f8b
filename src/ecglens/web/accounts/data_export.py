"""All stored data of a user as a ZIP: tables as JSON, pages, pictures and signals as files."""

import json
import tempfile
import zipfile
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder

from ecglens.web.accounts.models import AuditEntry, Token, User

__all__ = ["export_user_data"]

_IN_MEMORY_BYTES = 1 << 24
_README = """The data that ecglens stores about this account.

account.json        the account and its tokens, without their keys, which are not stored
readings.json       every reading: predictions, measurements, explanations, notes, corrections
batches.json        every batch
cases.json          every case, with its readings, their days and tags
reviews.json        every review of yours
streams.json        every live ECG; its recording is downloaded from its own page
audit.json          who viewed or changed your data
readings/ID/        page, pictures and signals of each reading

For research and teaching; not a medical device.
"""


def export_user_data(user: User) -> IO[bytes]:
    """Pack everything that is stored about a user.

    Args:
        user: The user whose data is packed.

    Returns:
        A ZIP, positioned at its beginning.
    """
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # its reader closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        tokens = [_to_dict(token, {"sha256"}) for token in Token.objects.filter(owner=user)]
        _write_json(archive, "account.json", {**_to_dict(user, {"password"}), "tokens": tokens})
        _write_json(archive, "batches.json", [_to_dict(batch, {"archive"}) for batch in user.batches.all()])
        streams = [_to_dict(session, set()) for session in user.stream_sessions.all()]
        _write_json(archive, "streams.json", streams)
        cases = [
            {**_to_dict(case, set()), "readings": [_to_dict(each, {"id", "case"}) for each in case.memberships.all()]}
            for case in user.cases.prefetch_related("memberships")
        ]
        _write_json(archive, "cases.json", cases)
        _write_json(archive, "reviews.json", [review.to_dict() for review in user.reviews.all()])
        readings = []
        for reading in user.readings.prefetch_related("answers", "pictures").iterator(chunk_size=50):
            predictions = [answer.prediction for answer in reading.answers.all()]
            readings.append({**_to_dict(reading, {"lease", "request_sha256"}), "predictions": predictions})
            for name, file_field in (("page", reading.page), ("signals", reading.signals)):
                _write_file(archive, f"readings/{reading.pk}/{name}", file_field)
            for picture in reading.pictures.all():
                _write_file(archive, f"readings/{reading.pk}/{picture.name.replace(':', '-')}", picture.file)
        _write_json(archive, "readings.json", readings)
        entries = AuditEntry.objects.filter(owner_id=user.pk)
        _write_json(archive, "audit.json", [_to_dict(entry, set()) for entry in entries])
    file.seek(0)
    return file


def _to_dict(row: Any, excluded: set[str]) -> dict[str, Any]:
    return {
        field.name: str(value) if field.get_internal_type() == "FileField" else value
        for field in row._meta.concrete_fields
        if field.name not in excluded
        for value in [field.value_from_object(row)]
    }


def _write_json(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    archive.writestr(name, json.dumps(content, indent=1, cls=DjangoJSONEncoder))


def _write_file(archive: zipfile.ZipFile, stem: str, file: Any) -> None:
    if not file:
        return
    ending = file.name.rpartition(".")[2]
    with file.open("rb") as source, archive.open(f"{stem}.{ending}", "w") as target:
        for chunk in iter(lambda: source.read(1 << 20), b""):
            target.write(chunk)
