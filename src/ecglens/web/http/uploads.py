"""Limits of uploads by address, and the variables by which the server and Django speak about an upload.

The server asks Django about an upload before it receives the body: it sends the headers alone, with :data:`PREFLIGHT`.
Where the sender may upload, Django adds :data:`CALLER` and :data:`LIMIT`; where not, its response is the refusal.
"""

import shutil

from django.conf import settings

__all__ = ["BUSY", "CALLER", "FORM_BYTES", "LIMIT", "PREFLIGHT", "RESERVE_BYTES", "find_limit", "has_room"]

PREFLIGHT = "ecglens.preflight"
"""Set where the body of a request is not there yet."""
BUSY = "ecglens.busy"
"""Set where the request cannot wait any more: ``own`` where the caller's own requests wait, ``others`` otherwise."""
CALLER = "ecglens.caller"
"""Key of the person who uploads: the account, or a hash of the address."""
LIMIT = "ecglens.limit"
"""Number of bytes that the body may have."""

FORM_BYTES = 64 * 1024
"""Size up to which a body is that of a form without files; also what the fields beside a file may take."""
RESERVE_BYTES = 200 * 1024**2
"""Free space that uploads leave to the database, the log and the pictures of pages that are being read."""

_BATCHES = ("/batches/", "/api/v1/batches")
_PAGES = ("/disease-predict", "/api/v1/readings")


def find_limit(path: str) -> int:
    """Return the number of bytes that the body of a request may have, by its address."""
    if path.startswith(_BATCHES):
        return int(settings.MAX_BATCH_BYTES) + FORM_BYTES
    if path.startswith(_PAGES):
        return int(settings.MAX_UPLOAD_BYTES) + FORM_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or FORM_BYTES)


def has_room(size: int) -> bool:
    """Return whether the disk of the data folder has room for so many bytes, beside a reserve."""
    return shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free >= size + RESERVE_BYTES
