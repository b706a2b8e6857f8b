from call_counts import count_calls

from ecglens.web.readings.pipeline import Options, measure_page, predict_page


def test_an_upload_is_located_and_predicted_once(page, monkeypatch):
    calls = count_calls(monkeypatch)
    options = Options(explain=True, redact=True)
    first = predict_page(page, 1, options)
    assert calls == {"find_layout": 1, "predict": 1}

    details = measure_page(first.page[0], first.state, first.facts, options)
    assert details.facts["measurements"] is not None
    assert details.explanations
    assert calls == {"find_layout": 1, "predict": 1}
