"""A page of a user, from the upload to its end."""

import csv
import io
import json
import re
import zipfile

import cv2
import pypdfium2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from msgspec.structs import replace

import ecglens
from ecglens.formats.json import read_json
from ecglens.formats.reading_state import unpack_reading
from ecglens.pages.read import read_page
from ecglens.render import damage_page
from ecglens.web.accounts.models import AuditEntry
from ecglens.web.readings import flows, pipeline, tasks
from ecglens.web.readings.models import Picture, Reading

pytestmark = pytest.mark.django_db


def only():
    return Reading.objects.get()


def test_an_upload_gets_the_predictions_of_the_library_at_once(upload, page):
    answer = upload()
    reading = only()

    assert answer.status_code == 302
    assert answer["Location"] == f"/readings/{reading.pk}/"
    assert reading.state == Reading.State.ANSWERED
    expected = ecglens.read(page).to_dict()
    assert json.loads(json.dumps(expected)) == reading.answers.get().prediction
    assert (reading.label, round(reading.probability, 6)) == (
        expected["label"],
        max(expected["probabilities"].values()),
    )


def test_measurements_and_explanations_follow_by_a_task(upload, client, work):
    upload(explain="on")
    waiting = client.get(only().get_absolute_url()).content.decode()
    polled = client.get(only().get_absolute_url(), headers={"HX-Request": "true"})
    assert work() == 1
    html = client.get(only().get_absolute_url()).content.decode()
    done = client.get(only().get_absolute_url(), headers={"HX-Request": "true"})

    assert "The signals are being measured" in waiting
    assert polled.status_code == 204
    assert done["HX-Refresh"] == "true"
    reading = only()
    assert reading.state == Reading.State.DONE
    assert reading.facts["measurements"]["rate_bpm"]["value"] == pytest.approx(53, abs=2)
    assert len(reading.explanations) == 8
    assert "heat" not in reading.explanations[0]
    for words in (
        "Ventricular rate",
        "Explanation of the prediction",
        "Common causes",
        "Step 1: Gray",
        "Not a diagnosis.",
    ):
        assert words in html
    names = set(Picture.objects.values_list("name", flat=True))
    assert {"gray", "without-grid", "smoothed", "black-and-white", "traced", "lead:V6", "strip:II", "heat:7"} <= names


def test_stored_pages_are_redacted_and_have_no_metadata(upload, page, work):
    upload(page.replace(b"\xff\xd8", b"\xff\xd8\xff\xfe\x00\x10Patient Name!", 1))
    with only().page.open("rb") as file:
        stored_page = file.read()
    before, after = read_page(page).pixels, read_page(stored_page).pixels

    assert only().redacted
    assert b"Patient" not in stored_page
    assert after.shape == before.shape
    assert after[:100].std() < 3 < before[:100].std()
    assert after[200:700].std() == pytest.approx(before[200:700].std(), rel=0.1)


def test_redaction_can_be_turned_off(client, user, upload):
    client.post("/account/redaction", {})
    upload()
    with only().page.open("rb") as file:
        assert read_page(file.read()).pixels[:100].std() > 3
    assert not only().redacted


def test_a_page_without_located_leads_is_predicted_and_not_stored(upload, client, work, stored_files):
    noise = b"P6 900 900 255 " + bytes(range(256)) * (900 * 900 * 3 // 256 + 1)
    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(noise)).save(file, "PNG")
    upload(file.getvalue(), "photo.png")
    work()
    reading = only()

    assert (reading.state, reading.label, reading.page.name) == (Reading.State.DONE, "", "")
    assert stored_files() == []
    html = client.get(reading.get_absolute_url()).content.decode()
    assert "Not readable" in html
    assert reading.outcome == "not_readable"
    assert "the page was not stored" in html


@pytest.mark.parametrize("content", [b"", b"a letter", b"\xff\xd8\xff\xe0 broken", b"%PDF-1.7 broken"])
def test_a_file_that_cannot_be_read_leaves_nothing(upload, stored_files, content):
    answer = upload(content, "letter.jpg")

    assert answer.status_code == 422
    assert "letter.jpg: expected" in answer.content.decode()
    assert not Reading.objects.exists()
    assert stored_files() == []


def test_a_program_in_the_page_is_answered_in_json(client, page):
    def send(content):
        return client.post(
            "/disease-predict",
            {"file": SimpleUploadedFile("a.jpg", content)},
            headers={"Accept": "application/json"},
        )

    assert send(page).json()["results"][0]["heading"] == "Myocardial infarction"
    assert send(b"no").status_code == 422
    assert "expected" in send(b"no").json()["message"]


def test_many_files_at_once(client, page):
    files = [SimpleUploadedFile(f"{number}.jpg", page) for number in range(3)]

    assert client.post("/disease-predict", {"file": files})["Location"] == "/readings/"
    assert Reading.objects.count() == 3


def test_a_task_that_is_run_again_changes_nothing(upload, work):
    upload()
    work()
    before = Reading.objects.values().get()

    assert tasks.look_closer.func(str(only().pk)) == "skipped"
    assert Reading.objects.values().get() == before


def test_results_of_a_worker_that_lost_its_lease_are_dropped(upload, stored_files, monkeypatch):
    upload()
    real = pipeline.measure_page

    def slow(*arguments):
        details = real(*arguments)
        Reading.objects.update(lease="00000000-0000-0000-0000-000000000000")
        return details

    monkeypatch.setattr(tasks, "measure_page", slow)
    assert tasks.look_closer.func(str(only().pk)) == "skipped"
    assert only().state == Reading.State.ANSWERED
    assert len(stored_files()) == 2  # the page and the state of its reading


def test_a_page_that_kills_its_worker_is_given_up_after_three_times(upload):
    upload()
    Reading.objects.update(attempts=3)

    assert tasks.look_closer.func(str(only().pk)) == "given up"
    assert only().state == Reading.State.DONE
    assert "interrupted 3 times" in only().failure_reason


def test_an_internal_error_is_logged_and_shown_without_details(upload, client, monkeypatch, caplog):
    upload()
    monkeypatch.setattr(tasks, "measure_page", lambda *_: 1 / 0)
    tasks.look_closer.func(str(only().pk))

    assert "ZeroDivisionError" in caplog.text
    html = client.get(only().get_absolute_url()).content.decode()
    assert "Measuring: this failed." in html
    assert "ZeroDivision" not in html


def test_a_note_and_the_users_label_do_not_change_the_prediction(upload, client):
    upload()
    address = only().get_absolute_url()
    client.post(f"{address}change", {"note": "second page", "corrected": "normal"})
    reading = only()

    assert (reading.note, reading.corrected, reading.label) == ("second page", "normal", "mi")
    assert "the model&#x27;s prediction is stored as well" in client.get(address).content.decode().replace(
        "'", "&#x27;"
    )
    client.post(f"{address}change", {"corrected": "normal", "other": "WPW,\n type A"})
    assert only().corrected == "WPW, type A"
    answer = client.post(f"{address}change", {"other": "x" * 61}, follow=True)
    assert "a label of at most 60" in answer.content.decode()
    assert only().corrected == "WPW, type A"


def test_deleting_leaves_nothing(upload, client, work, stored_files):
    upload()
    work()
    assert len(stored_files()) > 15
    client.post(f"{only().get_absolute_url()}delete")

    assert not Reading.objects.exists()
    assert stored_files() == []


def test_the_history_is_searched(upload, client):
    for name in ("first.jpg", "second.jpg"):
        upload(name=name)
    Reading.objects.filter(name="second.jpg").update(corrected="normal", note="after exercise")

    def names(query):
        return sorted(set(re.findall(r"(first|second)\.jpg</a>", client.get(f"/readings/?{query}").content.decode())))

    assert names("") == ["first", "second"]
    assert names("q=exercise") == ["second"]
    assert names("label=normal") == ["second"]
    assert names("label=mi") == ["first"]
    assert names("label=cannot-tell") == []
    assert names("start=2100-01-01") == []
    assert names("start=nonsense&end=2100-01-01&p=999") == ["first", "second"]


def test_a_selection_is_exported_in_each_form(upload, client, work):
    upload(name="=cmd.jpg")
    work()
    chosen = str(only().pk)
    exports = {
        form: client.post("/readings/export", {"chosen": chosen, "action": form}) for form in ("csv", "json", "pdf")
    }

    assert "'=cmd.jpg" in exports["csv"].content.decode("utf-8-sig")
    assert json.loads(exports["json"].content)[0]["predictions"][0]["label"] == "mi"
    assert read_page(exports["pdf"].content).count == 3  # the leads, and two sheets of tables
    assert AuditEntry.objects.filter(action="export", object_id=chosen).count() == 3


@pytest.mark.parametrize("form", ["wfdb", "csv", "json", "dicom", "fhir"])
def test_signals_come_in_each_format(upload, client, work, form, tmp_path):
    upload()
    work()
    answer = client.get(f"{only().get_absolute_url()}signals/{form}")

    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    if form == "wfdb":
        assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 2
    if form == "json":
        (tmp_path / "signals.json").write_bytes(answer.content)
        assert len(read_json(tmp_path / "signals.json").leads) == 13


def test_two_readings_side_by_side(upload, client, work):
    for name in ("first.jpg", "second.jpg"):
        upload(name=name)
    work()
    chosen = [str(pk) for pk in Reading.objects.values_list("pk", flat=True)]
    answer = client.post("/readings/export", {"chosen": chosen, "action": "compare"}, follow=True)
    html = answer.content.decode()

    assert "What changed" in html
    assert "+0 ± " in html
    assert "position changed" not in html
    one = client.post("/readings/export", {"chosen": chosen[:1], "action": "compare"}, follow=True)
    assert "Choose two readings" in one.content.decode()


def test_predictions_of_two_models_are_shown_side_by_side(upload, client, monkeypatch, tmp_path):
    from ecglens.models import registry
    from ecglens.models.cards import load_card, save_card

    card = load_card(registry.SHIPPED / "compact_cnn")
    folder = tmp_path / "models" / "another"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes((card.folder / "model.onnx").read_bytes())
    save_card(replace(card, name="another", abstain_below=1.0), folder)
    monkeypatch.setattr(registry, "_folders", lambda: [card.folder, folder])
    upload(models=["compact_cnn", "another"])
    html = client.get(only().get_absolute_url()).content.decode()

    assert [answer.model for answer in only().answers.all()] == ["compact_cnn", "another"]
    assert [answer.label for answer in only().answers.all()] == ["mi", ""]
    assert "another 1.0" in html
    assert upload(models=["none"]).status_code == 400


def test_the_same_key_gives_the_same_reading(user, page):
    options = flows.create_options(user)
    first = flows.read_file(user, page, "a.jpg", options=options, idempotency_key="k", request_sha256="1")
    again = flows.read_file(user, page, "a.jpg", options=options, idempotency_key="k", request_sha256="1")

    assert first.reading.pk == again.reading.pk
    assert (first.is_new, again.is_new) == (True, False)
    with pytest.raises(flows.Refused, match="use a new key"):
        flows.read_file(user, page, "a.jpg", options=options, idempotency_key="k", request_sha256="2")
    assert Reading.objects.count() == 1


def test_the_history_needs_an_account():
    assert Client().get("/readings/")["Location"].startswith("/accounts/login/")


def test_no_page_shows_a_probability_of_0_or_100_percent(upload, client):
    upload()
    html = client.get(only().get_absolute_url()).content.decode()

    assert only().probability > 0.9995
    assert "&gt; 99.9 %" in html
    assert not re.search(r"\b(100(\.0)?|0\.0) %", html)
    assert "&gt; 99.9 %" in client.get("/readings/").content.decode()


def test_the_stored_state_of_a_bent_page_has_its_bend(page):
    curled = damage_page(read_page(page), "curl", 0.5, 3, dpi=100.0)
    content = cv2.imencode(".png", curled.pixels[..., ::-1])[1].tobytes()
    first = pipeline.predict_page(content, 1, pipeline.Options(explain=False))
    stored = unpack_reading(first.state, read_page(first.page[0]))
    assert stored.page.bend_mm > 1


def test_no_export_claims_certainty(upload, client):
    upload()
    probabilities = {"mi": 0.99998, "normal": 0.00002}
    prediction = {
        **only().answers.get().prediction,
        "probabilities": probabilities,
        "lead_probabilities": {"V1": probabilities},
    }
    only().answers.update(prediction=prediction)
    Reading.objects.update(probability=0.99998)
    export = {"chosen": [str(only().pk)]}

    table = client.post("/readings/export", {**export, "action": "csv"}).content.decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(table))
    assert (row["probability"], row["probability_percent"]) == ("0.9999", "> 99.9 %")
    pdf = client.post("/readings/export", {**export, "action": "pdf"}).content
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range()
    assert "> 99.9 %" in text
    assert "< 0.1 %" in text
    html = client.get(only().get_absolute_url()).content.decode()
    assert html.count("&gt; 99.9 %") == 2, "once for the page, once for lead V1"
    for content in (text, html, client.get("/readings/").content.decode()):
        assert not re.search(r"\b(100(\.0+)?|0(\.0+)?) %", content)


def test_an_export_that_the_installation_lacks_is_shown_without_a_link(upload, client, work, monkeypatch):
    address = upload()["Location"]
    work()
    assert f"{address}signals/dicom" in client.get(address).content.decode()
    monkeypatch.setattr("ecglens.formats.files.is_installed", lambda module: module != "pydicom")
    html = client.get(address).content.decode()
    assert f"{address}signals/dicom" not in html
    assert "not installed on this site" in html
    assert f"{address}signals/wfdb" in html


def test_labels_of_ones_own_can_be_searched_for(client, user, other):
    for owner, name, label in ((user, "a", "WPW"), (user, "b", "normal"), (other, "c", "hers")):
        Reading.objects.create(owner=owner, name=name, state="done", corrected=label)
    body = client.get("/readings/?label=WPW").content.decode()

    assert '<option value="WPW" selected>WPW</option>' in body
    assert "hers" not in body
    assert body.count('name="chosen"') == 1
