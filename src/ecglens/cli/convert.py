"""``ecglens convert``: turn digital ECGs into other formats."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import ecglens
from ecglens.cli.answers import describe_error, error_line
from ecglens.cli.names import own_stem, printable
from ecglens.errors import EcgLensError
from ecglens.records import EcgRecord

__all__ = ["command"]


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Digital ECGs, such as MUSE XML, aECG, SCP, DICOM, EDF, WFDB headers, Kardia or Apple Health exports.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    to: Annotated[str, typer.Option(help="Any of wfdb,csv,json,dicom,fhir, separated by commas.")] = "wfdb",
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize", help="Leave out all comments too, such as age, sex and recorder; names are never written."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each file, one per line.")] = False,
) -> None:
    """Convert digital ECGs of recorders and wearables into other formats; a file's content tells its format."""
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    stems: set[str] = set()
    bad = 0
    try:
        forms = _list_forms(to)
        out.mkdir(parents=True, exist_ok=True)
    except EcgLensError as error:
        error_line(err, printable(str(error)))
        raise typer.Exit(2) from None
    for typed in files:
        name = printable(typed)
        try:
            record = ecglens.read_record(typed)
            if anonymize:
                record = replace(record, comments=())
            written = _write(record, out / own_stem(Path(typed).stem, stems), forms, force=force)
        # A file that fails, even by a bug, must not cost those after it.
        except Exception as error:
            bad += 1
            words = f"{name}: {error.detail}" if isinstance(error, EcgLensError) else describe_error(error, name)
            reason = printable(words)
            print(json.dumps({"file": name, "error": reason})) if as_json else error_line(err, reason)
            continue
        if as_json:
            facts = {"leads": record.leads, "fs_hz": record.fs_hz, "duration_s": round(record.duration_s, 3)}
            print(json.dumps({"file": name, **facts, "warnings": record.warnings, "written": written}))
        else:
            _print(console, name, record, written)
    if bad:
        raise typer.Exit(2)


def _list_forms(text: str) -> list[str]:
    from ecglens.formats.files import FORMATS

    forms = [form.strip() for form in text.split(",") if form.strip()]
    unknown = [form for form in forms if form not in FORMATS]
    if unknown or not forms:
        raise EcgLensError(f"--to: expected any of {', '.join(FORMATS)}, got '{unknown[0] if unknown else text}'.")
    return list(dict.fromkeys(forms))


def _write(record: EcgRecord, stem: Path, forms: list[str], *, force: bool) -> list[str]:
    """Write a record in each format, and return the names of the files.

    Raises:
        EcgLensError: A file exists, or a format cannot hold the record.
    """
    from ecglens.formats.files import place_record, write_record

    existing = [path.name for path in (place_record(stem, form) for form in forms) if path.exists()]
    if existing and not force:
        raise EcgLensError(f"Expected no {existing[0]} in {stem.parent.name}; add --force to overwrite it.")
    return [write_record(record, stem, form).name for form in forms]


def _print(console: Console, name: str, record: EcgRecord, written: list[str]) -> None:
    console.print(Text(name, style="bold"), soft_wrap=True)
    count = "1 lead" if len(record.leads) == 1 else f"{len(record.leads)} leads"
    facts = f"{count} at {record.fs_hz:g} Hz, {record.duration_s:.1f} s: {' '.join(record.leads)}"
    lines = [facts, *record.comments, *(f"Warning: {warning}" for warning in record.warnings)]
    for line in [*lines, f"Written: {', '.join(written)}"]:
        console.print(Text(f"  {printable(line)}"), soft_wrap=True)
