"""Read one page, or a digital ECG, from the bytes of a file into a row and a file of signals."""

import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.batch.job import SCHEMA_VERSION, Job, PageResult
from ecglens.batch.rows import page_row, record_row
from ecglens.criteria import evaluate_criteria
from ecglens.digitizing import digitize_page, measure_tracing
from ecglens.errors import DatasetError, EcgReadError, MissingExtraError, ModelError
from ecglens.explaining import explain_page
from ecglens.explanations import Explanation
from ecglens.extras import require
from ecglens.formats.files import detect_format, read_record
from ecglens.models.registry import SIGNAL_MODEL
from ecglens.models.runtime import Runtime
from ecglens.pages.read import decode_here, is_page, read_page
from ecglens.reading import (
    examine_page,
    load_runtime,
    load_signal_model,
    locate_page,
    predict_record,
    read_with_both,
)
from ecglens.record_measuring import measure_record
from ecglens.records import EcgRecord, Page, Reading, distinct_names
from ecglens.render import draw_record

__all__ = ["answer", "picture"]

_PICTURE_PX = 440
_PICTURE_QUALITY = 72


def answer(data: bytes, number: int, stem: str, job: Job) -> PageResult:
    """Read one page, or a digital ECG.

    ``run.json`` and the fingerprint of a run contain the name of this function.

    Args:
        data: Bytes of the whole file.
        number: Number of the page in the file, from 1.
        stem: Unique name for the files to store next to the table.
        job: What to read.

    Raises:
        EcgReadError: The bytes are no page and no digital ECG that can be read.
    """
    if not is_page(data):
        return _answer_record(data, stem, job)
    page = read_page(data, page=number, max_megapixels=job.max_megapixels, decode=decode_here)
    needs_record = bool({"signals", "measurements"} & set(job.parts))
    row, record = _predict(page, job, needs_record) if "label" in job.parts else _digitize(page, job)
    files: dict[str, bytes] = {}
    if "signals" in job.parts and record is not None:
        files = _signal_files(record, stem, job.signal_format)
        row["signals_file"] = next(iter(files))
    return PageResult(row, files)


def picture(data: bytes, number: int, stem: str, job: Job) -> PageResult:
    """Render a page as a small JPEG; an alternative to :func:`answer`.

    Args:
        data: Bytes of the whole file.
        number: Number of the page in the file, from 1.
        stem: Not used.
        job: Job with the limit on pixels.

    Returns:
        A result without a row, and with the JPEG as the file ``picture``; a digital ECG is drawn as a page first.
    """
    if is_page(data):
        pixels = read_page(data, page=number, max_megapixels=job.max_megapixels, decode=decode_here).pixels
    else:
        pixels = draw_record(_read_record(data)).page.pixels
    scale = min(1.0, _PICTURE_PX / pixels.shape[1])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quality = (cv2.IMWRITE_JPEG_QUALITY, _PICTURE_QUALITY)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
    return PageResult({}, {"picture": encoded.tobytes()})


def _answer_record(data: bytes, stem: str, job: Job) -> PageResult:
    """Read a digital ECG, with the signal model where the job has one, else with the job's model if that can."""
    reading, remarks = measure_record(_read_record(data)), []
    if "label" in job.parts:
        try:
            prediction = predict_record(reading.record, model=SIGNAL_MODEL if job.signal_sha256 else job.model)
            reading = replace(reading, prediction=prediction)
        except ModelError as error:
            remarks.append(f"There is no label: {error}")
    if "explanation" in job.parts:
        remarks.append("There is no explanation, since only those of pages are computed.")
    row = record_row(reading, job, warnings=(*reading.warnings, *remarks))
    files: dict[str, bytes] = {}
    if "signals" in job.parts:
        files = _signal_files(reading.record, stem, job.signal_format)
        row["signals_file"] = next(iter(files))
    return PageResult(row, files)


def _read_record(data: bytes) -> EcgRecord:
    """Read a digital ECG.

    Raises:
        EcgReadError: The bytes are none that can be read, and no page either.
    """
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        path = Path(folder) / "record"
        path.write_bytes(data)
        try:
            if detect_format(path) is None:
                read_page(data)  # says what the file is instead of a page
            return read_record(path)
        except (DatasetError, MissingExtraError) as error:
            raise EcgReadError(code="unsupported", source="bytes", detail=error.detail) from error


def _predict(page: Page, job: Job, needs_record: bool) -> tuple[dict[str, Any], EcgRecord | None]:
    page_runtime = load_runtime(job.model)
    if job.signal_sha256:
        reading = read_with_both(locate_page(page), page_runtime, load_signal_model, measure=needs_record)
    else:
        reading = examine_page(page, page_runtime, measure=needs_record)
    is_page_model = reading.prediction.model == page_runtime.card.name
    runtime = page_runtime if is_page_model else load_signal_model()
    explanation, explanation_warnings = _explain(reading, runtime) if "explanation" in job.parts else (None, ())
    row = page_row(
        reading.page,
        layout=reading.layout,
        prediction=reading.prediction,
        beside=reading.beside,
        tracing=reading.tracing,
        measurements=reading.measurements if "measurements" in job.parts else None,
        statements=reading.statements if "measurements" in job.parts else (),
        explanation=explanation,
        warnings=tuple(dict.fromkeys((*reading.warnings, *explanation_warnings))),
    )
    return row, None if reading.tracing is None else reading.tracing.record


def _explain(reading: Reading, runtime: Runtime) -> tuple[Explanation | None, tuple[str, ...]]:
    """Explain a prediction and return its warnings too; there is no explanation if the model has not predicted."""
    if reading.prediction.probabilities is None:
        return None, ()
    from ecglens.models.explain import default_methods  # loading it would delay runs without explanations

    try:
        explanation = explain_page(reading, runtime, method=default_methods(runtime.card)[0])
    except ModelError as error:
        return None, (f"There is no explanation: {error}",)
    return explanation, explanation.warnings


def _digitize(page: Page, job: Job) -> tuple[dict[str, Any], EcgRecord | None]:
    tracing = digitize_page(page)
    measurements = measure_tracing(tracing) if "measurements" in job.parts else None
    measuring_warnings = () if measurements is None else measurements.warnings
    warnings = (*page.warnings, *tracing.layout.warnings, *tracing.warnings, *measuring_warnings)
    warnings = tuple(dict.fromkeys(warnings))
    row = page_row(
        page,
        layout=tracing.layout,
        tracing=tracing,
        measurements=measurements,
        statements=() if measurements is None else evaluate_criteria(measurements),
        warnings=warnings,
    )
    return row, tracing.record


def _signal_files(record: EcgRecord, stem: str, signal_format: str) -> dict[str, bytes]:
    """Return the contents of the signal files by path; the first is the one that the row names."""
    base = f"signals/{stem[:2]}/{stem}"
    if signal_format == "parquet":
        return {f"{base}.parquet": _to_parquet(record)}
    from ecglens.formats.wfdb import write_wfdb

    with tempfile.TemporaryDirectory() as folder:
        write_wfdb(record, Path(folder) / stem)
        return {f"{base}{ending}": (Path(folder) / f"{stem}{ending}").read_bytes() for ending in (".hea", ".dat")}


def _to_parquet(record: EcgRecord) -> bytes:
    """Return a Parquet file with a column in mV for each lead, on a common time axis.

    Missing samples are null. The metadata of the schema contains the sampling rate and the quality.
    """
    arrow, parquet = require("pyarrow", extra="batch"), require("pyarrow.parquet", extra="batch")
    placed = record.on_one_clock()
    metadata = {
        "ecglens.schema_version": str(SCHEMA_VERSION),
        "ecglens.unit": "mV",
        "ecglens.fs_hz": f"{record.fs_hz:g}",
        "ecglens.quality": ",".join(f"{value:.4f}" for value in record.quality),
        "ecglens.warnings": "\n".join(record.warnings),
    }
    signals = [arrow.array(row, mask=np.isnan(row)) for row in placed.signals_mv]
    table = arrow.table(signals, names=list(distinct_names(record.leads))).replace_schema_metadata(metadata)
    with io.BytesIO() as stream:
        parquet.write_table(table, stream, compression="zstd")
        return stream.getvalue()
