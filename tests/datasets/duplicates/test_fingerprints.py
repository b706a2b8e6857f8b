from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets.duplicates.fingerprints import Copy, TrainingPages
from ecglens.errors import DatasetError

PAGES = sorted((Path(__file__).resolve().parents[2] / "data").glob("*.jpg"))


@pytest.fixture(scope="module")
def fingerprints():
    return TrainingPages.of(PAGES[:2])


def save_again(path: Path, to: Path) -> Path:
    pixels = cv2.imread(str(path))[20:-15, 25:-30]
    small = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(to), small, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return to


def test_the_same_file_and_a_copy_saved_again_are_known_and_other_pages_are_not(fingerprints, tmp_path):
    copy = save_again(PAGES[1], tmp_path / "copy.jpg")
    assert fingerprints.copies_in([PAGES[2], PAGES[0], copy, PAGES[3]]) == (Copy(1, "bytes"), Copy(2, "traces"))


def test_fingerprints_are_the_same_after_saving_and_loading(fingerprints, tmp_path):
    fingerprints.save(tmp_path / "pages.npz")
    again = TrainingPages.load(tmp_path / "pages.npz")
    assert again.digests == fingerprints.digests
    assert np.array_equal(again.sketches, fingerprints.sketches)
    assert again.copies_in(PAGES) == fingerprints.copies_in(PAGES)


def test_what_is_no_page_has_its_hash_alone(tmp_path):
    (tmp_path / "a.txt").write_text("no page")
    fingerprints = TrainingPages.of([tmp_path / "a.txt", tmp_path / "gone.jpg"])
    assert len(fingerprints.digests) == 1
    assert len(fingerprints.sketches) == 0
    assert fingerprints.copies_in([tmp_path / "a.txt", PAGES[0]]) == (Copy(0, "bytes"),)


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 broken"])
def test_a_broken_file_of_fingerprints_is_refused(content, tmp_path):
    (tmp_path / "pages.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="Expected fingerprints of training pages at pages.npz"):
        TrainingPages.load(tmp_path / "pages.npz")
