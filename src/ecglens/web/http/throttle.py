"""Limits on how often something may be done, counted by the minute in the cache that all processes share."""

import time

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

__all__ = ["count_request", "hash_address", "seconds_to_next_minute"]

_MINUTE_S = 60


def count_request(key: str, limit: int) -> bool:
    """Count one more request, and return whether it is within this minute's limit.

    Args:
        key: Who the request is counted for, and for what.
        limit: Requests allowed in a minute.
    """
    cache_key = f"{key}:{int(time.time() // _MINUTE_S)}"
    cache.add(cache_key, 0, 2 * _MINUTE_S)
    try:
        return cache.incr(cache_key) <= limit
    except ValueError:  # the entry was evicted from the cache in between
        return True


def seconds_to_next_minute() -> int:
    """Return the seconds until counting begins again at zero."""
    return int(_MINUTE_S - time.time() % _MINUTE_S) + 1


def hash_address(request: HttpRequest) -> str:
    """Return the network address that a request comes from, hashed with the site's key."""
    return salted_hmac("visitor", str(get_adapter().get_client_ip(request))).hexdigest()[:32]
