"""Scale of the traces: gain in mm/mV and pixels per second, with the source of each."""

from dataclasses import dataclass

import numpy as np

from ecglens.limits import threshold
from ecglens.records import Layout, LeadBox

__all__ = ["DEFAULT_GAIN_MM_MV", "LIMITS", "ScaleLimits", "find_gain", "find_px_per_s", "find_standard_duration"]

DEFAULT_GAIN_MM_MV = 10.0
"""Gain of a page without a calibration pulse that neither prints another one nor was given one."""

_STANDARD_GAINS_MM_MV = (2.5, 5.0, 10.0, 20.0, 40.0)
_STANDARD_DURATIONS_S = (2.5, 5.0, 10.0)
"""Durations at which recorders cut leads."""


@dataclass(frozen=True)
class ScaleLimits:
    """Thresholds of the scale."""

    gain_tolerance: float = threshold(
        0.12,
        "1",
        "Relative deviation of the calibration pulse from a given gain that brings a warning.",
        low="Pulses that are measured a pixel too high bring a warning.",
        high="A gain that is given wrongly is not noticed.",
    )
    pulse_tolerance: float = threshold(
        0.15,
        "1",
        "Relative deviation of the calibration pulse from the nearest standard gain above which it is none.",
        low="Pulses of blurred pages are not used.",
        high="Bars between leads and complexes that look like pulses halve or double all amplitudes.",
        evidence="rendered pages without pulses: bars of 4 mm between leads were read as 5 mm/mV",
    )
    duration_tolerance_grid: float = threshold(
        0.01,
        "1",
        "Relative deviation of the traces' length from a standard duration, where a grid gives the scale.",
        low="Grids that are printed slightly too wide give wrong rates.",
        high="Lengths that truly differ, such as 9.8 s, are stretched to 10 s.",
        evidence="benchmarks/printed.md: rates against those that the pages print",
    )
    duration_tolerance_pulse: float = threshold(
        0.02,
        "1",
        "The same where calibration pulses give the scale, which are less exact than a grid.",
        low="Scales from pulses give wrong rates.",
        high="Lengths that truly differ are stretched to a standard duration.",
    )


LIMITS = ScaleLimits()


def find_gain(
    layout: Layout, given_mm_mv: float | None, printed_mm_mv: float | None
) -> tuple[float | None, str | None, tuple[str, ...]]:
    """Find the gain of a page.

    Args:
        layout: Layout with its calibration pulse.
        given_mm_mv: Gain that the caller gave, or ``None``.
        printed_mm_mv: Gain that the page prints, or ``None``.

    Returns:
        Gain in mm/mV, its source as in ``Tracing.gain_source``, and warnings.
    """
    pulse = layout.pulse_mm
    if layout.px_per_mm_source == "none":
        return None, None, ()
    nearest = None if pulse is None else _find_standard_gain(pulse)
    if given_mm_mv is not None:
        if pulse is None or abs(pulse / given_mm_mv - 1) <= LIMITS.gain_tolerance:
            return given_mm_mv, "given", ()
        warning = f"The calibration pulse is {pulse:.1f} mm high, but {given_mm_mv:g} mm/mV was given."
        return given_mm_mv, "given", (warning,)
    if nearest is not None:
        return nearest, "pulse", ()
    if printed_mm_mv is not None:
        return printed_mm_mv, "printed", ()
    reason = "No calibration pulse was found" if pulse is None else f"A pulse of {pulse:.1f} mm fits no standard gain"
    warning = f"{reason}: {DEFAULT_GAIN_MM_MV:g} mm/mV is assumed, and all amplitudes depend on this."
    return DEFAULT_GAIN_MM_MV, "default", (warning,)


def _find_standard_gain(pulse_mm: float) -> float | None:
    """Return the gain at which recorders print a pulse of this height, or ``None`` where there is none."""
    nearest = min(_STANDARD_GAINS_MM_MV, key=lambda gain: abs(float(np.log(gain / pulse_mm))))
    return nearest if abs(pulse_mm / nearest - 1) <= LIMITS.pulse_tolerance else None


def find_px_per_s(lines: list[tuple[LeadBox, ...]], layout: Layout, speed_mm_s: float) -> float:
    """Find the pixels per second: by the scale, or by the traces' length where that is nearly a standard duration.

    Recorders cut leads at standard durations, and some print the grid up to a hundredth too wide for them.

    Args:
        lines: Lead boxes line by line.
        layout: Layout with its scale.
        speed_mm_s: Paper speed.
    """
    by_scale = speed_mm_s * layout.px_per_mm[1]
    has_grid = layout.px_per_mm_source in ("grid", "given")
    tolerance = LIMITS.duration_tolerance_grid if has_grid else LIMITS.duration_tolerance_pulse
    width = max(line[-1].box.right - line[0].box.left for line in lines)
    duration_s = find_standard_duration(width / by_scale, tolerance)
    return by_scale if duration_s is None else width / duration_s


def find_standard_duration(seconds: float, tolerance: float = LIMITS.duration_tolerance_grid) -> float | None:
    """Return the duration at which recorders cut leads that is nearly the measured one, or ``None``."""
    nearest = min(_STANDARD_DURATIONS_S, key=lambda each: abs(seconds - each))
    return nearest if abs(seconds / nearest - 1) < tolerance else None
