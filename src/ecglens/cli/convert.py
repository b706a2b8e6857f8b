"""``ecglens convert``: turn digital ECGs into other formats."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import ecglens
from ecglens.arguments import folder_name
from ecglens.cli.answers import make_note, print_page_error
from ecglens.cli.choices import complete_from
from ecglens.cli.inputs import Kind, PageResult, Quiet, open_inputs
from ecglens.cli.names import printable
from ecglens.errors import EcgLensError
from ecglens.records import EcgRecord

__all__ = ["command"]


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Digital ECGs, such as MUSE XML, aECG, SCP, DICOM, EDF, WFDB headers, Kardia or Apple Health exports; "
            "folders of them, or - for standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            help="Any of wfdb,csv,json,dicom,fhir,edf,aecg, separated by commas.",
            autocompletion=complete_from("ecglens.formats.files:FORMATS", is_list=True),
        ),
    ] = "wfdb",
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize",
            help="Leave out all comments, such as age, sex, recorder and free text, and number the files that are "
            "written, and leads whose names are free text; the fields of a person's name, number and birth are never "
            "written.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each file, one per line.")] = False,
    quiet: Quiet = False,
) -> None:
    """Convert digital ECGs of recorders and wearables into other formats; a file's content tells its format."""
    from ecglens.formats.anonymizing import anonymize_record

    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    bad = 0
    forms = _list_forms(to)
    out.mkdir(parents=True, exist_ok=True)
    with open_inputs(files, make_note(err, quiet=quiet), Kind.RECORDS) as inputs:
        for number, source in enumerate(inputs, start=1):
            try:
                record, stem = ecglens.read_record(source.path), source.stem
                if anonymize:
                    record, stem = anonymize_record(record), f"ecg-{number}"
                written = _write(record, out / stem, forms, force=force)
            # A file that fails, even by a bug, must not cost those after it.
            except Exception as error:
                bad += 1
                print_page_error(err, source, PageResult(source.name, source.stem, error=error), as_json=as_json)
                continue
            if as_json:
                facts = {"leads": record.leads, "fs_hz": record.fs_hz, "duration_s": round(record.duration_s, 3)}
                identity = {"file": source.name, "sha256": source.sha256}
                print(json.dumps({**identity, **facts, "warnings": record.warnings, "written": written}))
            elif not quiet:
                _print(console, source.name, record, written)
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
    from ecglens.formats.files import place_record, write_in_formats

    existing = [path.name for path in (place_record(stem, form) for form in forms) if path.exists()]
    if existing and not force:
        raise EcgLensError(f"Expected no {existing[0]} in {folder_name(stem.parent)}; add --force to overwrite it.")
    return [path.name for path in write_in_formats(record, stem, forms)]


def _print(console: Console, name: str, record: EcgRecord, written: list[str]) -> None:
    console.print(Text(name, style="bold"), soft_wrap=True)
    count = "1 lead" if len(record.leads) == 1 else f"{len(record.leads)} leads"
    facts = f"{count} at {record.fs_hz:g} Hz, {record.duration_s:.1f} s: {' '.join(record.leads)}"
    lines = [facts, *record.comments, *(f"Warning: {warning}" for warning in record.warnings)]
    for line in [*lines, f"Written: {', '.join(written)}"]:
        console.print(Text(f"  {printable(line)}"), soft_wrap=True)
