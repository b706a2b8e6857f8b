"""The cache of the site, in its database: limits on logins and requests are counted in it."""

from typing import Any

from django.core.cache.backends.db import DatabaseCache

__all__ = ["LastingCache"]


class LastingCache(DatabaseCache):
    """A cache that deletes what has expired and nothing else, so that nobody can push the counters of others out."""

    def _cull(self, db: str, cursor: Any, now: Any, num: int) -> None:
        super()._cull(db, cursor, now, 0)  # type: ignore[misc]  # with no entry above the limit, only expired ones go
