import shutil

import pytest
from tiny_runs import write_recordings

from ecglens.errors import TrainingError
from ecglens.federation.copies import compute_fingerprints, match_fingerprints


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "shared.key"
    path.write_bytes(b"0123456789abcdef0123456789abcdef\n")
    return path


def test_equal_pixels_have_one_fingerprint_whatever_the_file(tmp_path, key):
    paths = [row.path for row in write_recordings(tmp_path / "pages")]
    renamed = shutil.copy(paths[1], tmp_path / "patient.png")
    prints = compute_fingerprints(paths, key)
    assert len(prints) == 8  # the ninth file is a copy
    assert compute_fingerprints([renamed], key)[0] in prints
    assert list(prints) == sorted(prints)


def test_another_key_gives_other_fingerprints(tmp_path, key):
    paths = [row.path for row in write_recordings(tmp_path / "pages", pages=2)]
    other = tmp_path / "other.key"
    other.write_bytes(b"another key of the same length..")
    assert not set(compute_fingerprints(paths, key)) & set(compute_fingerprints(paths, other))


def test_a_file_that_is_no_page_is_left_out(tmp_path, key):
    (tmp_path / "notes.png").write_text("no page")
    assert compute_fingerprints([tmp_path / "notes.png"], key) == ()


def test_a_key_that_is_missing_or_short_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="cannot be read"):
        compute_fingerprints([], tmp_path / "none.key")
    (tmp_path / "short.key").write_bytes(b"secret\n")
    with pytest.raises(TrainingError, match="at least 16 bytes in .* got 6"):
        compute_fingerprints([], tmp_path / "short.key")


def test_pages_of_several_sites_are_named_with_their_sites():
    prints = {3: [b"a", b"b"], 1: [b"b", b"c"], 2: [b"b"]}
    assert match_fingerprints(prints) == [{"fingerprint": "62", "nodes": [1, 2, 3]}]
