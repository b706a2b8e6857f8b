"""The shipped model on the four public pages of the tests, which it was trained on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.external_validation import answer_pages
from ecglens.reading import load_runtime

DATA = Path(__file__).resolve().parents[1] / "data"
TRUE = {"Normal_1": "normal", "MI_26": "mi", "PMI_18": "history_mi", "HB_1": "abnormal_heartbeat"}


@pytest.fixture(scope="package")
def runtime():
    return load_runtime("compact_cnn")


@pytest.fixture(scope="package")
def table(tmp_path_factory):
    """Make a table of the four public pages of the tests, a page of paper and a broken file."""
    folder = tmp_path_factory.mktemp("pages")
    cv2.imwrite(str(folder / "paper.png"), np.full((900, 1200, 3), 250, np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    rows = [Recording(DATA / f"{name}.jpg", label, name, name) for name, label in TRUE.items()]
    rows += [Recording(folder / name, "normal", name, name) for name in ("paper.png", "broken.jpg")]
    return Recordings(tuple(rows))


@pytest.fixture(scope="package")
def answers(table, runtime):
    return answer_pages(table, runtime)
