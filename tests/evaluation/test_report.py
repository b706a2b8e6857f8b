import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ecglens.evaluation.curves import PICTURES
from ecglens.evaluation.evaluate import FIGURES, evaluate
from ecglens.evaluation.predictions import Predictions, read_predictions
from ecglens.evaluation.report import to_markdown, write_report


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 90)
    targets[targets == 2] = 0  # a label that no page has
    probabilities = rng.dirichlet(np.ones(3), 90) + 0.7 * np.eye(3)[targets]
    predictions = Predictions(
        tuple(f"r{n}" for n in range(90)),
        tuple(f"g{n // 2}" for n in range(90)),
        ("normal", "mi", "<b>odd|label</b>"),
        targets,
        probabilities / probabilities.sum(axis=1, keepdims=True),
        np.arange(90) % 3,
        {"sex": tuple("mf"[n % 2] for n in range(90))},
    )
    return evaluate(predictions, name="A <model>", rng=np.random.default_rng(0), draws=30)


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    write_report(evaluation, folder)
    return folder


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


def test_a_report_holds_page_pictures_tables_and_answers(folder, evaluation):
    names = {"index.html", "evaluation.md", "evaluation.json", "predictions.csv", *(f"{n}.png" for n in PICTURES)}
    assert {path.name for path in folder.iterdir()} == names
    assert json.loads((folder / "evaluation.json").read_text()) == evaluation.to_dict()
    assert len(read_predictions(folder / "predictions.csv")) == 90
    with (folder / "predictions.csv").open(newline="") as stream:
        assert next(csv.DictReader(stream))["sex"] == "m"
    for name in PICTURES:
        with Image.open(folder / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_names_from_data_are_text_in_the_page(folder):
    page = (folder / "index.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert "b" not in tags.found
    assert "model" not in tags.found
    assert "A &lt;model&gt;" in page
    assert tags.found.count("img") == len(PICTURES)


def test_undefined_is_a_dash_and_every_figure_and_control_has_its_place(evaluation):
    text = to_markdown(evaluation)
    lines = text.splitlines()
    assert any(line.startswith("| figure | value | 95 % interval | majority label |") for line in lines)
    for title in FIGURES.values():
        assert any(line.startswith(f"| {title} | ") for line in lines), title
    assert "| <b>odd/label</b> | 0 | " in text
    assert "| macro AUROC | - | - |" in text
    assert "90 files, 90 recordings, 45 groups" in text
    assert "| sex: f | 45 | " in text
