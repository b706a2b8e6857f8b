"""Measurements of the signals, and facts that the recorder printed.

``FIGURES`` is the one list of measurements: their names, titles, units and meanings.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

__all__ = ["FIGURES", "FigureKind", "Measured", "Measurements", "PrintedFacts"]


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A measurement that a record has once.

    Attributes:
        title: Title for tables.
        short: Short name for sentences.
        unit: ``"ms"``, ``"1/min"`` or ``"deg"``.
        meaning: What is measured.
    """

    title: str
    short: str
    unit: str
    meaning: str


FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "rate_bpm": FigureKind("Ventricular rate", "rate", "1/min", "ventricular rate over all beats"),
        "basic_rate_bpm": FigureKind(
            "Rate, middle half of RR", "basic rate", "1/min", "rate of the middle half of the RR intervals"
        ),
        "rr_ms": FigureKind("RR interval, mean", "RR", "ms", "mean RR interval"),
        "sdnn_ms": FigureKind(
            "RR variation, SDNN", "SDNN", "ms", "standard deviation of the RR intervals of normal beats"
        ),
        "rmssd_ms": FigureKind(
            "RR variation, RMSSD", "RMSSD", "ms", "root mean square of the successive differences of RR intervals"
        ),
        "p_ms": FigureKind("P wave", "P", "ms", "duration of the P wave"),
        "pr_ms": FigureKind("PR interval", "PR", "ms", "onset of P to onset of QRS"),
        "qrs_ms": FigureKind("QRS duration", "QRS", "ms", "duration of the QRS complex over all leads"),
        "qt_ms": FigureKind("QT interval", "QT", "ms", "onset of QRS to end of T"),
        "qtc_bazett_ms": FigureKind("QTc, Bazett", "QTc by Bazett", "ms", "QT / sqrt(RR)"),
        "qtc_fridericia_ms": FigureKind("QTc, Fridericia", "QTc by Fridericia", "ms", "QT / cbrt(RR)"),
        "axis_deg": FigureKind("QRS axis", "axis", "deg", "frontal axis of the QRS complex"),
    }
)
"""Measurements by their names in :class:`Measurements`, in the order of every table."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement with its error bar.

    Attributes:
        value: Value in ``unit``.
        error: One standard uncertainty, in the same unit.
        unit: ``"ms"``, ``"mV"``, ``"1/min"`` or ``"deg"``.
        reference: Lowest and highest value of the reference range in adults, ``None`` on a side without a limit;
            ``None`` where no range holds for all adults.
    """

    value: float
    error: float
    unit: str
    reference: tuple[float | None, float | None] | None = None

    @property
    def position(self) -> str | None:
        """``"below"``, ``"within"`` or ``"above"`` the reference range; ``None`` without one.

        >>> Measured(132.0, 8.0, "ms", (70.0, 110.0)).position
        'above'
        """
        if self.reference is None:
            return None
        low, high = self.reference
        if low is not None and self.value < low:
            return "below"
        return "above" if high is not None and self.value > high else "within"

    def to_dict(self) -> dict[str, Any]:
        """Return the measurement in plain types."""
        return {
            "value": round(self.value, 3),
            "error": round(self.error, 3),
            "unit": self.unit,
            "reference": None if self.reference is None else list(self.reference),
            "position": self.position,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any] | None) -> "Measured | None":
        """Return the measurement that :meth:`to_dict` wrote; ``None`` for ``None``."""
        if plain is None:
            return None
        reference = plain["reference"]
        return cls(
            plain["value"],
            plain["error"],
            plain["unit"],
            None if reference is None else (reference[0], reference[1]),
        )


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements of a record; a figure that could not be measured reliably is ``None``.

    Attributes:
        rate_bpm: Ventricular rate over all beats, as a person who counts them finds it.
        basic_rate_bpm: Rate of the middle half of the RR intervals; closer to what recorders print where beats come
            early or late.
        rr_ms: Mean RR interval.
        sdnn_ms: Standard deviation of the RR intervals of normal beats; over seconds, not over 5 min.
        rmssd_ms: Root mean square of the successive differences of these intervals.
        p_ms: Duration of the P wave.
        pr_ms: Onset of P to onset of QRS.
        qrs_ms: Duration of the QRS complex over all leads.
        qt_ms: Onset of QRS to end of T.
        qtc_bazett_ms: QT / sqrt(RR).
        qtc_fridericia_ms: QT / cbrt(RR).
        axis_deg: Frontal axis of the QRS complex, in (-180, 180].
        st_j_mv: By lead, level at the J point against the level before QRS.
        st_j60_mv: By lead, level 60 ms after the J point.
        r_peaks_s: R peak of every beat, in s from the start of the recording.
        edges_s: ``p_on``, ``p_end``, ``qrs_on``, ``qrs_end``, ``t_end`` of the typical beat in s from its R peak, as
            far as they were found.
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

    def _repr_html_(self) -> str:
        return str(import_module("ecglens.notebooks.html").show_measurements(self))

    def to_frame(self) -> Any:
        """Return the measurements as a ``pandas.DataFrame``; see :func:`ecglens.notebooks.frames.frame_measurements`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return import_module("ecglens.notebooks.frames").frame_measurements(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements in plain types."""
        figures = {name: getattr(self, name) for name in FIGURES}
        plain = {name: None if figure is None else figure.to_dict() for name, figure in figures.items()}
        for name, leads in (("st_j_mv", self.st_j_mv), ("st_j60_mv", self.st_j60_mv)):
            plain[name] = {lead: None if level is None else level.to_dict() for lead, level in leads.items()}
        return {
            **plain,
            "r_peaks_s": [round(second, 4) for second in self.r_peaks_s],
            "edges_s": {name: round(second, 4) for name, second in self.edges_s.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Measurements":
        """Return the measurements that :meth:`to_dict` wrote."""
        figures: dict[str, Any] = {name: Measured.from_dict(plain[name]) for name in FIGURES}
        for name in ("st_j_mv", "st_j60_mv"):
            figures[name] = {lead: Measured.from_dict(level) for lead, level in plain[name].items()}
        return cls(
            **figures,
            r_peaks_s=tuple(plain["r_peaks_s"]),
            edges_s=dict(plain["edges_s"]),
            warnings=tuple(plain["warnings"]),
        )


@dataclass(frozen=True, slots=True)
class PrintedFacts:
    """Facts that a recorder printed above and below the traces; ``None`` for each fact that could not be read.

    A fact that is printed twice with two values is ``None`` too. Names, numbers and dates of persons are not stored.

    Attributes:
        rate_bpm: Heart rate; that of the ventricles where the atrial rate is printed beside it.
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        column_s: Seconds that each column of leads shows, such as 2.5 in ``4*2.5s+1r``.
        high_pass_hz: Lower limit of the recorder's filter.
        low_pass_hz: Upper limit of the recorder's filter.
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
        """Return the facts in plain types.

        >>> PrintedFacts(speed_mm_s=25.0).to_dict()["speed_mm_s"]
        25.0
        """
        return asdict(self)
