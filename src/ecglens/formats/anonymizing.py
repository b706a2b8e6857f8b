"""Records without what may name a person: free text of files, also as the name of a lead."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ecglens.formats.names import is_lead_name
from ecglens.records import EcgRecord, distinct_names

__all__ = ["anonymize_record"]

_SENTENCES: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), ending)
    for pattern, ending in (
        (r"Left out, since the file states no voltage for them", "."),
        (r"Left out, since they are no ECG", "."),
        (r"Left out, since they have another sampling rate than [\d.e+]+ Hz", "."),
        (r"The file (?:is cut short|may be damaged|was not read as a whole|ends early)", "."),
        (r"The recorder marked leads whose electrode was off", "."),
        (r"The header states no sampling rate", "; 250 Hz was used, the default of WFDB."),
        (r"The step of \d+ µV (?:is|and the order of the channels are) not documented by", " the manufacturer."),
        (r"The file names no unit of", " some leads; the numbers were taken as millivolts."),
    )
)
"""Beginnings of warnings, which are words of ecglens, and the ends that they get in place of names."""


def anonymize_record(record: EcgRecord) -> EcgRecord:
    """Return a record without free text.

    Comments are dropped, and warnings beyond the words of ecglens itself. Names other than those of leads and channels
    become the number of the channel, such as ``channel 2``.

    Args:
        record: From a file.
    """
    names = (lead if is_lead_name(lead) else f"channel {row}" for row, lead in enumerate(record.leads, start=1))
    return replace(
        record,
        leads=distinct_names(names),
        comments=(),
        warnings=tuple(sentence for warning in record.warnings if (sentence := _shorten_warning(warning))),
    )


def _shorten_warning(warning: str) -> str:
    """Return a warning without the names or numbers at its end; empty for one that may have free text elsewhere."""
    hits = ((pattern.match(warning), ending) for pattern, ending in _SENTENCES)
    return next((f"{hit[0]}{ending}" for hit, ending in hits if hit), "")
