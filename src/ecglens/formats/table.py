"""Rows of figures as a table: Parquet by pyarrow, or CSV."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.folders import make_folder
from ecglens.tables import write_rows

__all__ = ["write_table"]


def write_table(rows: Sequence[Mapping[str, float | str]], path: str | Path) -> None:
    """Write rows with the same columns.

    Args:
        rows: At least one; NaN is written as null, in CSV as an empty cell.
        path: Ends in ``.parquet`` or ``.csv``; its folder is made where it is missing.

    Raises:
        DatasetError: There is no row, rows differ in their columns, or the ending is another.
        MissingExtraError: pyarrow is not installed.
    """
    path = Path(path)
    if not rows or any(list(row) != list(rows[0]) for row in rows):
        raise DatasetError(f"Expected one row or more with the same columns for {path.name}, got {len(rows)} rows.")
    if path.suffix.lower() not in {".parquet", ".csv"}:
        raise DatasetError(f"Expected a table that ends in .parquet or .csv, got {path.name}.")
    make_folder(path.parent)
    columns = {name: [_without_nan(row[name]) for row in rows] for name in rows[0]}
    if path.suffix.lower() == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            write_rows(stream, [columns, *zip(*columns.values(), strict=True)])
        return
    pyarrow, parquet = require("pyarrow", extra="table"), require("pyarrow.parquet", extra="table")
    kinds = {name: pyarrow.string() if isinstance(value, str) else pyarrow.float64() for name, value in rows[0].items()}
    parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(list(kinds.items()))), path)


def _without_nan(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value
