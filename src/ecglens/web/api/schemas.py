"""Types of the API's requests and responses."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecglens.outcomes import Outcome

__all__ = [
    "Batch",
    "Batches",
    "Case",
    "CaseChange",
    "CaseReading",
    "Cases",
    "Change",
    "Correction",
    "CorrectionList",
    "Explanation",
    "Health",
    "Measurements",
    "Model",
    "ModelDetails",
    "NewCase",
    "NewReview",
    "Pagination",
    "Prediction",
    "Reading",
    "Readings",
    "Ready",
    "Review",
    "SearchQuery",
]

State = Literal["waiting", "answered", "done", "failed"]
_STATE = (
    "waiting: no model has run yet; answered: there are predictions, signals are being measured; done: all results are "
    "there; failed: there are no predictions, see failure."
)
_MAX_PAGE = 1_000_000


class _Open(BaseModel):
    """Type whose further members, which are not named here, are returned too."""

    model_config = ConfigDict(extra="allow")


class Pagination(BaseModel):
    """The requested page of a list."""

    page: int = Field(1, ge=1, le=_MAX_PAGE, description="Number of the page, from 1.")
    limit: int = Field(25, ge=1, le=100, description="Number of items on a page.")


class SearchQuery(Pagination):
    """Criteria for readings."""

    q: str = Field("", max_length=200, description="Text in the name or the note.")
    label: str = Field(
        "", max_length=60, description="The label, yours before the model's; cannot-tell for readings without one."
    )
    outcome: Outcome | None = Field(None, description="What reading the page came to.")
    state: State | None = Field(None, description=_STATE)
    start: date | None = Field(None, description="First day of upload, UTC.")
    end: date | None = Field(None, description="Last day of upload, UTC.")
    batch: UUID | None = Field(None, description="Pages of this batch.")


class Change(BaseModel):
    """A change of a reading; members that are left out or null change nothing."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Second page is missing.", "corrected": "normal"}]}
    )

    note: str | None = Field(None, max_length=4000, description="A note, which replaces the one before.")
    corrected: str | None = Field(
        None, max_length=60, description="The label that you assign, out of the models' labels; empty to remove it."
    )


class Correction(BaseModel):
    """Corrections of a page by hand."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"content": {"speed_mm_s": 50.0}}]})

    content: dict[str, Any] = Field(description="As in a file of ecglens-corrections.")


class StoredCorrection(Correction):
    """Corrections with their time."""

    at: datetime


class CorrectionList(BaseModel):
    """Changes of a reading by hand, in their order; the last is in force."""

    changes: list[StoredCorrection]


class ModelName(_Open):
    """Name and version of a model."""

    name: str = Field(examples=["compact_cnn"])
    version: str = Field(examples=["1.0"])


class Abstention(_Open):
    """Reason why there is no label."""

    kind: str = Field(description="no_layout, unfamiliar or uncertain.")
    reason: str = Field(description="One sentence for a person.")


class Box(_Open):
    """A rectangle on the upright page, in pixels."""

    top: float
    left: float
    bottom: float
    right: float


class LeadBox(_Open):
    """Position of a lead."""

    lead: str = Field(examples=["aVR"])
    rhythm: bool = Field(description="Whether it is a rhythm strip.")
    baseline_px: float = Field(description="Row of 0 mV.")
    box: Box


class PxPerMm(_Open):
    """Scale of the page."""

    vertical: float
    horizontal: float
    source: str = Field(description="grid, pulse or none.")


class Layout(_Open):
    """Positions of the leads on the page."""

    name: str = Field(examples=["3x4+1"])
    rotation_deg: float = Field(description="Angle by which the page was rotated clockwise.")
    px_per_mm: PxPerMm
    pulse_mm: float | None = Field(description="Height of the calibration pulse, measured with the grid.")
    trace_area: Box
    leads: list[LeadBox]
    warnings: list[str]


class Prediction(_Open):
    """Prediction of a model for a page, the same as ``Prediction.to_dict()`` of the Python package."""

    outcome: Outcome = Field(Outcome.ANSWERED, description="A label, or one of three reasons why there is none.")
    label: str | None = Field(description="null if the model gives none.", examples=["normal"])
    abstention: Abstention | None = Field(description="Why there is no label.")
    probabilities: dict[str, float] | None = Field(
        description="Calibrated probabilities by label; null if the model did not run on the page.",
        examples=[{"normal": 0.951, "mi": 0.03, "history_mi": 0.014, "abnormal_heartbeat": 0.005}],
    )
    lead_probabilities: dict[str, dict[str, float]] | None = Field(
        description="Probabilities by lead, then label, of models that predict for each lead."
    )
    holds: dict[str, bool | None] | None = Field(
        None, description="For the model of signals, whether each label holds; null for both answers."
    )
    model: ModelName
    layout: Layout | None = Field(description="Positions of the leads.")
    warnings: list[str] = Field(description="What a user of the prediction must know.")


class Measured(_Open):
    """A measurement with its error bar."""

    value: float = Field(examples=[92.0])
    error: float = Field(description="One standard uncertainty, in the same unit.", examples=[4.0])
    unit: str = Field(description="ms, mV, 1/min or deg.", examples=["ms"])
    reference: list[float | None] | None = Field(
        description="Lowest and highest value of the reference range in adults."
    )
    position: str | None = Field(description="below, within or above the reference range.")


class Measurements(_Open):
    """Measurements of the signals; null if a value could not be measured reliably."""

    rate_bpm: Measured | None = Field(description="Ventricular rate over all beats.")
    basic_rate_bpm: Measured | None = Field(description="Rate of the middle half of the RR intervals.")
    rr_ms: Measured | None = Field(description="Mean RR interval.")
    sdnn_ms: Measured | None = Field(description="Standard deviation of the RR intervals of normal beats.")
    rmssd_ms: Measured | None = Field(description="Root mean square of the successive differences of RR intervals.")
    p_ms: Measured | None = Field(description="Duration of the P wave.")
    pr_ms: Measured | None = Field(description="Onset of P to onset of QRS.")
    qrs_ms: Measured | None = Field(description="Duration of the QRS complex over all leads.")
    qt_ms: Measured | None = Field(description="Onset of QRS to end of T.")
    qtc_bazett_ms: Measured | None = Field(description="QT / sqrt(RR).")
    qtc_fridericia_ms: Measured | None = Field(description="QT / cbrt(RR).")
    axis_deg: Measured | None = Field(description="Frontal axis of the QRS complex.")
    st_j_mv: dict[str, Measured | None] = Field(
        description="Level at the J point against the level before QRS, by lead."
    )
    st_j60_mv: dict[str, Measured | None] = Field(description="Level 60 ms after the J point, by lead.")
    leads: dict[str, dict[str, Measured | None]] = Field({}, description="Waves of the median beat, by lead.")
    rhythm: dict[str, Measured | None] = Field({}, description="Figures of rhythm and conduction.")
    r_peaks_s: list[float] = Field(description="R peak of every beat, in s from the start of the recording.")
    edges_s: dict[str, float] = Field(description="Edges of the typical beat in s from its R peak.")
    warnings: list[str]


class ComparedFigure(_Open):
    """A measured figure, or a sum of figures, against the limit of a criterion."""

    title: str = Field(examples=["QRS"])
    lead: str | None
    value: float
    error: float = Field(description="One standard uncertainty, in the same unit.")
    unit: str
    relation: str = Field(description="<, <=, > or >=.")
    limit: float


class CriterionSource(_Open):
    """Publication of a criterion."""

    title: str
    doi: str
    place: str = Field(description="Table or section.")


class Statement(_Open):
    """Statement of a published criterion about the measurements, for orientation; not a diagnosis."""

    name: str = Field(examples=["qrs_prolonged"])
    title: str
    outcome: str = Field(description="met, borderline, not met, or cannot be evaluated.")
    values: list[ComparedFigure] = Field(description="Figures that decided, against their limits.")
    leads: list[str]
    reason: str = Field(description="Why it cannot be evaluated; empty otherwise.")
    source: CriterionSource
    scp_code: str | None = Field(description="Code of SCP-ECG.")
    snomed_code: str | None = Field(description="Concept of SNOMED CT.")


class Facts(_Open):
    """Facts about the page besides the predictions; null if not available yet or not determined."""

    page: dict[str, int | float] | None = Field(None, description="number, count, width_px, height_px and bend_mm.")
    layout: Layout | None = None
    layout_reason: str = Field("", description="Why no leads were located.")
    printed: dict[str, float | None] | None = Field(None, description="What the recorder printed, if it was read.")
    scale: dict[str, Any] | None = Field(None, description="Paper speed, gain and pixels per mm, with their sources.")
    einthoven_rmse_mv: float | None = Field(None, description="Root mean square of I + III - II.")
    quality: dict[str, float] = Field(
        {}, description="Quality by lead, from 0 to 1; below 0.5 a lead failed its checks."
    )
    measurements: Measurements | None = None
    warnings: list[str] = []


class Segment(_Open):
    """A segment of a lead that matters for the prediction."""

    lead: str
    start_s: float
    end_s: float
    share: float


class Check(_Open):
    """A test that an explanation has to pass."""

    name: str
    passed: bool | None = Field(description="null if the check could not be made.")
    text: str
    figures: dict[str, float]


class Explanation(_Open):
    """Places of the page from which the prediction of a label comes."""

    method: str = Field(examples=["occlusion_lead"])
    done: str = Field(description="What the method did, in one sentence.")
    label: str
    probability: float
    model: ModelName
    shares: dict[str, float] = Field(description="Shares by lead; negative if a lead speaks against the label.")
    elsewhere: float = Field(description="Share that is on no lead.")
    segments: list[Segment]
    lead_probabilities: dict[str, dict[str, float]] | None
    passed: bool | None = Field(description="Whether it passed its checks on this page.")
    checks: list[Check] = Field(description="Checks of this explanation on this page.")
    on_model: list[Check] = Field(description="Checks of the method on this model over many pages.")
    warnings: list[str]
    picture: str | None = Field(description="Address of the heat map, a picture of the size of the page.")


class Failure(BaseModel):
    """Stage that failed, and the reason."""

    stage: str = Field(description="reading or measuring.", examples=["measuring"])
    detail: str = Field(description="Reason in one sentence.")


class ReadingRow(_Open):
    """A reading in a list."""

    id: UUID
    name: str = Field(description="Name of the file.", examples=["page.jpg"])
    page: int = Field(description="Number of the page in the file, from 1.")
    created_at: datetime
    state: State = Field(description=_STATE)
    batch: UUID | None
    outcome: Outcome | None = Field(description="What reading the page came to; null while it waits.")
    label: str | None = Field(description="The first model's label; null if it gives none, or while the page waits.")
    probability: float | None = Field(description="Calibrated probability of the top label.")
    corrected: str | None = Field(description="The label that you assigned.")
    note: str
    failure: Failure | None = Field(description="Why there are no predictions, or no measurements.")


class Reading(ReadingRow):
    """A reading with all its results."""

    redacted: bool = Field(description="Whether the print around the traces was redacted.")
    predictions: list[Prediction] = Field(description="Prediction of each requested model, in order.")
    facts: Facts
    explanations: list[Explanation] = Field(description="Explanations of the first model's prediction.")
    pictures: dict[str, str] = Field(description="Addresses of the pictures of the page and its results, by name.")


class Readings(BaseModel):
    """A page of a list of readings, the newest first."""

    items: list[ReadingRow]
    count: int = Field(description="Number of items on all pages.")
    page: int
    pages: int


class Counts(_Open):
    """Numbers of pages by state."""

    pages: int
    waiting: int
    answered: int
    done: int
    failed: int


class Batch(BaseModel):
    """Many pages that were uploaded together; its readings are those with its ``id`` as ``batch``."""

    id: UUID
    name: str
    created_at: datetime
    listed: bool = Field(description="Whether each of its pages has a reading.")
    finished: bool = Field(description="Whether all its pages have been read and measured.")
    skipped_files: int = Field(description="Files in its ZIP whose names are not those of pages.")
    failure_reason: str | None = Field(description="Why its ZIP could not be opened.")
    counts: Counts


class Batches(BaseModel):
    """A page of a list of batches, the newest first."""

    items: list[Batch]
    count: int = Field(description="Number of items on all pages.")
    page: int
    pages: int


class Model(BaseModel):
    """An installed model."""

    name: str = Field(examples=["compact_cnn"])
    version: str = Field(examples=["1.0"])
    title: str
    default: bool = Field(description="Whether it is used when a request names no model.")
    labels: list[str] = Field(examples=[["normal", "mi", "history_mi", "abnormal_heartbeat"]])
    parameters: int = Field(description="Number of trained weights.")
    trained_on: str
    license: str = Field(description="License of the weights.")
    temperature: float = Field(description="Number by which the logits are divided.")
    abstain_below: float = Field(description="Threshold of the top label's probability below which it gives no label.")
    warnings: list[str] = Field(description="Warnings that accompany every prediction.")


class Evaluation(_Open):
    """Evaluation of a model on pages that it was not trained on."""

    protocol: str | None = Field(description="Protocol of the split.", examples=["honest"])
    data: dict[str, Any] = Field(description="Numbers of files, recordings and groups, and of each label.")
    summary: dict[str, dict[str, float]] = Field(description="Mean, least and most over seeds, by metric.")
    references: dict[str, dict[str, float | None]] = Field(description="The same metrics of simple rules.")


class ModelDetails(Model):
    """An installed model with its evaluation."""

    evaluation: Evaluation | None = Field(description="null if it was not evaluated.")


class Health(BaseModel):
    """The site responds."""

    status: Literal["ok"]


class Ready(BaseModel):
    """The site can do its work."""

    status: Literal["ready"]
    database: Literal[True] = Field(description="Whether the database responds.")
    worker: bool = Field(description="Whether a worker was active in the last minute; without one nothing is measured.")


class NewCase(BaseModel):
    """A case that is to be created."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"pseudonym": "bed 7"}]})

    pseudonym: str = Field(min_length=1, max_length=80, description="A pseudonym, never a name.")
    note: str = Field("", max_length=4000)


class CaseChange(BaseModel):
    """A change of a case; members that are left out or null change nothing."""

    model_config = ConfigDict(extra="forbid")

    pseudonym: str | None = Field(None, min_length=1, max_length=80)
    note: str | None = Field(None, max_length=4000, description="A note, which replaces the one before.")


class CaseReading(BaseModel):
    """A reading in a case."""

    reading: UUID = Field(description="Number of the reading.")
    recorded_on: date | None = Field(None, description="Day of the recording.")
    tags: list[str] = Field([], max_length=10, description="Tags of at most 40 characters.")


class Case(BaseModel):
    """A case with its readings, by the day of the recording."""

    id: UUID
    pseudonym: str
    note: str
    created_at: datetime
    readings: list[CaseReading]


class CaseRow(BaseModel):
    """A case as an item of a list."""

    id: UUID
    pseudonym: str
    note: str
    created_at: datetime
    count: int = Field(description="Number of its readings.")


class Cases(BaseModel):
    """A page of a list of cases."""

    items: list[CaseRow]
    count: int
    page: int
    pages: int


class NewReview(BaseModel):
    """Review of a reading that is to be stored."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"label": "normal", "statements": ["qrs_prolonged"]}]}
    )

    label: str = Field("", max_length=60, description="A label of a model, or one of your own; empty for none.")
    statements: list[str] = Field([], max_length=200, description="Names of criteria that hold, in your opinion.")
    text: str = Field("", max_length=4000, description="A comment.")


class Review(BaseModel):
    """Your review of a reading, with what ecglens said at that time."""

    reading: UUID
    label: str | None
    statements: list[str]
    text: str
    model_label: str | None = Field(description="Label of the first model.")
    model_outcome: Outcome | None
    model_statements: list[str] = Field(description="Names of the criteria that were met.")
    reviewed_at: datetime
