"""Recordings from where data sets keep them: class folders, a table, PTB-XL, LUDB, WFDB records with beat marks."""

import ast
import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from ecglens.datasets.marks import ludb
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError

__all__ = ["AAMI", "FOLDER_RULES", "IMAGE_SUFFIXES", "from_folders", "from_path", "from_ptbxl", "ludb", "ptbxl_label"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif", ".pdf"})
"""Files of these endings are taken for pages."""

FOLDER_RULES: tuple[tuple[str, str], ...] = (
    (r"history", "history_mi"),
    (r"abnormal", "abnormal_heartbeat"),
    (r"myocardial infarction|^mi$", "mi"),
    (r"^normal", "normal"),
)
"""Patterns that shorten the long folder names of DOI 10.17632/gwbz3fsgp8.2: the first that is found counts. A folder
that none fits is its own label."""

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

_INFARCTION = "MI"
_OLD_STAGES = frozenset({"Stadium II-III", "Stadium III"})
"""Infarction stages of PTB-XL that mean a healed infarction."""
_ABNORMAL_RHYTHMS = frozenset(
    {"AFIB", "AFLT", "SVTAC", "PSVT", "SVARR", "BIGU", "TRIGU", "STACH", "SBRAD", "SARRH", "PACE", "PVC", "PAC"}
)


def from_path(path: str | Path, *, rules: Iterable[tuple[str, str]] = FOLDER_RULES) -> Recordings:
    """Recordings from a CSV, a PTB-XL folder or folders by class, whichever stands there.

    Args:
        path: A CSV file or a folder.
        rules: Patterns and labels for folder names.

    Raises:
        DatasetError: Nothing stands there, or nothing that can be used.
    """
    path = Path(path)
    if path.is_file():
        return Recordings.from_csv(path)
    if not path.is_dir():
        raise DatasetError(f"Expected a folder of pages or a CSV at {path}, but nothing is there.")
    if (path / "ptbxl_database.csv").is_file():
        return from_ptbxl(path)
    return from_folders(path, rules=rules)


def from_folders(root: str | Path, *, rules: Iterable[tuple[str, str]] = FOLDER_RULES) -> Recordings:
    """Recordings from folders by class, below folders by split where there are any.

    The label is the folder in which a file stands; ``train``, ``test`` and ``val`` above or below it are the split.

    Args:
        root: The folder above the classes.
        rules: Patterns and labels; a folder that no pattern fits is its own label.

    Raises:
        DatasetError: There is no image below a folder.
    """
    root = Path(root)
    rules = tuple(rules)
    rows = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        names = path.relative_to(root).parts[:-1]
        split = next((SPLIT_NAMES[name.lower()] for name in names if name.lower() in SPLIT_NAMES), None)
        classes = [name for name in names if name.lower() not in SPLIT_NAMES]
        if classes:
            key = path.relative_to(root).as_posix()
            rows.append(Recording(path, _short(classes[-1], rules), key, key, split, "folders"))
    if not rows:
        raise DatasetError(f"Expected images in folders by label below {root}, but found none.")
    return Recordings(tuple(rows))


def from_ptbxl(root: str | Path, *, labels: str = "four", minimum_likelihood: float = 50.0) -> Recordings:
    """Recordings of PTB-XL in its official layout; patients are the groups.

    Records that have no label under the rule, or whose files are missing, are left out.

    Args:
        root: The folder with ``ptbxl_database.csv`` and ``scp_statements.csv``.
        labels: ``"four"`` for this project's labels, ``"superclass"`` for the likeliest diagnostic superclass,
            ``"stage"`` for the infarction stage.
        minimum_likelihood: Statements below this are not counted, in percent; 0, which PTB-XL writes for statements
            without one, is counted.

    Raises:
        DatasetError: A file or column is missing, or nothing is left.
    """
    root = Path(root)
    if labels not in {"four", "superclass", "stage"}:
        raise DatasetError(f"Expected labels out of four, superclass, stage, but got '{labels}'.")
    statements = {row[""]: row for row in _table(root / "scp_statements.csv", ("", "diagnostic_class"))}
    rows = []
    for row in _table(root / "ptbxl_database.csv", ("ecg_id", "patient_id", "scp_codes", "filename_hr")):
        codes = {
            str(code): float(share)
            for code, share in ast.literal_eval(row["scp_codes"]).items()
            if float(share) >= minimum_likelihood or float(share) == 0
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
    """Label of one PTB-XL record.

    ``four``: an infarction statement whose known stages are all healed (Stadium II-III or III) is ``history_mi``, any
    other infarction ``mi``; without infarction, a rhythm or ectopy statement other than sinus rhythm is
    ``abnormal_heartbeat``; a record whose diagnostic statements are all NORM is ``normal``; everything else has none.

    Args:
        codes: SCP statement to likelihood.
        classes: SCP statement to diagnostic superclass, ``""`` where it has none.
        stages: The two infarction stages, ``""`` or ``unknown`` where not known.
        labels: As in :func:`from_ptbxl`.

    >>> ptbxl_label({"IMI": 100.0}, {"IMI": "MI"}, ("Stadium III", ""))
    'history_mi'
    """
    diagnostic = {classes[code] for code in codes if classes.get(code)}
    known = [stage for stage in stages if stage and stage != "unknown"]
    if labels == "superclass":
        ranked = sorted((code for code in codes if classes.get(code)), key=lambda code: (-codes[code], code))
        return classes[ranked[0]] if ranked else None
    if labels == "stage":
        return known[0] if _INFARCTION in diagnostic and known else None
    if _INFARCTION in diagnostic:
        return "history_mi" if known and all(stage in _OLD_STAGES for stage in known) else "mi"
    if _ABNORMAL_RHYTHMS & set(codes):
        return "abnormal_heartbeat"
    return "normal" if diagnostic == {"NORM"} else None


def _short(folder: str, rules: tuple[tuple[str, str], ...]) -> str:
    return next((label for pattern, label in rules if re.search(pattern, folder, re.IGNORECASE)), folder)


def _table(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            header, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"Expected the table {path.name} in {path.parent}, but it cannot be read.") from error
    missing = [name for name in needed if name not in header]
    if missing:
        raise DatasetError(f"Expected the column '{missing[0]}' in {path.name}, but found {', '.join(header)}.")
    return rows
