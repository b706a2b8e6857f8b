"""What is asked of every page, and what makes two results the same: the options, the model, the version of ecglens."""

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
from ecglens.models.registry import find_model
from ecglens.settings import load_settings

__all__ = ["PARTS", "SCHEMA_VERSION", "SIGNAL_FORMATS", "Job", "Options", "PageAnswer", "make_job"]

SCHEMA_VERSION = 1
"""Of the tables that a result holds; a change of a column's name, kind or meaning makes it one more."""

PARTS = ("label", "measurements", "signals", "explanation")
"""What can be asked of a page; an explanation is one of its label, which is told with it."""

SIGNAL_FORMATS = ("parquet", "wfdb")

_DAY_SECONDS = 86_400
_FILE_SHARE = 0.25
"""Of a reader's memory that a file's own bytes may take."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every page; another value of any field is another result.

    Attributes:
        what: Any of ``PARTS``.
        model: Name or folder; the settings' one where it is ``None``.
        signal_format: One of ``SIGNAL_FORMATS``.
        memory_mb: What a process that reads pages may take; a page that needs more fails.
        page_seconds: How long a page may take before it fails.
    """

    what: tuple[str, ...] = ("label",)
    model: str | os.PathLike[str] | None = None
    signal_format: str = "parquet"
    memory_mb: int = 600
    page_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """Options with everything that they depend on, as it is sent to whoever reads pages.

    Attributes:
        what: As in :class:`Options`, in the order of ``PARTS``.
        model: What :func:`ecglens.models.registry.find_model` is asked for; empty where no label is wanted.
        model_name: Its name.
        model_version: Its version.
        model_sha256: Of its card, which holds the hash of its graph.
        labels: The model's.
        signal_format: As in :class:`Options`.
        memory_mb: As in :class:`Options`.
        page_seconds: As in :class:`Options`.
        max_megapixels: Larger pages are refused before they are decoded.
        version: Of ecglens.
        answer: Function that answers for a file's bytes, as ``module:name``; tests and benchmarks put theirs in.
    """

    what: tuple[str, ...]
    model: str
    model_name: str
    model_version: str
    model_sha256: str
    labels: tuple[str, ...]
    signal_format: str
    memory_mb: int
    page_seconds: float
    max_megapixels: float
    version: str = __version__
    answer: str = "ecglens.batch.pages:answer"

    @property
    def max_file_bytes(self) -> int:
        """Larger files are refused unread."""
        return int(_FILE_SHARE * self.memory_mb * 1e6)

    def to_dict(self) -> dict[str, Any]:
        """The job in plain types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> "Job":
        """The job that :meth:`to_dict` wrote."""
        return cls(**{**told, "what": tuple(told["what"]), "labels": tuple(told["labels"])})

    def fingerprint(self, source: str) -> str:
        """Same for the same answers to the same pages: everything but where the model lies.

        Args:
            source: What the pages come from.
        """
        told = {**self.to_dict(), "model": "", "source": source, "schema_version": SCHEMA_VERSION}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What was read of a page.

    Attributes:
        row: Its columns, see ``ecglens.batch.rows``.
        files: Bytes of what is kept beside the table, by their place below the result's folder.
    """

    row: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


def make_job(options: Options) -> Job:
    """The job for some options.

    Raises:
        BatchError: An option has a value that cannot be used.
        ModelError: There is no such model.
    """
    strange = [part for part in options.what if part not in PARTS]
    if strange or not options.what:
        raise BatchError(f"Expected any of {', '.join(PARTS)} to read, found '{', '.join(options.what)}'.")
    if options.signal_format not in SIGNAL_FORMATS:
        raise BatchError(f"Expected signals as {' or '.join(SIGNAL_FORMATS)}, found '{options.signal_format}'.")
    if options.memory_mb < 300 or not 1 <= options.page_seconds <= _DAY_SECONDS:
        raise BatchError(
            "Expected at least 300 MB of memory and 1 second to a day for a page, found "
            f"{options.memory_mb} MB and {options.page_seconds:g} s."
        )
    limits = (options.signal_format, options.memory_mb, float(options.page_seconds), load_settings().max_megapixels)
    asked_for = {*options.what, *(["label"] if "explanation" in options.what else [])}
    what = tuple(part for part in PARTS if part in asked_for)
    if "label" not in what:
        return Job(what, "", "", "", "", (), *limits)
    card = find_model(options.model)
    asked = os.fspath(options.model or load_settings().model)
    where = str(card.folder.resolve()) if card.folder == Path(asked) else asked
    return Job(what, where, card.name, card.version, sha256_of(card.folder / CARD_FILE), card.labels, *limits)
