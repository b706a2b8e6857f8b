"""Demo pages: read once for everybody, beside the diagnosis of their record."""

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from ecglens.demo import demo_pages
from ecglens.web.readings import demos
from ecglens.web.readings.pictures import PictureFile
from ecglens.web.readings.visitors import Result

pytestmark = pytest.mark.django_db

PREDICTION = {
    "label": "normal",
    "probabilities": {"normal": 0.9, "mi": 0.1},
    "abstention": None,
    "lead_probabilities": None,
    "model": {"name": "tiny", "version": "1"},
}


@pytest.fixture(autouse=True)
def _forgetful():
    demos._MEMORY.clear()
    yield
    demos._MEMORY.clear()


def result(name, label="normal"):
    picture = PictureFile(b"jpeg", "image/jpeg", 10, 5)
    return Result(name, {}, [{**PREDICTION, "label": label}], [], {"page": picture}, b"[]")


def test_a_result_is_stored_for_every_process():
    [page, other, *_] = demo_pages()
    assert demos.load_result(page) is None
    demos.store_result(page, result("a"))
    demos._MEMORY.clear()  # another process

    assert demos.load_result(page) == result("a")
    assert demos.load_result(other) is None


def test_a_result_that_cannot_be_stored_is_still_there_for_this_process(monkeypatch, caplog):
    def fail(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(demos.cache, "set", fail)
    demos.store_result(demo_pages()[0], result("a"))

    assert demos.load_result(demo_pages()[0]) == result("a")
    assert "could not be stored" in caplog.text


def test_a_result_is_of_its_version_and_models(monkeypatch):
    page = demo_pages()[0]
    demos.store_result(page, result("a"))
    monkeypatch.setattr(demos, "list_default_models", lambda: ("another",))
    assert demos.load_result(page) is None
    monkeypatch.undo()
    monkeypatch.setattr(demos, "__version__", "99")
    assert demos.load_result(page) is None


@pytest.mark.parametrize(("label", "agrees"), [("normal", True), ("mi", False), (None, None), ("NORM", None)])
def test_an_answer_is_compared_with_the_diagnosis_of_the_record(label, agrees):
    page = next(each for each in demo_pages() if each.name == "normal")

    assert demos.compare_with_truth(page, label) == {
        "diagnosis": "Sinus rhythm, normal",
        "label": "Normal",
        "record": 10,
        "agrees": agrees,
    }


def test_the_second_visitor_gets_the_first_ones_result_with_the_diagnosis(monkeypatch):
    looks = []
    look_at = demos.look_at
    monkeypatch.setattr(demos, "look_at", lambda *a: looks.append(a) or look_at(*a))
    first, second = (Client().get("/try/normal").content.decode() for _ in range(2))

    assert len(looks) == 1
    assert 'class="early"' in first
    assert 'class="early"' not in second
    for body in (first, second):
        assert "Sinus rhythm, normal" in body
        assert "PTB-XL 10" in body
        assert "The answer agrees." in body
    cache.clear()
    assert demos.find_demo("nothing") is None
