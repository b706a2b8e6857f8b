"""The storage of an account: how much its pages, signals, pictures and streams take, and whether more has room."""

from django.apps import apps
from django.db.models import Sum

from ecglens.errors import EcgLensError
from ecglens.settings import load_settings
from ecglens.web.readings.models import Batch, Reading

__all__ = ["check_quota", "count_stored_bytes"]

_MB = 1024**2


def count_stored_bytes(owner_id: int) -> int:
    """Return the number of bytes of all files of an account."""
    pages = Reading.objects.filter(owner_id=owner_id).aggregate(size=Sum("stored_bytes"))["size"] or 0
    archives = Batch.objects.filter(owner_id=owner_id).aggregate(size=Sum("archive_bytes"))["size"] or 0
    sessions = apps.get_model("streams", "StreamSession")  # the package of streams lies above this one
    streams = sessions.objects.filter(owner_id=owner_id).aggregate(size=Sum("stored_bytes"))["size"] or 0
    return int(pages + archives + streams)


def check_quota(owner_id: int, size: int) -> None:
    """Check that an account may store so many more bytes.

    Raises:
        EcgLensError: It may not.
    """
    quota_mb = load_settings().quota_mb
    stored_mb = count_stored_bytes(owner_id) / _MB if quota_mb else 0
    if quota_mb and stored_mb + size / _MB > quota_mb:
        raise EcgLensError(
            f"Expected room for the file in your account, which may store {quota_mb:,.0f} MB and stores "
            f"{stored_mb:,.0f} MB; delete readings and streams that you do not need."
        )
