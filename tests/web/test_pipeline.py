from call_counts import count_calls

from ecglens.web.readings.pictures import name_lead_crops
from ecglens.web.readings.pipeline import Options, measure_page, predict_page
from ecglens.web.readings.titles import lead_title


def test_an_upload_is_located_and_predicted_once(page, monkeypatch):
    calls = count_calls(monkeypatch)
    options = Options(explain=True, redact=True)
    first = predict_page(page, 1, options)
    assert calls == {"find_layout": 1, "predict": 1}

    details = measure_page(first.page[0], first.state, first.facts, options)
    assert details.facts["measurements"] is not None
    assert details.explanations
    assert details.beside is not None
    assert calls == {"find_layout": 1, "predict": 2}, "each of the two models predicts once"


def test_two_rhythm_strips_of_one_lead_have_pictures_and_titles_of_their_own():
    names = name_lead_crops([("II", False), ("II", True), ("II", True)])
    assert names == ("lead:II", "strip:II", "strip:II-2")
    assert (lead_title("II-rhythm"), lead_title("II-rhythm-2")) == ("II rhythm", "II rhythm 2")
