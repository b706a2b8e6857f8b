"""QTc: the QT interval corrected for the heart rate.

Reference range in adults: 390 to 460 ms (450 is the limit for men), from Rautaharju et al. 2009, AHA/ACCF/HRS part IV,
doi:10.1161/CIRCULATIONAHA.108.191096.
"""

import numpy as np

from ecglens.records import Measured

__all__ = ["correct_qt"]

_REFERENCE_QTC_MS = (390.0, 460.0)


def correct_qt(qt: Measured | None, rr: Measured | None) -> dict[str, Measured | None]:
    """Correct a QT interval to a heart rate of 60/min by Bazett (1920) and by Fridericia (1920).

    Args:
        qt: QT interval in ms, or ``None`` where it could not be measured.
        rr: Mean RR interval in ms, or ``None``.

    Returns:
        ``qtc_bazett_ms`` and ``qtc_fridericia_ms``; empty where QT or RR is missing.
    """
    if qt is None or rr is None:
        return {}
    corrected: dict[str, Measured | None] = {}
    for name, exponent in (("qtc_bazett_ms", 1 / 2), ("qtc_fridericia_ms", 1 / 3)):
        value = qt.value / (rr.value / 1000) ** exponent
        error = value * float(np.hypot(qt.error / qt.value, exponent * rr.error / rr.value))
        corrected[name] = Measured(value, error, "ms", _REFERENCE_QTC_MS)
    return corrected
