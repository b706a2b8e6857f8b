"""What is said of the heart, in figures: measured in its signals, or printed by the recorder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Measured", "Measurements", "PrintedFacts"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its error bar.

    Attributes:
        value: The figure.
        error: One standard uncertainty, in the same unit.
        unit: ``"ms"``, ``"mV"``, ``"1/min"`` or ``"deg"``.
        usual: Lowest and highest usual value in adults, ``None`` on a side without a limit; ``None`` where no range
            holds for all adults.
    """

    value: float
    error: float
    unit: str
    usual: tuple[float | None, float | None] | None = None

    @property
    def stands(self) -> str | None:
        """``"below"``, ``"within"`` or ``"above"`` the usual range; ``None`` where there is none.

        >>> Measured(132.0, 8.0, "ms", (70.0, 110.0)).stands
        'above'
        """
        if self.usual is None:
            return None
        low, high = self.usual
        if low is not None and self.value < low:
            return "below"
        return "above" if high is not None and self.value > high else "within"

    def to_dict(self) -> dict[str, Any]:
        """The figure in plain types."""
        return {
            "value": round(self.value, 3),
            "error": round(self.error, 3),
            "unit": self.unit,
            "usual": None if self.usual is None else list(self.usual),
            "stands": self.stands,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any] | None) -> "Measured | None":
        """The figure that :meth:`to_dict` wrote; ``None`` where there was none."""
        if told is None:
            return None
        usual = told["usual"]
        return cls(told["value"], told["error"], told["unit"], None if usual is None else (usual[0], usual[1]))


_FIGURES = (
    "rate_bpm",
    "basic_rate_bpm",
    "rr_ms",
    "sdnn_ms",
    "rmssd_ms",
    "p_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_bazett_ms",
    "qtc_fridericia_ms",
    "axis_deg",
)


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured in a record; a figure that could not be told reliably is ``None``.

    Attributes:
        rate_bpm: Ventricular rate over all beats, as one who counts them finds it.
        basic_rate_bpm: Rate of the middle half of the distances of beats, nearer to what recorders print where beats
            come early or late.
        rr_ms: Mean distance of beats.
        sdnn_ms: Standard deviation of the distances of beats of the usual shape; over seconds, not over 5 min.
        rmssd_ms: Root mean square of their successive differences.
        p_ms: P wave.
        pr_ms: Beginning of P to beginning of QRS.
        qrs_ms: QRS complex, over all leads.
        qt_ms: Beginning of QRS to end of T.
        qtc_bazett_ms: QT / sqrt(RR).
        qtc_fridericia_ms: QT / cbrt(RR).
        axis_deg: Frontal axis of the QRS complex, in (-180, 180].
        st_j_mv: By lead, level at the J point against the level before QRS.
        st_j60_mv: The same 60 ms later.
        r_peaks_s: Every beat, in s on the clock of the recording.
        edges_s: ``p_on``, ``p_end``, ``qrs_on``, ``qrs_end``, ``t_end`` of the usual beat in s from its R peak, those
            that were found.
        warnings: What a user of the figures must know, one sentence each.
    """

    rate_bpm: Measured | None = None
    basic_rate_bpm: Measured | None = None
    rr_ms: Measured | None = None
    sdnn_ms: Measured | None = None
    rmssd_ms: Measured | None = None
    p_ms: Measured | None = None
    pr_ms: Measured | None = None
    qrs_ms: Measured | None = None
    qt_ms: Measured | None = None
    qtc_bazett_ms: Measured | None = None
    qtc_fridericia_ms: Measured | None = None
    axis_deg: Measured | None = None
    st_j_mv: Mapping[str, Measured | None] = field(default_factory=dict)
    st_j60_mv: Mapping[str, Measured | None] = field(default_factory=dict)
    r_peaks_s: tuple[float, ...] = ()
    edges_s: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The figures in plain types."""
        found = {name: getattr(self, name) for name in _FIGURES}
        plain = {name: None if value is None else value.to_dict() for name, value in found.items()}
        for name, leads in (("st_j_mv", self.st_j_mv), ("st_j60_mv", self.st_j60_mv)):
            plain[name] = {lead: None if value is None else value.to_dict() for lead, value in leads.items()}
        return {
            **plain,
            "r_peaks_s": [round(second, 4) for second in self.r_peaks_s],
            "edges_s": {name: round(second, 4) for name, second in self.edges_s.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Measurements":
        """The figures that :meth:`to_dict` wrote."""
        figures: dict[str, Any] = {name: Measured.from_dict(told[name]) for name in _FIGURES}
        for name in ("st_j_mv", "st_j60_mv"):
            figures[name] = {lead: Measured.from_dict(value) for lead, value in told[name].items()}
        return cls(
            **figures,
            r_peaks_s=tuple(told["r_peaks_s"]),
            edges_s=dict(told["edges_s"]),
            warnings=tuple(told["warnings"]),
        )


@dataclass(frozen=True, slots=True)
class PrintedFacts:
    """What a recorder printed above and below the traces, as far as it could be read; ``None`` for what could not.

    A fact that is printed twice with two values is ``None`` too. Names, numbers and dates of persons are not kept.

    Attributes:
        rate_bpm: Heart rate; of the ventricles where the atria's stands beside it.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        column_s: Seconds that each column of leads shows, such as 2.5 in ``4*2.5s+1r``.
        high_pass_hz: Lower limit of the recorder's filter.
        low_pass_hz: Its upper limit.
        pr_ms: PR interval.
        qrs_ms: QRS duration.
        qt_ms: QT interval.
        qtc_ms: QT corrected for the rate, by a formula that recorders seldom name.
    """

    rate_bpm: float | None = None
    speed_mm_s: float | None = None
    gain_mm_mv: float | None = None
    column_s: float | None = None
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    pr_ms: float | None = None
    qrs_ms: float | None = None
    qt_ms: float | None = None
    qtc_ms: float | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def to_dict(self) -> dict[str, float | None]:
        """The facts in plain types.

        >>> PrintedFacts(speed_mm_s=25.0).to_dict()["speed_mm_s"]
        25.0
        """
        return asdict(self)
