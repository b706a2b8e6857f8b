import json
import re
import shutil
from pathlib import Path

import pytest
from django.test import Client

from ecglens.models import registry
from ecglens.settings import Settings
from ecglens.web.catalog.card_html import render_html
from ecglens.web.catalog.evaluations import load_as_published, load_evaluation, load_explanation_evaluation
from ecglens.web.catalog.plots import plot_coverage, plot_reliability, plot_roc

pytestmark = pytest.mark.django_db

SHIPPED = registry.SHIPPED / "compact_cnn"


def text_of(response):
    """Return the text of a page, without its tags."""
    plain = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+", " ", plain).replace("&#x27;", "'").replace("&amp;", "&")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of models beside the shipped one, with a second model in it."""
    settings = Settings(models_dir=tmp_path, model="compact_cnn")
    monkeypatch.setattr(registry, "load_settings", lambda: settings)
    model_folder = tmp_path / "other+net"
    shutil.copytree(SHIPPED, model_folder, ignore=shutil.ignore_patterns("as_published.json"))
    change(model_folder / "model.json", name="other+net", title="Another <network>", version="2.0", parameters=1234567)
    return model_folder


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def card(folder):
    return registry.load_card(folder)


def test_every_installed_model_is_shown_to_everybody_with_its_figures(folder):
    response = Client().get("/models")
    assert response.status_code == 200
    text = text_of(response)
    assert "Several labels may hold; its figures are on its card." in text
    assert Client().get("/models/any_recorder").status_code == 200
    for each in registry.list_models():
        if each.several:
            continue
        evaluation = json.loads((each.folder / "evaluation.json").read_text())
        assert f"{each.name} {each.version}" in text
        assert f"{evaluation['summary']['accuracy']['mean']:.3f}" in text
        low, high = evaluation["seeds"]["seed 0"]["intervals"]["accuracy"]
        assert f"{low:.3f}–{high:.3f}" in text
        assert each.trained_on in text
        assert f"{each.parameters:,}" in text
        for warning in each.warnings:
            assert warning in text
        assert Client().get(f"/models/{each.name}").status_code == 200
    assert text.count("default model") == 1
    assert "Another <network>" not in response.content.decode()
    assert text.index("default model") < text.index("other+net")
    assert "History of myocardial infarction" in text


def test_a_missing_evaluation_is_reported(folder):
    for name in ("evaluation.json", "explanations.json", "card.md", "data.md"):
        (folder / name).unlink()
    assert "its performance is unknown" in text_of(Client().get("/models"))
    text = text_of(Client().get("/models/other+net"))
    assert "its performance is unknown" in text
    assert "Not checked for these weights." in text
    assert "Mean" not in text
    text = text_of(Client().get("/models/compare?with=compact_cnn&with=other%2Bnet"))
    assert "not run" in text
    assert "one was not evaluated at all" in text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"protocol": "honest", "seeds": {}}', '{"seeds": 3}', "\xff"])
def test_a_broken_evaluation_is_none(folder, content):
    for name in ("evaluation.json", "explanations.json"):
        (folder / name).write_text(content, encoding="latin-1")
    assert load_evaluation(card(folder)) is None
    assert Client().get("/models/other+net").status_code == 200
    assert Client().get("/models").status_code == 200


def test_the_page_of_a_model_has_every_table_of_its_evaluation():
    text = text_of(Client().get("/models/compact_cnn"))
    evaluation = json.loads((SHIPPED / "evaluation.json").read_text())
    first = evaluation["seeds"]["seed 0"]
    for figure, spread in evaluation["summary"].items():
        assert f"{spread['mean']:.3f}" in text, figure
        assert f"{spread['least']:.3f}–{spread['most']:.3f}" in text, figure
        for reference in evaluation["references"].values():
            assert f"{reference[figure]:.3f}" in text
    for row in first["by_label"].values():
        for name in ("precision", "recall", "specificity", "f1", "auroc"):
            assert f"{row[name]:.3f}" in text
    for row in first["confusion"]:
        for count in row:
            assert f" {count} {count / sum(row):.0%} " in text
    explained = json.loads((SHIPPED / "explanations.json").read_text())
    for checks in explained["methods"].values():
        for check in checks:
            assert check["text"] in text
    assert "77.9%" in text
    assert "98.0%" in text
    assert "Calibration of the probabilities Not contained in this model's evaluation" in text
    assert "The evaluation contains these points" in text


def test_as_published_figures_are_shown_only_where_the_folder_has_them(folder):
    assert "not run for this model" in text_of(Client().get("/models/other+net"))
    honest = json.loads((folder / "evaluation.json").read_text())
    summary = {**honest["summary"], "accuracy": {"mean": 0.9777, "least": 0.97, "most": 0.98}}
    (folder / "as_published.json").write_text(json.dumps({**honest, "summary": summary}))
    assert load_as_published(card(folder)) is None, "the file says that it is honest"
    change(folder / "as_published.json", protocol="as-published")
    text = text_of(Client().get("/models/other+net"))
    assert "not run for this model" not in text
    assert "0.978" in text
    change(folder / "evaluation.json", protocol="as-published")
    assert "which is not the honest one" in text_of(Client().get("/models/other+net"))
    assert "which is not the honest one" in text_of(Client().get("/models"))


def test_explanations_of_other_weights_are_not_shown(folder):
    assert load_explanation_evaluation(card(folder)) is not None
    change(folder / "explanations.json", graph_sha256="0" * 64)
    assert load_explanation_evaluation(card(folder)) is None


def test_curves_are_plotted_from_the_evaluation(folder):
    without = load_evaluation(card(folder))
    plot = plot_roc(without, {"mi": "Infarction"})
    assert not plot.lines
    assert len(plot.marks) == 4 * 3
    assert plot.names[1] == "Infarction"
    assert all(plot.left <= mark.x <= plot.right and plot.top <= mark.y <= plot.bottom for mark in plot.marks)
    assert plot_reliability(without.first) is None
    assert [mark.series for mark in plot_coverage(without).marks] == [0, 1, 2]
    evaluation = json.loads((folder / "evaluation.json").read_text())
    evaluation["seeds"]["seed 0"]["curves"] = {
        "roc": {"normal": [[0, 0], [0, 0.5], [1, 1]]},
        "reliability": [[10, 0.5, 0.25]],
        "coverage": [[0.5, 1.0], [1.0, 0.9]],
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    held = load_evaluation(card(folder))
    plot = plot_roc(held, {})
    assert [line.points for line in plot.lines] == [
        f"{plot.left}.0,{plot.bottom}.0 {plot.left}.0,{(plot.top + plot.bottom) / 2} {plot.right}.0,{plot.top}.0"
    ]
    assert plot.diagonal == (plot.left, plot.right, plot.bottom, plot.top)
    plot = plot_reliability(held.first)
    assert plot.marks[0].x == (plot.left + plot.right) / 2
    assert plot.marks[0].y == plot.bottom - 0.25 * (plot.bottom - plot.top)
    assert len(plot_coverage(held).lines) == 1
    page = Client().get("/models/other+net").content.decode()
    assert page.count("<polyline") == 3
    assert "The evaluation contains these points" not in page


def test_no_page_needs_what_the_policy_forbids(folder):
    for address in ("/models", "/models/compact_cnn", "/models/compare?with=compact_cnn&with=other%2Bnet"):
        response = Client().get(address)
        assert "style-src 'self'" in response["Content-Security-Policy"]
        page = response.content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert not re.search(r"\son\w+=", page)


def test_a_card_cannot_bring_html_scripts_or_pictures(folder):
    (folder / "card.md").write_text(
        "---\ntitle: x\n---\n# Name\n<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n"
        "[click](javascript:alert(1)) [data](data:text/html,x) ![p](https://evil.example/p.png) [ok](https://doi.org/1)\n\n"
        "| a | b |\n|:--|--:|\n| 1 | <b>2</b> |\n"
    )
    page = Client().get("/models/other+net").content.decode()
    html = page[page.index('class="card-text"') :]
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert 'href="data:' not in html
    assert "<table>" in html
    assert "&lt;b&gt;2&lt;/b&gt;" in html
    assert '<a href="https://doi.org/1" rel="noopener nofollow">ok</a>' in html
    assert "style=" not in html
    assert "<h2>Name</h2>" in html
    assert render_html("---\nnot closed") == "<hr />\n<p>not closed</p>\n"


def test_models_are_compared_side_by_side(folder):
    address = "/models/compare?with=compact_cnn&with=other%2Bnet&with=compact_cnn"
    text = text_of(Client().get(address))
    assert "were not evaluated on the same" not in text
    assert "211,496 1,234,567" in text
    assert "393 recordings of 246 groups, honest, 3 seeds" in text
    assert "Recall of Myocardial infarction 0.833 of 24 pages 0.833 of 24 pages" in text
    evaluation = json.loads((folder / "evaluation.json").read_text())
    change(folder / "evaluation.json", data={**evaluation["data"], "groups": 245})
    assert "were not evaluated on the same" in text_of(Client().get(address))


def test_with_fewer_than_two_models_the_page_offers_a_choice(folder):
    for address in ("/models/compare", "/models/compare?with=compact_cnn"):
        response = Client().get(address)
        assert response.status_code == 200
        assert "Choose two or more." in text_of(response)
        assert response.content.decode().count('type="checkbox" name="with"') == 3
    shutil.rmtree(folder)
    assert Client().get("/models/compare").content.decode().count('type="checkbox" name="with"') == 2


@pytest.mark.parametrize(
    "address",
    ["/models/none", "/models/compare?with=compact_cnn&with=none", "/models/..", "/models/compact_cnn%00", "/models/"],
)
def test_an_unknown_model_is_not_found(address):
    assert Client().get(address).status_code == 404


def test_pages_are_only_read(folder):
    for address in ("/models", "/models/compact_cnn", "/models/compare"):
        assert Client().post(address).status_code == 405
        assert Client().head(address).status_code == 200


def test_the_shipped_model_is_in_the_wheel_with_what_its_page_shows():
    assert {path.name for path in Path(SHIPPED).iterdir()} >= {
        "card.md",
        "data.md",
        "evaluation.json",
        "explanations.json",
    }
