"""``ecglens read``: read pages and print a prediction for each."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

import ecglens
from ecglens.arguments import folder_name
from ecglens.cli.answers import DISCLAIMER, make_note, print_page_error, print_reading, print_record_reading
from ecglens.cli.choices import complete_models
from ecglens.cli.inputs import (
    CorrectionsFile,
    InputFile,
    PageNumber,
    PageResult,
    Quiet,
    load_corrections,
    open_inputs,
    read_pages,
)
from ecglens.documents import dump_document
from ecglens.errors import EcgLensError, EcgReadError
from ecglens.extras import require
from ecglens.records import Layout, Page, Reading, RecordReading, distinct_names
from ecglens.settings import load_settings

__all__ = ["Sex", "command"]


class Sex(StrEnum):
    """Sexes that limits of criteria tell apart."""

    FEMALE = "female"
    MALE = "male"


def command(
    pages: Annotated[
        list[str],
        typer.Argument(
            help="Photos, scans, PDFs or digital ECGs, folders of them, or - for standard input.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each page, one per line.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of a model, or auto for any recorder.",
            show_default=False,
            autocompletion=complete_models,
        ),
    ] = None,
    leads: Annotated[Path | None, typer.Option(help="Folder for a PNG of each lead.", show_default=False)] = None,
    page: PageNumber = None,
    corrections: CorrectionsFile = None,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="Only predict the label, which is about ten times as fast.")
    ] = False,
    printed: Annotated[
        bool, typer.Option("--printed", help="Also read the print of pictures by OCR; needs the extra 'ocr'.")
    ] = False,
    age: Annotated[
        float | None,
        typer.Option(help="Age in years, for limits that depend on it.", min=0, max=130, show_default=False),
    ] = None,
    sex: Annotated[Sex | None, typer.Option(help="Sex, for limits that depend on it.", show_default=False)] = None,
    quiet: Quiet = False,
) -> None:
    """Read ECG pages: label or abstention, probabilities, measurements, statements by criteria, warnings."""
    if printed:
        _check_printed(no_measure=no_measure)
    load_settings()  # what is wrong with them is said once, not for each page
    fix, page = load_corrections(corrections, pages, page)
    options: dict[str, Any] = {"model": model, "age": age, "sex": None if sex is None else sex.value}

    def read(decoded: Page, stem: str) -> Reading:
        reading = ecglens.examine(decoded, measure=not no_measure, printed=printed, corrections=fix, **options)
        if leads is not None:
            _write_leads(reading, leads, stem)
        return reading

    output = _Output(as_json=as_json, quiet=quiet, measured=not no_measure)
    with open_inputs(pages, output.print_note) as inputs:
        for source in output.show_progress(inputs):
            if source.is_record:
                output.print_result(source, _read_record(source, page, options))
                if no_measure:
                    output.print_note(
                        f"{source.name}: a digital ECG is measured in any case; --no-measure is for pages."
                    )
                if leads is not None:
                    output.print_note(f"{source.name}: a digital ECG has no picture, so that --leads wrote nothing.")
            else:
                for result in read_pages(source, page, read, output.print_note):
                    output.print_result(source, result)
    output.finish()


def _read_record(source: InputFile, page: int | None, options: dict[str, Any]) -> PageResult[RecordReading]:
    from ecglens.cli.time_limits import read_record_in_time

    result: PageResult[RecordReading] = PageResult(source.file, source.stem)
    try:
        if page not in (None, 1):
            detail = f"expected page 1, got --page {page}; a digital ECG has no pages, so leave it out."
            raise EcgReadError(code="no_such_page", source=source.file, detail=detail)
        record = read_record_in_time(source.path, source.file)
        return replace(result, value=ecglens.examine_record(record, **options))
    except Exception as error:
        return replace(result, error=error)


class _Output:
    """Print results one after another."""

    def __init__(self, *, as_json: bool, quiet: bool, measured: bool) -> None:
        self._out, self._err = Console(highlight=False), Console(stderr=True, highlight=False)
        self._as_json, self._quiet, self._measured = as_json, quiet, measured
        self.print_note = make_note(self._err, quiet=quiet)
        self._done = self._bad = 0

    def show_progress(self, inputs: list[InputFile]) -> Iterable[InputFile]:
        """Iterate over the inputs, with a bar where a person waits for several."""
        if len(inputs) < 2 or self._quiet or not self._err.is_terminal:
            return inputs
        from rich.progress import track

        return track(inputs, description="Reading", console=self._err, transient=True)

    def print_result(self, source: InputFile, result: PageResult[Reading] | PageResult[RecordReading]) -> None:
        """Print the results of a page or digital ECG, or why it was not read."""
        reading = result.value
        if reading is None:
            self._bad += 1
            print_page_error(self._err, source, result, as_json=self._as_json)
            return
        self._done += 1
        if self._as_json:
            kind = "ecglens-reading" if isinstance(reading, Reading) else "ecglens-record-reading"
            identity = {"file": source.file, "sha256": source.sha256}
            print(dump_document(kind, {**identity, **reading.to_dict(), "source": source.file}))
        elif isinstance(reading, Reading):
            print_reading(self._out, result.name, reading, measured=self._measured)
        else:
            print_record_reading(self._out, result.name, reading)

    def finish(self) -> None:
        """Print what holds for all results, and exit with 2 where a page or file was not read."""
        if self._done and not self._as_json and not self._quiet:
            self._out.print(DISCLAIMER, style="dim")
        if self._bad:
            raise typer.Exit(2)


def _check_printed(*, no_measure: bool) -> None:
    if no_measure:
        raise EcgLensError(
            "--printed: expected measurements to compare the print with, got --no-measure; leave one out."
        )
    require("rapidocr", extra="ocr")


def _write_leads(reading: Reading, folder: Path, stem: str) -> None:
    from PIL import Image

    try:
        os.makedirs(folder, exist_ok=True)
        for name, pixels in _named_crops(reading):
            Image.fromarray(pixels).save(folder / f"{stem}-{name}.png")
    except OSError as error:
        raise EcgLensError(
            f"--leads: expected a folder that can be written to, got {folder_name(folder)}; name another."
        ) from error


def _named_crops(reading: Reading) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    from ecglens.leads.crop import crop_leads

    if isinstance(reading.layout, Layout):
        leads = reading.layout.leads
        names = distinct_names(f"rhythm-{box.lead}" if box.rhythm else box.lead for box in leads)
        for name, (_, pixels) in zip(names, crop_leads(reading.page, reading.layout), strict=True):
            yield name, pixels
