"""Where the site's tables are: SQLite in a file, MariaDB, MySQL or PostgreSQL by an address."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

from ecglens.errors import SettingsError
from ecglens.extras import require

__all__ = ["database", "sqlite"]

_WAIT_S = 20
_CONNECTION_AGE_S = 60
_DRIVERS = {
    "postgresql": ("psycopg", "postgresql"),
    "postgres": ("psycopg", "postgresql"),
    "mysql": ("MySQLdb", "mysql"),
    "mariadb": ("MySQLdb", "mysql"),
}
"""Module of each scheme's driver and the extra that installs it."""
_MYSQL_OPTIONS = {"charset": "utf8mb4", "isolation_level": "read committed"}


def database(address: str, folder: Path) -> dict[str, Any]:
    """Django's settings of a database.

    Args:
        address: Such as ``postgresql://user:password@host:5432/name``; SQLite in ``folder`` where it is empty.
        folder: Of the site's data.

    Raises:
        SettingsError: The address names no database that can be used.
        MissingExtraError: The driver of the database is not installed.

    >>> database("sqlite:////data/ecglens.sqlite3", Path())["NAME"]
    '/data/ecglens.sqlite3'
    """
    if not address:
        return sqlite(str(folder / "ecglens.sqlite3"))
    scheme, _, rest = address.partition("://") if "://" in address else ("", "", "")
    scheme = scheme.lower()
    if scheme == "sqlite":
        # dj-database-url ignores the host, so that sqlite://file would be a database in memory, lost at each restart.
        parts = urlsplit(address)
        return sqlite(unquote(parts.path[1:] or parts.netloc) or ":memory:")
    if scheme not in _DRIVERS:
        raise _unusable(f"begins with '{scheme}'")
    module, extra = _DRIVERS[scheme]
    try:
        # It knows no "mariadb", which Django reaches as MySQL.
        parsed = dj_database_url.parse(f"{extra}://{rest}", conn_max_age=_CONNECTION_AGE_S, conn_health_checks=True)
    except dj_database_url.ParseError as error:
        raise SettingsError(
            "Expected a port in digits in DATABASE_URL and special characters in percent form, got an address that "
            "cannot be read; write @ in a password as %40, for example."
        ) from error
    name = parsed["NAME"].strip("/")
    if not name:
        raise _unusable("names no database")
    require(module, extra=extra)
    options = {**(_MYSQL_OPTIONS if extra == "mysql" else {}), **parsed.get("OPTIONS", {})}
    return {**parsed, "NAME": name, "PORT": str(parsed["PORT"]), "OPTIONS": options}


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


def _unusable(what: str) -> SettingsError:
    """Without the address itself, which may hold a password."""
    return SettingsError(
        "Expected a DATABASE_URL such as postgresql://user:password@host/name, mysql://user:password@host/name or "
        f"sqlite:///path, got one that {what}."
    )
