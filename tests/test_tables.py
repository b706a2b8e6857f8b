import pytest

from ecglens.tables import read_table


def test_quoted_line_breaks_and_separators_belong_to_their_cell(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b'\xef\xbb\xbfname;note\r\nx;"two\nlines; one cell"\r\n ; \r\n\r\ny;\xe2\x80\xa8z\r\n'
    )
    header, rows = read_table(tmp_path / "a.csv")
    assert header == ["name", "note"]
    assert rows == [["x", "two\nlines; one cell"], ["y", "\u2028z"]]


def test_blank_lines_before_the_header_and_empty_columns_at_the_end_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("\n\nname;note;;\nx;1;;\ny;2;;\n")
    assert read_table(tmp_path / "a.csv") == (["name", "note"], [["x", "1"], ["y", "2"]])


def test_an_empty_file_has_no_header(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    assert read_table(tmp_path / "a.csv") == ([], [])


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff\xfea", "letters are not"), (b"n\xe4me,x\n", "save it as CSV UTF-8")]
)
def test_bytes_that_are_no_text_are_refused(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "a.csv")
