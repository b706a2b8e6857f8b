"""Recordings from the layouts of data sets: class folders, a table, PTB-XL, LUDB, WFDB records with beat marks."""

import ast
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType

from ecglens.datasets.annotations import ludb
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.visible_files import is_hidden, list_visible
from ecglens.documents import parse_toml
from ecglens.errors import DatasetError, MissingDataError
from ecglens.formats.files import detect_format, strip_ending
from ecglens.formats.wfdb_files import HEADER_ENDING, PART_ENDINGS
from ecglens.pages.read import is_page
from ecglens.tables import read_table

__all__ = [
    "AAMI",
    "FOLDER_RULES",
    "IMAGE_SUFFIXES",
    "NO_LABEL",
    "SCHEMES",
    "from_flat_folder",
    "from_folders",
    "from_path",
    "from_ptbxl",
    "is_picture",
    "is_ptbxl",
    "is_record",
    "ludb",
    "pages_from_path",
    "parse_scp_codes",
    "ptbxl_label",
    "read_required_table",
    "read_rules",
    "records_from_path",
]

_ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")

NO_LABEL = "no label"
"""Label of pages that have none."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif", ".pdf"})
"""Suffixes of files that are read as pages."""
_HEAD_BYTES = 4096
"""Part of a file that tells whether it begins as a page."""

FOLDER_RULES: tuple[tuple[str, str], ...] = (
    (r"history", "history_mi"),
    (r"abnormal", "abnormal_heartbeat"),
    (r"myocardial infarction|^mi$", "mi"),
    (r"^normal", "normal"),
)
"""Patterns that shorten the long folder names of DOI 10.17632/gwbz3fsgp8.2: the first that matches counts. A folder
that none matches is its own label."""

SPLIT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "train": "train",
        "training": "train",
        "test": "test",
        "testing": "test",
        "val": "validation",
        "valid": "validation",
        "validation": "validation",
    }
)
"""Folder names that are a side of a split, not a label."""

AAMI: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys("NLRej", "N"),
        **dict.fromkeys("AaJS", "S"),
        **dict.fromkeys("VE", "V"),
        "F": "F",
        **dict.fromkeys("/fQ", "Q"),
    }
)
"""Classes of ANSI/AAMI EC57:2012 for the beat symbols of MIT-BIH."""

SCHEMES = ("four", "superclass", "stage")
"""Labels of PTB-XL: this project's four, the most likely diagnostic superclass, or the infarction stage."""

_INFARCTION = "MI"
_OLD_STAGES = frozenset({"Stadium II-III", "Stadium III"})
"""Infarction stages of PTB-XL that mean a healed infarction."""
_ABNORMAL_RHYTHMS = frozenset(
    {"AFIB", "AFLT", "SVTAC", "PSVT", "SVARR", "BIGU", "TRIGU", "STACH", "SBRAD", "SARRH", "PACE", "PVC", "PAC"}
)


def from_path(
    path: str | Path, *, rules: Iterable[tuple[str, str]] | None = None, scheme: str | None = None
) -> Recordings:
    """Load recordings from a CSV, a PTB-XL folder or folders by class, whichever is there.

    Args:
        path: A CSV file or a folder.
        rules: Patterns and labels for folder names; ``FOLDER_RULES`` where it is ``None``.
        scheme: One of ``SCHEMES`` for PTB-XL; ``"four"`` where it is ``None``.

    Raises:
        DatasetError: Nothing is there, nothing that can be used, or something that ``rules`` or ``scheme`` do not fit.
    """
    path = Path(path)
    if not path.exists():
        raise MissingDataError(f"Expected a folder of pages or a CSV at {path}, but nothing is there.")
    if scheme is not None and scheme not in SCHEMES:
        raise DatasetError(f"Expected labels out of {', '.join(SCHEMES)}, got '{scheme}'.")
    if scheme is not None and not is_ptbxl(path):
        raise DatasetError(f"Expected PTB-XL with its ptbxl_database.csv for a label scheme, but {path} is not.")
    if rules is not None and (path.is_file() or is_ptbxl(path)):
        raise DatasetError(f"Expected folders by label for label rules, but {path} brings its own labels.")
    if path.is_file():
        _refuse_archive_or_page(path)
        return Recordings.from_csv(path)
    if is_ptbxl(path):
        return from_ptbxl(path, labels=scheme or SCHEMES[0])
    return from_folders(path, rules=FOLDER_RULES if rules is None else rules)


def _refuse_archive_or_page(path: Path) -> None:
    name = path.name.lower()
    if name.endswith(_ARCHIVE_ENDINGS) or zipfile.is_zipfile(path):
        raise DatasetError(
            f"Expected a folder of pages or a CSV, got the archive {path.name}; unpack it, and give the folder."
        )
    if name.endswith((*IMAGE_SUFFIXES, ".hea", ".dcm")):
        raise DatasetError(
            f"Expected a folder of pages or a CSV, got the single file {path.name}; put pages into a folder for each "
            "label, and give the folder above."
        )


def pages_from_path(path: str | Path, *, rules: Iterable[tuple[str, str]] | None = None) -> Recordings:
    """Load recordings whose files are pages, from a CSV or folders by class.

    Args:
        path: A CSV file or a folder.
        rules: Rules as in :func:`from_path`.

    Raises:
        DatasetError: As in :func:`from_path`, or the files are signals.
    """
    recordings = from_path(path, rules=rules)
    signals = next((row.path for row in recordings if is_record(row.path)), None)
    if signals is not None:
        raise DatasetError(
            f"Expected pages in {path}, got signals such as {signals.name}; draw them first with: "
            f"ecglens render {path} PAGES, and give PAGES/recordings.csv."
        )
    return recordings


def is_picture(path: Path) -> bool:
    """Return whether a file has the ending of a page and begins as one, readable or not.

    The ending alone is none of the content, and a few letters of text can begin as a picture does.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    try:
        with path.open("rb") as stream:
            return is_page(stream.read(_HEAD_BYTES))
    except OSError:
        return True


def is_record(path: Path) -> bool:
    """Return whether a file is a digital ECG: by its content, except headers and their parts, which their names tell.

    Args:
        path: A file; one that cannot be opened may be one, and reading it says why.
    """
    ending = path.suffix.lower()
    if ending == HEADER_ENDING:
        return True
    if ending in PART_ENDINGS or not path.is_file() or is_picture(path):
        return False
    try:
        return detect_format(path) is not None
    except DatasetError:
        return True


def records_from_path(path: str | Path, *, scheme: str | None = None) -> Recordings:
    """Load recordings whose files are signals: PTB-XL, a table, or any folder of digital ECGs, labeled by folder.

    Args:
        path: A CSV file or a folder.
        scheme: Scheme as in :func:`from_path`.

    Raises:
        DatasetError: As in :func:`from_path`, or there is no record.
    """
    path = Path(path)
    if path.is_file() or is_ptbxl(path) or scheme is not None:
        return from_path(path, scheme=scheme)
    files = [file for file in list_visible(path) if is_record(file)]
    if not files:
        raise DatasetError(f"Expected digital ECGs below {path}, got none.")
    rows: dict[str, Recording] = {}
    for file in files:
        stem = file.with_name(strip_ending(file.name)).relative_to(path)
        key = stem.as_posix() if stem.as_posix() not in rows else file.relative_to(path).as_posix()
        label = stem.parent.name or path.resolve().name
        source = "wfdb" if file.suffix.lower() == HEADER_ENDING else "records"
        rows[key] = Recording(file, label, key, key, None, source)
    return _with_names_of_text(list(rows.values()))


def is_ptbxl(path: Path) -> bool:
    """Return whether a folder is PTB-XL in its official layout."""
    return (path / "ptbxl_database.csv").is_file()


def read_rules(path: str | Path) -> tuple[tuple[str, str], ...]:
    """Read rules that turn folder names into labels from a file.

    A pattern is a regular expression that may match anywhere in a folder's name, in any case; the first that matches
    counts, and a folder that none matches is its own label.

    Args:
        path: A CSV with the columns ``folder`` and ``label``, or a TOML file with patterns and labels in a table
            ``[labels]``.

    Raises:
        DatasetError: The file cannot be read so, holds no rule, or a pattern is no regular expression.
    """
    path = Path(path)
    if path.suffix.lower() == ".toml":
        rules = tuple(_toml_rules(path).items())
    else:
        rules = tuple((row["folder"], row["label"]) for row in read_required_table(path, ("folder", "label")))
    if not rules:
        raise DatasetError(f"Expected at least one rule in {path.name}, but it holds none.")
    for pattern, label in rules:
        if not pattern or not label:
            raise DatasetError(f"Expected a pattern and a label in each rule of {path.name}, but one of them is empty.")
        try:
            re.compile(pattern)
        except re.error as error:
            raise DatasetError(
                f"Expected a regular expression in {path.name}, but '{pattern}' is none: {error}."
            ) from error
    return rules


def from_folders(root: str | Path, *, rules: Iterable[tuple[str, str]] = FOLDER_RULES) -> Recordings:
    """Load recordings from folders by class, below folders by split where there are any.

    The label is the folder that contains a file; ``train``, ``test`` and ``val`` above or below it are the split.

    Args:
        root: The folder above the classes.
        rules: Patterns and labels; a folder that no pattern matches is its own label.

    Raises:
        DatasetError: There is no image below a folder.
    """
    root = Path(root)
    rules = tuple(rules)
    rows = []
    for path in list_visible(root):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        names = path.relative_to(root).parts[:-1]
        split = next((SPLIT_NAMES[name.lower()] for name in names if name.lower() in SPLIT_NAMES), None)
        classes = [name for name in names if name.lower() not in SPLIT_NAMES]
        if classes:
            key = path.relative_to(root).as_posix()
            rows.append(Recording(path, _short(classes[-1], rules), key, key, split, "folders"))
    if not rows:
        loose = any(path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path.name) for path in root.iterdir())
        problem = "got images in no folder; make one for each label, or give a CSV" if loose else "got none"
        raise DatasetError(f"Expected images in folders by label below {root}, {problem}.")
    return _with_names_of_text(rows)


def from_flat_folder(root: str | Path) -> Recordings | None:
    """Load the pages of a folder that has no folders by label; ``None`` for any other source.

    Args:
        root: The folder.
    """
    root = Path(root)
    if not root.is_dir() or is_ptbxl(root):
        return None
    pages = [path for path in list_visible(root) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not pages or any(path.parent != root for path in pages):
        return None
    return _with_names_of_text([Recording(page, NO_LABEL, page.name, page.name, None, "folder") for page in pages])


def _with_names_of_text(rows: Sequence[Recording]) -> Recordings:
    """Return the recordings, or refuse those whose names no table can hold."""
    odd = next((row.path for row in rows if re.search("[\ud800-\udfff]", str(row.path))), None)
    if odd is not None:
        raise DatasetError(
            f"Expected file names in UTF-8, got {ascii(str(odd))}, which no table can hold; rename the file."
        )
    return Recordings(tuple(rows))


def from_ptbxl(root: str | Path, *, labels: str = "four", minimum_likelihood: float = 50.0) -> Recordings:
    """Load the recordings of PTB-XL in its official layout; patients are the groups.

    Records that have no label under the rule, or whose files are missing, are left out.

    Args:
        root: The folder with ``ptbxl_database.csv`` and ``scp_statements.csv``.
        labels: One of ``SCHEMES``.
        minimum_likelihood: Statements below this are not counted, in percent; 0, which PTB-XL writes for statements
            without one, is counted.

    Raises:
        DatasetError: A file or column is missing, or nothing is left.
    """
    root = Path(root)
    if labels not in SCHEMES:
        raise DatasetError(f"Expected labels out of {', '.join(SCHEMES)}, got '{labels}'.")
    statements = {row[""]: row for row in read_required_table(root / "scp_statements.csv", ("", "diagnostic_class"))}
    rows = []
    for row in read_required_table(root / "ptbxl_database.csv", ("ecg_id", "patient_id", "scp_codes", "filename_hr")):
        codes = {
            code: share for code, share in parse_scp_codes(row).items() if share >= minimum_likelihood or share == 0
        }
        classes = {code: statements.get(code, {}).get("diagnostic_class", "") for code in codes}
        label = ptbxl_label(
            codes, classes, (row.get("infarction_stadium1", ""), row.get("infarction_stadium2", "")), labels
        )
        path = root / f"{row['filename_hr']}.hea"
        if label and path.is_file():
            extra = MappingProxyType({"fold": row.get("strat_fold", ""), "sex": row.get("sex", "")})
            rows.append(Recording(path, label, row["ecg_id"], f"p{row['patient_id']}", None, "ptbxl", extra))
    if not rows:
        raise DatasetError(f"Expected PTB-XL records below {root}, but none of its table has both a file and a label.")
    return Recordings(tuple(rows))


def ptbxl_label(
    codes: Mapping[str, float], classes: Mapping[str, str], stages: tuple[str, str], labels: str = "four"
) -> str | None:
    """Return the label of one PTB-XL record.

    ``four``: an infarction statement whose known stages are all healed (Stadium II-III or III) is ``history_mi``, any
    other infarction ``mi``; without infarction, a rhythm or ectopy statement other than sinus rhythm is
    ``abnormal_heartbeat``; a record whose diagnostic statements are all NORM is ``normal``; everything else has none.

    Args:
        codes: SCP statement to likelihood.
        classes: SCP statement to diagnostic superclass, ``""`` where it has none.
        stages: The two infarction stages, ``""`` or ``unknown`` where not known.
        labels: Scheme as in :func:`from_ptbxl`.

    >>> ptbxl_label({"IMI": 100.0}, {"IMI": "MI"}, ("Stadium III", ""))
    'history_mi'
    """
    diagnostic = {classes[code] for code in codes if classes.get(code)}
    known_stages = [stage for stage in stages if stage and stage != "unknown"]
    if labels == "superclass":
        ranked = sorted((code for code in codes if classes.get(code)), key=lambda code: (-codes[code], code))
        return classes[ranked[0]] if ranked else None
    if labels == "stage":
        return known_stages[0] if _INFARCTION in diagnostic and known_stages else None
    if _INFARCTION in diagnostic:
        return "history_mi" if known_stages and all(stage in _OLD_STAGES for stage in known_stages) else "mi"
    if _ABNORMAL_RHYTHMS & set(codes):
        return "abnormal_heartbeat"
    return "normal" if diagnostic == {"NORM"} else None


def parse_scp_codes(row: Mapping[str, str]) -> dict[str, float]:
    """Read the codes of a record with their likelihoods in %, which PTB-XL writes as a Python dictionary."""
    try:
        return {str(code): float(share) for code, share in ast.literal_eval(row["scp_codes"]).items()}
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError, RecursionError) as error:
        raise DatasetError(
            f"Expected codes such as {{'NORM': 100.0}} in the column scp_codes of record {row['ecg_id']}, got "
            "something else; download the table again."
        ) from error


def _short(folder: str, rules: tuple[tuple[str, str], ...]) -> str:
    return next((label for pattern, label in rules if re.search(pattern, folder, re.IGNORECASE)), folder)


def _toml_rules(path: Path) -> dict[str, str]:
    try:
        rules = parse_toml(path.read_text(encoding="utf-8")).get("labels")
    except (OSError, ValueError) as error:
        raise DatasetError(f"Expected label rules in {path.name}, but it cannot be read: {error}.") from error
    if not isinstance(rules, dict) or not all(isinstance(label, str) for label in rules.values()):
        raise DatasetError(f'Expected a table [labels] of "pattern" = "label" in {path.name}, got none.')
    return rules


def read_required_table(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a table that has certain columns, a dictionary for each row.

    Raises:
        DatasetError: The file cannot be read, or lacks a column.
    """
    try:
        header, rows = read_table(path)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"Expected the table {path.name} in {path.parent}, but it cannot be read: {error}."
        ) from error
    missing = [name for name in needed if name not in header]
    if missing:
        raise DatasetError(
            f"Expected the column '{missing[0]}' in {path.name}, got {', '.join(header) or 'no header'}."
        )
    return [dict(zip_longest(header, row[: len(header)], fillvalue="")) for row in rows]
