from pathlib import Path

import pytest

import ecglens
from ecglens.errors import BatchError

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("distributed")

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.slow
def test_pages_and_failures_are_rows_of_a_frame(tmp_path):
    (tmp_path / "text.jpg").write_text("no page")
    frame = ecglens.read_many([DATA / "MI_26.jpg", str(tmp_path / "text.jpg")], measure=True, workers=1)
    rows = {Path(row["file"]).name: row for row in frame.to_dict("records")}
    assert rows["MI_26.jpg"]["label"] == "mi"
    assert rows["MI_26.jpg"]["rate_bpm"] == pytest.approx(54, abs=2)
    assert rows["text.jpg"]["failure"] == "not_a_page"


def test_no_pages_are_refused(tmp_path):
    with pytest.raises(BatchError, match=r"Expected paths of pages, got none\."):
        ecglens.read_many([])
