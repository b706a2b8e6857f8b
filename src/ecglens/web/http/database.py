"""The database of the site: SQLite in a file, or MariaDB, MySQL or PostgreSQL by an address."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

from ecglens.errors import SettingsError
from ecglens.extras import require

__all__ = ["configure_database", "configure_sqlite"]

_WAIT_S = 5
"""Time for which a writer of SQLite waits for others; each writes for some milliseconds."""
_CONNECTION_AGE_S = 60
_DRIVERS = {
    "postgresql": ("psycopg", "postgresql"),
    "postgres": ("psycopg", "postgresql"),
    "mysql": ("MySQLdb", "mysql"),
    "mariadb": ("MySQLdb", "mysql"),
}
"""Module of each scheme's driver and the extra that installs it."""
_MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    "init_command": "SET time_zone = '+00:00'",
}


def configure_database(address: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings of a database.

    Args:
        address: Such as ``postgresql://user:password@host:5432/name``; SQLite in ``folder`` if it is empty.
        folder: The site's data folder.

    Raises:
        SettingsError: The address names no database that can be used.
        MissingExtraError: The driver of the database is not installed.

    >>> configure_database("sqlite:////data/ecglens.sqlite3", Path())["NAME"]
    '/data/ecglens.sqlite3'
    """
    if not address:
        return configure_sqlite(str(folder / "ecglens.sqlite3"))
    scheme, _, location = address.partition("://") if "://" in address else ("", "", "")
    scheme = scheme.lower()
    if scheme == "sqlite":
        # dj-database-url ignores the host, so that sqlite://file would be a database in memory, lost at each restart.
        parts = urlsplit(address)
        return configure_sqlite(unquote(parts.path[1:] or parts.netloc) or ":memory:")
    if scheme not in _DRIVERS:
        raise _unusable_address(f"begins with '{scheme}'")
    module, extra = _DRIVERS[scheme]
    try:
        # dj-database-url has no "mariadb"; Django reaches it as MySQL.
        parsed = dj_database_url.parse(f"{extra}://{location}", conn_max_age=_CONNECTION_AGE_S, conn_health_checks=True)
    except dj_database_url.ParseError as error:
        raise SettingsError(
            "Expected a port in digits in ECGLENS_DATABASE_URL and special characters in percent form, got an address "
            "that cannot be read; write @ in a password as %40, for example."
        ) from error
    name = parsed["NAME"].strip("/")
    if not name:
        raise _unusable_address("names no database")
    require(module, extra=extra)
    options = {**(_MYSQL_OPTIONS if extra == "mysql" else {}), **parsed.get("OPTIONS", {})}
    return {**parsed, "NAME": name, "PORT": str(parsed["PORT"]), "OPTIONS": options}


def configure_sqlite(path: str) -> dict[str, Any]:
    """Return settings of an SQLite file that readers and a writer may use at once, waiting for each other."""
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


def _unusable_address(fault: str) -> SettingsError:
    """Return an error that does not contain the address, which may hold a password."""
    return SettingsError(
        "Expected an ECGLENS_DATABASE_URL such as postgresql://user:password@host/name, "
        f"mysql://user:password@host/name or sqlite:///path, got one that {fault}; correct it."
    )
