"""``ecglens digitize``: turn pages into signals in mV."""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from PIL import Image
from rich.console import Console
from rich.text import Text

import ecglens
from ecglens.cli.answers import DISCLAIMER, describe_error, error_line
from ecglens.cli.names import own_stem, printable
from ecglens.errors import EcgLensError
from ecglens.extras import require
from ecglens.measuring.presentation import describe_print
from ecglens.records import Box, Tracing, distinct_names
from ecglens.settings import load_settings

if TYPE_CHECKING:
    from ecglens.joining import Joined

__all__ = ["command"]


def command(
    pages: Annotated[list[str], typer.Argument(help="Photos, scans or PDFs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    formats: Annotated[
        str, typer.Option("--format", help="Any of wfdb,csv,json,dicom,fhir, separated by commas.")
    ] = "csv",
    with_overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write a picture of the digitized traces over the page.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each page, without signals, one per line.")
    ] = False,
    layout: Annotated[str | None, typer.Option(help="The page's layout, such as 6x2.", show_default=False)] = None,
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
    page: Annotated[int, typer.Option(help="Number of the page in a PDF or TIFF.")] = 1,
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
) -> None:
    """Digitize ECG pages: signals in mV for each lead, with their quality.

    manifest.jsonl in the folder gets a line for each page: its file, page, SHA-256, layout, and what was written.
    """
    from ecglens.formats.files import FORMATS, write_record

    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    stems: set[str] = set()
    bad = 0
    try:
        selected = _formats(formats, tuple(FORMATS))
        corner_points = None if corners is None else _corners(corners)
        boxes = dict(_box(text) for text in box or ())
        if printed:
            require("rapidocr", extra="ocr")
        if join and (layout or corners or box):
            raise EcgLensError("--join: expected no --layout, --corners or --box beside it, got one; leave one out.")
        _check_folder(out)
    except EcgLensError as error:
        error_line(err, printable(str(error)))
        raise typer.Exit(2) from None
    load_settings()  # what is wrong with them is said once, not for each page
    for typed in pages:
        path, name = Path(typed), printable(typed)
        try:
            if join:
                result: Tracing | Joined = ecglens.digitize_joined(
                    path, page=page, speed_mm_s=speed, gain_mm_mv=gain, fs_hz=rate, printed=printed
                )
            else:
                result = ecglens.digitize(
                    path,
                    page=page,
                    layout=layout,
                    corners=corner_points,
                    boxes=boxes,
                    speed_mm_s=speed,
                    gain_mm_mv=gain,
                    fs_hz=rate,
                    printed=printed,
                )
            stem = out / own_stem(path.stem, stems)
            if not force:
                _check_nothing_exists(stem, selected)
            if result.record is not None:
                written = [write_record(result.record, stem, form).name for form in selected]
            else:
                written = [_write_traces(result, stem)]
            if with_overlay:
                written += _write_overlays(result, stem)
            _add_to_manifest(out, typed, result, written)
        # A page that fails, even by a bug, must not cost those after it.
        except Exception as error:
            bad += 1
            reason = printable(describe_error(error, name))
            print(json.dumps({"file": name, "error": reason})) if as_json else error_line(err, reason)
            continue
        if as_json:
            names = [printable(one) for one in written]
            print(json.dumps({"file": name, "written": names, **_without_signals(result), "source": name}))
        else:
            _print(console, name, result, [printable(one) for one in written])
    if not as_json and bad < len(pages):
        console.print(DISCLAIMER, style="dim")
    if bad:
        raise typer.Exit(2)


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


def _corners(text: str) -> list[tuple[float, float]]:
    values = _numbers(text, "--corners", 8)
    return list(zip(values[::2], values[1::2], strict=True))


def _box(text: str) -> tuple[str, Box]:
    lead, _, numbers = text.partition("=")
    top, left, bottom, right = _numbers(numbers, "--box", 4)
    if not (top < bottom and left < right):
        raise EcgLensError(f"--box: expected LEAD=top,left,bottom,right with top above bottom, got '{text}'.")
    return lead.strip(), Box(top, left, bottom, right)


def _numbers(text: str, option: str, count: int) -> list[float]:
    try:
        values = [float(part) for part in text.replace(";", ",").replace(" ", ",").split(",") if part]
    except ValueError:
        values = []
    if len(values) != count:
        raise EcgLensError(f"{option}: expected {count} numbers with commas between them, got '{text}'.")
    return values


def _check_nothing_exists(stem: Path, forms: list[str]) -> None:
    """Refuse to overwrite what was written before.

    Raises:
        EcgLensError: A file exists.
    """
    from ecglens.formats.files import place_record

    paths = [*(place_record(stem, form) for form in forms), _traces_path(stem)]
    existing = next((path for path in paths if path.exists()), None)
    if existing is not None:
        raise EcgLensError(f"Expected no {existing.name} in {existing.parent.name}; add --force to overwrite it.")


def _add_to_manifest(out: Path, typed: str, result: "Tracing | Joined", written: list[str]) -> None:
    """Add a line to the manifest of the folder, which says where its files come from."""
    tracings = (result,) if isinstance(result, Tracing) else result.tracings
    with Path(typed).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    line = {
        "file": typed,
        "sha256": digest,
        "pages": [tracing.page.number for tracing in tracings],
        "layouts": [tracing.layout.name for tracing in tracings],
        "written": written,
        "version": ecglens.__version__,
    }
    with (out / "manifest.jsonl").open("a", encoding="utf-8") as manifest:
        manifest.write(json.dumps(line, ensure_ascii=True) + "\n")


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


def _print(console: Console, name: str, result: "Tracing | Joined", written: list[str]) -> None:
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
    rows.append(("Written", ", ".join(written) or "nothing"))
    for title, fact in rows:
        console.print(Text(f"  {title:<9}{fact}"), soft_wrap=True)
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
