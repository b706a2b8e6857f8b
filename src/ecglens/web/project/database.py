"""Where the site's tables are: SQLite in a file, MariaDB, MySQL or PostgreSQL by an address."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ecglens.errors import SettingsError
from ecglens.extras import require

__all__ = ["database", "sqlite"]

_WAIT_S = 20
_ENGINES = {
    "postgresql": ("django.db.backends.postgresql", "psycopg", "postgresql"),
    "postgres": ("django.db.backends.postgresql", "psycopg", "postgresql"),
    "mysql": ("django.db.backends.mysql", "MySQLdb", "mysql"),
    "mariadb": ("django.db.backends.mysql", "MySQLdb", "mysql"),
}


def database(address: str, folder: Path) -> dict[str, Any]:
    """Django's settings of a database.

    Args:
        address: Such as ``postgresql://user:password@host:5432/name``; SQLite in ``folder`` where it is empty.
        folder: Of the site's data.

    Raises:
        SettingsError: The address names no database that can be used.

    >>> database("mysql://ecglens:s%40crt@db:3306/ecglens", Path())["PASSWORD"]
    's@crt'
    """
    if not address:
        return sqlite(str(folder / "ecglens.sqlite3"))
    parts = urlsplit(address)
    if parts.scheme == "sqlite":
        return sqlite(unquote(parts.path[1:] or parts.netloc) or ":memory:")
    name = unquote(parts.path.strip("/"))
    if parts.scheme not in _ENGINES or not name:
        raise SettingsError(
            "Expected a DATABASE_URL such as postgresql://user:password@host/name, mysql://user:password@host/name or "
            f"sqlite:///path, found one that begins with '{parts.scheme}' and names "
            f"{'a' if name else 'no'} database."
        )
    engine, module, extra = _ENGINES[parts.scheme]
    require(module, extra=extra)
    try:
        port = parts.port
    except ValueError as error:
        raise SettingsError("Expected a port in digits in DATABASE_URL, found something else.") from error
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    if extra == "mysql":
        options = {"charset": "utf8mb4", "isolation_level": "read committed", **options}
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def sqlite(path: str) -> dict[str, Any]:
    """SQLite that readers and a writer may use at once, who wait for each other."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": _WAIT_S,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }
