"""Measurements of chosen values, named as conditions of criteria name them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ecglens.layouts import STANDARD_LEADS
from ecglens.measurements import FIGURES, LEAD_FIGURES, RHYTHM_FIGURES
from ecglens.records import LeadWaves, Measured, Measurements, Rhythm

UNITS = {name: kind.unit for name, kind in (*FIGURES.items(), *RHYTHM_FIGURES.items(), *LEAD_FIGURES.items())}

HEALTHY: Mapping[str, float] = {
    **{"rate_bpm": 70, "pr_ms": 160, "qrs_ms": 90, "p_ms": 100, "axis_deg": 45, "qtc_fridericia_ms": 415},
    **{
        "beats": 11,
        "irregularity": 0.01,
        "p_share": 1,
        "pr_estimate_ms": 160,
        "qrs_estimate_ms": 90,
        "longest_rr_ms": 900,
    },
    **{"premature_narrow": 0, "premature_broad": 0, "spikes": 0},
    **{f"{name}[{lead}]": 0.0 for lead in STANDARD_LEADS for name in ("q_mv", "q_ms", "r2_mv", "p_terminal_mvms")},
    **{f"{name}[{lead}]": 0.0 for lead in STANDARD_LEADS for name in ("st_j_mv", "st_j60_mv")},
    **{f"r_mv[{lead}]": 1.0 for lead in STANDARD_LEADS},
    **{f"s_mv[{lead}]": 0.3 for lead in STANDARD_LEADS},
    **{f"r_ms[{lead}]": 50.0 for lead in STANDARD_LEADS},
    **{f"s_ms[{lead}]": 20.0 for lead in STANDARD_LEADS},
    **{f"r_peak_ms[{lead}]": 40.0 for lead in STANDARD_LEADS},
    **{f"qrs_span_mv[{lead}]": 1.3 for lead in STANDARD_LEADS},
    **{f"p_mv[{lead}]": 0.1 for lead in STANDARD_LEADS},
    **{f"t_mv[{lead}]": 0.3 for lead in STANDARD_LEADS},
    **{"r_mv[V1]": 0.2, "s_mv[V1]": 0.9, "s_mv[V3]": 0.5},
}
"""Figures of a healthy adult, of whom no criterion is met but sinus rhythm."""


def make_measurements(values: Mapping[str, float | None], *, error: float = 0.0) -> Measurements:
    """Return measurements of these values, all with one error; ``None`` was not measured."""
    once: dict[str, Any] = {}
    rhythm: dict[str, Any] = {}
    levels: dict[str, dict[str, Measured | None]] = {"st_j_mv": {}, "st_j60_mv": {}}
    leads: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in values.items():
        name, _, lead = key.rstrip("]").partition("[")
        measured = None if value is None else Measured(float(value), error, UNITS.get(name, "mV"))
        if name in levels:
            levels[name][lead] = measured
        elif lead:
            leads[lead][name] = measured
        else:
            (once if name in FIGURES else rhythm)[name] = measured
    waves = {lead: LeadWaves(**figures) for lead, figures in leads.items()}
    return Measurements(**once, **levels, leads=waves, rhythm=Rhythm(**rhythm))  # type: ignore[arg-type]
