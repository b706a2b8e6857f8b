"""The key that signs cookies and forms, from the settings or created once and stored, and the folder it is in."""

import os
import secrets
from pathlib import Path

from ecglens.errors import SettingsError

__all__ = ["PLACEHOLDER", "check_settings", "create_private_folder", "load_secret_key"]

PLACEHOLDER = "change-me"
"""The value in ``.env.example``, with which no site may start."""

_MIN_CHARS = 32
_FILE = "secret_key"
_LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver"}
_MAKE_KEY = "python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def create_private_folder(folder: Path) -> Path:
    """Create a folder that no other user can read where it is missing, and close it to others where it is open.

    Raises:
        SettingsError: It cannot be created.
    """
    try:
        for each in reversed([folder, *folder.parents]):
            if not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SettingsError(
            f"Expected a folder for the web application's data that can be created, got {folder}: {error.strerror}; "
            "set ECGLENS_DATA_DIR to another."
        ) from error
    return folder


def load_secret_key(configured: str, folder: Path) -> str:
    """Return the configured key, or the one in the folder, which is created at the first start.

    Raises:
        SettingsError: The folder cannot be written.
    """
    if configured:
        return configured
    path = folder / _FILE
    try:
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"Expected a folder for the web application's data that can be written, got {folder}: {error.strerror}; "
            "set ECGLENS_DATA_DIR to another."
        ) from error


def check_settings(*, secret_key: str, debug: bool, hosts: list[str]) -> None:
    """Refuse to start a site that others can reach if anyone could sign its cookies or see its errors.

    Args:
        secret_key: ``ECGLENS_SECRET_KEY``.
        debug: ``ECGLENS_DEBUG``.
        hosts: Names that the site answers to.

    Raises:
        SettingsError: The key is missing, short or well known, or debugging is on where others reach the site.
    """
    if secret_key and (PLACEHOLDER in secret_key or len(secret_key) < _MIN_CHARS):
        raise SettingsError(
            f"Expected an ECGLENS_SECRET_KEY of at least {_MIN_CHARS} random characters, got a short or well-known "
            f"one; make one with: {_MAKE_KEY}"
        )
    others = [host for host in hosts if host not in _LOCAL]
    if others and debug:
        raise SettingsError(
            f"Expected ECGLENS_DEBUG to be off where others reach the site, got it on for {others[0]}; unset it."
        )
    if others and not secret_key:
        raise SettingsError(
            f"Expected an ECGLENS_SECRET_KEY where others reach the site, got none for {others[0]}; make one with: "
            f"{_MAKE_KEY}"
        )
