"""Describe what a run reads from each page: the options, the model and the version of ecglens.

Two results are the same if all of these are the same.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ecglens import __version__
from ecglens.errors import BatchError
from ecglens.models.cards import CARD_FILE, sha256_of
from ecglens.models.registry import AUTO, SIGNAL_MODEL, find_model, name_model
from ecglens.settings import load_settings

__all__ = ["PARTS", "SCHEMA_VERSION", "SIGNAL_FORMATS", "Job", "Options", "PageResult", "make_job"]

SCHEMA_VERSION = 1
"""Version of the tables of a result; it increases when the name, type or meaning of a column changes."""

PARTS = ("label", "measurements", "signals", "explanation")
"""Parts that can be read from a page. An explanation explains the label, so the label is read with it."""

SIGNAL_FORMATS = ("parquet", "wfdb")

_DAY_SECONDS = 86_400
_LEAST_MB = 300
_FILE_SHARE = 0.25
"""Share of a process's memory that the bytes of a file may use."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a run. A run with a different value of any of them has a different result.

    Attributes:
        parts: Parts to read, any of ``PARTS``.
        model: Name or folder of the model; the model of the settings if ``None``.
        signal_format: File format of the signals, one of ``SIGNAL_FORMATS``.
        memory_mb: Memory limit of a process that reads pages, in MB; a page that needs more fails.
        page_seconds: Time limit for a page, in s; a page that takes longer fails.
    """

    parts: tuple[str, ...] = ("label",)
    model: str | os.PathLike[str] | None = None
    signal_format: str = "parquet"
    memory_mb: int = 600
    page_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """Options with everything that they depend on, as sent to the processes that read pages.

    Attributes:
        parts: As in :class:`Options`, in the order of ``PARTS``.
        model: Argument for :func:`ecglens.models.registry.find_model`; empty if no label is requested.
        model_name: Name of the model.
        model_version: Version of the model.
        model_sha256: Hash of the model's card, which contains the hash of its graph.
        labels: Labels of the model, and those of the signal model where both answer.
        signal_format: As in :class:`Options`.
        memory_mb: As in :class:`Options`.
        page_seconds: As in :class:`Options`.
        max_megapixels: Larger pages are refused before they are decoded.
        signal_sha256: Hash of the signal model's card; empty where the page model answers alone.
        version: Version of ecglens.
        answer: Function that reads a page from the bytes of a file, as ``module:name``. Tests and benchmarks replace
            it.
    """

    parts: tuple[str, ...]
    model: str
    model_name: str
    model_version: str
    model_sha256: str
    labels: tuple[str, ...]
    signal_format: str
    memory_mb: int
    page_seconds: float
    max_megapixels: float
    signal_sha256: str = ""
    version: str = __version__
    answer: str = "ecglens.batch.pages:answer"

    @property
    def max_file_bytes(self) -> int:
        """Maximum size of a file in bytes; larger files are refused unread."""
        return int(_FILE_SHARE * self.memory_mb * 1e6)

    def to_dict(self) -> dict[str, Any]:
        """Return the job in plain types, as ``run.json`` stores it."""
        values = asdict(self)
        return {"what": values.pop("parts"), **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Job":
        """Return the job that :meth:`to_dict` wrote."""
        remaining = {name: value for name, value in values.items() if name not in {"what", "labels"}}
        return cls(parts=tuple(values["what"]), labels=tuple(values["labels"]), **remaining)

    def fingerprint(self, source: str) -> str:
        """Compute a hash that is the same for runs that read the same things from the same pages.

        It covers everything except the folder of the model.

        Args:
            source: Where the pages come from.
        """
        values = {**self.to_dict(), "model": "", "source": source, "schema_version": SCHEMA_VERSION}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PageResult:
    """The row of a page and the files that belong to it.

    Attributes:
        row: Values by column, see ``ecglens.batch.rows``.
        files: Contents of the files to store next to the table, by path relative to the folder of the result.
    """

    row: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


def make_job(options: Options) -> Job:
    """Make the job for some options.

    Raises:
        BatchError: An option has an invalid value.
        ModelError: The model does not exist.
    """
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown or not options.parts:
        raise BatchError(f"Expected any of {', '.join(PARTS)} to read, got '{', '.join(options.parts)}'.")
    if options.signal_format not in SIGNAL_FORMATS:
        raise BatchError(f"Expected signals as {' or '.join(SIGNAL_FORMATS)}, got '{options.signal_format}'.")
    if options.memory_mb < _LEAST_MB:
        raise BatchError(
            f"Expected a memory limit (--memory) of at least {_LEAST_MB} MB, got {options.memory_mb}; raise it."
        )
    if not 1 <= options.page_seconds <= _DAY_SECONDS:
        raise BatchError(
            f"Expected a time limit for a page (--page-seconds) of 1 to {_DAY_SECONDS:g} s, got "
            f"{options.page_seconds:g}; change it."
        )
    limits = (options.signal_format, options.memory_mb, float(options.page_seconds), load_settings().max_megapixels)
    requested = {*options.parts, *(["label"] if "explanation" in options.parts else [])}
    parts = tuple(part for part in PARTS if part in requested)
    if "label" not in parts:
        return Job(parts, "", "", "", "", (), *limits)
    card = find_model(options.model)
    model = name_model(options.model)
    if card.folder == Path(model):
        model = str(card.folder.resolve())
    labels, signal_sha256 = card.labels, ""
    if model == AUTO:
        signal_card = find_model(SIGNAL_MODEL)
        labels, signal_sha256 = (*labels, *signal_card.labels), sha256_of(signal_card.folder / CARD_FILE)
    model_sha256 = sha256_of(card.folder / CARD_FILE)
    return Job(parts, model, card.name, card.version, model_sha256, labels, *limits, signal_sha256)
