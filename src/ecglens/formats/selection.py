"""Choice of the signals of a file that are leads of one ECG, beside respiration, an EEG or signals of another rate."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ecglens.errors import DatasetError
from ecglens.formats.coded import lead_number, plain_lead_name

__all__ = ["Selection", "Signal", "find_mv_per_unit", "select_signals"]

_MV = MappingProxyType(
    {"nv": 1e-6, "nanovolt": 1e-6}
    | dict.fromkeys(("uv", "\N{MICRO SIGN}v", "\N{GREEK SMALL LETTER MU}v", "microv", "microvolt", "mcv"), 1e-3)
    | {"mv": 1.0, "millivolt": 1.0, "v": 1e3, "volt": 1e3}
)
"""Millivolts of a unit, whose name is in lower case and singular."""
_NAMED_ECG = re.compile(r"(?:ECG|EKG)\b", re.IGNORECASE)
_NO_ECG = re.compile(
    r"(?:EEG|EOG|ERG|EMG|MEG|MCG|EP|Resp|Respiration|SaO2|SpO2|Temp|Temperature|Light|Sound|Event"
    r"|Pleth|PPG|ABP|ART|BP|CVP|PAP|ICP|HR|heart[ _-]?rate|pulse|acc|gyro|EDA|GSR)(?![^\W_])",
    re.IGNORECASE,
)
"""Types of other signals at the beginning of a label, by the standard texts of EDF+, and as monitors and sensors name
them; some are voltages too."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Facts by which a signal of a file is one of the leads or not.

    Attributes:
        label: As the file has it.
        name: Of the lead.
        is_voltage: Whether the file states a unit of voltage for it.
        rate_hz: Its sampling rate.
    """

    label: str
    name: str
    is_voltage: bool
    rate_hz: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Leads of a file.

    Attributes:
        numbers: Their positions among the signals, in order.
        rate_hz: Their sampling rate.
        warnings: A sentence for each reason why others were left out.
    """

    numbers: tuple[int, ...]
    rate_hz: float
    warnings: tuple[str, ...]


def find_mv_per_unit(unit: str) -> float | None:
    """Return how many millivolts a unit is, ``None`` if it is no unit of voltage.

    >>> find_mv_per_unit("uV"), find_mv_per_unit("Millivolts"), find_mv_per_unit("mmHg")
    (0.001, 1.0, None)
    """
    return _MV.get(unit.strip().lower().removesuffix("s"))


def select_signals(signals: Sequence[Signal], name: str) -> Selection:
    """Choose the voltages of one rate that are no signals of another type, such as an EEG.

    Where rates differ, it is that of most standard leads, else of most signals that are named ECG, else of the first.

    Args:
        signals: Of the file.
        name: Name of the file, for the error.

    Raises:
        DatasetError: No signal is an ECG with a unit of voltage.
    """
    unknown = [number for number, signal in enumerate(signals) if not signal.is_voltage]
    others = [n for n, signal in enumerate(signals) if n not in unknown and _NO_ECG.match(signal.label)]
    voltages = [number for number in range(len(signals)) if number not in {*unknown, *others}]
    if not voltages:
        raise DatasetError(_explain_none([signals[number].name for number in others], len(unknown), name))

    def rank(rate_hz: float) -> tuple[int, int]:
        labels = [signals[number].label for number in voltages if signals[number].rate_hz == rate_hz]
        standard = sum(lead_number(plain_lead_name(label)) > 0 for label in labels)
        return standard, sum(_NAMED_ECG.match(label) is not None for label in labels)

    rate_hz = max((signals[number].rate_hz for number in voltages), key=rank)
    reasons = {
        "the file states no voltage for them": unknown,
        "they are no ECG": others,
        f"they have another sampling rate than {rate_hz:g} Hz": [
            number for number in voltages if signals[number].rate_hz != rate_hz
        ],
    }
    warnings = tuple(
        f"Left out, since {reason}: {', '.join(signals[number].name for number in numbers)}."
        for reason, numbers in reasons.items()
        if numbers
    )
    chosen = tuple(number for number in voltages if signals[number].rate_hz == rate_hz)
    return Selection(chosen, rate_hz, warnings)


def _explain_none(others: Sequence[str], unknown: int, name: str) -> str:
    """Return the sentence on a file without an ECG."""
    if others:
        return f"Expected an ECG in {name}, got other signals: {', '.join(others)}; give a file with an ECG."
    if unknown:
        return (
            f"Expected signals whose unit is stated in {name}, got {unknown} without a voltage; export it again with "
            "its scale."
        )
    return f"Expected signals in {name}, got none; export it with its waveforms."
