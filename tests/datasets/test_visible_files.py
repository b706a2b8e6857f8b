"""Hidden files, such as those that macOS puts beside each page, are no part of a data set."""

from pathlib import Path

import pytest

from ecglens.datasets import sources
from ecglens.datasets.visible_files import list_visible

HIDDEN = ("mi/._a.jpg", "mi/.x.png", ".cache/mi/a.jpg", ".b.jpg")


@pytest.fixture(params=["data", ".data"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write a folder of pages, which may be hidden itself, with hidden files."""
    root = tmp_path / str(request.param)
    for name in ("mi/a.jpg", *HIDDEN):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"page")
    return root


def test_hidden_files_are_not_listed_but_a_hidden_folder_is_read_when_it_is_named(folder: Path) -> None:
    assert list_visible(folder, "*.jpg") == [folder / "mi" / "a.jpg"]


def test_hidden_pages_are_no_recordings(folder: Path) -> None:
    assert [row.path.name for row in sources.from_folders(folder)] == ["a.jpg"]
    flat = sources.from_flat_folder(folder / "mi")
    assert flat is not None
    assert [row.path.name for row in flat] == ["a.jpg"]


def test_hidden_headers_are_no_records(tmp_path: Path) -> None:
    for name in ("a.hea", "._a.hea"):
        (tmp_path / name).touch()
    assert [row.path.name for row in sources.records_from_path(tmp_path)] == ["a.hea"]
