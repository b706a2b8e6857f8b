"""Actions on sessions: begin, end, record, make a reading."""

import tempfile
from pathlib import Path

import numpy as np
from django.utils import timezone

from ecglens.errors import EcgLensError
from ecglens.formats.files import write_record
from ecglens.records import EcgRecord
from ecglens.streams import StreamInfo, read_session
from ecglens.streams.recording import span_session
from ecglens.web.accounts.models import User
from ecglens.web.http.uploads import has_room
from ecglens.web.readings import flows
from ecglens.web.readings.models import Reading
from ecglens.web.readings.quota import check_quota
from ecglens.web.streams.folders import LIVE, RECORDING, SWITCH, find_folder, measure_folder
from ecglens.web.streams.models import DEVICE_CHARS, StreamSession
from ecglens.web.streams.receiving import DELETED, NO_ROOM

__all__ = [
    "begin_session",
    "check_recording",
    "create_reading",
    "end_session",
    "is_recording",
    "measure_session",
    "switch_recording",
]

READING_S = 10.0
"""Length of the signals of a session that are read."""
_SEARCHED_S = 60.0
"""Length of the end of a session in which its last seconds with samples are searched for."""
MAX_SESSIONS = 500
"""Sessions that an account may have."""


def begin_session(owner: User, pk: str, info: StreamInfo) -> StreamSession:
    """Create a session, or go on with one of the same owner that was broken off.

    Args:
        owner: User who becomes the owner.
        pk: Number of the session, as the sender chose it.
        info: The stream.

    Raises:
        Refused: The number belongs to another user's session, the session has ended, or there are too many.
    """
    session = StreamSession.objects.filter(pk=pk).first()
    if session is None:
        if StreamSession.objects.filter(owner=owner).count() >= MAX_SESSIONS:
            raise flows.Refused(f"Expected at most {MAX_SESSIONS} streams in an account; delete some of them.", 507)
        return StreamSession.objects.create(
            pk=pk, owner=owner, device=info.device[:DEVICE_CHARS], leads=list(info.leads), fs_hz=info.fs_hz
        )
    if session.owner_id != owner.pk or session.ended_at is not None:
        raise flows.Refused("Expected a number of a stream that goes on, got another one; begin a new stream.", 403)
    if tuple(session.leads) != info.leads or session.fs_hz != info.fs_hz:
        raise flows.Refused(
            "Expected the same leads and rate as before the break, got others; begin a new stream.", 422
        )
    return session


def end_session(owner: User, pk: str) -> None:
    """Store that a session of a user has ended."""
    StreamSession.objects.filter(pk=pk, owner=owner, ended_at=None).update(ended_at=timezone.now())


def measure_session(owner: User, pk: str) -> None:
    """Store how many bytes a session of a user takes, which count in the quota.

    Raises:
        Refused: The user has no such session: it was deleted.
    """
    if not StreamSession.objects.filter(pk=pk, owner=owner).update(stored_bytes=measure_folder(pk)):
        raise flows.Refused(DELETED, 404)


def check_recording(owner_id: int) -> None:
    """Check that an account and the disk have room for more of a recording.

    Raises:
        Refused: They have not.
    """
    if not has_room(0):
        raise flows.Refused(NO_ROOM, 507)
    try:
        check_quota(owner_id, 0)
    except EcgLensError as error:
        raise flows.Refused(str(error), 507) from error


def is_recording(session: StreamSession) -> bool:
    """Return whether a session is being recorded."""
    return (find_folder(session.pk) / SWITCH).exists()


def switch_recording(session: StreamSession, *, is_on: bool) -> None:
    """Start or stop the recording of a session; the process that receives it looks at the switch once a second.

    Raises:
        Refused: There is no room for a recording.
    """
    switch = find_folder(session.pk) / SWITCH
    if is_on:
        check_recording(session.owner_id)
        switch.touch(mode=0o600)
    else:
        switch.unlink(missing_ok=True)


def create_reading(session: StreamSession) -> Reading:
    """Make a reading of the last seconds of a session, as of a digital ECG that is uploaded: with its own signals.

    Raises:
        Refused: Too little has arrived, or it cannot be read.
    """
    record = _cut_record(session)
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        content = Path(write_record(record, Path(folder) / "stream", "json")).read_bytes()
    name = f"{session.device} {timezone.localtime():%Y-%m-%d %H.%M.%S}.json"
    options = flows.create_options(session.owner, explain=False)
    return flows.read_file(session.owner, content, name, options=options).reading


def _cut_record(session: StreamSession) -> EcgRecord:
    """Return the last seconds that are known."""
    folder = find_folder(session.pk)
    for name in (LIVE, RECORDING):
        try:
            start, end = span_session(folder / name)
            whole = read_session(folder / name, start_s=max(start, end - _SEARCHED_S))
        except EcgLensError:
            continue
        length = round(READING_S * whole.fs_hz)
        signals = whole.signals_mv
        valid = np.flatnonzero(~np.isnan(signals).all(axis=0))
        if len(valid) >= length // 2:
            end = int(valid[-1]) + 1
            return EcgRecord(signals[:, max(end - length, 0) : end], whole.fs_hz, whole.leads)
    raise flows.Refused(f"Expected at least {READING_S / 2:g} s of signal, got less; wait until more has arrived.")
