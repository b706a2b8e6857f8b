"""The key that signs cookies and forms: given, or made once and kept."""

import os
import secrets
from pathlib import Path

from ecglens.errors import SettingsError

__all__ = ["PLACEHOLDER", "check_start", "private_folder", "secret_key"]

PLACEHOLDER = "change-me"
"""As ``.env.example`` has it; nobody is to start with it."""

_LEAST_CHARS = 32
_FILE = "secret_key"
_LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver"}


def private_folder(folder: Path) -> Path:
    """A folder that nobody else may look into, made where it is missing, and closed where it is open.

    Raises:
        SettingsError: It cannot be made.
    """
    try:
        for each in reversed([folder, *folder.parents]):
            if not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SettingsError(
            f"Expected a folder for the web page's data that can be made, but {folder} cannot: {error.strerror}; set "
            "ECGLENS_DATA_DIR."
        ) from error
    return folder


def secret_key(given: str, folder: Path) -> str:
    """The key that is given, or the one in the folder, which is made at the first start.

    Raises:
        SettingsError: The folder cannot be written.
    """
    if given:
        return given
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
            f"Expected a folder for the web page's data that can be written, but {folder} cannot: {error.strerror}; "
            f"set "
            "ECGLENS_DATA_DIR."
        ) from error


def check_start(*, given: str, debug: bool, hosts: list[str]) -> None:
    """Refuse to start where others reach the site and anybody could sign its cookies or see its errors.

    Args:
        given: ``ECGLENS_SECRET_KEY``.
        debug: ``ECGLENS_DEBUG``.
        hosts: Names that the site answers to.

    Raises:
        SettingsError: It is so.
    """
    if given and (PLACEHOLDER in given or len(given) < _LEAST_CHARS):
        raise SettingsError(
            f"Expected an ECGLENS_SECRET_KEY of at least {_LEAST_CHARS} random characters, found a short or well-known "
            "one; make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    others = [host for host in hosts if host not in _LOCAL]
    if others and debug:
        raise SettingsError(
            f"Expected ECGLENS_DEBUG to be off where others reach the web page, found it on for {others[0]}; unset it."
        )
    if others and not given:
        raise SettingsError(
            f"Expected an ECGLENS_SECRET_KEY where others reach the web page, found none for {others[0]}; make one "
            f"with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
