"""Cases: readings under a pseudonym with day and tags, links that show them, and who may do what."""

import re
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ecglens.measurements import Measured, Measurements
from ecglens.web.accounts import guards
from ecglens.web.accounts.models import AuditEntry
from ecglens.web.accounts.tokens import create_token
from ecglens.web.cases import flows, shares
from ecglens.web.cases.models import Case, Membership, Share
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.models import Picture, Reading
from ecglens.web.readings.store import store_file

pytestmark = pytest.mark.django_db

FACTS = {
    "page": {"number": 1, "count": 1, "width_px": 10, "height_px": 5, "bend_mm": 0.0},
    "layout": None,
    "quality": {},
    "measurements": Measurements(qrs_ms=Measured(90.0, 5.0, "ms", (70.0, 110.0))).to_dict(),
}


@pytest.fixture
def make(user, page):
    """Make a reading that is done, with its page and its small picture."""

    def make_one(name="a.jpg", owner=None, **fields):
        reading = Reading.objects.create(
            owner=owner or user, name=name, state="done", page=store_file(page, ".jpg"), facts=FACTS, **fields
        )
        Picture.objects.create(reading=reading, name="thumb", file=store_file(page, ".jpg"), width=320, height=226)
        return reading

    return make_one


@pytest.fixture
def case(user):
    return flows.create_case(user, "bed 7")


class TestActions:
    def test_a_pseudonym_is_on_one_line_and_unique_for_its_owner(self, user, other, case):
        assert flows.create_case(user, " bed\n8\x00 ").pseudonym == "bed 8"
        assert flows.create_case(other, "bed 7").pk != case.pk
        with pytest.raises(Refused, match="no other case of yours has, got “bed 7”") as caught:
            flows.create_case(user, "bed 7")
        assert caught.value.status == 409

    @pytest.mark.parametrize("pseudonym", ["", " \n", "x" * 81])
    def test_a_pseudonym_has_1_to_80_characters(self, user, pseudonym):
        with pytest.raises(Refused, match="Expected a pseudonym of 1 to 80 characters"):
            flows.create_case(user, pseudonym)

    def test_a_reading_is_in_one_case_and_only_of_its_owner(self, user, other, case, make):
        reading, foreign = make(), make(owner=other)
        assert flows.add_readings(case, [reading, foreign]) == 1
        assert flows.add_readings(case, [reading]) == 0
        second = flows.create_case(user, "bed 8")
        flows.add_readings(second, [reading])

        assert [each.case for each in Membership.objects.all()] == [second]

    def test_a_case_has_a_limit(self, case, make, monkeypatch):
        monkeypatch.setattr(flows, "MAX_READINGS", 1)
        flows.add_readings(case, [make()])
        with pytest.raises(Refused, match="at most 1 readings"):
            flows.add_readings(case, [make()])

    def test_days_and_tags_are_checked(self, case, make):
        flows.add_readings(case, [make()])
        membership = Membership.objects.get()
        flows.update_membership(membership, recorded_on=date(2026, 1, 2), tags=[" after\tlunch ", "", "after lunch"])
        assert membership.tags == ["after lunch"]
        tomorrow = timezone.now().date() + timedelta(days=3)
        with pytest.raises(Refused, match="until today"):
            flows.update_membership(membership, recorded_on=tomorrow)
        with pytest.raises(Refused, match="at most 10 tags"):
            flows.update_membership(membership, tags=[str(number) for number in range(11)])
        with pytest.raises(Refused, match="of at most 40 characters"):
            flows.update_membership(membership, tags=["x" * 41])
        membership.refresh_from_db()
        assert (membership.recorded_on, membership.tags) == (date(2026, 1, 2), ["after lunch"])

    def test_deleting_a_case_leaves_its_readings_and_deleting_a_reading_its_case(self, case, make):
        first, second = make(), make()
        flows.add_readings(case, [first, second])
        first.delete()
        assert case.memberships.count() == 1
        case.delete()
        assert list(Reading.objects.all()) == [second]


class TestPages:
    def test_readings_are_added_from_the_history_to_a_new_case(self, client, make):
        chosen = [str(make(f"{number}.jpg").pk) for number in range(2)]
        form = client.post("/readings/export", {"chosen": chosen, "action": "case"}, follow=True)
        assert form.status_code == 200
        answer = client.post("/cases/add", {"reading": chosen, "pseudonym": "bed 9"}, follow=True)

        assert "2 readings were added." in answer.content.decode()
        assert Case.objects.get().memberships.count() == 2

    def test_neither_a_case_nor_a_pseudonym_is_said(self, client, make):
        answer = client.post("/cases/add", {"reading": [str(make().pk)], "case": "", "pseudonym": " "}, follow=True)

        assert "Choose a case, or write the pseudonym of a new one." in answer.content.decode()

    def test_readings_are_listed_by_the_day_of_the_recording(self, client, case, make):
        first, second, third = (make(f"{name}.jpg") for name in "abc")
        flows.add_readings(case, [first, second, third])
        client.post(f"/cases/readings/{second.pk}/change", {"recorded_on": "2025-03-01", "tags": "before, stent"})
        client.post(f"/cases/readings/{first.pk}/change", {"recorded_on": "2026-03-01", "tags": ""})
        body = client.get(case.get_absolute_url()).content.decode()

        assert re.findall(r'<h2><a href="[^"]+">(\w)\.jpg', body) == ["b", "a", "c"]
        assert "<li>before</li><li>stent</li>" in body
        assert body.count("/pictures/thumb") == 3
        assert 'value="before, stent"' in body

    def test_the_number_of_queries_does_not_grow_with_the_readings(
        self, client, case, make, django_assert_max_num_queries
    ):
        flows.add_readings(case, [make(str(number)) for number in range(30)])

        with django_assert_max_num_queries(12):
            client.get(case.get_absolute_url())

    def test_a_reading_is_taken_out(self, client, case, make):
        reading = make()
        flows.add_readings(case, [reading])
        client.post(f"/cases/readings/{reading.pk}/remove")

        assert not case.memberships.exists()
        assert Reading.objects.get() == reading

    def test_a_wrong_day_is_said_and_changes_nothing(self, client, case, make):
        reading = make()
        flows.add_readings(case, [reading])
        answer = client.post(f"/cases/readings/{reading.pk}/change", {"recorded_on": "soon"}, follow=True)

        assert "Expected a day and tags" in answer.content.decode()

    def test_pseudonym_and_note_are_changed(self, client, case):
        client.post(case.get_absolute_url(), {"pseudonym": "bed 10", "note": "transferred"})
        case.refresh_from_db()

        assert (case.pseudonym, case.note) == ("bed 10", "transferred")


class TestLinks:
    @pytest.fixture
    def shared(self, client, case, make):
        """Share a case with a reading, and return the path of the link and the reading."""
        reading = make(note="a note of the owner")
        flows.add_readings(case, [reading])
        body = client.post(f"/cases/{case.pk}/share", {"days": 7}, follow=True).content.decode()
        return "/shared/" + re.search(r"/shared/([\w-]+)/", body)[1] + "/", reading

    def test_the_key_is_shown_once_and_not_stored(self, client, case, shared):
        key = shared[0].split("/")[2]

        assert len(key) == 43
        assert key not in client.get(case.get_absolute_url()).content.decode()
        assert Share.objects.get().sha256 == shares.hash_key(key)

    def test_whoever_has_the_link_sees_everything_but_notes_and_changes_nothing(self, shared):
        path, reading = shared
        visitor = Client()
        for place in ("", f"{reading.pk}/", f"{reading.pk}/page", f"{reading.pk}/pictures/thumb"):
            answer = visitor.get(path + place)
            assert answer.status_code == 200, place
            body = answer.getvalue()
            assert b"a note of the owner" not in body
            assert b"<form" not in re.sub(rb"(?s)<form[^>]*set_?lang.*?</form>", b"", body), place
            assert visitor.post(path + place).status_code == 405
        assert f"/readings/{reading.pk}" not in visitor.get(f"{path}{reading.pk}/").content.decode()
        assert visitor.get(f"/readings/{reading.pk}/").status_code == 302
        actions = set(AuditEntry.objects.filter(actor_id=None).values_list("action", flat=True))
        assert "see by link" in actions

    def test_an_expired_or_deleted_link_shows_nothing(self, client, shared):
        path, reading = shared
        Share.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert [Client().get(path + place).status_code for place in ("", f"{reading.pk}/")] == [404, 404]
        Share.objects.update(expires_at=timezone.now() + timedelta(days=1))
        assert Client().get(path).status_code == 200
        client.post(f"/cases/shares/{Share.objects.get().pk}/delete")
        assert Client().get(path).status_code == 404

    def test_readings_that_left_the_case_and_other_readings_are_not_shown(self, client, shared, make):
        path, reading = shared
        another = make()
        assert Client().get(f"{path}{another.pk}/").status_code == 404
        client.post(f"/cases/readings/{reading.pk}/remove")
        assert Client().get(f"{path}{reading.pk}/page").status_code == 404

    def test_the_link_of_a_locked_account_shows_nothing(self, user, shared):
        user.is_active = False
        user.save()

        assert Client().get(shared[0]).status_code == 404

    @pytest.mark.parametrize("days", ["0", "91", "soon", ""])
    def test_a_link_lasts_1_to_90_days(self, client, case, days):
        answer = client.post(f"/cases/{case.pk}/share", {"days": days}, follow=True)

        assert "Expected 1 to 90 days" in answer.content.decode()
        assert not Share.objects.exists()

    def test_a_case_has_at_most_20_links_of_which_expired_ones_do_not_count(self, case):
        for _ in range(20):
            shares.create_share(case, 1)
        with pytest.raises(Refused, match="at most 20 links"):
            shares.create_share(case, 1)
        Share.objects.filter(pk=Share.objects.first().pk).update(expires_at=timezone.now() - timedelta(days=1))
        shares.create_share(case, 1)
        assert case.shares.count() == 20


class TestApi:
    @pytest.fixture
    def api(self, user):
        _, key = create_token(user, "script", ["read", "write"])
        client = Client(headers={"Authorization": f"Bearer {key}"})

        def send(method, path, content=None):
            return getattr(client, method)(f"/api/v1/cases{path}", content, content_type="application/json")

        return send

    def test_a_case_from_its_creation_to_its_deletion(self, api, make):
        reading = make()
        case = api("post", "", {"pseudonym": "bed 7"}).json()
        member = {"reading": str(reading.pk), "recorded_on": "2026-02-03", "tags": ["before"]}
        assert api("post", f"/{case['id']}/readings", member).status_code == 201
        assert api("get", f"/{case['id']}").json()["readings"] == [member]
        assert api("get", "").json()["items"][0]["count"] == 1
        assert api("patch", f"/{case['id']}", {"note": "x"}).json()["note"] == "x"
        assert api("post", "", {"pseudonym": "bed 7"}).status_code == 409
        assert api("delete", f"/readings/{reading.pk}").status_code == 204
        assert api("delete", f"/{case['id']}").status_code == 204
        assert Reading.objects.exists()

    def test_of_a_request_that_is_refused_nothing_is_done(self, api, make):
        reading = make()
        first, second = (api("post", "", {"pseudonym": name}).json()["id"] for name in ("bed 7", "bed 8"))
        member = {"reading": str(reading.pk), "recorded_on": "2026-02-03", "tags": ["before"]}
        assert api("post", f"/{first}/readings", member).status_code == 201
        assert api("post", f"/{second}/readings", {**member, "recorded_on": "9999-12-31"}).status_code == 422
        assert api("get", f"/{first}").json()["readings"] == [member]
        assert api("get", f"/{second}").json()["readings"] == []

    def test_a_reading_of_another_user_is_not_added(self, api, other, make):
        case = api("post", "", {"pseudonym": "bed 7"}).json()

        assert api("post", f"/{case['id']}/readings", {"reading": str(make(owner=other).pk)}).status_code == 404


def test_a_page_that_was_uploaded_before_is_said(upload, client):
    upload()
    first = Reading.objects.get()
    upload(name="again.jpg")
    second = Reading.objects.exclude(pk=first.pk).get()
    notice = "You have uploaded this file before:"

    assert notice not in client.get(first.get_absolute_url()).content.decode()
    body = client.get(second.get_absolute_url()).content.decode()
    assert notice in body
    assert first.get_absolute_url() in body
    with second.page.open() as stream:
        answer = client.post("/disease-predict", {"file": stream}, headers={"Accept": "application/json"}).json()
    assert "uploaded before" not in answer["results"][0]["heading"], "the stored page is another file"


def test_changes_in_a_minute_are_limited_for_each_account_and_looking_is_not(client, case, monkeypatch):
    monkeypatch.setattr(guards, "_CHANGES_A_MINUTE", 3)
    statuses = [client.post(case.get_absolute_url(), {"pseudonym": f"bed {n}"}).status_code for n in range(5)]

    assert statuses == [302, 302, 302, 429, 429]
    assert client.get(case.get_absolute_url()).status_code == 200
    case.refresh_from_db()
    assert case.pseudonym == "bed 2"
