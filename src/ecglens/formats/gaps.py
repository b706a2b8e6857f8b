"""Check for formats that cannot state that a sample is missing."""

import numpy as np

from ecglens.errors import DatasetError
from ecglens.records import EcgRecord

__all__ = ["refuse_gaps"]


def refuse_gaps(placed: EcgRecord, title: str) -> None:
    """Refuse a record with missing samples, such as that of a page that shows 2.5 s of each lead.

    Args:
        placed: Record whose leads share one clock.
        title: Title of the format, for the message.

    Raises:
        DatasetError: A lead has missing samples.
    """
    names = [lead for lead, row in zip(placed.leads, placed.signals_mv, strict=True) if np.isnan(row).any()]
    if names:
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
        raise DatasetError(
            f"Expected leads without gaps, since {title} cannot hold them, got gaps in {listed}; write WFDB, DICOM, "
            "FHIR, CSV or JSON."
        )
