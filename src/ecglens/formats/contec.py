"""Files of the Contec ECG90A: a header, samples of eight leads in turn, a footer.

The manufacturer publishes no description; this one was found by users of the device who compared files with printouts.
"""

import re
from pathlib import Path

import numpy as np

from ecglens.errors import DatasetError
from ecglens.formats.checks import check_record
from ecglens.formats.limb_leads import derive_limb_leads
from ecglens.records import EcgRecord

__all__ = ["looks_like_contec", "read_contec"]

_HEADER_BYTES, _FOOTER_BYTES = 43, 37
_HEADER = re.compile(rb"\d{7}\0..\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\0", re.DOTALL)
_LEADS = ("II", "III", "V1", "V2", "V3", "V4", "V5", "V6")
_RATE_HZ = 800.0
_ZERO = 2048
_STEP_MV = 0.005
_MISSING = 0x6800
"""Value of a sample that is out of range."""
_SEX, _AGE = 40, 41
_SEXES = ("female", "male")
_MAX_AGE = 130
_UNVERIFIED = "The step of 5 µV is not documented by the recorder's manufacturer; compare amplitudes with a printout."


def looks_like_contec(head: bytes) -> bool:
    """Return whether a file that begins so is one of the recorder's: a number of seven digits and a time."""
    return _HEADER.match(head) is not None


def read_contec(path: str | Path) -> EcgRecord:
    """Read a file of a Contec ECG90A.

    Raises:
        DatasetError: The file cannot be read or is cut off.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"Expected a Contec file at {path.name}, but it cannot be read: {error.strerror}."
        ) from error
    size = len(content) - _HEADER_BYTES - _FOOTER_BYTES
    if not looks_like_contec(content) or size <= 0 or size % (2 * len(_LEADS)):
        raise DatasetError(
            f"Expected a Contec ECG90A file of eight leads at {path.name}, got one that is cut off or of another kind."
        )
    raw = np.frombuffer(content, "<u2", size // 2, _HEADER_BYTES).reshape(-1, len(_LEADS)).T
    signals = np.where(raw == _MISSING, np.nan, (raw.astype(np.float32) - _ZERO) * _STEP_MV).astype(np.float32)
    comments = ["recorder: Contec ECG90A"]
    if content[_SEX] < len(_SEXES):
        comments.insert(0, f"sex: {_SEXES[content[_SEX]]}")
    if 0 < content[_AGE] <= _MAX_AGE:
        comments.insert(0, f"age: {content[_AGE]}")
    record = EcgRecord(signals, _RATE_HZ, _LEADS, comments=tuple(comments), warnings=(_UNVERIFIED,))
    return derive_limb_leads(check_record(record, path.name))
