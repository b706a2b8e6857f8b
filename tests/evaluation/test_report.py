import csv
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ecglens.evaluation.compare import compare
from ecglens.evaluation.evaluate import evaluate
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.plots import PLOTS
from ecglens.evaluation.predictions import Predictions, read_predictions
from ecglens.evaluation.report import (
    comparison_to_html,
    comparison_to_markdown,
    guidelines_section,
    plain_markdown,
    to_markdown,
    write_report,
)
from ecglens.evaluation.sections import Picture, Section


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
        self.names: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)


def test_a_report_holds_page_pictures_tables_and_answers(folder, evaluation):
    names = {"index.html", "evaluation.md", "evaluation.json", "predictions.csv", *(f"{n}.png" for n in PLOTS)}
    assert {path.name for path in folder.iterdir()} == names
    stored = json.loads((folder / "evaluation.json").read_text())
    assert stored == {"format": "ecglens-evaluation", "format_version": 1, **evaluation.to_dict()}
    assert len(read_predictions(folder / "predictions.csv")) == 90
    with (folder / "predictions.csv").open(newline="") as stream:
        assert next(csv.DictReader(stream))["sex"] == "m"
    for name in PLOTS:
        with Image.open(folder / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_names_from_data_are_text_in_the_page(folder):
    page = (folder / "index.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert "b" not in tags.names
    assert "model" not in tags.names
    assert "A &lt;model&gt;" in page
    assert tags.names.count("img") == len(PLOTS)


def test_undefined_is_a_dash_and_every_figure_and_control_has_its_place(evaluation):
    text = to_markdown(evaluation)
    lines = text.splitlines()
    assert any(line.startswith("| figure | value | 95 % interval | majority label |") for line in lines)
    for title in FIGURES.values():
        assert any(line.startswith(f"| {title} | ") for line in lines), title
    assert r"| &lt;b>odd\|label&lt;/b> | 0 | " in text
    assert text.startswith("# A &lt;model>\n")
    assert "| macro AUROC | - | - |" in text
    assert "90 files, 90 recordings, 45 groups" in text
    assert "| sex: f | 45 | " in text


@pytest.mark.slow
def test_sections_with_tables_plots_and_pages_are_part_of_a_report(evaluation, tmp_path):
    page = Picture("wrong-1", "<a page>", b"\xff\xd8\xff")
    gone = Picture("wrong-2", "no page", b"")
    sections = (
        Section("Damaged pages", "Two pages.", (("damage", "0"), ("fold", "1.00")), {"damage": b"\x89PNG"}),
        Section("Wrong pages", gallery=(page, gone)),
    )
    write_report(evaluation, tmp_path, sections)
    html = (tmp_path / "index.html").read_text()
    assert "<h2>Damaged pages</h2>\n<p>Two pages.</p>" in html
    assert 'src="damage.png"' in html
    assert html.count('src="pages/') == 1
    assert "&lt;a page&gt;" in html
    assert (tmp_path / "pages" / "wrong-1.jpg").read_bytes() == page.data
    text = (tmp_path / "evaluation.md").read_text()
    assert "| fold | 1.00 |" in text
    assert "| CLAIM | 30 | robustness or sensitivity | Damaged pages |" in text
    assert "| CLAIM | 37 | analysis of wrong cases | Wrong pages |" in text
    assert "TRIPOD+AI | 16" not in text


def test_a_picture_of_any_label_lies_in_the_reports_folder(evaluation, tmp_path):
    page = Picture("label-x#1%20 é/../b-1", "odd", b"\xff\xd8\xff")
    write_report(evaluation, tmp_path, (Section("Pages of odd", "Sampled at random.", gallery=(page,)),))
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["label-x_1_20___.._b-1.jpg"]
    assert 'src="pages/label-x_1_20___.._b-1.jpg"' in (tmp_path / "index.html").read_text()
    assert "Pages of odd" not in (tmp_path / "evaluation.md").read_text()


def test_missing_controls_are_named(evaluation):
    text = to_markdown(evaluation)
    assert "Not available: printed rate alone, header alone, footer alone, page with its traces blurred away." in text
    assert "majority label" in text


def test_a_report_without_intervals_claims_none(evaluation, tmp_path):
    alone = replace(evaluation.predictions, groups=("one",) * 90)
    write_report(evaluate(alone, rng=np.random.default_rng(0), draws=20), tmp_path)
    text = (tmp_path / "evaluation.md").read_text()
    assert "| CLAIM | 28 | metrics of performance | Figures; By label |" in text
    assert "| CLAIM | 29 |" not in text
    assert "| TRIPOD+AI | 23a |" not in text


def test_the_first_lines_say_how_the_intervals_were_made(evaluation):
    assert "Intervals are of 95 %, by 30 draws of groups, and by Clopper and Pearson" in to_markdown(evaluation)
    alone = replace(evaluation.predictions, groups=("one",) * 90)
    text = to_markdown(evaluate(alone, rng=np.random.default_rng(0), draws=20))
    assert "There are no intervals: one group says nothing about others." in text


def test_a_subgroup_without_a_value_is_called_not_given(evaluation):
    sex = ("", "m") * 45
    blank = replace(evaluation.predictions, extra={"sex": sex})
    assert "| sex: not given | 45 | " in to_markdown(evaluate(blank, rng=np.random.default_rng(0), draws=20))


def test_text_from_data_stays_text_on_its_line():
    assert plain_markdown("a <b>&amp;\nc < d") == "a &lt;b>&amp;amp; c < d"


def test_guidelines_name_the_sections_that_cover_them():
    rows = guidelines_section((Section("Damaged pages"), Section("Ours", topic="explanations"))).rows
    assert [row[:2] + row[3:] for row in rows[1:]] == [("CLAIM", "30", "Damaged pages"), ("CLAIM", "31", "Ours")]


@pytest.fixture(scope="module")
def comparison(evaluation):
    better = evaluation.predictions
    rng = np.random.default_rng(1)
    worse = replace(better, probabilities=rng.dirichlet(np.ones(3), 90))
    return compare(better, worse, names=("a", "<b>"), rng=np.random.default_rng(0), draws=20)


def test_the_table_of_a_comparison_has_a_row_for_each_test(comparison):
    text = comparison_to_markdown(comparison)
    assert text.startswith("# a against &lt;b>\n")
    assert text.count("| paired bootstrap |") == 6
    assert text.count("| McNemar |") == 1
    assert text.count("| DeLong |") == 3
    assert "not a medical device" in text
    assert "90 pages of 90 recordings in 45 groups that both answered." in text


def test_the_pages_that_one_model_alone_answered_are_counted(comparison):
    text = comparison_to_markdown(replace(comparison, left_out=80))
    assert "80 that one of them alone answered are left out" in text


def test_the_page_of_a_comparison_holds_the_table_and_its_plot(comparison):
    page = comparison_to_html(comparison)
    assert page.count("<tr>") == 1 + 6 + 1 + 3
    assert 'src="data:image/png;base64,iVBOR' in page
    assert "a against &lt;b&gt;" in page
