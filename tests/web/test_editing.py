"""Corrections of stored readings by hand: names, scale, traces and corners, listed and undone."""

import json
import re

import cv2
import numpy as np
import pytest
from django.test import Client

from ecglens.corrections import Corrections, HandTrace, read_corrections
from ecglens.errors import EcgReadError
from ecglens.records import Box
from ecglens.web.accounts.tokens import create_token
from ecglens.web.readings import editing
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.models import Reading

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ROWS = {"V1": 0.9, "V2": 0.9, "II-rhythm": 0.9}


def plain(**content):
    """Return a reading that is not stored, with such corrections."""
    facts = {
        "quality": ROWS,
        "view": {"width_px": 1000, "height_px": 700},
        "layout": {"px_per_mm": {"vertical": 4.0, "horizontal": 5.0}},
    }
    changes = [{"at": "2026-01-02T03:04:05+00:00", "content": content}] if content else []
    return Reading(facts=facts, corrections=changes)


def change(reading, **values):
    return editing.change_leads(
        reading,
        **{"names": {}, "speed_mm_s": None, "gain_mm_mv": None, "px_per_mm": None, "traces": (), "boxes": {}, **values},
    )


class TestChanges:
    def test_names_that_stay_are_no_corrections(self):
        assert not change(plain(), names={"V1": "V1", "II-rhythm": "II"})

    def test_names_speed_and_gain_are_corrected(self):
        fix = change(plain(), names={"V1": "V2", "V2": "V1"}, speed_mm_s=50.0, gain_mm_mv=5.0)

        assert fix == Corrections(names={"V1": "V2", "V2": "V1"}, speed_mm_s=50.0, gain_mm_mv=5.0)

    def test_rows_are_listed_by_the_names_as_they_were_read(self):
        reading = plain(names={"V3": "V1", "V1-rhythm": "II"})

        assert editing.list_rows(reading) == [("V3", "V1"), ("V2", "V2"), ("V1-rhythm", "II-rhythm")]

    def test_traces_follow_the_names(self):
        stroke = {"lead": "V1", "points": [[1.0, 2.0], [3.0, 4.0]]}
        reading = plain(names={"V3": "V1"}, traces=[stroke], view_px=[1000, 700])
        new = HandTrace("V3", ((5.0, 6.0), (7.0, 8.0)))
        fix = change(reading, names={"V3": "V6"}, traces=[new])

        assert [trace.lead for trace in fix.traces] == ["V6", "V6"]
        assert fix.view_px == (1000, 700)

    def test_a_ruler_scales_both_directions(self):
        fix = change(plain(), px_per_mm=10.0)

        assert fix.px_per_mm == (8.0, 10.0)
        assert fix.view_px == (1000, 700)

    def test_what_is_not_corrected_again_stays(self):
        reading = plain(px_per_mm=[8.0, 10.0], view_px=[1000, 700], layout="3x4+1")
        fix = change(reading, speed_mm_s=50.0)

        assert (fix.px_per_mm, fix.layout, fix.speed_mm_s) == ((8.0, 10.0), "3x4+1", 50.0)

    def test_new_boxes_replace_those_in_force_and_follow_the_names(self):
        old, new = ({"top": 1.0, "left": 2.0, "bottom": 3.0, "right": right} for right in (4.0, 5.0))
        reading = plain(names={"V3": "V1"}, boxes={"V1": old, "V2": old}, view_px=[1000, 700])
        fix = change(reading, names={"V3": "V6"}, boxes={"V3": Box(**new)})

        assert fix.boxes == {"V6": Box(**new), "V2": Box(**old)}

    @pytest.mark.parametrize(
        "text", ["{", "[1]", '[{"lead": "V1", "points": [[2, 1], [1, 1]]}]', "[" * 10_000, '[{"lead": "V1"}]']
    )
    def test_drawings_that_are_none_are_refused(self, text):
        with pytest.raises(EcgReadError, match="expected"):
            editing.parse_drawing(text, "")
        with pytest.raises(EcgReadError, match="expected"):
            editing.parse_drawing("", text)

    def test_drawings_of_a_form_are_taken(self):
        traces = [
            {"lead": "V1", "points": [[1, 2], [3.5, 4]]},
            {"lead": "V2", "points": [[1, 0], [2, 0]], "removed": True},
        ]
        box = {"top": 1.0, "left": 2.0, "bottom": 3.0, "right": 4.0}
        fix = editing.parse_drawing(json.dumps(traces), json.dumps({"V1": box}))

        assert fix.traces == (
            HandTrace("V1", ((1.0, 2.0), (3.5, 4.0))),
            HandTrace("V2", ((1.0, 0.0), (2.0, 0.0)), True),
        )
        assert fix.boxes == {"V1": Box(**box)}
        assert not editing.parse_drawing("", "")


@pytest.fixture
def reading(upload, work):
    upload()
    work()
    return Reading.objects.get()


def form(reading, **fields):
    """Return the fields of the editor's form of leads."""
    names = {f"name:{old}": new.removesuffix("-rhythm") for old, new in editing.list_rows(reading)}
    return {"speed": "", "gain": "", "ruler_px": "", "ruler_mm": "50", "traces": "", "boxes": "", **names, **fields}


class TestReading:
    def test_a_corrected_speed_changes_measurements_and_is_undone(self, client, reading, work, stored_files):
        before, files = reading.facts["measurements"], stored_files()
        answer = client.post(f"/readings/{reading.pk}/edit", form(reading, speed="50"))
        assert answer["Location"] == reading.get_absolute_url()
        reading.refresh_from_db()
        assert reading.state == "answered"
        work()
        reading.refresh_from_db()
        after = reading.facts["measurements"]

        assert reading.state == "done"
        assert after["rate_bpm"]["value"] == pytest.approx(2 * before["rate_bpm"]["value"], rel=0.02)
        assert reading.facts["scale"]["speed_mm_s"] == 50.0
        assert len(stored_files()) == len(files), "the pictures before are deleted"
        body = client.get(reading.get_absolute_url()).content.decode()
        assert "Corrected by hand:" in body
        client.post(f"/readings/{reading.pk}/undo")
        work()
        reading.refresh_from_db()
        assert reading.facts["measurements"] == before
        assert reading.corrections == []
        assert len(stored_files()) == len(files)

    @pytest.mark.sqlite
    def test_bytes_are_counted_once(self, client, reading, work):
        before = reading.stored_bytes
        for _ in range(2):
            client.post(f"/readings/{reading.pk}/edit", form(reading, gain="10"))
            work()
        reading.refresh_from_db()

        assert reading.stored_bytes == pytest.approx(before, rel=0.05)

    @pytest.mark.sqlite
    def test_a_lead_gets_another_name_and_a_stretch_is_redrawn(self, client, reading, work):
        view = reading.facts["view"]
        box = next(each for each in reading.facts["layout"]["leads"] if each["lead"] == "V5")["box"]
        row = (box["top"] + box["bottom"]) / 2
        stroke = {"lead": "V5", "points": [[box["left"] + 20, row], [box["left"] + 60, row]]}
        fields = form(reading, traces=json.dumps([stroke]), **{"name:V1": "V2", "name:V2": "V1"})
        client.post(f"/readings/{reading.pk}/edit", fields)
        work()
        reading.refresh_from_db()

        assert reading.failure_reason == ""
        assert reading.facts["view"] == view
        assert any("V5 was traced by hand" in warning for warning in reading.facts["warnings"])
        assert dict(editing.list_rows(reading))["V1"] == "V2"
        [(_, words)] = editing.list_corrections(reading)
        assert words == ("names V1 to V2, V2 to V1", "traces of V5")
        document = client.get(f"/readings/{reading.pk}/corrections.json").content
        assert read_corrections(document).traces[0].lead == "V5"

    @pytest.mark.sqlite
    def test_a_stretch_is_removed_and_a_lead_gets_a_box(self, client, reading, work):
        leads = {each["lead"]: each["box"] for each in reading.facts["layout"]["leads"] if not each["rhythm"]}
        stretch = {"lead": "V5", "points": [[leads["V5"]["left"], 0], [leads["V5"]["right"], 0]], "removed": True}
        box = {**leads["V6"], "right": leads["V6"]["right"] - 40}
        fields = form(reading, traces=json.dumps([stretch]), boxes=json.dumps({"V6": box}))
        client.post(f"/readings/{reading.pk}/edit", fields)
        work()
        reading.refresh_from_db()

        assert reading.failure_reason == ""
        assert reading.facts["quality"]["V5"] < 0.1
        [(_, words)] = editing.list_corrections(reading)
        assert words == ("boxes of V6", "removed stretches of V5")
        now = {each["lead"]: each["box"] for each in reading.facts["layout"]["leads"] if not each["rhythm"]}
        assert now["V6"]["right"] == pytest.approx(box["right"], abs=0.1)

    @pytest.mark.sqlite
    def test_the_label_follows_the_corners(self, client, reading, work):
        width, height = reading.facts["page"]["width_px"], reading.facts["page"]["height_px"]
        half = f"0,0 {width / 2},0 {width / 2},{height - 1} 0,{height - 1}"
        client.post(f"/readings/{reading.pk}/edit", {"corners": half, "rotation": "0", "layout": ""})
        work()
        reading.refresh_from_db()
        body = client.get(reading.get_absolute_url()).content.decode()

        assert reading.label != "mi"
        assert "/pictures/view" in body or reading.failure_reason
        client.post(f"/readings/{reading.pk}/undo")
        work()
        reading.refresh_from_db()
        assert reading.label == "mi"
        assert "/pictures/view" not in client.get(reading.get_absolute_url()).content.decode()

    @pytest.mark.sqlite
    def test_corrections_that_do_not_fit_leave_the_results_and_say_why(self, client, reading, work):
        before = reading.facts
        stroke = [{"lead": "V5", "points": [[1, 1], [2, 2]]}]
        editing.store_corrections(reading, Corrections.from_dict({"traces": stroke, "view_px": [10, 10]}))
        work()
        reading.refresh_from_db()

        assert reading.state == "done"
        assert reading.facts == before
        assert "view" in reading.failure_reason

    @pytest.mark.sqlite
    def test_a_reading_that_is_being_measured_is_not_corrected_twice(self, client, reading):
        client.post(f"/readings/{reading.pk}/edit", form(reading, speed="50"))
        answer = client.post(f"/readings/{reading.pk}/edit", form(reading, speed="10"), follow=True)

        assert "Expected a reading that is measured" in answer.content.decode()
        reading.refresh_from_db()
        assert len(reading.corrections) == 1

    def test_a_reading_without_a_stored_page_is_not_corrected(self, user):
        bare = Reading.objects.create(owner=user, name="a", state="done")
        with pytest.raises(Refused, match="whose page is stored") as caught:
            editing.store_corrections(bare, Corrections(speed_mm_s=50.0))
        assert caught.value.status == 409

    @pytest.mark.sqlite
    def test_changes_are_limited_in_number_and_length(self, reading):
        reading.corrections = [{"at": "2026-01-01", "content": {}}] * editing.MAX_CHANGES
        with pytest.raises(Refused, match="at most 20 changes"):
            editing.store_corrections(reading, Corrections(speed_mm_s=50.0))
        reading.corrections = []
        points = tuple((float(number), 1.0) for number in range(19_999))
        with pytest.raises(Refused, match="at most 200,000 characters"):
            editing.store_corrections(reading, Corrections(traces=(HandTrace("V1", points),), view_px=(1, 1)))

    @pytest.mark.sqlite
    def test_changes_in_a_minute_are_limited(self, client, reading):
        for _ in range(12):
            answer = client.post(f"/readings/{reading.pk}/undo", follow=True)

        assert "Expected a few changes in a minute" in answer.content.decode()

    @pytest.mark.sqlite
    def test_wrong_fields_are_refused_in_a_sentence(self, client, reading):
        for fields in ({"speed": "0"}, {"gain": "x"}, {"traces": "{"}, {"ruler_px": "-1"}, {"name:V1": "V9"}):
            answer = client.post(f"/readings/{reading.pk}/edit", form(reading, **fields), follow=True)

            assert "alert-danger" in answer.content.decode(), fields
            reading.refresh_from_db()
            assert reading.corrections == []

    @pytest.mark.sqlite
    def test_the_editor_shows_rows_overlay_and_corners(self, client, reading):
        body = client.get(f"/readings/{reading.pk}/edit").content.decode()
        with reading.page.open() as stream:
            size = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), 1).shape

        assert len(re.findall('<select class="form-select" name="name:', body)) == 13
        assert "/pictures/traced" in body
        assert f'data-width="{size[1]}" data-height="{size[0]}"' in body

    def test_the_api_corrects_and_undoes(self, user, reading, work):
        _, key = create_token(user, "script", ["read", "write"])
        api, path = Client(headers={"Authorization": f"Bearer {key}"}), f"/api/v1/readings/{reading.pk}/corrections"
        sent = {"content": {"speed_mm_s": 50.0}}
        assert api.post(path, sent, content_type="application/json").json()["state"] == "answered"
        assert api.get(path).json()["changes"][0]["content"] == {"page": 1, "speed_mm_s": 50.0}
        assert api.post(path, sent, content_type="application/json").status_code == 409
        work()
        wrong = {"content": {"speed_mm_s": "fast"}}
        assert api.post(path, wrong, content_type="application/json").status_code == 422
        assert api.delete(path).json()["state"] == "answered"
        assert api.get(path).json() == {"changes": []}
