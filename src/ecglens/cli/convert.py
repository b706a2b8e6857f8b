"""``ecglens convert``: turn digital ECGs into other formats."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ecglens.cli.answers import make_note, print_page_error
from ecglens.cli.choices import complete_from
from ecglens.cli.inputs import InputFile, Kind, PageResult, Quiet, open_inputs
from ecglens.cli.lines import print_wrapped
from ecglens.cli.names import printable, replace_bytes
from ecglens.cli.outputs import add_to_manifest, check_nothing_exists, drop_from_manifest, print_refusals
from ecglens.errors import EcgLensError
from ecglens.records import EcgRecord

__all__ = ["command"]

_NUMBERED = re.compile(r"ecg-([0-9]{1,9})\.")
"""Names of anonymous files."""


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
    """Convert digital ECGs of recorders and wearables into other formats; a file's content tells its format.

    manifest.jsonl in the folder gets a line for each file: its path, SHA-256, and what was written. With --anonymize it
    gets none, and the numbers go on after those of the files that exist.
    """
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    bad = 0
    output = _Output(out, _list_forms(to), anonymize=anonymize, force=force)
    out.mkdir(parents=True, exist_ok=True)
    with open_inputs(files, make_note(err, quiet=quiet), Kind.RECORDS) as inputs:
        for number, source in enumerate(inputs):
            try:
                written = output.write(source, number)
            # A file that fails, even by a bug, must not cost those after it.
            except Exception as error:
                bad += 1
                print_page_error(err, source, PageResult(source.file, source.stem, error=error), as_json=as_json)
                continue
            bad += bool(written.refusals)
            if as_json:
                print(json.dumps(written.to_dict(source)))
            else:
                if not quiet:
                    _print(console, source.name, written)
                print_refusals(err, source.name, written.refusals)
    if bad:
        raise typer.Exit(2)


def _list_forms(text: str) -> list[str]:
    from ecglens.formats.files import FORMATS

    forms = [form.strip() for form in text.split(",") if form.strip()]
    unknown = [form for form in forms if form not in FORMATS]
    if unknown or not forms:
        raise EcgLensError(f"--to: expected any of {', '.join(FORMATS)}, got '{unknown[0] if unknown else text}'.")
    return list(dict.fromkeys(forms))


@dataclass(frozen=True)
class _Output:
    """Folder and options of the files that are written.

    Attributes:
        folder: Folder of the files and of the manifest.
        formats: Formats of the signals.
        anonymize: Whether comments are left out, and files are numbered.
        force: Whether files that exist are overwritten.
    """

    folder: Path
    formats: list[str]
    anonymize: bool
    force: bool

    @cached_property
    def _first_number(self) -> int:
        """Number of the first anonymous file, after those of earlier runs, which may be of other patients."""
        return 1 if self.force else _find_last_number(self.folder) + 1

    def write(self, source: InputFile, number: int) -> "_Written":
        """Read a record and write it in each format that can hold it.

        Args:
            source: The file.
            number: Its number among those of the command, from 0.

        Raises:
            EcgLensError: The record cannot be read, a file exists, or no format can hold the record.
        """
        from ecglens.cli.time_limits import read_record_in_time
        from ecglens.formats.anonymizing import anonymize_record
        from ecglens.formats.files import place_record, write_in_formats

        record, stem = read_record_in_time(source.path, source.name), source.stem
        if self.anonymize:
            record, stem = anonymize_record(record), f"ecg-{self._first_number + number}"
        path = self.folder / stem
        if not self.force:
            check_nothing_exists(place_record(path, form) for form in self.formats)
        files = write_in_formats(record, path, self.formats)
        names = [each.name for each in files.paths]
        # A line with the name of the input would undo what makes the files anonymous.
        if self.anonymize:
            drop_from_manifest(self.folder, names)
        else:
            add_to_manifest(self.folder, source, names)
        return _Written(record, names, files.refusals)


@dataclass(frozen=True)
class _Written:
    """A record, the names of its files, and sentences that say why no file of a format is among them."""

    record: EcgRecord
    names: list[str]
    refusals: Mapping[str, str]

    def to_dict(self, source: InputFile) -> dict[str, Any]:
        """Return everything but the signals as plain types."""
        record = self.record
        identity = {"file": source.file, "sha256": source.sha256}
        facts = {"leads": record.leads, "fs_hz": record.fs_hz, "duration_s": round(record.duration_s, 3)}
        files = {"written": [replace_bytes(name) for name in self.names], "not_written": dict(self.refusals)}
        return {**identity, **facts, "warnings": record.warnings, **files}


def _find_last_number(folder: Path) -> int:
    """Return the largest number of the anonymous files in a folder, in whatever format; 0 where there are none."""
    matches = (_NUMBERED.match(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)


def _print(console: Console, name: str, written: _Written) -> None:
    record = written.record
    console.print(Text(name, style="bold"), soft_wrap=True)
    count = "1 lead" if len(record.leads) == 1 else f"{len(record.leads)} leads"
    facts = f"{count} at {record.fs_hz:g} Hz, {record.duration_s:.1f} s: {' '.join(record.leads)}"
    lines = [facts, *record.comments, *(f"Warning: {warning}" for warning in record.warnings)]
    for line in [*lines, f"Written: {', '.join(written.names)}"]:
        print_wrapped(console, "  ", Text(printable(line)), hanging=4)
