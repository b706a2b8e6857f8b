"""The cache of the site, in its database: limits on logins and requests are counted in it."""

from collections.abc import Iterable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import DatabaseError

__all__ = ["LastingCache"]

_MEMORY_ENTRIES = 10_000


class LastingCache(DatabaseCache):
    """A cache that deletes what has expired and nothing else, so that nobody can push the counters of others out.

    What the database cannot store, as on a full disk, is counted in the memory of each process instead. Without that,
    everybody would be refused, since nobody's count can be raised: also the owner who logs in to delete something. With
    no count at all, passwords could be guessed without a limit; in memory, the limit is that of each process.
    """

    def __init__(self, table: str, params: dict[str, Any]) -> None:
        super().__init__(table, params)
        self._memory = LocMemCache(f"{table}-memory", {"OPTIONS": {"MAX_ENTRIES": _MEMORY_ENTRIES}})

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store a value unless there is one, and return whether it was stored."""
        if self._memory.has_key(key, version):
            return False
        if self._store("add", key, value, timeout, version):
            return True
        return not super().has_key(key, version) and self._memory.add(key, value, timeout, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Store a value."""
        if self._store("set", key, value, timeout, version):
            self._memory.delete(key, version)
        else:
            self._memory.set(key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Change when a value expires, and return whether there is one."""
        return self._store("touch", key, None, timeout, version) or self._memory.touch(key, timeout, version)

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        """Return the values that there are."""
        listed = list(keys)
        return {**super().get_many(listed, version), **self._memory.get_many(listed, version)}

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Delete a value, and return whether there was one."""
        return bool(self._memory.delete(key, version)) | super().delete(key, version)

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        """Delete values."""
        listed = list(keys)
        self._memory.delete_many(listed, version)
        super().delete_many(listed, version)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        """Return whether there is a value."""
        return self._memory.has_key(key, version) or super().has_key(key, version)

    def clear(self) -> None:
        """Delete everything."""
        self._memory.clear()
        super().clear()

    def _store(self, mode: str, key: Any, value: Any, timeout: Any, version: int | None) -> bool:
        """Write into the database, and return whether it could be."""
        valid_key = self.make_and_validate_key(key, version=version)
        try:
            return bool(self._base_set(mode, valid_key, value, timeout))  # type: ignore[attr-defined]  # not in the stubs
        except DatabaseError:
            return False

    def _base_delete_many(self, keys: list[str]) -> bool:
        try:
            return bool(super()._base_delete_many(keys))  # type: ignore[misc]  # not in the stubs
        except DatabaseError:  # it expires, and nobody reads it after that
            return False

    def _cull(self, db: str, cursor: Any, now: Any, num: int) -> None:
        super()._cull(db, cursor, now, 0)  # type: ignore[misc]  # with no entry above the limit, only expired ones go
