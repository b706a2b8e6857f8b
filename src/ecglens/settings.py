"""Typed settings, read from the environment with the prefix ``ECGLENS_`` and from ``.env``."""

import io
import os
import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct

from ecglens.errors import SettingsError, SettingsWarning

__all__ = ["Settings", "load_settings"]


_PREFIX = "ECGLENS_"
_ENV_FILE = Path(".env")
_USER_FILE = Path("ecglens") / "settings.env"
"""File below the user's folder of configurations, for settings of every folder that the user works in."""
_DATABASE = "DATABASE_URL"
"""Name by which hosting services give the database, beside the one with the prefix."""
_OTHERS = frozenset({"ECGLENS_SCREENSHOTS", "ECGLENS_TEST_DATABASE", "ECGLENS_TOKEN"})
"""Variables of the tests and of the examples, which are no settings."""
_MISSPELLED = 0.75
"""Similarity from which a name is a misspelling of a setting's, as ``difflib`` computes it."""
_SWITCHES = {"yes": True, "on": True, "no": False, "off": False}
"""Usual words for settings that are on or off, beside true, false, 1 and 0."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of ecglens, with its default; no setting is read anywhere else."""

    model: str = "auto"
    """Name or folder of the model that answers when none is named; auto for any recorder."""

    models_dir: Path = Path.home() / ".local" / "share" / "ecglens" / "models"
    """Folder whose subfolders are models that can be used by name, beside the shipped ones."""

    cache_dir: Path = Path.home() / ".cache" / "ecglens"
    """Folder of pages that training has prepared."""

    max_megapixels: Annotated[float, Meta(gt=0)] = 100.0
    """Pages above this are refused before they are decoded."""

    max_upload_mb: Annotated[float, Meta(gt=0)] = 25.0
    """Uploads above this are refused by the web page."""

    max_batch_mb: Annotated[float, Meta(gt=0)] = 500.0
    """ZIP files above this are refused by the web page."""

    max_batch_pages: Annotated[int, Meta(gt=0)] = 2000
    """Pages that a batch of the web page may have."""

    data_dir: Path = Path.home() / ".local" / "share" / "ecglens" / "web"
    """Private folder of the web page: its database, pages, key and mail where no other place is set for them."""

    database_url: str = ""
    """Database of the web page: postgresql://, mysql:// or sqlite:///; SQLite in data_dir when empty."""

    s3_bucket: str = ""
    """Bucket for pages in place of data_dir; its keys come from where boto3 looks for them."""

    s3_endpoint: str = ""
    """Address of an S3 service that is not Amazon's."""

    secret_key: str = ""
    """Key that signs the web page's cookies and forms; created once and stored in data_dir when empty."""

    allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    """Host names that the web page answers to, separated by commas."""

    https: bool = False
    """People reach the web page by https only: cookies are sent over https only, and an HSTS header is set."""

    proxies: Annotated[int, Meta(ge=0)] = 0
    """Reverse proxies before the web page whose X-Forwarded headers are believed."""

    metrics_token: str = ""
    """Token with which Prometheus reads /metrics; without one, only staff can, and anyone on a site's only machine."""

    mail_url: str = ""
    """Mail server, smtp://user:password@host:587/?tls=1; without one, mail is put into data_dir/mail."""

    mail_from: str = "ecglens@localhost"
    """Sender of mail."""

    sign_up: bool = True
    """Anyone who reaches the web page may create an account; otherwise staff create them."""

    visitors: bool = True
    """Visitors without an account may have one page read at a time, which is not stored."""

    redact: bool = True
    """Redact everything printed around the traces before a page is stored."""

    quota_mb: Annotated[float, Meta(ge=0)] = 10_000.0
    """Storage of an account on the web page, in MB; 0 sets no limit. A reading takes about 5 MB."""

    streams: Annotated[int, Meta(gt=0)] = 4
    """Live ECGs that an account may send to the web page at the same time."""

    retention_days: Annotated[int, Meta(ge=0)] = 0
    """Readings are deleted after so many days; 0 keeps them until their owner deletes them."""

    time_zone: str = "UTC"
    """Time zone of the times that the web page shows, such as Europe/Berlin."""

    worker_processes: Annotated[int, Meta(ge=0)] = 1
    """Processes beside the web page that measure and explain; 0 where others do that on another machine."""

    openid_url: str = ""
    """Address of an OpenID Connect provider with which people may log in."""

    openid_client: str = ""
    """Client ID of this web page at that provider."""

    openid_secret: str = ""
    """Client secret of this web page at that provider."""

    openid_name: str = "OpenID"
    """Name of that provider on the login page."""

    debug: bool = False
    """Show technical detail on error pages; never on a machine that others reach."""


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings once: from the environment, from ``.env`` in the working folder, and from the user's file.

    The user's file is ``~/.config/ecglens/settings.env``, or below ``XDG_CONFIG_HOME`` where that is set. The first of
    the three that sets a value counts.

    Raises:
        SettingsError: A variable has a value of the wrong kind or the misspelled name of a setting, or a file cannot be
            read.

    Warns:
        SettingsWarning: A variable with the prefix is no setting, or a file is a folder or has a line that sets
            nothing.
    """
    configurations = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    variables = {**_read_file(configurations / _USER_FILE), **_read_file(_ENV_FILE), **os.environ}
    variables.setdefault(f"{_PREFIX}{_DATABASE}", variables.get(_DATABASE, ""))
    texts = {name.upper(): text for name, text in variables.items()}
    _check_names(texts)
    return Settings(
        **{
            field.name: _parse(variable, texts[variable], field.type)
            for field in msgspec.structs.fields(Settings)
            if (variable := f"{_PREFIX}{field.name.upper()}") in texts
        }
    )


def _read_file(path: Path) -> Mapping[str, str]:
    """Read the variables of a file, where there is one."""
    if not path.exists():
        return {}
    if path.is_dir():
        if not (path / "pyvenv.cfg").exists():  # a virtual environment may have this name
            _warn(f"Expected settings in the file {path}, got a folder; remove it, or put a file in its place.")
        return {}
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    lines = list(parse_stream(io.StringIO(_read_text(path))))
    for line in lines:
        if line.error or (line.key is not None and line.value is None):
            _refuse_line(path, line.original.line, line.original.string)
    valid = "".join(line.original.string for line in lines if not line.error)
    return {name: text for name, text in dotenv_values(stream=io.StringIO(valid)).items() if text is not None}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"Expected text in UTF-8 in the file {path}, got other bytes in line "
            f"{error.object[: error.start].count(bytes([10])) + 1}; save it as UTF-8."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"Expected settings in the file {path}, but it cannot be read: {error.strerror or error}; "
            "correct its permissions, or remove it."
        ) from error


def _refuse_line(path: Path, number: int, text: str) -> None:
    """Refuse a line that sets nothing; a file of another program's settings may have lines that only it knows."""
    message = f"Expected NAME=value in line {number} of the file {path}, got something else; correct or remove it."
    if _PREFIX in text.upper():
        raise SettingsError(message)
    _warn(message)


def _check_names(names: Iterable[str]) -> None:
    """Refuse names that misspell a setting's, and warn of others that have our prefix."""
    available = [name.upper() for name in Settings.__struct_fields__]
    requested = {name.removeprefix(_PREFIX) for name in set(names) - _OTHERS if name.startswith(_PREFIX)}
    for short in sorted(requested - set(available)):
        name, nearest = f"{_PREFIX}{short}", get_close_matches(short, available, n=1, cutoff=_MISSPELLED)
        if nearest:
            raise SettingsError(
                f"Expected the name of a setting, got {name}; did you mean {_PREFIX}{nearest[0]}? Correct or remove it."
            )
        _warn(f"{name} is not a setting of ecglens and has no effect; remove it, or look its name up in the docs.")


def _warn(message: str) -> None:
    warnings.warn(message, SettingsWarning, stacklevel=3)


def _parse(variable: str, text: str, kind: Any) -> Any:
    if kind is Path:
        return Path(text)
    value: object = _SWITCHES.get(text.lower(), text) if kind is bool else text
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"Setting {variable} cannot be used: expected {_describe(kind)}, got '{text}'; correct it."
        ) from error


def _describe(kind: Any) -> str:
    """Return the values that a setting takes, in words."""
    if kind is bool:
        return "true or false"
    number, limits = get_args(kind)
    noun = "a whole number" if number is int else "a number"
    return f"{noun} of at least {limits.ge:g}" if limits.gt is None else f"{noun} greater than {limits.gt:g}"
