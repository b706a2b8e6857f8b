"""Results of a monitor while a stream runs; each names the seconds of the stream that it comes from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ecglens.measurements import Measured
from ecglens.records import Prediction
from ecglens.statements import Statement
from ecglens.streams.packets import Gap

__all__ = ["LeadQuality", "LiveBeat", "LiveFigures", "LivePrediction", "Result", "StreamEvent"]


@dataclass(frozen=True, slots=True)
class LiveBeat:
    """A beat.

    Attributes:
        at_s: Its fiducial, in s from the start of the stream.
        time_s: The same in s since 1970 by the drift-corrected clock, or ``None``.
        kind: ``"N"`` normal, ``"S"`` early and narrow, ``"V"`` early and broad, by templates and time alone; ``None``
            before the normal shape is known.
        rr_s: Time since the beat before; ``None`` where a gap lies between them.
        is_late: Whether it was searched for after the time at which it was expected.
        replaces_s: Beat that was reported before and is none, in s from the start of the stream, or ``None``.
    """

    at_s: float
    time_s: float | None = None
    kind: str | None = None
    rr_s: float | None = None
    is_late: bool = False
    replaces_s: float | None = None

    @property
    def start_s(self) -> float:
        """Start of the part of the stream that the beat was detected in."""
        return self.at_s

    @property
    def end_s(self) -> float:
        """End of that part."""
        return self.at_s

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types, times to a millisecond."""
        return {"type": "beat", **_round(asdict(self))}


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """Quality of the leads.

    Attributes:
        start_s: Start of the seconds that it comes from.
        end_s: Their end.
        quality: In [0, 1] by lead; below 0.5 a lead failed a check.
        reasons: By lead, the check that it failed.
    """

    start_s: float
    end_s: float
    quality: Mapping[str, float]
    reasons: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {
            "type": "quality",
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "quality": {lead: round(value, 2) for lead, value in self.quality.items()},
            "reasons": dict(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """Figures of a window.

    Attributes:
        window: ``"rate"`` (the last 10 s), ``"minute"`` or ``"five_minutes"``.
        start_s: Start of the seconds that they come from.
        end_s: Their end.
        figures: Measurements by their names in ``FIGURES`` and ``RHYTHM_FIGURES``.
        statements: Statements by criteria about these figures, those that are met or borderline.
    """

    window: str
    start_s: float
    end_s: float
    figures: Mapping[str, Measured]
    statements: tuple[Statement, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {
            "type": "figures",
            "window": self.window,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "figures": {name: figure.to_dict() for name, figure in self.figures.items()},
            "statements": [statement.to_dict() for statement in self.statements],
        }


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Something that a person should know about the stream.

    Attributes:
        kind: Name of the event: that of an alarm rule or of a criterion, ``"gap"``, ``"leads_off"``, ``"connection"``,
            ``"battery"``, ``"device_rate"`` or ``"refused"``.
        title: Title for people.
        start_s: Start of the seconds that it comes from.
        end_s: Their end.
        state: ``"begins"``, ``"ends"`` or ``"once"``.
        priority: ``"high"``, ``"medium"`` or ``"low"`` of an alarm, otherwise ``"info"``.
        detail: One sentence with the figures, or empty.
        values: The figures themselves.
    """

    kind: str
    title: str
    start_s: float
    end_s: float
    state: str = "once"
    priority: str = "info"
    detail: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def reported_s(self) -> float:
        """When it happened: what begins or ends does so at the end of the seconds that it comes from."""
        return self.start_s if self.state == "once" else self.end_s

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types, times to a millisecond."""
        plain = {name: getattr(self, name) for name in ("kind", "title", "start_s", "end_s", "state", "priority")}
        values = {name: round(value, 3) for name, value in self.values.items()}
        return {"type": "event", **_round(plain), "detail": self.detail, "values": values}

    @classmethod
    def of_gap(cls, gap: Gap) -> "StreamEvent":
        """Return the event that a gap is."""
        seconds = gap.end_s - gap.start_s
        reasons = {
            "lost": " in packets that did not arrive",
            "disconnected": " after the connection was lost",
            "restarted": ", as the device restarts its count",
        }
        amount = "An unknown time is" if gap.samples == 1 and gap.reason != "lost" else f"{seconds:.2f} s are"
        return cls(
            "gap",
            "Gap",
            gap.start_s,
            gap.end_s,
            detail=f"{amount} missing{reasons[gap.reason]}.",
            values={"samples": float(gap.samples)},
        )


@dataclass(frozen=True, slots=True)
class LivePrediction:
    """Answer of a model of signals about the last seconds.

    Attributes:
        start_s: Start of the seconds that it comes from.
        end_s: Their end.
        prediction: The answer, with the reason where there is no label.
    """

    start_s: float
    end_s: float
    prediction: Prediction

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        times = {"start_s": round(self.start_s, 3), "end_s": round(self.end_s, 3)}
        return {"type": "prediction", **times, "prediction": self.prediction.to_dict()}


Result = LiveBeat | LeadQuality | LiveFigures | StreamEvent | LivePrediction
"""Results of a monitor."""


def _round(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in plain.items()}
