from pathlib import Path

import pytest

import ecglens
from ecglens.batch.sources import list_paths
from ecglens.errors import BatchError

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("distributed")

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.slow
def test_pages_and_failures_are_rows_of_a_frame(tmp_path, monkeypatch):
    (tmp_path / "text.jpg").write_text("no page")
    monkeypatch.chdir(tmp_path)
    frame = ecglens.read_many([DATA / "MI_26.jpg", "text.jpg"], measure=True, workers=1)
    assert set(frame.file) == {str(DATA / "MI_26.jpg"), "text.jpg"}
    rows = {Path(row["file"]).name: row for row in frame.to_dict("records")}
    assert rows["MI_26.jpg"]["label"] == "mi"
    assert rows["MI_26.jpg"]["rate_bpm"] == pytest.approx(54, abs=2)
    assert rows["text.jpg"]["failure"] == "not_a_page"


def test_pages_of_a_list_have_the_paths_as_they_were_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_text("no page")
    names = ["a.jpg", "./a.jpg", "https://example.org/a.jpg"]
    entries = list(list_paths([*names, tmp_path / "a.jpg"]))
    assert [entry.name for entry in entries] == [*names, str(tmp_path / "a.jpg")]
    local = str(tmp_path / "a.jpg")
    assert [entry.address for entry in entries] == [local, local, names[2], local]


def test_no_pages_are_refused(tmp_path):
    with pytest.raises(BatchError, match=r"Expected paths of pages, got none\."):
        ecglens.read_many([])
