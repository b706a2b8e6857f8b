from pathlib import Path

import pytest

from ecglens.errors import DatasetError
from ecglens.formats.table import write_table

ROWS = [{"page": "a.jpg", "rate_bpm": 61.5, "pr_ms": float("nan")}, {"page": "b.jpg", "rate_bpm": 80.0, "pr_ms": 160.0}]


def test_a_parquet_table_has_columns_of_numbers_and_nulls(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(ROWS, tmp_path / "new" / "a.parquet")
    document = parquet.read_table(tmp_path / "new" / "a.parquet")
    assert [str(kind) for kind in document.schema.types] == ["string", "double", "double"]
    assert document.to_pydict() == {"page": ["a.jpg", "b.jpg"], "rate_bpm": [61.5, 80.0], "pr_ms": [None, 160.0]}


def test_a_column_without_any_number_keeps_its_kind(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table([{"p_ms": float("nan")}], tmp_path / "a.parquet")
    assert str(parquet.read_schema(tmp_path / "a.parquet").field("p_ms").type) == "double"


def test_a_csv_table_has_empty_cells_for_what_is_not_known(tmp_path: Path) -> None:
    write_table(ROWS, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "page,rate_bpm,pr_ms\na.jpg,61.5,\nb.jpg,80.0,160.0\n"


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ([], "a.csv", "got 0 rows"),
        ([{"a": 1.0}, {"b": 1.0}], "a.csv", "with the same columns"),
        ([{"a": 1.0}], "a.xlsx", r"ends in \.parquet or \.csv, got a\.xlsx"),
    ],
)
def test_what_is_no_table_is_refused(rows: list[dict[str, float]], name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        write_table(rows, tmp_path / name)
