"""What the API takes and tells, in types."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Batch",
    "Batches",
    "Change",
    "Explanation",
    "Health",
    "Measurements",
    "Model",
    "ModelInFull",
    "PageOf",
    "Prediction",
    "Reading",
    "Readings",
    "Ready",
    "Wanted",
]

State = Literal["waiting", "answered", "done", "failed"]
_STATE = (
    "waiting: no model was asked yet; answered: there is an answer, signals are being measured; done: nothing more "
    "comes; failed: there is no answer, see trouble."
)
_MOST_PAGES = 1_000_000


class _Told(BaseModel):
    """Members that are not named here are told too."""

    model_config = ConfigDict(extra="allow")


class PageOf(BaseModel):
    """Which part of a list is asked for."""

    page: int = Field(1, ge=1, le=_MOST_PAGES, description="From 1.")
    limit: int = Field(25, ge=1, le=100, description="How many on a page.")


class Wanted(PageOf):
    """Which readings are asked for."""

    q: str = Field("", max_length=200, description="Text in the name or the note.")
    label: str = Field(
        "", max_length=60, description="The label, yours before the model's; cannot-tell for readings without one."
    )
    state: State | None = Field(None, description=_STATE)
    start: date | None = Field(None, description="First day of upload, UTC.")
    end: date | None = Field(None, description="Last day of upload, UTC.")
    batch: UUID | None = Field(None, description="Pages of this batch.")


class Change(BaseModel):
    """What is changed; what is left out or null stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Second page is missing.", "corrected": "normal"}]}
    )

    note: str | None = Field(None, max_length=4000, description="A note, which replaces the one before.")
    corrected: str | None = Field(
        None, max_length=60, description="The label that you give it, out of the models' labels; empty to take it back."
    )


class ModelName(_Told):
    """Which model."""

    name: str = Field(examples=["compact_cnn"])
    version: str = Field(examples=["1.0"])


class Abstention(_Told):
    """Why there is no label."""

    kind: str = Field(description="no_layout, unfamiliar or uncertain.")
    reason: str = Field(description="One sentence for a person.")


class Box(_Told):
    """A rectangle on the upright page, in pixels."""

    top: float
    left: float
    bottom: float
    right: float


class LeadBox(_Told):
    """Where a lead stands."""

    lead: str = Field(examples=["aVR"])
    rhythm: bool = Field(description="Whether it is a rhythm strip.")
    baseline_px: float = Field(description="Row of 0 mV.")
    box: Box


class PxPerMm(_Told):
    """Scale of the picture."""

    vertical: float
    horizontal: float
    source: str = Field(description="grid, pulse or none.")


class Layout(_Told):
    """What stands where on the page."""

    name: str = Field(examples=["3x4+1"])
    rotation_deg: float = Field(description="By how much the page was turned clockwise.")
    px_per_mm: PxPerMm
    pulse_mm: float | None = Field(description="Height of the calibration pulse by the grid.")
    trace_area: Box
    leads: list[LeadBox]
    warnings: list[str]


class Prediction(_Told):
    """What a model says of a page: exactly what ``Prediction.to_dict()`` of the Python package says."""

    label: str | None = Field(description="null where the model cannot tell.", examples=["normal"])
    abstention: Abstention | None = Field(description="Why there is no label.")
    probabilities: dict[str, float] | None = Field(
        description="Calibrated, by label; null where the page was not given to the model.",
        examples=[{"normal": 0.951, "mi": 0.03, "history_mi": 0.014, "abnormal_heartbeat": 0.005}],
    )
    lead_probabilities: dict[str, dict[str, float]] | None = Field(
        description="By lead, then label, of models that answer for each lead."
    )
    model: ModelName
    layout: Layout | None = Field(description="Where the leads were found.")
    warnings: list[str] = Field(description="What a reader of the answer must know.")


class Measured(_Told):
    """A figure with its error bar."""

    value: float = Field(examples=[92.0])
    error: float = Field(description="One standard uncertainty, in the same unit.", examples=[4.0])
    unit: str = Field(description="ms, mV, 1/min or deg.", examples=["ms"])
    reference: list[float | None] | None = Field(
        description="Lowest and highest value of the reference range in adults."
    )
    position: str | None = Field(description="below, within or above the reference range.")


class Measurements(_Told):
    """What was measured in the signals; null for what could not be told reliably."""

    rate_bpm: Measured | None = Field(description="Ventricular rate over all beats.")
    basic_rate_bpm: Measured | None = Field(description="Rate of the middle half of the distances of beats.")
    rr_ms: Measured | None = Field(description="Mean distance of beats.")
    sdnn_ms: Measured | None = Field(description="Standard deviation of the distances of beats of the usual shape.")
    rmssd_ms: Measured | None = Field(description="Root mean square of their successive differences.")
    p_ms: Measured | None = Field(description="P wave.")
    pr_ms: Measured | None = Field(description="Beginning of P to beginning of QRS.")
    qrs_ms: Measured | None = Field(description="QRS complex, over all leads.")
    qt_ms: Measured | None = Field(description="Beginning of QRS to end of T.")
    qtc_bazett_ms: Measured | None = Field(description="QT / sqrt(RR).")
    qtc_fridericia_ms: Measured | None = Field(description="QT / cbrt(RR).")
    axis_deg: Measured | None = Field(description="Frontal axis of the QRS complex.")
    st_j_mv: dict[str, Measured | None] = Field(description="By lead, level at the J point against that before QRS.")
    st_j60_mv: dict[str, Measured | None] = Field(description="The same 60 ms later.")
    r_peaks_s: list[float] = Field(description="Every beat, in s on the clock of the recording.")
    edges_s: dict[str, float] = Field(description="Edges of the typical beat in s from its R peak.")
    warnings: list[str]


class Facts(_Told):
    """What was found on the page besides the answers; null where it is not known yet, or could not be told."""

    page: dict[str, int | float] | None = Field(None, description="number, count, width_px, height_px and bend_mm.")
    layout: Layout | None = None
    layout_reason: str = Field("", description="Why no leads were found.")
    printed: dict[str, float | None] | None = Field(None, description="What the recorder printed, where it was read.")
    scale: dict[str, Any] | None = Field(None, description="Paper speed, gain and pixels per mm, with their sources.")
    einthoven_rmse_mv: float | None = Field(None, description="Root mean square of I + III - II.")
    quality: dict[str, float] = Field({}, description="By lead, from 0 to 1; below 0.5 a lead failed its checks.")
    measurements: Measurements | None = None
    warnings: list[str] = []


class Segment(_Told):
    """A stretch of a lead that matters."""

    lead: str
    start_s: float
    end_s: float
    share: float


class Check(_Told):
    """A test that an explanation has to pass."""

    name: str
    passed: bool | None = Field(description="null where it could not be made.")
    text: str
    figures: dict[str, float]


class Explanation(_Told):
    """Where on the page the answer for a label comes from."""

    method: str = Field(examples=["occlusion_lead"])
    done: str = Field(description="One sentence on what the method did.")
    label: str
    probability: float
    model: ModelName
    shares: dict[str, float] = Field(description="By lead; negative where a lead speaks against the label.")
    elsewhere: float = Field(description="The part that lies on no lead.")
    segments: list[Segment]
    lead_probabilities: dict[str, dict[str, float]] | None
    passed: bool | None = Field(description="Whether it passed its checks on this page.")
    checks: list[Check] = Field(description="Of this explanation on this page.")
    on_model: list[Check] = Field(description="Of the method on this model over many pages.")
    warnings: list[str]
    picture: str | None = Field(description="Address of the heat, as a picture to lay over the page.")


class Trouble(BaseModel):
    """What went wrong."""

    stage: str = Field(description="reading or measuring.", examples=["measuring"])
    detail: str = Field(description="One sentence.")


class ReadingRow(_Told):
    """A reading in a list."""

    id: UUID
    name: str = Field(description="Of the file.", examples=["page.jpg"])
    page: int = Field(description="Of the file, from 1.")
    created_at: datetime
    state: State = Field(description=_STATE)
    batch: UUID | None
    label: str | None = Field(description="The first model's; null where it cannot tell, or while it waits.")
    probability: float | None = Field(description="Calibrated, of the likeliest label.")
    corrected: str | None = Field(description="The label that you gave it.")
    note: str
    trouble: Trouble | None = Field(description="Why there is no answer, or no measurement.")


class Reading(ReadingRow):
    """A reading with everything that is known of it."""

    redacted: bool = Field(description="Whether what is printed around the traces was painted over.")
    predictions: list[Prediction] = Field(description="Of each model that was asked, in order.")
    facts: Facts
    explanations: list[Explanation] = Field(description="Of the first model's answer.")
    pictures: dict[str, str] = Field(description="Addresses of the pictures that were made of the page, by name.")


class Readings(BaseModel):
    """A page of a list of readings, the newest first."""

    items: list[ReadingRow]
    count: int = Field(description="How many there are on all pages.")
    page: int
    pages: int


class Counts(_Told):
    """How many pages stand where."""

    pages: int
    waiting: int
    answered: int
    done: int
    failed: int


class Batch(BaseModel):
    """Many pages that came together; its readings are those with its ``id`` as ``batch``."""

    id: UUID
    name: str
    created_at: datetime
    listed: bool = Field(description="Whether each of its pages has a reading.")
    finished: bool = Field(description="Whether nothing of it is left to be done.")
    passed_over: int = Field(description="Files in its ZIP that were not taken for pages by their names.")
    trouble: str | None = Field(description="Why its ZIP could not be opened.")
    counts: Counts


class Batches(BaseModel):
    """A page of a list of batches, the newest first."""

    items: list[Batch]
    count: int = Field(description="How many there are on all pages.")
    page: int
    pages: int


class Model(BaseModel):
    """An installed model."""

    name: str = Field(examples=["compact_cnn"])
    version: str = Field(examples=["1.0"])
    title: str
    default: bool = Field(description="Whether it answers when none is named.")
    labels: list[str] = Field(examples=[["normal", "mi", "history_mi", "abnormal_heartbeat"]])
    parameters: int = Field(description="Number of trained weights.")
    trained_on: str
    licence: str = Field(description="Of the weights.")
    temperature: float = Field(description="The logits are divided by it.")
    abstain_below: float = Field(description="Below this highest probability it cannot tell.")
    warnings: list[str] = Field(description="What stands beside every answer.")


class Evaluation(_Told):
    """How good it was on pages that it had not seen."""

    protocol: str | None = Field(description="How the pages were split.", examples=["honest"])
    data: dict[str, Any] = Field(description="How many files, recordings and groups, and how many of each label.")
    summary: dict[str, dict[str, float]] = Field(description="Mean, least and most over seeds, by figure.")
    references: dict[str, dict[str, float | None]] = Field(description="The same figures of simple rules.")


class ModelInFull(Model):
    """An installed model with its evaluation."""

    evaluation: Evaluation | None = Field(description="null where nobody measured it.")


class Health(BaseModel):
    """The site answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """The site can do its work."""

    status: Literal["ready"]
    database: Literal[True] = Field(description="Whether the database answers.")
    worker: bool = Field(
        description="Whether a worker was heard of in the last minute; without one nothing is measured."
    )
