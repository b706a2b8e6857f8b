"""Names that every format can store, and names by which a signal is known to be a lead of an ECG."""

import re

from ecglens.formats.coded import lead_number, plain_lead_name
from ecglens.layouts import lead_of_row

__all__ = ["is_lead_name", "names_ecg", "plain_name"]

_OTHER_LEADS = re.compile(
    r"M?L ?(?:I{1,3}|[1-6])|MV[1-9]|MCL ?[1-6]?|C[BCHMRS]\d|C[1-9]|NASA|V|D(?:I{1,3}|[1-3])|[AE]-?[IS]"
    r"|(?:LA|RA|LL|RL|V[1-9])-(?:LA|RA|LL|RL|V[1-9])|(?:lead|ECG|EKG)[ _-]?(?:I{1,3}|\d{1,3})?"
    r"|(?:ECG|EKG)[ _-](?:lead|ch|channel)[ _-]?\d{1,3}|(?:ch|chan|channel|signal)[ _-]?\d{1,4}|\?",
    re.IGNORECASE,
)
"""Names without a number of ISO/IEEE 11073: of Holters, of PhysioNet, of the EASI system, pairs of electrodes, and
numbers of channels."""
_ECG_WORD = re.compile(
    r"ECG\d{0,3}|EKG\d{0,3}|D?I{1,3}|-?aV[RLF]|V[1-9]R?|V[xyz]|C[CM]5|ML(?:I{1,3}|[1-6])|MCL[1-6]|MV[1-9]",
    re.IGNORECASE,
)
"""Words that name a lead of an ECG and nothing else; X, V or AI may be an acceleration, a voltage or an input."""
_WORD_BESIDE = re.compile(r"lead|channel|chan|ch|raw|clean|filt|filtered|signal|rhythm|\d{1,3}", re.IGNORECASE)
_NUMBERED_LEAD = re.compile(r"lead[ _-]?\d{1,2}", re.IGNORECASE)


def plain_name(name: str) -> str:
    """Replace characters other than letters, digits, ``-`` and ``_``, for formats that allow only those.

    >>> plain_name("a b")
    'a_b'
    """
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII)


def is_lead_name(name: str) -> bool:
    """Return whether a name is that of a lead or the number of a channel, and thus no free text.

    >>> is_lead_name("MLII"), is_lead_name("II-rhythm"), is_lead_name("channel 3"), is_lead_name("Zebulon I")
    (True, True, True, False)
    """
    bare = lead_of_row(plain_lead_name(name))
    return bool(lead_number(bare)) or _OTHER_LEADS.fullmatch(bare) is not None


def names_ecg(label: str) -> bool:
    """Return whether the label of a signal whose unit is stated nowhere says that it is an ECG.

    >>> names_ecg("ECG_clean"), names_ecg("Lead II"), names_ecg("ECG_Rate"), names_ecg("acc_x")
    (True, True, False, False)
    """
    words = [word for word in re.split(r"[\s_./()\[\]]+|(?<=\w)-", label) if word]
    is_plain = all(_ECG_WORD.fullmatch(word) or _WORD_BESIDE.fullmatch(word) for word in words)
    has_lead = any(_ECG_WORD.fullmatch(word) for word in words) or _NUMBERED_LEAD.fullmatch(label.strip()) is not None
    return is_plain and has_lead
