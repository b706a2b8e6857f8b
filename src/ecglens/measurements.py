"""Measurements of the signals, and facts that the recorder printed.

``FIGURES`` is the one list of measurements that a record has once: their names, titles, units and meanings.
``RHYTHM_FIGURES`` and ``LEAD_FIGURES`` are the same for the rhythm and for the waves of one lead.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

__all__ = [
    "FIGURES",
    "LEAD_FIGURES",
    "RHYTHM_FIGURES",
    "FigureKind",
    "LeadWaves",
    "Measured",
    "Measurements",
    "PrintedFacts",
    "Rhythm",
]


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A kind of measurement.

    Attributes:
        title: Title for tables.
        short: Short name for sentences.
        unit: ``"ms"``, ``"mV"``, ``"mV ms"``, ``"1/min"``, ``"deg"``, or ``"1"`` for shares and counts.
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

RHYTHM_FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "beats": FigureKind("Beats", "number of beats", "1", "number of beats"),
        "irregularity": FigureKind(
            "Irregularity of RR",
            "irregularity",
            "1",
            "median difference of successive RR intervals as a share of the median RR interval",
        ),
        "p_share": FigureKind(
            "Beats with a P wave",
            "share of P waves",
            "1",
            "share of the normal beats before whose QRS complex the same P wave lies",
        ),
        "pr_estimate_ms": FigureKind(
            "PR interval, estimated",
            "PR",
            "ms",
            "PR interval, by the peak of P where its onset lies in the T wave",
        ),
        "qrs_estimate_ms": FigureKind(
            "QRS duration, estimated", "QRS", "ms", "QRS duration, also where its error is too large for the tables"
        ),
        "premature_narrow": FigureKind(
            "Premature beats, narrow", "narrow premature beats", "1", "premature beats of the shape of the normal beats"
        ),
        "premature_broad": FigureKind(
            "Premature beats, broad", "broad premature beats", "1", "premature beats that are wider than normal beats"
        ),
        "longest_rr_ms": FigureKind("Longest RR interval", "longest RR", "ms", "longest RR interval"),
        "spikes": FigureKind("Pacing spikes", "pacing spikes", "1", "number of pacing spikes"),
    }
)
"""Figures of rhythm and conduction by their names in :class:`Rhythm`."""

LEAD_FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "q_mv": FigureKind("Q wave", "Q", "mV", "depth of the Q wave, of the whole complex where it is QS"),
        "q_ms": FigureKind("Q duration", "Q duration", "ms", "duration of the Q wave, of the whole complex if QS"),
        "r_mv": FigureKind("R wave", "R", "mV", "height of the R wave, the first positive wave"),
        "r_ms": FigureKind("R duration", "R duration", "ms", "duration of the R wave"),
        "s_mv": FigureKind("S wave", "S", "mV", "depth of the S wave, of the whole complex where it is QS"),
        "s_ms": FigureKind("S duration", "S duration", "ms", "duration of the S wave"),
        "r2_mv": FigureKind("R' wave", "R'", "mV", "height of the R' wave, the second positive wave"),
        "r_peak_ms": FigureKind(
            "R peak time", "R peak time", "ms", "onset of QRS to the last peak of its highest positive wave"
        ),
        "qrs_span_mv": FigureKind("QRS amplitude", "QRS amplitude", "mV", "highest minus deepest point of QRS"),
        "p_mv": FigureKind("P wave", "P", "mV", "level of the P wave where it is farthest from the level at its onset"),
        "p_terminal_mvms": FigureKind(
            "P terminal force", "P terminal force", "mV ms", "depth times duration of P's negative end"
        ),
        "t_mv": FigureKind("T wave", "T", "mV", "level of the T wave where it is farthest from the level before QRS"),
    }
)
"""Figures of one lead by their names in :class:`LeadWaves`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement with its error bar.

    Attributes:
        value: Value in ``unit``.
        error: One standard uncertainty, in the same unit.
        unit: ``"ms"``, ``"mV"``, ``"mV ms"``, ``"1/min"``, ``"deg"``, or ``"1"`` for shares and counts.
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
class Rhythm:
    """Figures of rhythm and conduction; ``None`` for each that could not be measured.

    Attributes:
        beats: Number of beats.
        irregularity: Median difference of successive RR intervals as a share of the median RR interval.
        p_share: Share of the normal beats before whose QRS complex the same P wave lies.
        pr_estimate_ms: PR interval; where the onset of P could not be measured, a typical P wave around its peak gives
            it, with a larger error.
        qrs_estimate_ms: QRS duration, also where its error is too large for ``Measurements.qrs_ms``.
        premature_narrow: Number of premature beats of the shape of the normal beats.
        premature_broad: Number of premature beats that are wider than the normal beats.
        longest_rr_ms: Longest RR interval.
        spikes: Number of pacing spikes.
    """

    beats: Measured | None = None
    irregularity: Measured | None = None
    p_share: Measured | None = None
    pr_estimate_ms: Measured | None = None
    qrs_estimate_ms: Measured | None = None
    premature_narrow: Measured | None = None
    premature_broad: Measured | None = None
    longest_rr_ms: Measured | None = None
    spikes: Measured | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in plain types."""
        return _figures_to_dict(self, RHYTHM_FIGURES)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Rhythm":
        """Return the figures that :meth:`to_dict` wrote."""
        return cls(**{name: Measured.from_dict(plain.get(name)) for name in RHYTHM_FIGURES})


@dataclass(frozen=True, slots=True)
class LeadWaves:
    """Waves of the median beat in one lead; ``None`` for each that could not be measured.

    A wave that is not there has an amplitude and a duration of 0. Depths of Q and S waves are positive numbers. A
    complex without a positive wave, QS, counts as a Q wave and as an S wave.

    Attributes:
        q_mv: Depth of the Q wave.
        q_ms: Duration of the Q wave.
        r_mv: Height of the R wave, the first positive wave.
        r_ms: Duration of the R wave.
        s_mv: Depth of the S wave, the negative wave after the R wave.
        s_ms: Duration of the S wave.
        r2_mv: Height of the R' wave, the second positive wave.
        r_peak_ms: Onset of QRS to the last peak of its highest positive wave, whose notches count as peaks.
        qrs_span_mv: Highest minus deepest point of QRS.
        p_mv: Level of the P wave where it is farthest from the level at its onset.
        p_terminal_mvms: Depth times duration of the negative end of the P wave; 0 where its end is positive.
        t_mv: Level of the T wave where it is farthest from the level before QRS.
    """

    q_mv: Measured | None = None
    q_ms: Measured | None = None
    r_mv: Measured | None = None
    r_ms: Measured | None = None
    s_mv: Measured | None = None
    s_ms: Measured | None = None
    r2_mv: Measured | None = None
    r_peak_ms: Measured | None = None
    qrs_span_mv: Measured | None = None
    p_mv: Measured | None = None
    p_terminal_mvms: Measured | None = None
    t_mv: Measured | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the waves in plain types."""
        return _figures_to_dict(self, LEAD_FIGURES)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "LeadWaves":
        """Return the waves that :meth:`to_dict` wrote."""
        return cls(**{name: Measured.from_dict(plain.get(name)) for name in LEAD_FIGURES})


@dataclass(frozen=True, slots=True, repr=False)
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
        leads: By lead, the waves of the median beat.
        rhythm: Figures of the rhythm.
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
    leads: Mapping[str, LeadWaves] = field(default_factory=dict)
    rhythm: Rhythm = field(default_factory=Rhythm)
    r_peaks_s: tuple[float, ...] = ()
    edges_s: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        figures = (("rate", self.rate_bpm), ("PR", self.pr_ms), ("QRS", self.qrs_ms), ("QT", self.qt_ms))
        words = [
            f"{name} {figure.value:.0f}{'/min' if name == 'rate' else ' ms'}" for name, figure in figures if figure
        ]
        return f"Measurements({', '.join(words) or 'nothing measured'})"

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
            "leads": {lead: waves.to_dict() for lead, waves in self.leads.items()},
            "rhythm": self.rhythm.to_dict(),
            "r_peaks_s": [round(second, 4) for second in self.r_peaks_s],
            "edges_s": {name: round(second, 4) for name, second in self.edges_s.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Measurements":
        """Return the measurements that :meth:`to_dict` wrote; what earlier versions did not measure is empty."""
        figures: dict[str, Any] = {name: Measured.from_dict(plain[name]) for name in FIGURES}
        for name in ("st_j_mv", "st_j60_mv"):
            figures[name] = {lead: Measured.from_dict(level) for lead, level in plain[name].items()}
        return cls(
            **figures,
            leads={lead: LeadWaves.from_dict(waves) for lead, waves in plain.get("leads", {}).items()},
            rhythm=Rhythm.from_dict(plain.get("rhythm", {})),
            r_peaks_s=tuple(plain["r_peaks_s"]),
            edges_s=dict(plain["edges_s"]),
            warnings=tuple(plain["warnings"]),
        )


def _figures_to_dict(figures: Any, kinds: Mapping[str, FigureKind]) -> dict[str, Any]:
    values = {name: getattr(figures, name) for name in kinds}
    return {name: None if value is None else value.to_dict() for name, value in values.items()}


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
