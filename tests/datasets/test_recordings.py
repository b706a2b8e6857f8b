from pathlib import Path

import pytest

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError


def table(*rows: tuple[str, str, str, str]) -> Recordings:
    return Recordings(tuple(Recording(Path(f"/data/{name}"), label, rec, group) for name, label, rec, group in rows))


def test_a_table_survives_writing_and_reading_with_extra_columns(tmp_path):
    row = Recording(tmp_path / "pages" / "a.jpg", "mi", "r1", "g1", "train", "here", {"batch": "2020-10"})
    Recordings((row, Recording(tmp_path / "b.jpg", "normal", "r2", "g2"))).to_csv(tmp_path / "out" / "recordings.csv")
    back = Recordings.from_csv(tmp_path / "out" / "recordings.csv")
    assert back[0].path.resolve() == row.path.resolve()
    assert (back[0].label, back[0].recording, back[0].group, back[0].split) == ("mi", "r1", "g1", "train")
    assert back.column("batch") == ("2020-10", "")
    assert back[1].split is None


def test_a_table_without_optional_columns_takes_the_path_as_recording_and_group(tmp_path):
    (tmp_path / "t.csv").write_text("page,label\npages/x.jpg,normal\n")
    (row,) = Recordings.from_csv(tmp_path / "t.csv")
    assert (row.recording, row.group, row.source) == ("pages/x", "pages/x", "t")
    assert row.path == tmp_path / "pages" / "x.jpg"


def test_files_of_one_name_in_two_folders_are_two_recordings(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\nnormal/1.jpg,normal\nmi/1.jpg,mi\n")
    assert len(Recordings.from_csv(tmp_path / "t.csv").canonical()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "Expected the columns 'path' and 'label' in t.csv, got a, b"),
        ("", "got no header"),
        ("path,label\n", "at least one recording in t.csv, but it has a header only"),
        ("path,label\nx.jpg,\n", "a path and a label in line 2 of t.csv"),
    ],
)
def test_a_table_that_lacks_something_is_refused_in_one_sentence(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        Recordings.from_csv(tmp_path / "t.csv")


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="Expected a CSV table of recordings at .*none.csv"):
        Recordings.from_csv(tmp_path / "none.csv")


def test_canonical_rows_are_the_marked_ones_or_the_first_of_each_recording():
    rows = table(("a", "mi", "r1", "g"), ("b", "mi", "r1", "g"), ("c", "mi", "r2", "g"))
    assert rows.canonical_indices().tolist() == [0, 2]
    marked = Recordings(
        (
            Recording(Path("a"), "mi", "r1", "g", extra={"canonical": "no"}),
            Recording(Path("b"), "mi", "r1", "g", extra={"canonical": "yes"}),
        )
    )
    assert marked.canonical_indices().tolist() == [1]


def test_keys_do_not_depend_on_where_the_data_stands():
    here = Recordings(
        (Recording(Path("/a/b/x/1.jpg"), "mi", "1", "1"), Recording(Path("/a/b/y/1.jpg"), "mi", "2", "2"))
    )
    there = Recordings((Recording(Path("/z/x/1.jpg"), "mi", "1", "1"), Recording(Path("/z/y/1.jpg"), "mi", "2", "2")))
    assert here.keys() == there.keys() == ("x/1.jpg", "y/1.jpg")


def test_an_unknown_column_names_the_known_ones():
    with pytest.raises(DatasetError, match="Expected a column 'batch' .* only path, label"):
        table(("a", "mi", "r", "g")).column("batch")
