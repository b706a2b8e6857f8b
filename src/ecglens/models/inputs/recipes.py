"""Input recipes: small dictionaries that are stored in the model folder; ``kind`` names the recipe.

Every recipe has the same interface: ``shapes`` of the graph's inputs by name, ``rows`` that one page becomes,
``scaling`` from stored values to the graph's, and, as its fields, how the values are computed.

A recipe that comes from outside is checked by :func:`ecglens.models.inputs.parse_recipe`; the constructors check what
concerns several fields only.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from ecglens.layouts import LAYOUTS, STANDARD_LEADS

__all__ = ["InputRecipe", "LeadBeats", "LeadCrops", "LeadSignals", "PageAndSignal", "PageImage", "Step", "TraceCanvas"]

CANVAS_LAYOUT = "3x4+1"
RHYTHM_STRIP = "rhythm"
"""The upper rhythm strip of a page, whichever lead it shows: recorders choose II on one page and III on the next."""

RHYTHM_ROWS = 3
"""Rows that hold the rhythm in an array of beats: RR interval, its deviation, and whether there is one."""

Step = Literal["gray", "remove_grid", "clahe", "median", "gaussian", "otsu", "canny", "edge_channel"]
Scaling = tuple[NDArray[np.float32], NDArray[np.float32]]
Side = Annotated[int, Meta(ge=32, le=4096)]

_WHITE = 255.0
_TO_GRAY = ("gray", "remove_grid")
_WHOLE_PAGE = ("",)


def _each(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _check_different(leads: tuple[str, ...]) -> None:
    if len(set(leads)) != len(leads):
        raise ValueError("leads must differ from each other")


class _Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    @property
    def kind(self) -> str:
        """Name of the recipe."""
        return str(self.__struct_config__.tag)

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            ValueError: A number is not finite.
        """
        for name in self.__struct_fields__:
            value = getattr(self, name)
            numbers = [number for number in _each(value) if isinstance(number, float)]
            if not all(map(math.isfinite, numbers)):
                raise ValueError(f"{name} must be a finite number")


class TraceCanvas(_Recipe, frozen=True, kw_only=True, tag="trace_canvas"):
    """The traces alone, on a canvas of fixed scale: one strip a line, its zero line in the middle.

    Every line of the page spans the whole width, so that a pixel is the same time on every page; heights keep the
    page's mm. Header, footer, pulses and grid do not reach the canvas.

    Attributes:
        known_print: Whether the model answers only for pages in the print of the public set's recorder, as it must
            where it has seen no other.
        width: Width of the canvas in px, for the length of a line (10 s).
        height: Height in px, shared by the lines.
        strip_mm: What one line shows, in mm on paper.
        mean: Subtracted from the ink, which is 0 for paper and 1 for the blackest.
        std: What is left is divided by it.
    """

    known_print: bool = True
    width: Side = 512
    height: Side = 304
    strip_mm: Annotated[float, Meta(gt=5, le=100)] = 38.0
    mean: float = 0.0
    std: Annotated[float, Meta(gt=0)] = 0.25

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Graph inputs by name: channels, rows and columns of one row."""
        return {"page": (1, self.height, self.width)}

    @property
    def rows(self) -> tuple[str, ...]:
        """One row, the whole page."""
        return _WHOLE_PAGE

    def scaling(self, name: str) -> Scaling:
        """Return mean and standard deviation in stored units: the graph's input is (stored - mean) / std."""
        return _pixel_scaling((self.mean,), (self.std,), 1)


class _Pixels(_Recipe, frozen=True, kw_only=True):
    """Fields that page images and lead crops share."""

    known_print: bool = True
    layouts: Annotated[tuple[str, ...], Meta(min_length=1)] = (CANVAS_LAYOUT,)
    width: Side = 224
    height: Side = 224
    channels: Literal[1, 3] = 3
    steps: tuple[Step, ...] = ()
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            ValueError: A layout is unknown, the steps cannot follow each other, or mean and standard deviation do not
                fit the channels.
        """
        super().__post_init__()
        unknown = [name for name in self.layouts if name not in LAYOUTS]
        if unknown:
            raise ValueError(f"expected layouts out of {', '.join(LAYOUTS)}, got '{unknown[0]}'")
        self._check_steps()
        self._check_scaling()

    def _check_steps(self) -> None:
        grayed = bool(self.steps) and self.steps[0] in _TO_GRAY
        if any(step in _TO_GRAY for step in self.steps[1:]):
            raise ValueError("'gray' or 'remove_grid' can only be the first step")
        if self.steps and not grayed:
            raise ValueError(f"step '{self.steps[0]}' reads a gray image; begin with 'gray' or 'remove_grid'")
        if self.channels == 1 and not grayed:
            raise ValueError("one channel needs 'gray' or 'remove_grid' as the first step")
        if "edge_channel" in self.steps and (self.channels == 1 or self.steps[-1] != "edge_channel"):
            raise ValueError("'edge_channel' can only be the last step, and needs 3 channels")

    def _check_scaling(self) -> None:
        for name, values in (("mean", _each(self.mean)), ("std", _each(self.std))):
            if len(values) not in {1, self.channels}:
                raise ValueError(f"expected one {name} or one for each of {self.channels} channels, got {len(values)}")
        if min(_each(self.std)) <= 0:
            raise ValueError("std must be greater than 0")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Graph inputs by name: channels, rows and columns of one row."""
        return {"page": (self.channels, self.height, self.width)}

    def scaling(self, name: str) -> Scaling:
        """Return mean and standard deviation in stored units: the graph's input is (stored - mean) / std."""
        return _pixel_scaling(_each(self.mean), _each(self.std), self.channels)


class PageImage(_Pixels, frozen=True, kw_only=True, tag="page_image"):
    """The page as an image, stretched to the model's size.

    ``gray`` and ``remove_grid`` are done at the page's own size, then the image is resized, then the other steps
    follow at the model's size, as the published works do.

    Attributes:
        area: ``"traces"``, upright and without header and footer, or ``"page"``, all of it as it came: what is printed
            there tells labels, so that is for comparing with published figures only. The others see no beat, and
            show what is to be beaten: ``"header"``, ``"footer"``, and ``"blurred"``, the page as it came with
            everything between them blurred away.
        known_print: As for :class:`TraceCanvas`.
        layouts: Names of the layouts that the model has learned.
        width: In px.
        height: In px.
        channels: 1, or 3; a gray image fills all three.
        steps: Names of ``ecglens.pages.preprocessing``; ``edge_channel`` puts the edges of the gray image in the last
            channel.
        mean: Subtracted, in units where 255 is 1; one, or one for each channel.
        std: What is left is divided by it; one, or one for each channel.
    """

    area: Literal["traces", "page", "header", "footer", "blurred"] = "traces"

    @property
    def rows(self) -> tuple[str, ...]:
        """One row, the whole page."""
        return _WHOLE_PAGE


class LeadCrops(_Pixels, frozen=True, kw_only=True, tag="lead_crops"):
    """Each lead's box as an image of its own; the leads' answers are aggregated to the page's.

    Steps are done in the order of :class:`PageImage`.

    Attributes:
        leads: Of the page, each a row; ``rhythm`` is the upper rhythm strip, whichever lead it shows.
        aggregate: ``"mean_log"`` or ``"majority"``; see ``ecglens.models.aggregate``.
        known_print: As for :class:`TraceCanvas`.
        layouts: Names of the layouts that the model has learned.
        width: In px.
        height: In px.
        channels: 1, or 3; a gray image fills all three.
        steps: As for :class:`PageImage`.
        mean: Subtracted, in units where 255 is 1; one, or one for each channel.
        std: What is left is divided by it; one, or one for each channel.
    """

    leads: Annotated[tuple[str, ...], Meta(min_length=1)] = (*STANDARD_LEADS, RHYTHM_STRIP)
    aggregate: Literal["mean_log", "majority"] = "mean_log"
    width: Side = 150
    height: Side = 150

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            ValueError: A lead stands twice, or as for :class:`PageImage`.
        """
        super().__post_init__()
        _check_different(self.leads)

    @property
    def rows(self) -> tuple[str, ...]:
        """The leads."""
        return self.leads


class LeadSignals(_Recipe, frozen=True, kw_only=True, tag="lead_signals"):
    """Signals of the leads in mV, and under them where they are known: hidden is not zero.

    Attributes:
        leads: In the order of the graph's first rows; as many rows follow with 1 where a sample is known.
        fs_hz: Sampling rate of the graph's input.
        seconds: From the beginning of each lead; 2.5 is what a page of four columns shows, 10 a usual recording.
        known_print: As for :class:`TraceCanvas`.
    """

    leads: Annotated[tuple[str, ...], Meta(min_length=1)] = STANDARD_LEADS
    fs_hz: Annotated[float, Meta(ge=20, le=2000)] = 100.0
    seconds: Annotated[float, Meta(ge=0.5, le=120)] = 2.5
    known_print: bool = False

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            ValueError: A lead stands twice, or as for :class:`PageImage`.
        """
        super().__post_init__()
        _check_different(self.leads)

    @property
    def samples(self) -> int:
        """Length of a lead."""
        return round(self.fs_hz * self.seconds)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Graph inputs by name: signals then masks, samples."""
        return {"signal": (2 * len(self.leads), self.samples)}

    @property
    def rows(self) -> tuple[str, ...]:
        """One row, the whole recording."""
        return _WHOLE_PAGE

    def scaling(self, name: str) -> Scaling:
        """Return zeros and ones: signals are read in mV."""
        shape = (2 * len(self.leads), 1)
        return np.zeros(shape, np.float32), np.ones(shape, np.float32)


class LeadBeats(_Recipe, frozen=True, kw_only=True, tag="lead_beats"):
    """The typical beat of each lead, aligned at the R peak, with masks and the rhythm; see ``models.inputs.beats``.

    Any layout gives the same array, as a lead of 2.5 s has beats enough.

    Attributes:
        leads: In the order of the graph's first rows; as many rows follow with masks, then three that hold the rhythm.
        fs_hz: Sampling rate of the graph's input.
        before_s: From the beginning of a beat to its R peak.
        after_s: From its R peak to its end.
        missing_leads: Number of leads that may be missing.
        known_print: As for :class:`TraceCanvas`.
    """

    leads: Annotated[tuple[str, ...], Meta(min_length=1)] = STANDARD_LEADS
    fs_hz: Annotated[float, Meta(ge=20, le=2000)] = 100.0
    before_s: Annotated[float, Meta(ge=0.05, le=1)] = 0.3
    after_s: Annotated[float, Meta(ge=0.05, le=1)] = 0.45
    missing_leads: Annotated[int, Meta(ge=0)] = 6
    known_print: bool = False

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            ValueError: A lead stands twice, all may be missing, or as for :class:`PageImage`.
        """
        super().__post_init__()
        _check_different(self.leads)
        if self.missing_leads >= len(self.leads):
            raise ValueError("expected fewer missing leads than leads")

    @property
    def before(self) -> int:
        """Samples before the R peak."""
        return round(self.fs_hz * self.before_s)

    @property
    def samples(self) -> int:
        """Length of a beat."""
        return self.before + round(self.fs_hz * self.after_s)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Graph inputs by name: beats, masks and rhythm, samples."""
        return {"signal": (2 * len(self.leads) + RHYTHM_ROWS, self.samples)}

    @property
    def rows(self) -> tuple[str, ...]:
        """One row, the whole recording."""
        return _WHOLE_PAGE

    def scaling(self, name: str) -> Scaling:
        """Return zeros and ones: signals are read in mV."""
        shape = (2 * len(self.leads) + RHYTHM_ROWS, 1)
        return np.zeros(shape, np.float32), np.ones(shape, np.float32)


class PageAndSignal(_Recipe, frozen=True, kw_only=True, tag="page_and_signal"):
    """A page and the signals that were read from it, for models that take both.

    Attributes:
        page: How the page is read.
        signal: How the signals are.
    """

    page: TraceCanvas | PageImage = TraceCanvas()
    signal: LeadSignals = LeadSignals()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Graph inputs by name."""
        return {**self.page.shapes, **self.signal.shapes}

    @property
    def rows(self) -> tuple[str, ...]:
        """One row, the whole page."""
        return _WHOLE_PAGE

    def scaling(self, name: str) -> Scaling:
        """Return the scaling of the named input."""
        return (self.signal if name == "signal" else self.page).scaling(name)


InputRecipe = TraceCanvas | PageImage | LeadCrops | LeadSignals | LeadBeats | PageAndSignal


def _pixel_scaling(mean: Sequence[float], std: Sequence[float], channels: int) -> Scaling:
    def of_255(values: Sequence[float]) -> NDArray[np.float32]:
        return np.broadcast_to(_WHITE * np.array(values, np.float64), channels).astype(np.float32).reshape(-1, 1, 1)

    return of_255(mean), of_255(std)
