"""The dataclasses that packages exchange: small, frozen, with units in their field names and a ``to_dict`` method.

Measurements are defined in ``measurements`` and explanations in ``explanations``; both can be imported from here too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from os import PathLike
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import describe_value, is_number_in
from ecglens.errors import EcgLensError, RecordError
from ecglens.explanations import Check, Explanation, ModelChecks, Segment
from ecglens.measurements import LeadWaves, Measured, Measurements, PrintedFacts, Rhythm
from ecglens.outcomes import Outcome, find_outcome
from ecglens.statements import Statement

__all__ = [
    "GOOD_QUALITY",
    "Abstention",
    "Box",
    "Check",
    "EcgRecord",
    "Explanation",
    "InkMap",
    "Layout",
    "LeadBox",
    "LeadTrace",
    "LeadWaves",
    "Located",
    "Measured",
    "Measurements",
    "ModelChecks",
    "NotFound",
    "Page",
    "PageText",
    "PixelClasses",
    "Prediction",
    "PrintedFacts",
    "Reading",
    "Rhythm",
    "Segment",
    "Tracing",
    "distinct_names",
]


def _notebooks(module: str) -> ModuleType:
    """Load a module of ``ecglens.notebooks`` by name: it imports this one, and only its caller needs it."""
    return import_module(f"ecglens.notebooks.{module}")


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names that differ from each other: the second of a name ends in ``-2``, the third in ``-3``.

    >>> distinct_names(["II", "V1-rhythm", "V1-rhythm"])
    ('II', 'V1-rhythm', 'V1-rhythm-2')
    """
    all_names = tuple(names)
    distinct: list[str] = []
    for name in all_names:
        own, number = name, 1
        while own in distinct or (number > 1 and own in all_names):
            number += 1
            own = f"{name}-{number}"
        distinct.append(own)
    return tuple(distinct)


@dataclass(frozen=True, slots=True, eq=False)
class PixelClasses:
    """Share of each pixel of a page that traces, print, grid and calibration pulses cover, 0 to 255.

    Each is ``(height, width)`` uint8.
    """

    trace: NDArray[np.uint8]
    print: NDArray[np.uint8]
    grid: NDArray[np.uint8]
    pulse: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, rows before columns; ``bottom`` and ``right`` are exclusive."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def height(self) -> float:
        """Height in px."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """Width in px."""
        return self.right - self.left

    def to_dict(self) -> dict[str, float]:
        """Return the edges in px, rounded to a hundredth."""
        edges = {"top": self.top, "left": self.left, "bottom": self.bottom, "right": self.right}
        return {name: round(float(value), 2) for name, value in edges.items()}


@dataclass(frozen=True, slots=True)
class PageText:
    """A piece of text that the file holds as text, such as a lead name or a value in the header.

    Attributes:
        text: Visible characters, words separated by single spaces.
        box: Rectangle of the ink on the page as it was decoded; whole numbers are the centers of pixels.
        turns: Quarter turns clockwise by which the text is turned; 0 for text that is upright on the page.
    """

    text: str
    box: Box
    turns: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Page:
    """One page of an ECG as pixels.

    Attributes:
        pixels: ``(height, width, 3)`` uint8 RGB, upright by its EXIF metadata.
        source: File name without its folder, or ``"bytes"``.
        number: Which page of the file, from 1.
        count: How many pages the file has.
        warnings: Faults of the file that were worked around, one sentence each.
        curves: Lines from left to right that the file holds as vectors, ``(points, 2)`` float32 each: column and row,
            whole numbers are the centers of pixels.
        bend_mm: Bend of the paper by its grid, also of a page that was flattened.
        residual_mm: How far the grid of a page that was flattened by it is still from its squares; ``None`` where the
            page was not flattened.
        is_settled: Where it is flat, ``(rows, columns)`` of equal parts of a page that was flattened.
        texts: Visible text that the file holds as text, each piece with its box; it may name the patient.
        classes: Classes of its pixels, where the traces are to be found by them instead of by their darkness.
        drawing: The digital ECG of which the page is a drawing; its leads are neither searched for nor traced.
    """

    pixels: NDArray[np.uint8]
    source: str = "bytes"
    number: int = 1
    count: int = 1
    warnings: tuple[str, ...] = ()
    curves: tuple[NDArray[np.float32], ...] = ()
    bend_mm: float = 0.0
    residual_mm: float | None = None
    is_settled: NDArray[np.bool_] | None = None
    texts: tuple[PageText, ...] = ()
    classes: PixelClasses | None = None
    drawing: "Drawing | None" = None

    def __repr__(self) -> str:
        return f"Page({self.source}, page {self.number} of {self.count}, {self.width} x {self.height} px)"

    @property
    def height(self) -> int:
        """Height in px."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in px."""
        return int(self.pixels.shape[1])

    def to_dict(self) -> dict[str, Any]:
        """Return the file, the size and the warnings as plain types."""
        return {
            "source": self.source,
            "page": self.number,
            "pages": self.count,
            "width_px": self.width,
            "height_px": self.height,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class LeadBox:
    """The position of one lead.

    Attributes:
        lead: Name such as ``aVR``.
        box: Rectangle of the lead on the upright page.
        baseline_px: Row of 0 mV on the upright page.
        rhythm: Whether this is a rhythm strip.
    """

    lead: str
    box: Box
    baseline_px: float
    rhythm: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {
            "lead": self.lead,
            "rhythm": self.rhythm,
            "baseline_px": round(self.baseline_px, 2),
            "box": self.box.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class InkMap:
    """The ink of a page's traces, upright and at one scale, so that it is computed once.

    Attributes:
        pixels: ``(height, width)`` uint8, 0 for paper and 255 for the blackest ink.
        scale: Pixels of the upright page in one of the map, ``(vertical, horizontal)``.
        origin: Row and column of the map's corner on the upright page.
    """

    pixels: NDArray[np.uint8]
    scale: tuple[float, float]
    origin: tuple[float, float]

    def row(self, page_row: float) -> float:
        """Convert a row of the upright page to a row of the map."""
        return (page_row - self.origin[0]) / self.scale[0]

    def column(self, page_column: float) -> float:
        """Convert a column of the upright page to a column of the map."""
        return (page_column - self.origin[1]) / self.scale[1]


@dataclass(frozen=True, slots=True, repr=False)
class Layout:
    """The positions of the leads on a page.

    Boxes are in pixels of the *upright* page: the page turned back by ``rotation_deg``. ``to_upright`` maps a point
    ``(column, row, 1)`` of the page as it came to the upright page.

    Attributes:
        name: One of ``ecglens.layouts.LAYOUTS``.
        leads: Every lead box, rows of the layout first, rhythm strips last.
        trace_area: Around all traces and pulses, without header and footer.
        rotation_deg: Clockwise rotation of the page as it came.
        px_per_mm: ``(vertical, horizontal)``.
        px_per_mm_source: ``"grid"``, ``"given"`` (by hand), ``"pulse"`` (10 mm high, no grid was found) or ``"none"``
            (estimated from the length of the traces, which is good enough to show, not to measure).
        pulse_mm: Height of the calibration pulse in mm by the grid, or ``None`` where none was found.
        to_upright: Affine map, ``(2, 3)``.
        ink: The page's ink, upright, with separators and text as printed.
        warnings: Contradictions and doubts, one sentence each.
        known_print: Whether names and lines are in the print of the public set's recorder.
        doubt: Why the leads may not be one heart's recording, or ``None``.
        names: Boxes of the lead names; those of names that were not read are computed from the others.
        unread: Number of lead names that were not read, those of rhythm strips included.
    """

    name: str
    leads: tuple[LeadBox, ...]
    trace_area: Box
    rotation_deg: float
    px_per_mm: tuple[float, float]
    px_per_mm_source: str
    pulse_mm: float | None
    to_upright: tuple[tuple[float, float, float], tuple[float, float, float]]
    ink: InkMap = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    known_print: bool = False
    doubt: str | None = None
    names: tuple[Box, ...] = ()
    unread: int = 0

    def __repr__(self) -> str:
        rows, columns = self.px_per_mm
        return f"Layout({self.name}: {len(self.leads)} leads, {columns:.2f} x {rows:.2f} px/mm)"

    @property
    def rhythm_leads(self) -> tuple[str, ...]:
        """Leads of the rhythm strips, top to bottom."""
        return tuple(box.lead for box in self.leads if box.rhythm)

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as plain types."""
        return {
            "name": self.name,
            "rotation_deg": round(self.rotation_deg, 2),
            "px_per_mm": {
                "vertical": round(self.px_per_mm[0], 3),
                "horizontal": round(self.px_per_mm[1], 3),
                "source": self.px_per_mm_source,
            },
            "pulse_mm": None if self.pulse_mm is None else round(self.pulse_mm, 2),
            "trace_area": self.trace_area.to_dict(),
            "leads": [box.to_dict() for box in self.leads],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class NotFound:
    """A falsy result of a search.

    Attributes:
        reason: One sentence.
        names: Number of different lead names that were read nevertheless.
    """

    reason: str
    names: int = 0

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Located:
    """A page with the positions of its leads: located once, and passed to everything that reads the page.

    Attributes:
        page: The view in whose pixels the layout is: the page as it came, or dewarped, rotated or rectified.
        layout: Positions of the leads, or the reason why they were not found.
        search_s: CPU time of the search so far; a later search of the same page has only what is left.
    """

    page: Page
    layout: Layout | NotFound
    search_s: float = 0.0


GOOD_QUALITY = 0.5
"""Quality of a lead from which it passed its checks."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EcgRecord:
    """Signals of one recording.

    Attributes:
        signals_mv: ``(leads, samples)`` float32; NaN where a sample is missing. Every lead begins in column 0, also
            leads that were recorded one after the other; :meth:`on_one_clock` aligns them in time.
        fs_hz: Sampling rate.
        leads: Name of each row; a rhythm strip of a page is ``II-rhythm`` beside lead ``II`` of the rows.
        start_s: When each lead begins, in s from the start of the recording; all at 0 where it is empty.
        quality: In [0, 1] for each lead; below 0.5 a lead failed its own checks.
        comments: Free text that came with the recording.
        confidence: ``(leads, samples)`` float32 in [0, 1] for each sample, or ``None`` where it is not known.
        warnings: Limitations of the signals, one sentence each.

    Raises:
        RecordError: The signals are no array of numbers with a row for each lead, or the sampling rate is none.
    """

    signals_mv: NDArray[np.float32]
    fs_hz: float
    leads: tuple[str, ...]
    start_s: tuple[float, ...] = ()
    quality: tuple[float, ...] = ()
    comments: tuple[str, ...] = ()
    confidence: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        signals, leads = cast("tuple[object, object]", (self.signals_mv, self.leads))  # whatever a caller gives
        if not isinstance(signals, np.ndarray):
            name = type(signals).__name__
            raise RecordError(f"Expected signals as a NumPy array, got {name}; give numpy.asarray(signals, 'float32').")
        shape = self.signals_mv.shape
        if len(shape) != 2:
            raise RecordError(
                f"Expected signals of the shape (leads, samples), got the shape {shape}; give a row for each lead."
            )
        if self.signals_mv.dtype.kind not in "fiu":
            raise RecordError(f"Expected signals in mV, got {self.signals_mv.dtype}; give numbers.")
        if not is_number_in(self.fs_hz, 0) or self.fs_hz == 0:
            raise RecordError(
                f"Expected a sampling rate above 0 Hz, got {describe_value(self.fs_hz)}; give that of the recording."
            )
        if isinstance(leads, str):
            raise RecordError(f"Expected a name for each lead, got the text {leads!r}; give a tuple of names.")
        if len(self.leads) != shape[0]:
            raise RecordError(
                f"Expected a name for each of {shape[0]} rows of signals, got {len(self.leads)}; name each lead."
            )

    def __repr__(self) -> str:
        leads = "1 lead" if len(self.leads) == 1 else f"{len(self.leads)} leads"
        return f"EcgRecord({leads} at {self.fs_hz:g} Hz, {self.duration_s:.1f} s: {' '.join(self.leads)})"

    def _repr_html_(self) -> str:
        return str(_notebooks("html").show_record(self))

    def __getitem__(self, lead: str) -> NDArray[np.float32]:
        """Return the samples of a lead in mV, by the name of its row.

        Raises:
            KeyError: There is no such row.
        """
        if lead not in self.leads:
            raise KeyError(f"Expected one of the leads {', '.join(self.leads)}, got {lead!r}.")
        samples: NDArray[np.float32] = self.signals_mv[self.leads.index(lead)]
        return samples

    def __contains__(self, lead: object) -> bool:
        """Return whether there is a lead of this name."""
        return lead in self.leads

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the leads, as over the keys of a table."""
        return iter(self.leads)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the signals, ``(leads, samples)`` in mV, for NumPy."""
        return np.array(self.signals_mv, dtype=dtype, copy=copy)

    def to_dataframe(self) -> Any:
        """Return the signals in mV as a ``pandas.DataFrame``, a column for each lead, by time in s.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return _notebooks("frames").frame_record(self)

    def plot(self, *, start_s: float = 0.0, seconds: float = 10.0, ax: Any = None) -> Any:
        """Plot the signals on ECG paper, and return the axes; see :func:`ecglens.notebooks.plots.plot_record`.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return _notebooks("plots").plot_record(self, start_s=start_s, seconds=seconds, ax=ax)

    def to_wfdb(self, path: str | PathLike[str]) -> None:
        """Write the record as WFDB; see :func:`ecglens.formats.wfdb.write_wfdb`.

        Raises:
            DatasetError: WFDB cannot store the record.
            MissingExtraError: wfdb is not installed.
        """
        import_module("ecglens.formats.wfdb").write_wfdb(self, path)

    def with_distinct_leads(self) -> "EcgRecord":
        """Return the record with a different name for each row, as files that store leads by name need it.

        A page may have two rhythm strips of one lead, so that two rows have the same name.
        """
        return replace(self, leads=distinct_names(self.leads))

    @property
    def duration_s(self) -> float:
        """Length of the longest lead in s."""
        return float(self.signals_mv.shape[1] / self.fs_hz)

    def on_one_clock(self) -> "EcgRecord":
        """Return the record with column 0 at the start of the recording in every lead; NaN before and after a lead.

        >>> two = EcgRecord(np.ones((2, 2), np.float32), 2.0, ("I", "aVR"), start_s=(0.0, 1.0))
        >>> two.on_one_clock().signals_mv.tolist()
        [[1.0, 1.0, nan, nan], [nan, nan, 1.0, 1.0]]
        """
        if not any(self.start_s):
            return self
        shifts = [round(start * self.fs_hz) for start in self.start_s]
        lengths = [int(np.flatnonzero(~np.isnan(row)).max(initial=-1)) + 1 for row in self.signals_mv]
        length = max(shift + samples for shift, samples in zip(shifts, lengths, strict=True))

        def shift_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            out = np.full((len(rows), length), np.nan, dtype=np.float32)
            for row, shift, samples, placed in zip(rows, shifts, lengths, out, strict=True):
                placed[shift : shift + samples] = row[:samples]
            return out

        confidence = None if self.confidence is None else np.nan_to_num(shift_rows(self.confidence))
        zeros = (0.0,) * len(self.leads)
        return replace(self, signals_mv=shift_rows(self.signals_mv), confidence=confidence, start_s=zeros)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain types, its leads by distinct names; missing samples are ``None``."""
        leads = distinct_names(self.leads)
        signals = {
            lead: [None if np.isnan(value) else round(float(value), 4) for value in row]
            for lead, row in zip(leads, self.signals_mv, strict=True)
        }
        return {
            "fs_hz": self.fs_hz,
            "leads": list(leads),
            "start_s": list(self.start_s),
            "quality": list(self.quality),
            "unit": "mV",
            "signals": signals,
            "comments": list(self.comments),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A digital ECG that was drawn as a page.

    Attributes:
        record: Its signals, which may have more leads and seconds than the page shows.
        layout: Positions of the leads on the page.
        visible: What the page shows: a row for each lead of the layout, from where its box begins, around its baseline.
        speed_mm_s: Paper speed.
        gain_mm_mv: Millimeters of paper for a millivolt.
    """

    record: EcgRecord
    layout: Layout
    visible: EcgRecord
    speed_mm_s: float = 25.0
    gain_mm_mv: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class LeadTrace:
    """The trace of a lead on the upright page.

    Attributes:
        lead: As in the record; ``II-rhythm`` for a rhythm strip.
        columns_px: ``(samples,)`` float64, the column of each sample.
        rows_px: ``(samples,)`` float64, NaN where the trace is hidden.
        baseline_px: Row of 0 mV.
    """

    lead: str
    columns_px: NDArray[np.float64]
    rows_px: NDArray[np.float64]
    baseline_px: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of a trace with the strokes that a network sees on its page.

    Attributes:
        on_stroke: Share of its center line that is on such a stroke.
        stray: Share of the strokes in the lead's box that are beside all traces.
    """

    on_stroke: float
    stray: float


@dataclass(frozen=True, slots=True, repr=False)
class Tracing:
    """The signals of a page, with their positions and their scale.

    Attributes:
        page: The page whose pixels were traced, flattened where it was bent.
        layout: Positions of the leads on that page.
        record: Signals in mV, or ``None`` where the scale is not known.
        traces: Traces on the page, in the order of the record.
        speed_mm_s: Paper speed.
        gain_mm_mv: Millimeters of paper for a millivolt, or ``None``.
        gain_source: ``"pulse"``, ``"given"``, ``"printed"``, ``"default"`` (10 mm/mV, no pulse was found) or ``None``.
        einthoven_mv: Root mean square of I + III - II in mV where the three are simultaneous, or ``None``.
        goldberger_mv: Root mean square of aVR + aVL + aVF in mV, likewise.
        warnings: Contradictions and doubts, one sentence each.
        speed_source: ``"given"``, ``"printed"`` or ``"default"`` (25 mm/s, no other speed was given or printed).
        printed: Facts that the recorder printed around the traces, where there were any or reading them was requested.
        measurements: Measurements of the record, where it was measured to check the paper speed.
        agreements: How each trace agrees with the strokes that a network sees, where it was asked because of doubts.
    """

    page: Page = field(repr=False)
    layout: Layout
    record: EcgRecord | None
    traces: tuple[LeadTrace, ...] = field(repr=False)
    speed_mm_s: float
    gain_mm_mv: float | None
    gain_source: str | None
    einthoven_mv: float | None = None
    goldberger_mv: float | None = None
    warnings: tuple[str, ...] = ()
    speed_source: str = "default"
    printed: PrintedFacts | None = None
    measurements: Measurements | None = field(default=None, repr=False)
    agreements: tuple[Agreement, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        gain = "unknown gain" if self.gain_mm_mv is None else f"{self.gain_mm_mv:g} mm/mV"
        signals = f"{len(self.traces)} traces" if self.record is None else repr(self.record)
        return f"Tracing({self.layout.name}, {self.speed_mm_s:g} mm/s, {gain}: {signals})"

    def _repr_html_(self) -> str:
        return str(_notebooks("html").show_tracing(self))

    def to_dict(self) -> dict[str, Any]:
        """Return page, layout, scale, checks and record as plain types, without the traces."""
        return {
            **self.page.to_dict(),
            "layout": self.layout.to_dict(),
            "scale": {
                "speed_mm_s": self.speed_mm_s,
                "speed_source": self.speed_source,
                "gain_mm_mv": self.gain_mm_mv,
                "gain_source": self.gain_source,
                "px_per_mm": [round(value, 4) for value in self.layout.px_per_mm],
                "px_per_mm_source": self.layout.px_per_mm_source,
                "pulse_mm": None if self.layout.pulse_mm is None else round(self.layout.pulse_mm, 2),
            },
            "einthoven_rmse_mv": None if self.einthoven_mv is None else round(self.einthoven_mv, 4),
            "goldberger_rmse_mv": None if self.goldberger_mv is None else round(self.goldberger_mv, 4),
            "printed": None if self.printed is None else self.printed.to_dict(),
            "record": None if self.record is None else self.record.to_dict(),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Abstention:
    """The reason why a prediction has no label.

    Attributes:
        kind: ``"no_layout"`` (not recognized as an ECG page), ``"unfamiliar"`` (a page of another print or layout than
            the model was trained on) or ``"uncertain"`` (no label is probable enough).
        reason: One sentence for a person.
    """

    kind: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return kind and reason."""
        return {"kind": self.kind, "reason": self.reason}


@dataclass(frozen=True, slots=True, repr=False)
class Prediction:
    """The output of a model for one page.

    Attributes:
        label: The label, or ``None`` with an ``abstention``.
        probabilities: Calibrated probabilities by label; ``None`` where the page was not given to the model.
        abstention: The reason why there is no label, or ``None``.
        lead_probabilities: Probabilities by lead, then label, where the model has them.
        model: Name of the model.
        model_version: Its version.
        layout: Positions of the leads, or ``None``.
        warnings: Limitations of the prediction, one sentence each.
        inputs: Arrays that the model read, by input of its graph; ``None`` where the page was not given to the model.
            An explanation of the prediction uses these very arrays.
        holds: For a model of several labels, whether each holds, by sets that contain the truth with a stated
            probability; ``None`` for a label where the set has both answers. ``None`` for other models.
    """

    label: str | None
    probabilities: Mapping[str, float] | None
    model: str
    model_version: str
    abstention: Abstention | None = None
    lead_probabilities: Mapping[str, Mapping[str, float]] | None = None
    layout: Layout | None = None
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, NDArray[np.float32]] | None = field(default=None, repr=False, compare=False)
    holds: Mapping[str, bool | None] | None = None

    def __repr__(self) -> str:
        if self.label is None:
            answer = "no label" if self.abstention is None else f"no label, {self.abstention.kind}"
        else:
            answer = self.label if self.confidence is None else f"{self.label}, p = {min(self.confidence, 0.999):.3f}"
        return f"Prediction({answer}, by {self.model} {self.model_version})"

    def _repr_html_(self) -> str:
        return str(_notebooks("html").show_prediction(self))

    @property
    def confidence(self) -> float | None:
        """Probability of the most probable label, or ``None`` where the page was not given to the model."""
        return max(self.probabilities.values()) if self.probabilities else None

    @property
    def outcome(self) -> Outcome:
        """Outcome of reading the page: a label, or the kind of reason why there is none."""
        return find_outcome(self.label, None if self.abstention is None else self.abstention.kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain types."""
        return {
            "outcome": self.outcome.value,
            "label": self.label,
            "abstention": None if self.abstention is None else self.abstention.to_dict(),
            "probabilities": _round_values(self.probabilities),
            "lead_probabilities": None
            if self.lead_probabilities is None
            else {lead: _round_values(values) for lead, values in self.lead_probabilities.items()},
            "holds": None if self.holds is None else dict(self.holds),
            "model": {"name": self.model, "version": self.model_version},
            "layout": None if self.layout is None else self.layout.to_dict(),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """A page with everything that was read from it.

    Attributes:
        located: The view of the page that shows its leads, and its layout.
        prediction: Output of a model.
        tracing: Signals of the page; ``None`` where they were not requested or could not be read.
        measurements: Measurements of the signals.
        statements: What published criteria say about the measurements, for orientation; empty without measurements.
        conflicts: Where the label and the statements disagree, one sentence each.
        beside: Output of a signal model beside that of a page model, or ``None`` where there is only one model.
    """

    located: Located
    prediction: Prediction
    tracing: Tracing | None = None
    measurements: Measurements | None = None
    statements: tuple[Statement, ...] = ()
    conflicts: tuple[str, ...] = ()
    beside: Prediction | None = None

    def __repr__(self) -> str:
        answer = self.prediction.label or "no label"
        return f"Reading({self.page.source}, page {self.page.number} of {self.page.count}: {answer})"

    def _repr_html_(self) -> str:
        return str(_notebooks("html").show_reading(self))

    def plot(self, *, seconds: float = 10.0, ax: Any = None) -> Any:
        """Plot the signals of the page on ECG paper, as :meth:`EcgRecord.plot` does.

        Raises:
            EcgLensError: The page was not digitized, or its scale is unknown.
            MissingExtraError: matplotlib is not installed.
        """
        if isinstance(self.layout, NotFound):
            detail = f"Expected signals, but the leads of the page were not located. {self.layout.reason}"
            raise EcgLensError(source=self.page.source, detail=detail)
        record = None if self.tracing is None else self.tracing.record
        if record is None:
            detail = "Expected signals, but the page was not digitized; read it with measure=True."
            if self.tracing is not None:
                detail = "Expected signals in mV, but the scale of the page is unknown; digitize it with its gain."
            raise EcgLensError(source=self.page.source, detail=detail)
        return record.plot(seconds=seconds, ax=ax)

    @property
    def signals(self) -> "EcgRecord | None":
        """Signals of the digital ECG that was drawn, or those of the tracing; ``None`` where there are none."""
        if self.page.drawing is not None:
            return self.page.drawing.record
        return None if self.tracing is None else self.tracing.record

    @property
    def page(self) -> Page:
        """The view of the page on which its leads were located."""
        return self.located.page

    @property
    def layout(self) -> Layout | NotFound:
        """Positions of the leads on that view, or the reason why they were not found."""
        return self.located.layout

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the page, its layout, the predictions, the signals and the measurements, and conflicts, once."""
        parts = (self.page, self.layout, self.prediction, self.beside, self.tracing, self.measurements)
        texts = [text for part in parts for text in getattr(part, "warnings", ())]
        return tuple(dict.fromkeys((*texts, *self.conflicts)))

    def to_dict(self) -> dict[str, Any]:
        """Return page, prediction, printed facts, measurements and statements as plain types, without the signals."""
        printed = None if self.tracing is None else self.tracing.printed
        return {
            **self.page.to_dict(),
            **self.prediction.to_dict(),
            **({} if self.beside is None else {"beside": {**self.beside.to_dict(), "layout": None}}),
            "printed": None if printed is None else printed.to_dict(),
            "measurements": None if self.measurements is None else self.measurements.to_dict(),
            "statements": [statement.to_dict() for statement in self.statements],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, repr=False)
class RecordReading:
    """A digital ECG with everything that was read from it.

    Attributes:
        record: Signals in mV.
        measurements: Measurements of the signals.
        statements: What published criteria say about the measurements, for orientation.
        prediction: Output of a model of signals, or ``None`` where none is installed.
    """

    record: EcgRecord
    measurements: Measurements
    statements: tuple[Statement, ...] = ()
    prediction: Prediction | None = None

    def __repr__(self) -> str:
        return f"RecordReading({self.record!r}, {self.measurements!r}, {self.prediction!r})"

    def _repr_html_(self) -> str:
        return str(_notebooks("html").show_record_reading(self))

    def plot(self, *, start_s: float = 0.0, seconds: float = 10.0, ax: Any = None) -> Any:
        """Plot the signals on ECG paper, as :meth:`EcgRecord.plot` does.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return self.record.plot(start_s=start_s, seconds=seconds, ax=ax)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the record, the prediction and the measurements, each once."""
        parts = (self.record, self.prediction, self.measurements)
        return tuple(dict.fromkeys(text for part in parts for text in getattr(part, "warnings", ())))

    def to_dict(self) -> dict[str, Any]:
        """Return prediction, measurements and statements as plain types, without the signals."""
        record = self.record
        return {
            "leads": list(record.leads),
            "fs_hz": record.fs_hz,
            "duration_s": round(record.duration_s, 3),
            "quality": list(record.quality),
            "comments": list(record.comments),
            **({} if self.prediction is None else self.prediction.to_dict()),
            "measurements": self.measurements.to_dict(),
            "statements": [statement.to_dict() for statement in self.statements],
            "warnings": list(self.warnings),
        }


def _round_values(values: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if values is None else {name: round(float(value), 6) for name, value in values.items()}
