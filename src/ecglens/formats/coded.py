"""What formats share: names and numbers of leads, samples as whole microvolts, a name that follows from the content.

Lead numbers are those of ISO/IEEE 11073-10102; DICOM writes lead 61 as ``2:61`` (PS3.16, CID 3001), FHIR as
131328 + 61, aECG as ``MDC_ECG_LEAD_III``.
"""

import hashlib
import re
import uuid
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.layouts import canonical_lead, lead_of_row
from ecglens.records import EcgRecord, distinct_names

__all__ = [
    "HIDDEN",
    "LEAD_NUMBERS",
    "NUMBERED_LEADS",
    "WRITER",
    "choose_lead_name",
    "content_uuid",
    "lead_number",
    "microvolts",
    "plain_lead_name",
    "rate_of_step",
    "remarks",
]

WRITER = "ecglens"
"""Program that wrote a file, as EDF and aECG can state it."""

HIDDEN = -32768
"""Value of a missing sample."""

LEAD_NUMBERS = MappingProxyType(
    {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
    | {"III": 61, "aVR": 62, "aVL": 63, "aVF": 64, "-aVR": 65}
    | {"V7": 9, "V2R": 10, "V3R": 11, "V4R": 12, "V5R": 13, "V6R": 14, "V7R": 15, "V8": 66, "V9": 67, "V8R": 68}
    | {"V9R": 69, "X": 16, "Y": 17, "Z": 18, "CC5": 19, "CM5": 20, "ES": 131, "AS": 132, "AI": 133}
)
NUMBERED_LEADS = MappingProxyType({number: lead for lead, number in LEAD_NUMBERS.items()})
_NUMBERS = MappingProxyType(
    {lead.lower(): number for lead, number in LEAD_NUMBERS.items()} | {"vx": 16, "vy": 17, "vz": 18}
)
"""Numbers by names in lower case; PhysioNet's PTB database names the Frank leads so."""
_LEAD_PREFIX = re.compile(r"(?:ECG|EKG|Lead)([ _:-]+)", re.IGNORECASE)


def lead_number(row: str) -> int:
    """Return the number of the lead of a row; 0 for a lead without a number.

    >>> lead_number("II-rhythm"), lead_number("vx"), lead_number("MLII")
    (2, 16, 0)
    """
    return _NUMBERS.get(lead_of_row(row).lower(), 0)


def plain_lead_name(label: str) -> str:
    """Return the standard name of a lead that a file labels.

    >>> plain_lead_name("EKG I"), plain_lead_name("ECG-AVR"), plain_lead_name("Lead 2"), plain_lead_name("vx")
    ('I', 'aVR', 'Lead 2', 'vx')
    """
    label = label.strip()
    hit = _LEAD_PREFIX.match(label)
    bare = label[hit.end() :] if hit else ""
    is_plain = bool(lead_number(bare)) or (hit is not None and hit[1].strip(" _") == "" and not bare.isdigit())
    return canonical_lead(bare if bare and is_plain else label)


def choose_lead_name(label: str, number: int) -> str:
    """Return the name of a lead that a file labels and numbers: its label, unless that is another name than its number.

    Args:
        label: Free text; may be empty.
        number: Of the lead; 0 or an unknown one tells nothing.

    >>> choose_lead_name("vx", 16), choose_lead_name("II-rhythm", 2), choose_lead_name("left arm", 1)
    ('vx', 'II-rhythm', 'I')
    """
    name = plain_lead_name(label)
    return name if name and lead_number(name) == number else NUMBERED_LEADS.get(number) or name or "?"


def rate_of_step(step_s: float, *, digits: int = 10) -> float:
    """Return the sampling rate in Hz of samples that are a step apart, without the noise of a step in decimals.

    Args:
        step_s: Step in s.
        digits: Number of digits of the rate that the step can tell apart.

    Raises:
        ZeroDivisionError: The step is 0.

    >>> rate_of_step(1 / 512.414), rate_of_step(0.001667)
    (512.414, 599.880024)
    """
    return float(f"{1 / step_s:.{digits}g}")


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
    """List comments, then quality of the leads and warnings, each as a line."""
    lines = list(record.comments)
    if record.quality:
        graded = zip(distinct_names(record.leads), record.quality, strict=True)
        lines.append("quality: " + ", ".join(f"{lead} {value:.2f}" for lead, value in graded))
    lines += [f"warning: {text}" for text in record.warnings]
    return tuple(" ".join(line.split()) for line in lines)


def content_uuid(record: EcgRecord, purpose: str) -> uuid.UUID:
    """Compute an identifier that is the same for the same record and purpose, and different for any other."""
    is_valid = ~np.isnan(record.signals_mv)
    whole_uv = np.rint(np.where(is_valid, record.signals_mv, 0) * 1000.0)
    digest = hashlib.sha256(np.where(is_valid, whole_uv, HIDDEN).astype("<i4").tobytes())
    facts = (record.fs_hz, record.leads, record.start_s, remarks(record), purpose)
    digest.update(repr(facts).encode())
    return uuid.uuid5(uuid.NAMESPACE_OID, digest.hexdigest())
