"""The exception tree.

Every error that a user can cause is an ``EcgLensError`` whose text is one sentence: what was expected, what came,
what to do. Callers decide by the error's type and its ``code``, never by its text.

::

    EcgLensError
     ├── EcgReadError        bytes that cannot become a page
     │    └── MissingFileError   no file at all; a FileNotFoundError too
     ├── ModelError          a model folder that cannot be used
     │    └── MissingModelError  no model of this name and no folder; a FileNotFoundError too
     ├── DatasetError        a folder or table of recordings that cannot be used
     │    ├── MissingDataError   no folder, table or digital ECG at all; a FileNotFoundError too
     │    └── RecordError        signals, a rate and names that do not make a record; a ValueError too
     ├── RenderError         a page that cannot be drawn as asked
     ├── TrainingError       a training run that cannot go on
     ├── BatchError          a source, result folder or cluster that many pages cannot be read with
     │    └── MissingSourceError no source at all; a FileNotFoundError too
     ├── StreamError         a source, message or broker of a live stream that cannot be used
     ├── ArgumentError       an argument of another type or with a value that no function takes; a TypeError and a
     │                       ValueError too
     ├── SettingsError       a setting with a wrong value
     └── MissingExtraError   an optional dependency that is not installed

``SettingsWarning`` is no error: a setting has no effect, and the program goes on.
"""

from typing import Literal

__all__ = [
    "ArgumentError",
    "BatchError",
    "DatasetError",
    "EcgLensError",
    "EcgReadError",
    "ErrorCode",
    "MissingDataError",
    "MissingExtraError",
    "MissingFileError",
    "MissingModelError",
    "MissingSourceError",
    "ModelError",
    "RecordError",
    "RenderError",
    "SettingsError",
    "SettingsWarning",
    "StreamError",
    "TrainingError",
]


ErrorCode = Literal[
    "busy",
    "damaged",
    "empty",
    "encrypted",
    "invalid_argument",
    "missing",
    "no_leads",
    "no_such_page",
    "too_costly",
    "too_large",
    "too_narrow",
    "too_small",
    "unreadable",
    "unsupported",
]
"""Kinds of errors that programs may distinguish."""


class EcgLensError(Exception):
    """Base of every error that a user of ecglens can cause.

    Args:
        message: The whole text; by default the source, a colon and the detail.
        code: Kind of the error, where it has one.
        source: Name of the file or of the address that cannot be used.
        detail: The sentence without the source; by default the message.
    """

    def __init__(self, message: str = "", *, code: ErrorCode | None = None, source: str = "", detail: str = "") -> None:
        super().__init__(message or (f"{source}: {detail}" if source else detail))
        self.code, self.source, self.detail = code, source, detail or message


class EcgReadError(EcgLensError):
    """The file is not a page that can be read."""


class MissingFileError(EcgReadError, FileNotFoundError):
    """There is no file at the path of a page."""


class ModelError(EcgLensError):
    """The model folder is missing, incomplete, altered or does not fit the page."""


class MissingModelError(ModelError, FileNotFoundError):
    """There is no model of this name, and no model folder at this path."""


class DatasetError(EcgLensError):
    """The folder or table of recordings is not what was expected."""


class MissingDataError(DatasetError, FileNotFoundError):
    """There is nothing at the path of a folder, a table or a digital ECG."""


class RecordError(DatasetError, ValueError):
    """The signals, the sampling rate and the names of leads do not make a record."""


class RenderError(EcgLensError):
    """The page cannot be drawn from these signals with these options."""


class TrainingError(EcgLensError):
    """The training run cannot start or go on."""


class BatchError(EcgLensError):
    """The source, the result folder or the cluster is not what reading many pages needs."""


class MissingSourceError(BatchError, FileNotFoundError):
    """There is nothing at the path of the pages to read."""


class StreamError(EcgLensError):
    """The source, a message or the broker of a live stream is not what was expected."""


class ArgumentError(EcgLensError, TypeError, ValueError):
    """An argument is of another type than the function takes, or has a value that it does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_argument")


class SettingsError(EcgLensError):
    """A setting has a value that cannot be used."""


class SettingsWarning(UserWarning):
    """A setting has no effect; the program goes on without it."""


class MissingExtraError(EcgLensError):
    """An optional dependency is not installed; the text names the extra that brings it."""
