import json
import re
import shutil
from pathlib import Path

import pytest
from django.test import Client

from ecglens.models import registry
from ecglens.settings import Settings
from ecglens.web.catalog import views
from ecglens.web.catalog.card_html import to_html
from ecglens.web.catalog.drawings import coverage_drawing, reliability_drawing, roc_drawing
from ecglens.web.catalog.evaluations import as_published_of, evaluation_of, explained_of

pytestmark = pytest.mark.django_db

SHIPPED = registry.SHIPPED / "compact_cnn"


def text_of(response):
    """What a page shows, without its tags."""
    plain = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+", " ", plain).replace("&#x27;", "'").replace("&amp;", "&")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of models beside the shipped one, with a second model in it."""
    settings = Settings(models_dir=tmp_path, _env_file=None)
    monkeypatch.setattr(registry, "load_settings", lambda: settings)
    monkeypatch.setattr(views, "load_settings", lambda: settings)
    made = tmp_path / "other+net"
    shutil.copytree(SHIPPED, made, ignore=shutil.ignore_patterns("as_published.json"))
    change(made / "model.json", name="other+net", title="Another <network>", version="2.0", parameters=1234567)
    return made


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def card(folder):
    return registry.load_card(folder)


def test_every_installed_model_is_shown_to_everybody_with_its_figures(folder):
    response = Client().get("/models")
    assert response.status_code == 200
    text = text_of(response)
    for each in registry.list_models():
        told = json.loads((each.folder / "evaluation.json").read_text())
        assert f"{each.name} {each.version}" in text
        assert f"{told['summary']['accuracy']['mean']:.3f}" in text
        low, high = told["seeds"]["seed 0"]["intervals"]["accuracy"]
        assert f"{low:.3f}–{high:.3f}" in text
        assert each.trained_on in text
        assert f"{each.parameters:,}" in text
        for warning in each.warnings:
            assert warning in text
        assert Client().get(f"/models/{each.name}").status_code == 200
    assert text.count("answers by default") == 1
    assert "Another <network>" not in response.content.decode()
    assert text.index("answers by default") < text.index("other+net")
    assert "History of myocardial infarction" in text


def test_a_model_without_an_evaluation_says_so(folder):
    for name in ("evaluation.json", "explanations.json", "card.md", "data.md"):
        (folder / name).unlink()
    assert "nothing is known of how good it is" in text_of(Client().get("/models"))
    text = text_of(Client().get("/models/other+net"))
    assert "nothing is known of how good it is" in text
    assert "Not checked for these weights." in text
    assert "Mean" not in text
    text = text_of(Client().get("/models/compare?with=compact_cnn&with=other%2Bnet"))
    assert "not run" in text
    assert "one was not scored at all" in text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"protocol": "honest", "seeds": {}}', '{"seeds": 3}', "\xff"])
def test_a_broken_evaluation_is_none(folder, content):
    for name in ("evaluation.json", "explanations.json"):
        (folder / name).write_text(content, encoding="latin-1")
    assert evaluation_of(card(folder)) is None
    assert Client().get("/models/other+net").status_code == 200
    assert Client().get("/models").status_code == 200


def test_the_page_of_a_model_has_every_table_of_its_evaluation():
    text = text_of(Client().get("/models/compact_cnn"))
    told = json.loads((SHIPPED / "evaluation.json").read_text())
    first = told["seeds"]["seed 0"]
    for figure, spread in told["summary"].items():
        assert f"{spread['mean']:.3f}" in text, figure
        assert f"{spread['least']:.3f}–{spread['most']:.3f}" in text, figure
        for reference in told["references"].values():
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
    assert "Whether probabilities come true Not kept in this model's evaluation" in text
    assert "The evaluation keeps these points" in text


def test_as_published_figures_are_shown_only_where_the_folder_has_them(folder):
    assert "not run for this model" in text_of(Client().get("/models/other+net"))
    honest = json.loads((folder / "evaluation.json").read_text())
    summary = {**honest["summary"], "accuracy": {"mean": 0.9777, "least": 0.97, "most": 0.98}}
    (folder / "as_published.json").write_text(json.dumps({**honest, "summary": summary}))
    assert as_published_of(card(folder)) is None, "the file says that it is honest"
    change(folder / "as_published.json", protocol="as-published")
    text = text_of(Client().get("/models/other+net"))
    assert "not run for this model" not in text
    assert "0.978" in text
    change(folder / "evaluation.json", protocol="as-published")
    assert "which is not the honest one" in text_of(Client().get("/models/other+net"))
    assert "which is not the honest one" in text_of(Client().get("/models"))


def test_explanations_of_other_weights_are_not_shown(folder):
    assert explained_of(card(folder)) is not None
    change(folder / "explanations.json", graph_sha256="0" * 64)
    assert explained_of(card(folder)) is None


def test_curves_are_drawn_from_what_the_evaluation_holds(folder):
    without = evaluation_of(card(folder))
    drawn = roc_drawing(without, {"mi": "Infarction"})
    assert not drawn.trails
    assert len(drawn.marks) == 4 * 3
    assert drawn.names[1] == "Infarction"
    assert all(drawn.left <= mark.x <= drawn.right and drawn.top <= mark.y <= drawn.bottom for mark in drawn.marks)
    assert reliability_drawing(without.first) is None
    assert [mark.series for mark in coverage_drawing(without).marks] == [0, 1, 2]
    told = json.loads((folder / "evaluation.json").read_text())
    told["seeds"]["seed 0"]["curves"] = {
        "roc": {"normal": [[0, 0], [0, 0.5], [1, 1]]},
        "reliability": [[10, 0.5, 0.25]],
        "coverage": [[0.5, 1.0], [1.0, 0.9]],
    }
    (folder / "evaluation.json").write_text(json.dumps(told))
    held = evaluation_of(card(folder))
    drawn = roc_drawing(held, {})
    assert [trail.points for trail in drawn.trails] == [
        f"{drawn.left}.0,{drawn.bottom}.0 {drawn.left}.0,{(drawn.top + drawn.bottom) / 2} {drawn.right}.0,{drawn.top}.0"
    ]
    assert drawn.diagonal == (drawn.left, drawn.right, drawn.bottom, drawn.top)
    drawn = reliability_drawing(held.first)
    assert drawn.marks[0].x == (drawn.left + drawn.right) / 2
    assert drawn.marks[0].y == drawn.bottom - 0.25 * (drawn.bottom - drawn.top)
    assert len(coverage_drawing(held).trails) == 1
    page = Client().get("/models/other+net").content.decode()
    assert page.count("<polyline") == 3
    assert "The evaluation keeps these points" not in page


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
    found = page[page.index('class="card-text"') :]
    assert "<script" not in found
    assert "<img" not in found
    assert 'href="javascript' not in found
    assert 'href="data:' not in found
    assert "<table>" in found
    assert "&lt;b&gt;2&lt;/b&gt;" in found
    assert '<a href="https://doi.org/1" rel="noopener nofollow">ok</a>' in found
    assert "style=" not in found
    assert "<h2>Name</h2>" in found
    assert to_html("---\nnot closed") == "<hr />\n<p>not closed</p>\n"


def test_models_are_compared_side_by_side(folder):
    address = "/models/compare?with=compact_cnn&with=other%2Bnet&with=compact_cnn"
    text = text_of(Client().get(address))
    assert "were not scored on the same" not in text
    assert "211,496 1,234,567" in text
    assert "393 recordings of 246 groups, honest, 3 seeds" in text
    assert "Recall of Myocardial infarction 0.833 of 24 pages 0.833 of 24 pages" in text
    told = json.loads((folder / "evaluation.json").read_text())
    change(folder / "evaluation.json", data={**told["data"], "groups": 245})
    assert "were not scored on the same" in text_of(Client().get(address))


def test_with_fewer_than_two_there_is_a_choice(folder):
    for address in ("/models/compare", "/models/compare?with=compact_cnn"):
        response = Client().get(address)
        assert response.status_code == 200
        assert "Choose two or more." in text_of(response)
        assert response.content.decode().count('type="checkbox" name="with"') == 2
    shutil.rmtree(folder)
    assert "nothing to compare it with" in text_of(Client().get("/models/compare"))


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
