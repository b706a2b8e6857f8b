"""Pages of streams, and the checks that the server asks for before it receives or sends one."""

import logging
import tempfile
import zipfile
from typing import IO, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import OperationalError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from ecglens.errors import DatasetError, StreamError
from ecglens.streams import StreamInfo, read_results
from ecglens.streams.json_lines import check_info
from ecglens.streams.pace import check_pace
from ecglens.streams.recording import SESSION
from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.accounts.models import User
from ecglens.web.accounts.tokens import find_token
from ecglens.web.http.messages import render_message
from ecglens.web.http.problems import problem
from ecglens.web.http.throttle import count_request, hash_address
from ecglens.web.http.uploads import has_room
from ecglens.web.readings import flows as reading_flows
from ecglens.web.streams import flows
from ecglens.web.streams.folders import LIVE, RECORDING, find_folder, is_live
from ecglens.web.streams.models import StreamSession
from ecglens.web.streams.receiving import NO_ROOM

__all__ = [
    "ACCOUNT",
    "ASK",
    "FOLDER",
    "delete_stream",
    "download",
    "events",
    "make_reading",
    "receive",
    "show_stream",
    "streams",
    "switch",
]

_LOG = logging.getLogger(__name__)
ASK = "ecglens.stream"
"""Variable of a request with which the server asks: a table with ``event`` and what belongs to it."""
FOLDER = "ecglens.stream.folder"
"""Variable with which Django answers: the folder of the session."""
ACCOUNT = "ecglens.stream.account"
"""Variable with which Django answers: the number of the account that sends or watches."""
_PAGE_ROWS = 100
_REFUSED_A_MINUTE = 60
_RESERVE_BYTES = 50 << 20
_EVENTS = 200


@login_required
@require_safe
def streams(request: HttpRequest) -> HttpResponse:
    """Show the user's streams, and how to send one."""
    rows = StreamSession.objects.filter(owner=get_user(request))[:_PAGE_ROWS]
    context = {"rows": [(session, is_live(session.pk)) for session in rows], "site": request.build_absolute_uri("/")}
    return render(request, "streams/streams.html", context)


@login_required
@require_safe
def show_stream(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a stream live, or what it was."""
    session = _get_own(request, pk)
    record(request, "see", session)
    folder = find_folder(session.pk)
    has_recording = (folder / RECORDING / SESSION).exists()
    results = [] if is_live(session.pk) else read_results(folder / LIVE)
    context: dict[str, Any] = {
        "session": session,
        "live": is_live(session.pk),
        "is_recording": flows.is_recording(session),
        "has_recording": has_recording,
        "happenings": [each for each in results if each.get("type") == "event"][-_EVENTS:],
    }
    return render(request, "streams/stream.html", context)


@login_required
@require_POST
def switch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Start or stop the recording."""
    session = _get_own(request, pk)
    is_on = request.POST.get("recording") == "on"
    try:
        flows.switch_recording(session, is_on=is_on)
    except reading_flows.Refused as error:
        return render_message(request, str(error), status=error.status)
    record(request, "start recording" if is_on else "stop recording", session)
    return redirect(session)


@login_required
@require_POST
def make_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make a reading of the last seconds."""
    session = _get_own(request, pk)
    try:
        reading = flows.create_reading(session)
    except reading_flows.Refused as error:
        messages.error(request, str(error), extra_tags=error.lang)
        return redirect(session)
    record(request, "upload", reading, detail="from a stream")
    return redirect(reading)


@login_required
@require_safe
def download(request: HttpRequest, pk: UUID) -> FileResponse:
    """Serve the recording as a ZIP of WFDB segments and JSON lines."""
    session = _get_own(request, pk)
    folder = find_folder(session.pk) / RECORDING
    if not (folder / SESSION).exists():
        raise Http404
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("."):
                archive.write(path, f"{session.pk}/{path.name}")
    file.seek(0)
    record(request, "export", session)
    return FileResponse(file, as_attachment=True, filename=f"stream-{session.pk}.zip", content_type="application/zip")


@login_required
@require_POST
def delete_stream(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a stream with its recording."""
    session = _get_own(request, pk)
    record(request, "delete", session)
    session.delete()
    messages.success(request, _("“%(name)s” was deleted.") % {"name": session.device})
    return redirect("streams")


@login_required
@require_safe
def events(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer the server whether the sender of a request may watch a stream."""
    session = _get_own(request, pk)
    if request.META.get(ASK) is None:
        raise Http404
    request.META.update({FOLDER: str(find_folder(session.pk) / LIVE), ACCOUNT: session.owner_id})
    return HttpResponse(status=204)


@csrf_exempt  # a program sends its token with each request, and a browser does not
@require_POST
def receive(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer the server whether the sender of a request may send a stream; store that it begins or ends."""
    authorization = request.headers.get("Authorization", "")
    token = find_token(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
    if token is None or "write" not in token.scopes:
        if not count_request(f"streams:refused:{hash_address(request)}", _REFUSED_A_MINUTE):
            return problem(429, "Too many requests; try again in a minute.")
        return problem(403, "Expected a valid token with the scope write; create one on your account page.")
    ask = request.META.get(ASK)
    if not isinstance(ask, dict):
        return problem(404, "Expected a stream at an address that ecglens serve answers, got a plain request.")
    request.user = token.owner
    request.token = token  # type: ignore[attr-defined]  # requests have no such field; audit reads it
    try:
        return _respond_to_server(request, token.owner, str(pk), ask)
    except reading_flows.Refused as error:
        return problem(error.status, str(error))
    except (StreamError, DatasetError) as error:
        return problem(422, str(error))
    except OperationalError as error:
        _LOG.warning("The database cannot store that the stream %s %s: %s", pk, ask["event"], error)
        return problem(503, "The database does not respond; try again later.") if has_room(0) else problem(507, NO_ROOM)


def _respond_to_server(request: HttpRequest, owner: User, pk: str, ask: dict[str, Any]) -> HttpResponse:
    """Let a stream begin, go on, or end.

    Raises:
        Refused: It may not, or its account has no room for the recording.
        StreamError: Its description cannot be used.
    """
    match ask["event"]:
        case "check":
            _check_room()
            request.META[ACCOUNT] = owner.pk
        case "begins":
            _check_room()
            info = check_info(StreamInfo(**ask["info"]))
            check_pace(info)
            session = flows.begin_session(owner, pk, info)
            record(request, "stream", session)
            request.META[FOLDER] = str(find_folder(session.pk))
        case "goes on":
            flows.measure_session(owner, pk)
            if ask["is_recording"]:
                flows.check_recording(owner.pk)
        case "breaks off":
            flows.measure_session(owner, pk)
        case "ends":
            flows.end_session(owner, pk)
            flows.measure_session(owner, pk)
    return HttpResponse(status=204)


def _check_room() -> None:
    """Check that the disk has room for one more stream.

    Raises:
        Refused: It has not.
    """
    if not has_room(_RESERVE_BYTES):
        raise reading_flows.Refused(NO_ROOM, 507)


def _get_own(request: HttpRequest, pk: UUID) -> StreamSession:
    """Return a stream of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(StreamSession.objects.select_related("owner"), pk=pk, owner_id=request.user.pk)
