"""How often somebody may do something: counted by the minute, in the cache that all processes share."""

import time

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

__all__ = ["address_hash", "next_minute_s", "within"]

_MINUTE_S = 60


def within(who: str, most: int) -> bool:
    """Count one more, and tell whether this minute's limit is kept.

    Args:
        who: Whom and what it is counted for.
        most: How often in a minute.
    """
    key = f"{who}:{int(time.time() // _MINUTE_S)}"
    cache.add(key, 0, 2 * _MINUTE_S)
    try:
        return cache.incr(key) <= most
    except ValueError:  # it went out of the cache in between
        return True


def next_minute_s() -> int:
    """Seconds until counting begins anew."""
    return int(_MINUTE_S - time.time() % _MINUTE_S) + 1


def address_hash(request: HttpRequest) -> str:
    """The network address that a request comes from, hashed with the site's key."""
    return salted_hmac("visitor", str(get_adapter().get_client_ip(request))).hexdigest()[:32]
