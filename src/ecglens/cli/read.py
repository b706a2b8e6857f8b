"""``ecglens read``: read pages and print a prediction for each."""

import json
import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

import ecglens
from ecglens.cli.answers import DISCLAIMER, describe_error, error_line, print_reading, print_record_reading
from ecglens.cli.names import own_stem, printable
from ecglens.documents import dump_document
from ecglens.errors import EcgLensError
from ecglens.extras import require
from ecglens.records import Layout, Reading, RecordReading, distinct_names
from ecglens.settings import load_settings

__all__ = ["Sex", "command"]


class Sex(StrEnum):
    """Sexes that limits of criteria tell apart."""

    FEMALE = "female"
    MALE = "male"


def command(
    pages: Annotated[list[str], typer.Argument(help="Photos, scans, PDFs or digital ECGs.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each page, one per line.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Name or folder of a model, or auto for any recorder.", show_default=False)
    ] = None,
    leads: Annotated[Path | None, typer.Option(help="Folder for a PNG of each lead.", show_default=False)] = None,
    page: Annotated[int, typer.Option(help="Number of the page in a PDF or TIFF.")] = 1,
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
) -> None:
    """Read ECG pages: label or abstention, probabilities, measurements, statements by criteria, warnings."""
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    stems: set[str] = set()
    bad = 0
    if printed:
        try:
            _check_printed(no_measure=no_measure)
        except EcgLensError as error:
            error_line(err, str(error))
            raise typer.Exit(2) from None
    load_settings()  # what is wrong with them is said once, not for each page
    for typed in _with_progress(pages, err):
        path, name = Path(typed), printable(typed)
        try:
            reading: Reading | RecordReading
            own_sex = None if sex is None else sex.value
            if _is_record(path):
                reading = ecglens.examine_record(ecglens.read_record(path), model=model, age=age, sex=own_sex)
            else:
                options = {"measure": not no_measure, "printed": printed}
                reading = ecglens.examine(path, model=model, page=page, **options, age=age, sex=own_sex)
                if leads is not None:
                    _write_leads(reading, leads, own_stem(path.stem, stems))
        # A page that fails, even by a bug, must not cost those after it.
        except Exception as error:
            bad += 1
            reason = printable(describe_error(error, name))
            print(json.dumps({"file": name, "error": reason})) if as_json else error_line(err, reason)
            continue
        if as_json:
            kind = "ecglens-reading" if isinstance(reading, Reading) else "ecglens-record-reading"
            print(dump_document(kind, {"file": name, **reading.to_dict(), "source": name}))
        elif isinstance(reading, Reading):
            print_reading(out, name, reading, measured=not no_measure)
        else:
            print_record_reading(out, name, reading)
    if not as_json and bad < len(pages):
        out.print(DISCLAIMER, style="dim")
    if bad:
        raise typer.Exit(2)


def _is_record(path: Path) -> bool:
    """Return whether a file is a digital ECG; a page is one of the formats of pictures, which need no look."""
    from ecglens.datasets.sources import IMAGE_SUFFIXES

    if path.suffix.lower() in IMAGE_SUFFIXES or not (path.is_file() or path.with_name(f"{path.name}.hea").is_file()):
        return False
    from ecglens.formats.files import detect_format

    return detect_format(path) is not None


def _check_printed(*, no_measure: bool) -> None:
    if no_measure:
        raise EcgLensError(
            "--printed: expected measurements to compare the print with, got --no-measure; leave one out."
        )
    require("rapidocr", extra="ocr")


def _with_progress(pages: list[str], console: Console) -> Iterable[str]:
    if len(pages) < 2 or not console.is_terminal:
        return pages
    from rich.progress import track

    return track(pages, description="Reading", console=console, transient=True)


def _write_leads(reading: Reading, folder: Path, stem: str) -> None:
    from PIL import Image

    try:
        os.makedirs(folder, exist_ok=True)
        for name, pixels in _named_crops(reading):
            Image.fromarray(pixels).save(folder / f"{stem}-{name}.png")
    except OSError as error:
        raise EcgLensError(
            f"--leads: expected a folder that can be written to, got {folder.name}; name another."
        ) from error


def _named_crops(reading: Reading) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    from ecglens.leads.crop import crop_leads

    if isinstance(reading.layout, Layout):
        leads = reading.layout.leads
        names = distinct_names(f"rhythm-{box.lead}" if box.rhythm else box.lead for box in leads)
        for name, (_, pixels) in zip(names, crop_leads(reading.page, reading.layout), strict=True):
            yield name, pixels
