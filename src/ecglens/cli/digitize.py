"""``ecglens digitize``: turn pages into signals in mV."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image
from rich.console import Console
from rich.text import Text

import ecglens
from ecglens.cli.answers import DISCLAIMER, make_note, print_page_error
from ecglens.cli.choices import PageLayout, complete_from
from ecglens.cli.coordinates import parse_box, parse_corners
from ecglens.cli.inputs import (
    CorrectionsFile,
    InputFile,
    Kind,
    PageNumber,
    Quiet,
    load_corrections,
    open_inputs,
    read_pages,
)
from ecglens.cli.lines import print_wrapped
from ecglens.cli.names import printable, replace_bytes
from ecglens.cli.outputs import add_to_manifest, check_nothing_exists, print_refusals
from ecglens.errors import EcgLensError
from ecglens.extras import require
from ecglens.measuring.presentation import describe_print
from ecglens.records import Page, Tracing, distinct_names
from ecglens.settings import load_settings

if TYPE_CHECKING:
    from ecglens.joining import Joined

__all__ = ["command"]


def command(
    pages: Annotated[
        list[str],
        typer.Argument(help="Photos, scans or PDFs, folders of them, or - for standard input.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="Any of wfdb,csv,json,dicom,fhir,edf,aecg, separated by commas.",
            autocompletion=complete_from("ecglens.formats.files:FORMATS", is_list=True),
        ),
    ] = "csv",
    with_overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write a picture of the digitized traces over the page.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each page, without signals, one per line.")
    ] = False,
    layout: PageLayout = None,
    corners: Annotated[
        str | None,
        typer.Option(help="The paper's corners in px, x,y four times, clockwise from top left.", show_default=False),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="A lead's box in px, such as V1=top,left,bottom,right.", show_default=False),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Paper speed in mm/s; the printed speed or 25 by default.", show_default=False)
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Gain in mm/mV; from the calibration pulse by default.", show_default=False)
    ] = None,
    rate: Annotated[float, typer.Option(help="Sampling rate in Hz.")] = 500.0,
    page: PageNumber = None,
    corrections: CorrectionsFile = None,
    join: Annotated[
        bool,
        typer.Option(
            "--join", help="Join limb leads on the page and V1 to V6 on a page after it, where date and patient agree."
        ),
    ] = False,
    printed: Annotated[
        bool, typer.Option("--printed", help="Also read the print of pictures by OCR; needs the extra 'ocr'.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    quiet: Quiet = False,
) -> None:
    """Digitize ECG pages: signals in mV for each lead, with their quality.

    manifest.jsonl in the folder gets a line for each page: its file, page, SHA-256, layout, and what was written.
    """
    from ecglens.formats.files import FORMATS

    selected = _formats(formats, tuple(FORMATS))
    options: dict[str, Any] = {"speed_mm_s": speed, "gain_mm_mv": gain, "fs_hz": rate, "printed": printed}
    by_hand: dict[str, Any] = {
        "layout": layout,
        "corners": None if corners is None else parse_corners(corners),
        "boxes": dict(parse_box(text) for text in box or ()),
    }
    if printed:
        require("rapidocr", extra="ocr")
    if join and any(by_hand.values()):
        raise EcgLensError("--join: expected no --layout, --corners or --box beside it, got one; leave one out.")
    if join and corrections is not None:
        raise EcgLensError("--join: expected no --corrections beside it, got one; leave one out.")
    by_hand["corrections"], page = load_corrections(corrections, pages, page)
    _check_folder(out)
    load_settings()  # what is wrong with them is said once, not for each page
    output = _Output(out, selected, with_overlay=with_overlay, force=force)
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    done = bad = 0
    note = make_note(err, quiet=quiet)
    with open_inputs(pages, note, Kind.PAGES) as inputs:
        for source in inputs:

            def read(decoded: Page, stem: str, source: InputFile = source) -> _Written:
                if join:
                    return output.write(source, ecglens.digitize_joined(source.path, page=page or 1, **options), stem)
                return output.write(source, ecglens.digitize(decoded, **options, **by_hand), stem)

            for result in read_pages(source, (page or 1) if join else page, read, note):
                if result.value is None:
                    bad += 1
                    print_page_error(err, source, result, as_json=as_json)
                    continue
                done += 1
                bad += bool(result.value.refusals)
                if as_json:
                    print(json.dumps(result.value.to_dict(source)))
                else:
                    _print(console, result.name, result.value)
                    print_refusals(err, result.name, result.value.refusals)
    if done and not as_json and not quiet:
        console.print(DISCLAIMER, style="dim")
    if bad:
        raise typer.Exit(2)


@dataclass(frozen=True)
class _Written:
    """The signals of a page, or of two that were joined.

    Attributes:
        result: The signals.
        names: Names of the files that hold them.
        refusals: Sentences that say why no file of a format does, by format.
    """

    result: "Tracing | Joined"
    names: list[str]
    refusals: Mapping[str, str]

    def to_dict(self, source: InputFile) -> dict[str, Any]:
        """Return everything but the signals as plain types."""
        first = {"file": source.file, "sha256": source.sha256, "written": [replace_bytes(name) for name in self.names]}
        return {**first, "not_written": dict(self.refusals), **_without_signals(self.result), "source": source.file}


@dataclass(frozen=True)
class _Output:
    """Folder and options of the files that are written.

    Attributes:
        folder: Folder of the files and of the manifest.
        formats: Formats of the signals.
        with_overlay: Whether a picture of the traces over the page is written too.
        force: Whether files that exist are overwritten.
    """

    folder: Path
    formats: list[str]
    with_overlay: bool
    force: bool

    def write(self, source: InputFile, result: "Tracing | Joined", name: str) -> _Written:
        """Write the files of a page, and their line of the manifest."""
        from ecglens.formats.files import place_record, write_in_formats

        stem = self.folder / name
        refusals: Mapping[str, str] = {}
        if not self.force:
            check_nothing_exists([*(place_record(stem, form) for form in self.formats), _traces_path(stem)])
        if result.record is not None:
            files = write_in_formats(result.record, stem, self.formats)
            written, refusals = [path.name for path in files.paths], files.refusals
        else:
            written = [_write_traces(result, stem)]
        if self.with_overlay:
            written += _write_overlays(result, stem)
        add_to_manifest(self.folder, source, written, _list_pages(result))
        return _Written(result, written, refusals)


def _check_folder(out: Path) -> None:
    """Check before the work that the folder can be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(out, os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        raise EcgLensError(f"--out: expected a folder that can be written to, got {out}; name another.")


def _formats(text: str, supported: tuple[str, ...]) -> list[str]:
    selected = [form.strip() for form in text.split(",") if form.strip()]
    unknown = [form for form in selected if form not in supported]
    if unknown or not selected:
        raise EcgLensError(f"--format: expected any of {','.join(supported)}, got '{text}'.")
    return selected


def _list_pages(result: "Tracing | Joined") -> dict[str, list[Any]]:
    """List the pages and layouts, for the manifest."""
    tracings = (result,) if isinstance(result, Tracing) else result.tracings
    return {
        "pages": [tracing.page.number for tracing in tracings],
        "layouts": [tracing.layout.name for tracing in tracings],
    }


def _traces_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.traces.csv")


def _write_overlays(result: "Tracing | Joined", stem: Path) -> list[str]:
    from ecglens.tracing.overlay import draw_overlay

    written = []
    for tracing in (result,) if isinstance(result, Tracing) else result.tracings:
        name = "overlay" if isinstance(result, Tracing) else f"page{tracing.page.number}.overlay"
        path = stem.with_name(f"{stem.name}.{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_overlay(tracing)).save(path)
        written.append(path.name)
    return written


def _write_traces(tracing: Tracing, stem: Path) -> str:
    from ecglens.formats.csv import write_traces

    path = _traces_path(stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_traces(tracing, path)
    return path.name


def _without_signals(result: "Tracing | Joined") -> dict[str, object]:
    values = result.to_dict()
    if values["record"] is not None:
        values["record"] = {key: value for key, value in values["record"].items() if key != "signals"}
    return values


def _print(console: Console, name: str, written: _Written) -> None:
    result = written.result
    console.print(Text(name, style="bold"), soft_wrap=True)
    tracings = (result,) if isinstance(result, Tracing) else result.tracings
    rows = [row for tracing in tracings for row in _page_rows(tracing, with_number=len(tracings) > 1)]
    record = result.record
    if record is not None:
        leads = distinct_names(record.leads)
        worst = [f"{lead} {value:.2f}" for lead, value in zip(leads, record.quality, strict=True) if value < 0.5]
        rows.append(
            (
                "Quality",
                f"{min(record.quality):.2f} to {max(record.quality):.2f}"
                + (f"; poor: {', '.join(worst)}" if worst else ""),
            )
        )
    checks = [
        f"{name} {value:.3f} mV"
        for name, value in (("Einthoven", tracings[0].einthoven_mv), ("Goldberger", tracings[0].goldberger_mv))
        if value is not None
    ]
    if checks:
        rows.append(("Checks", f"residual: {', '.join(checks)}"))
    rows += [("Warning", warning) for warning in result.warnings]
    rows.append(("Written", printable(", ".join(written.names)) or "nothing"))
    for title, fact in rows:
        print_wrapped(console, f"  {title:<9}", Text(fact))
    console.print()


def _page_rows(tracing: Tracing, *, with_number: bool) -> list[tuple[str, str]]:
    layout = tracing.layout
    gain = "no gain" if tracing.gain_mm_mv is None else f"{tracing.gain_mm_mv:g} mm/mV ({tracing.gain_source})"
    scale = f"{layout.px_per_mm[1]:.2f} x {layout.px_per_mm[0]:.2f} px/mm ({layout.px_per_mm_source})"
    speed = f"{tracing.speed_mm_s:g} mm/s ({tracing.speed_source})"
    page = f" on page {tracing.page.number}" if with_number else ""
    rows = [("Layout", f"{layout.name}{page}"), ("Scale", f"{scale}, {speed}, {gain}")]
    if tracing.printed is not None:
        rows.append(("Printed", describe_print(tracing.printed)))
    return rows
