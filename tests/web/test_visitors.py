import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from ecglens.errors import EcgReadError, ModelError
from ecglens.formats.csv import read_csv
from ecglens.formats.files import write_record
from ecglens.records import (
    Abstention,
    Box,
    EcgRecord,
    InkMap,
    Layout,
    LeadBox,
    LeadTrace,
    Located,
    Measured,
    Measurements,
    NotFound,
    Prediction,
    PrintedFacts,
    Reading,
    Tracing,
)
from ecglens.web.readings import visitors

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[1] / "data" / "Normal_1.jpg"
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SHARES = {"normal": 0.951, "mi": 0.03, "history_mi": 0.014, "abnormal_heartbeat": 0.005}


def read_pages_with(monkeypatch, fake):
    """Replace locating, reading and measuring by a function of the page and whether its print is read."""
    monkeypatch.setattr(visitors, "locate_corrected", lambda page, corrections, **options: (page, None))
    monkeypatch.setattr(visitors, "read_first", lambda located, model, printed, tracing: fake(located, printed=printed))
    monkeypatch.setattr(visitors, "measure_reading", lambda reading, printed: reading)
    monkeypatch.setattr(visitors, "add_signal_answer", lambda reading, load: reading)


def layout():
    boxes = [
        LeadBox(lead, Box(100 + 120 * (i % 3), 50 + 250 * (i // 3), 220 + 120 * (i % 3), 300 + 250 * (i // 3)), 150.0)
        for i, lead in enumerate(LEADS)
    ]
    boxes.append(LeadBox("II", Box(470, 50, 590, 1050), 530.0, rhythm=True))
    ink = InkMap(np.zeros((786, 1107), np.uint8), (1.0, 1.0), (0.0, 0.0))
    upright = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    return Layout("3x4+1", tuple(boxes), Box(90, 40, 600, 1060), 0.4, (3.94, 3.93), "grid", 10.0, upright, ink)


def tracing(page):
    """Return a tracing of thirteen flat lines, of which lead V6 has a poor quality."""
    names = (*LEADS, "II-rhythm")
    columns = np.linspace(100.0, 1000.0, 50)
    traces = tuple(LeadTrace(name, columns, np.full(50, 40.0 * number), 40.0) for number, name in enumerate(names, 2))
    quality = tuple(0.31 if name == "V6" else 0.9 for name in names)
    record = EcgRecord(np.zeros((13, 50), np.float32), 500.0, names, quality=quality)
    return Tracing(page, layout(), record, traces, 25.0, 10.0, "pulse", warnings=("Lead V6 is poor.", "Look <again>."))


MEASURED = Measurements(
    rate_bpm=Measured(53.5, 0.1, "1/min", (60.0, 100.0)),
    qrs_ms=Measured(102.0, 10.5, "ms", (70.0, 110.0)),
    qt_ms=Measured(450.0, 16.2, "ms"),
    st_j_mv={"V1": Measured(-0.11, 0.02, "mV", (-0.05, 0.1)), "II": Measured(0.42, 0.01, "mV", (-0.05, 0.1))},
    st_j60_mv={"V1": None, "II": Measured(0.02, 0.01, "mV", (-0.05, 0.1))},
    warnings=("No consistent P wave precedes the QRS complexes.",),
)


@pytest.fixture
def examine(monkeypatch):
    """The real reader of files with a made-up model; returns the arguments of each call."""
    calls = []

    def fake(located, *, printed):
        calls.append(located.number)
        prediction = Prediction("normal", SHARES, "tiny", "1.0", layout=layout(), warnings=("Look <again>.",))
        return Reading(Located(located, layout()), prediction, tracing(located), MEASURED)

    read_pages_with(monkeypatch, fake)
    return calls


def upload(content=None, name="Normal_1.jpg", **fields):
    content = PAGE.read_bytes() if content is None else content
    return Client().post("/disease-predict", {"file": SimpleUploadedFile(name, content), **fields})


def whole(response):
    """Return a response without the early answer, which the page removes when the rest has arrived."""
    before, is_early, after = response.content.decode().partition('<div class="early">')
    return before + (after.partition('<div class="whole-reading">')[2] if is_early else "")


def text(response):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", whole(response))))


def test_the_start_page_says_what_it_is_and_shows_pages_to_try():
    html_text = Client().get("/").content.decode()

    assert "Not a medical device, not a diagnosis" in html_text
    assert html_text.count('href="/try/') == 7


def test_healthz_answers():
    assert Client().get("/healthz").content == b"ok\n"


def test_an_upload_shows_label_probabilities_facts_and_what_it_is_not(examine):
    response = upload()
    html_text = text(response)

    assert response.status_code == 200
    for words in (
        "Normal_1.jpg",
        "Normal",
        "95.1 %",
        "Myocardial infarction",
        "3x4+1",
        "3.93 × 3.94 px/mm, from the grid",
        "10.0 mm",
        "0.4°",
        "tiny 1.0",
        "Look <again>.",
        "Not a diagnosis.",
    ):
        assert words in html_text


def test_the_page_its_steps_and_thirteen_leads_are_in_the_response(examine):
    body = whole(upload())
    pictures = re.findall(r'<img[^>]*src="data:image/jpeg;base64,([^"]+)"[^>]*alt="([^"]+)"', body)
    decoded = {alt: cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), -1) for data, alt in pictures}
    steps = ["Gray", "Without grid and shadow", "Smoothed", "Black and white"]

    leads = [f"Lead {lead}" for lead in LEADS] + ["Lead II (rhythm strip)"]
    assert list(decoded) == ["The page", "Digitized traces over the page", *steps, *leads]
    assert decoded["The page"].shape == (786, 1107, 3)
    assert decoded["Gray"].shape == (786, 1107)
    assert decoded["Lead II (rhythm strip)"].shape == (120, 1000, 3)
    assert body.count("<details") == 6


def test_measurements_are_shown_with_their_reference_ranges(examine):
    html_text = text(upload())

    for words in (
        "Ventricular rate 54 ± 1 /min 60 to 100 below",
        "QRS duration 102 ± 10 ms 70 to 110 within",
        "QT interval 450 ± 16 ms – –",
        "II 0.42 ± 0.01 above 0.02 ± 0.01 within −0.05 to 0.10",
        "V1 −0.11 ± 0.02 below not measured −0.05 to 0.10",
        "Not measured: basic rate, RR, SDNN, RMSSD, P, PR, QTc by Bazett, QTc by Fridericia, axis, ST in V1",
        "V5 90 % V6 31 % poor II rhythm 90 %",
        "Gain 10 mm/mV, from the pulse",
        "Digitized traces over the page",
    ):
        assert words in html_text


def test_a_prediction_is_explained_only_on_request(examine, monkeypatch):
    explained = []
    monkeypatch.setattr(
        visitors, "explain_prediction", lambda located, options: explained.append(located.prediction.label) or []
    )
    upload()
    assert explained == []
    upload(explain="on")
    assert explained == ["normal"]


def test_every_warning_is_shown_once(examine):
    html_text = text(upload())

    for warning in ("Look <again>.", "Lead V6 is poor.", "No consistent P wave precedes the QRS complexes; P and PR"):
        assert html_text.count(warning) == 1


def test_a_file_of_several_pages_says_which_one_was_read(examine):
    stream = io.BytesIO()
    page = Image.open(PAGE).convert("RGB")
    page.save(stream, "PDF", save_all=True, append_images=[page])
    assert "The file has 2 pages, and this is page 1; send it again for another one." in text(upload(stream.getvalue()))
    assert "The file has" not in text(upload())


def test_the_report_and_the_signals_are_files_inside_the_page(examine):
    body = whole(upload())
    files = {name: base64.b64decode(data) for data, name in re.findall(r'base64,([^"]+)" download="([^"]+)"', body)}

    assert set(files) == {"ecglens.pdf", "Normal_1.csv"}
    assert files["ecglens.pdf"].startswith(b"%PDF")
    assert files["Normal_1.csv"].count(b"\n") > 50


def test_a_page_of_another_print_has_no_label_but_signals_and_figures(monkeypatch):
    reason = "The model reads pages of the layout 3x4+1, and this one is 6x2."

    def foreign(located, *, printed):
        prediction = Prediction(None, None, "tiny", "1.0", abstention=Abstention("unfamiliar", reason))
        return Reading(Located(located, layout()), prediction, tracing(located), MEASURED)

    read_pages_with(monkeypatch, foreign)
    response = upload()
    html_text = text(response)

    assert (
        f"Outside what the model has learned {reason} The signals were digitized and measured nevertheless" in html_text
    )
    assert "QRS duration 102 ± 10 ms" in html_text
    assert "Calibrated probabilities" not in html_text
    assert len(re.findall("<figure", whole(response))) == 13


def test_signals_are_shown_if_only_the_digitizer_located_the_leads(monkeypatch):
    def doubtful(located, *, printed):
        prediction = Prediction(None, None, "tiny", "1.0", abstention=Abstention("no_layout", "No grid."))
        return Reading(Located(located, NotFound("No grid.")), prediction, tracing(located), MEASURED)

    read_pages_with(monkeypatch, doubtful)

    assert len(re.findall("<figure", whole(upload()))) == 13


def test_an_abstention_says_its_outcome_with_its_reason(monkeypatch):
    def unsure(located, *, printed):
        reason = Abstention("no_layout", "This is not recognized as an ECG page.")
        return Reading(
            Located(located, NotFound("No grid was found.")), Prediction(None, None, "tiny", "1.0", abstention=reason)
        )

    read_pages_with(monkeypatch, unsure)
    html_text = text(upload())

    assert "Not readable This is not recognized as an ECG page. Next: take the picture again" in html_text
    assert "Calibrated probabilities" not in html_text
    assert "Nothing could be measured on this page: its signals or their scale could not be read." in html_text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "page.jpg: expected a page, found an empty file"),
        (b"a letter", "page.jpg: expected JPEG, PNG"),
        (PAGE.read_bytes()[:20_000], "page.jpg: expected a whole JPEG file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence_with_422_and_no_answer(examine, content, message):
    response = upload(content, "page.jpg")

    assert response.status_code == 422
    assert message in text(response)
    assert "Calibrated probabilities" not in text(response)


@pytest.mark.parametrize("error", [ModelError("The model is altered."), EcgReadError("bytes: no.")])
def test_an_error_of_the_reader_is_never_an_answer(monkeypatch, error):
    def broken(located, *, printed):
        raise error

    read_pages_with(monkeypatch, broken)
    response = upload()

    assert response.status_code == 422
    assert str(error).removeprefix("bytes: ") in text(response)


def test_a_missing_file_is_reported_to_the_visitor():
    response = Client().post("/disease-predict", {})

    assert response.status_code == 400
    assert "choose a photo, scan or PDF" in text(response)


def test_the_page_number_is_used_and_checked(examine):
    upload(page="1")
    response = upload(page="first")

    assert examine == [1]
    assert response.status_code == 400
    assert "Expected a page number" in text(response)


def test_print_is_offered_and_read_only_if_it_can_be_read(monkeypatch):
    print_options = []

    def facts(located, *, printed):
        return Reading(Located(located, layout()), Prediction("normal", SHARES, "tiny", "1.0"))

    def measure(reading, *, printed):
        print_options.append(printed)
        with_print = replace(tracing(reading.page), printed=PrintedFacts(rate_bpm=53.0, low_pass_hz=25.0))
        return replace(reading, tracing=with_print, measurements=MEASURED)

    read_pages_with(monkeypatch, facts)
    monkeypatch.setattr(visitors, "measure_reading", measure)
    for there in (True, False):
        for module in ("forms", "views.predict", "visitors"):
            monkeypatch.setattr(f"ecglens.web.readings.{module}.is_installed", lambda name, there=there: there)
        assert ('name="printed"' in Client().get("/disease-predict").content.decode()) == there
        assert "Printed rate 53/min, filter up to 25 Hz" in text(upload(printed="on"))
    upload()
    assert print_options == [True, False, False]


def test_a_file_above_the_limit_is_refused_before_it_is_parsed(examine):
    response = upload(bytes(django_settings.MAX_UPLOAD_BYTES + 200_000))

    assert response.status_code == 413
    assert "Expected a file of at most 25 MB" in text(response)
    assert examine == []


def test_a_file_just_above_the_limit_is_refused_too(examine):
    response = upload(bytes(django_settings.MAX_UPLOAD_BYTES + 1))

    assert response.status_code == 413
    assert examine == []


def test_a_form_from_elsewhere_is_refused(examine):
    response = Client(enforce_csrf_checks=True).post("/disease-predict", {"file": SimpleUploadedFile("a.jpg", b"a")})

    assert response.status_code == 403
    assert "got one without its security token" in text(response)
    assert examine == []


def test_an_unknown_address_gets_a_page_of_the_site():
    response = Client().get("/nothing")

    assert response.status_code == 404
    assert "There is nothing at this address" in text(response)


def test_no_upload_is_written_to_disk(examine, monkeypatch):
    monkeypatch.setattr("tempfile.mkstemp", lambda *a, **k: pytest.fail("a file was made"))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda *a, **k: pytest.fail("a file was made"))

    assert upload(PAGE.read_bytes() + bytes(5_000_000)).status_code == 200


@pytest.mark.parametrize("path", ["/disease-predict", "/healthz", "/nothing"])
def test_every_response_has_the_security_headers(path):
    headers = Client().get(path).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_nothing_inline_and_nothing_from_another_server(examine):
    for response in (Client().get("/disease-predict"), upload()):
        body = response.content.decode()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", body)
        assert not re.search(r"""<(?!a )[^>]*(?:src|href|action)=["'](?:https?:)?//""", body)


def test_the_name_of_an_upload_is_text_only(examine):
    body = upload(name="<b>x</b>.jpg").content.decode()

    assert "<b>" not in body


def test_static_files_are_served_without_a_build_step():
    for name in ("site/site.css", "readings/upload.js", "site/mark.svg", "vendor/bootstrap.min.css"):
        response = Client().get(f"/static/{name}")
        assert response.status_code == 200
        assert len(response.getvalue()) > 100
        response.close()


def test_a_visitor_sends_a_digital_ecg(tmp_path):
    pytest.importorskip("ecgdatakit")
    record = read_csv(PAGE.parent / "ptbxl_00001.csv")
    file = SimpleUploadedFile("ecg.xml", write_record(record, tmp_path / "ecg", "aecg").read_bytes())
    answer = Client().post("/disease-predict", {"file": file, "models": "auto"})
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "any_recorder" in body
    assert "12x1" in body
