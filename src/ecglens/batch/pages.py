"""One page of a file's bytes becomes its row, and its signals a file."""

import io
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.batch.job import SCHEMA_VERSION, Job, PageAnswer
from ecglens.batch.rows import page_row
from ecglens.digitizing import digitize_page
from ecglens.errors import ModelError
from ecglens.explaining import explain_page
from ecglens.explanations import Explanation
from ecglens.extras import require
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page, load_runtime
from ecglens.records import EcgRecord, Measurements, Page, Reading

__all__ = ["answer", "picture"]

_PICTURE_PX = 440
_PICTURE_QUALITY = 72


def answer(data: bytes, number: int, stem: str, job: Job) -> PageAnswer:
    """Read one page.

    Args:
        data: A whole file.
        number: Which page of it, from 1.
        stem: Name that nothing else has, for what is kept beside the table.
        job: What is asked.

    Raises:
        EcgReadError: It is no page that can be read.
    """
    page = read_page(data, page=number, max_megapixels=job.max_megapixels)
    wants_record = bool({"signals", "measurements"} & set(job.what))
    row, record = _labelled(page, job, wants_record) if "label" in job.what else _digitized(page, job)
    files: dict[str, bytes] = {}
    if "signals" in job.what and record is not None:
        files = _signal_files(record, stem, job.signal_format)
        row["signals_file"] = next(iter(files))
    return PageAnswer(row, files)


def picture(data: bytes, number: int, stem: str, job: Job) -> PageAnswer:
    """A page as a small JPEG, in the place of an answer.

    Args:
        data: A whole file.
        number: Which page of it.
        stem: Not used.
        job: Its limits.
    """
    pixels = read_page(data, page=number, max_megapixels=job.max_megapixels).pixels
    scale = min(1.0, _PICTURE_PX / pixels.shape[1])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quality = (cv2.IMWRITE_JPEG_QUALITY, _PICTURE_QUALITY)
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
    return PageAnswer({}, {"picture": coded.tobytes()})


def _labelled(page: Page, job: Job, wants_record: bool) -> tuple[dict[str, Any], EcgRecord | None]:
    runtime = load_runtime(job.model)
    reading = examine_page(page, runtime, measure=wants_record)
    explanation, doubts = _explained(reading, runtime) if "explanation" in job.what else (None, ())
    row = page_row(
        reading.page,
        layout=reading.layout,
        prediction=reading.prediction,
        tracing=reading.tracing,
        measurements=reading.measurements if "measurements" in job.what else None,
        explanation=explanation,
        warnings=tuple(dict.fromkeys((*reading.warnings, *doubts))),
    )
    return row, None if reading.tracing is None else reading.tracing.record


def _explained(reading: Reading, runtime: Runtime) -> tuple[Explanation | None, tuple[str, ...]]:
    """Where the answer comes from, and what to know of that; none for a page that the model was not asked about."""
    if reading.prediction.probabilities is None:
        return None, ()
    from ecglens.models.explain import default_methods  # a label alone should not wait for it

    try:
        found = explain_page(reading, runtime, method=default_methods(runtime.card)[0])
    except ModelError as error:
        return None, (f"There is no explanation: {error}",)
    return found, found.warnings


def _digitized(page: Page, job: Job) -> tuple[dict[str, Any], EcgRecord | None]:
    tracing = digitize_page(page)
    found: Measurements | None = None
    if "measurements" in job.what and tracing.record is not None:
        from ecglens.measuring.measure import measure

        found = measure(tracing.record)
    told = (page.warnings, tracing.layout.warnings, tracing.warnings, () if found is None else found.warnings)
    warnings = tuple(dict.fromkeys(text for texts in told for text in texts))
    row = page_row(page, layout=tracing.layout, tracing=tracing, measurements=found, warnings=warnings)
    return row, tracing.record


def _signal_files(record: EcgRecord, stem: str, form: str) -> dict[str, bytes]:
    """The file that the row names first, and what belongs to it."""
    home = f"signals/{stem[:2]}/{stem}"
    if form == "parquet":
        return {f"{home}.parquet": _as_parquet(record)}
    from ecglens.formats.wfdb import write_wfdb

    with tempfile.TemporaryDirectory() as folder:
        write_wfdb(record, Path(folder) / stem)
        return {f"{home}{ending}": (Path(folder) / f"{stem}{ending}").read_bytes() for ending in (".hea", ".dat")}


def _as_parquet(record: EcgRecord) -> bytes:
    """A column a lead in mV on one clock, null where nothing is known; rate and quality in the schema's metadata."""
    arrow, parquet = require("pyarrow", extra="batch"), require("pyarrow.parquet", extra="batch")
    placed = record.on_one_clock()
    told = {
        "ecglens.schema_version": str(SCHEMA_VERSION),
        "ecglens.unit": "mV",
        "ecglens.fs_hz": f"{record.fs_hz:g}",
        "ecglens.quality": ",".join(f"{value:.4f}" for value in record.quality),
        "ecglens.warnings": "\n".join(record.warnings),
    }
    signals = [arrow.array(row, mask=np.isnan(row)) for row in placed.signals_mv]
    table = arrow.table(signals, names=list(record.leads)).replace_schema_metadata(told)
    with io.BytesIO() as stream:
        parquet.write_table(table, stream, compression="zstd")
        return stream.getvalue()
