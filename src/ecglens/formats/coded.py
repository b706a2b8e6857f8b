"""What DICOM, FHIR and WFDB share: numbers of leads, samples as whole microvolts, a name that follows from the content.

Lead numbers are those of ISO/IEEE 11073-10102; DICOM writes lead 61 as ``2:61`` (PS3.16, CID 3001), FHIR as
131328 + 61.
"""

import hashlib
import uuid
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.layouts import lead_of_row
from ecglens.records import EcgRecord, distinct_names

__all__ = ["HIDDEN", "LEAD_NUMBERS", "NUMBERED_LEADS", "content_uuid", "lead_number", "microvolts", "remarks"]

HIDDEN = -32768
"""Value of a missing sample."""

LEAD_NUMBERS = MappingProxyType(
    {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
    | {"III": 61, "aVR": 62, "aVL": 63, "aVF": 64, "-aVR": 65}
)
NUMBERED_LEADS = MappingProxyType({number: lead for lead, number in LEAD_NUMBERS.items()})


def lead_number(row: str) -> int:
    """Return the number of the lead of a row; 0 for a lead without a number.

    >>> lead_number("II-rhythm"), lead_number("MLII")
    (2, 0)
    """
    return LEAD_NUMBERS.get(lead_of_row(row), 0)


def microvolts(signals_mv: NDArray[np.floating]) -> NDArray[np.int16]:
    """Round samples to whole microvolts, ``HIDDEN`` where they are NaN.

    Raises:
        DatasetError: A sample is beyond 32.7 mV.
    """
    is_valid = ~np.isnan(signals_mv)
    whole = np.rint(np.where(is_valid, signals_mv, 0) * 1000.0)
    if np.abs(whole).max(initial=0) > 32767:
        raise DatasetError(
            f"Expected samples within 32.767 mV to write them in steps of a microvolt, got "
            f"{np.abs(whole).max() / 1000:g} mV."
        )
    return np.where(is_valid, whole, HIDDEN).astype(np.int16)


def remarks(record: EcgRecord) -> tuple[str, ...]:
    """List comments, then quality of the leads and warnings, each as a line of plain ASCII."""
    lines = list(record.comments)
    if record.quality:
        graded = zip(distinct_names(record.leads), record.quality, strict=True)
        lines.append("quality: " + ", ".join(f"{lead} {value:.2f}" for lead, value in graded))
    lines += [f"warning: {text}" for text in record.warnings]
    return tuple(" ".join(line.split()).encode("ascii", "replace").decode() for line in lines)


def content_uuid(record: EcgRecord, purpose: str) -> uuid.UUID:
    """Compute an identifier that is the same for the same record and purpose, and different for any other."""
    digest = hashlib.sha256(microvolts(record.signals_mv).tobytes())
    facts = (record.fs_hz, record.leads, record.start_s, remarks(record), purpose)
    digest.update(repr(facts).encode())
    return uuid.uuid5(uuid.NAMESPACE_OID, digest.hexdigest())
