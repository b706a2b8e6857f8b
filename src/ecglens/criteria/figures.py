"""Figures that conditions may name, and where they are in the measurements of a record."""

from collections.abc import Mapping
from types import MappingProxyType

from ecglens.measurements import FIGURES, LEAD_FIGURES, RHYTHM_FIGURES
from ecglens.records import Measured, Measurements

__all__ = ["LEAD_NAMES", "RECORD_NAMES", "look_up", "name_figure"]

RECORD_NAMES: Mapping[str, str] = MappingProxyType(
    {name: kind.short for name, kind in (*FIGURES.items(), *RHYTHM_FIGURES.items())}
)
"""Figures that a record has once, with their short names."""

LEAD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **{name: kind.short for name, kind in LEAD_FIGURES.items()},
        "st_j_mv": "ST at the J point",
        "st_j60_mv": "ST 60 ms after the J point",
    }
)
"""Figures of each lead, with their short names."""


def look_up(measurements: Measurements, name: str, lead: str | None) -> Measured | None:
    """Return a figure of a record by its name; of a lead if the name is one of :data:`LEAD_NAMES`."""
    if name in FIGURES:
        return _as_measured(getattr(measurements, name))
    if name in RHYTHM_FIGURES:
        return _as_measured(getattr(measurements.rhythm, name))
    if name in LEAD_FIGURES:
        return _as_measured(getattr(measurements.leads.get(lead or ""), name, None))
    return _as_measured(getattr(measurements, name).get(lead))


def name_figure(name: str, lead: str | None) -> str:
    """Name a figure in the words of a sentence.

    >>> name_figure("s_mv", "V1")
    'S in V1'
    """
    return RECORD_NAMES[name] if name in RECORD_NAMES else f"{LEAD_NAMES[name]} in {lead}"


def _as_measured(figure: object) -> Measured | None:
    return figure if isinstance(figure, Measured) else None
