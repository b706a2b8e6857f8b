"""Reviews: the queue, agreement with the model, and the reviewed readings as a data set."""

import io
import re
import zipfile

import pytest
from django.test import Client

from ecglens.criteria.table import load_criteria
from ecglens.datasets.sources import from_path
from ecglens.measurements import Measured, Measurements
from ecglens.pages import read_page
from ecglens.web.accounts.tokens import create_token
from ecglens.web.cases import flows
from ecglens.web.cases.agreement import compute_kappa, count_agreement
from ecglens.web.cases.data_set import pack_data_set
from ecglens.web.cases.models import Review
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.models import Reading
from ecglens.web.readings.store import store_file

pytestmark = pytest.mark.django_db

SLOW = Measurements(rate_bpm=Measured(41.0, 0.2, "1/min", (60.0, 100.0)))


@pytest.fixture
def make(user, page):
    """Make a reading that is done and has a rate of 41/min."""

    def make_one(name="a.jpg", owner=None, **fields):
        content = {"facts": {"quality": {}, "measurements": SLOW.to_dict(), "layout": None}, **fields}
        content["facts"]["page"] = {"number": 1, "count": 1, "width_px": 10, "height_px": 5}
        return Reading.objects.create(
            owner=owner or user, name=name, **{"state": "done", "page": store_file(page, ".jpg"), **content}
        )

    return make_one


class TestQueue:
    def test_the_oldest_reading_with_results_and_without_a_review_is_next(self, user, other, make):
        make("waits.jpg", state="answered")
        make("foreign.jpg", owner=other)
        first, second, third = make("1.jpg"), make("2.jpg"), make("3.jpg")
        assert flows.find_next_to_review(user) == first
        flows.review_reading(second, user, label="normal")
        assert flows.find_next_to_review(user, after=first) == third
        assert flows.find_next_to_review(user, after=third) == first

    def test_saving_leads_to_the_next_one_and_the_last_one_to_the_table(self, client, make):
        first, second = make("1.jpg"), make("2.jpg")
        assert client.get("/review/")["Location"] == f"/review/{first.pk}/"
        answer = client.post(f"/review/{first.pk}/", {"label": "mi"})
        assert answer["Location"] == f"/review/{second.pk}/"
        stayed = client.post(f"/review/{first.pk}/", {"label": "normal", "stay": "1"})
        assert stayed["Location"] == f"/review/{first.pk}/"
        assert client.post(f"/review/{second.pk}/", {"label": "normal"})["Location"] == "/review/agreement"
        assert client.get("/review/")["Location"] == "/review/agreement"

    def test_the_page_of_a_review_does_not_give_the_answer_away_at_first_sight(self, client, make):
        body = client.get(f"/review/{make(label='mi', outcome='answered').pk}/").content.decode()
        before = body.partition("<details><summary>What ecglens says")[0]

        text = re.sub(r"<[^>]*>", " ", before)  # tags have identifiers, in which any digits may stand
        assert "41" not in text
        assert "bradycardia" in before, "the names of the criteria are offered"


class TestReviews:
    def test_a_review_stores_what_ecglens_said_and_becomes_the_readings_label(self, user, make):
        reading = make(label="mi", outcome="answered")
        review = flows.review_reading(reading, user, label="normal", statements=["bradycardia"], text=" fine\x00 ")
        reading.refresh_from_db()

        assert (review.model_label, review.model_outcome) == ("mi", "answered")
        assert "bradycardia" in review.model_statements
        assert reading.corrected == "normal"
        assert review.text == " fine "

    def test_a_label_may_be_any_words_of_up_to_60_characters(self, user, make):
        reading = make()
        assert flows.review_reading(reading, user, label="WPW,\n type A").label == "WPW, type A"
        with pytest.raises(Refused, match="Expected a label of at most 60 characters, got 61"):
            flows.review_reading(reading, user, label="x" * 61)

    def test_an_unknown_statement_and_a_long_text_are_refused_and_change_nothing(self, user, make):
        reading = make()
        with pytest.raises(Refused, match="Expected statements out of the criteria, got nothing_such"):
            flows.review_reading(reading, user, statements=["nothing_such"])
        with pytest.raises(Refused, match="Expected a text of at most 4000 characters"):
            flows.review_reading(reading, user, label="mi", text="x" * 4001)
        reading.refresh_from_db()
        assert reading.corrected == ""
        assert not Review.objects.exists()

    def test_a_second_review_replaces_the_first(self, user, make):
        reading = make()
        flows.review_reading(reading, user, label="mi", text="first")
        flows.review_reading(reading, user, label="normal")

        assert [(each.label, each.text) for each in Review.objects.all()] == [("normal", "")]

    def test_another_label_and_statements_come_back_into_the_form(self, client, make):
        reading = make()
        client.post(f"/review/{reading.pk}/", {"label": "mi", "other": "WPW", "statements": ["bradycardia"]})
        body = client.get(f"/review/{reading.pk}/").content.decode()

        assert 'name="other" maxlength="60" value="WPW"' in body
        assert 'value="bradycardia" checked' in body

    def test_the_api_reviews_too(self, user, make):
        reading = make(label="mi", outcome="answered")
        _, key = create_token(user, "script", ["read", "write"])
        api, path = Client(headers={"Authorization": f"Bearer {key}"}), f"/api/v1/reviews/{reading.pk}"
        assert api.get(path).status_code == 404
        assert api.get("/api/v1/reviews/waiting").json()["count"] == 1
        sent = api.post(path, {"label": "normal", "statements": ["bradycardia"]}, content_type="application/json")
        assert sent.json()["model_label"] == "mi"
        assert api.get(path).json() == sent.json()
        assert api.get("/api/v1/reviews/waiting").json()["count"] == 0
        assert api.delete(path).status_code == 204
        assert not Review.objects.exists()


class TestAgreement:
    def test_pairs_are_counted_with_those_without_a_label_last(self, user, make):
        for model, person in (("mi", "mi"), ("mi", "normal"), ("normal", "normal"), ("", "mi"), ("mi", "")):
            flows.review_reading(make(label=model), user, label=person)
        agreement = count_agreement(Review.objects.all())

        assert agreement.labels == ("mi", "normal", "")
        assert [(row.label, row.counts) for row in agreement.rows] == [
            ("mi", (1, 1, 1)),
            ("normal", (0, 1, 0)),
            ("", (1, 0, 0)),
        ]
        assert (agreement.reviews, agreement.answered, agreement.agreeing) == (5, 3, 2)

    def test_statements_are_counted_by_who_made_them(self, user, make):
        names = list(load_criteria().criteria)
        another = next(name for name in names if name != "bradycardia")
        flows.review_reading(make(), user, statements=["bradycardia"])
        flows.review_reading(make(), user, statements=[another])
        rows = {row.name: (row.both, row.only_criterion, row.only_reviewer) for row in _statements()}

        assert rows["bradycardia"] == (1, 1, 0)
        assert rows[another] == (0, 0, 1)

    def test_kappa_is_that_of_scikit_learn(self):
        metrics = pytest.importorskip("sklearn.metrics")
        pairs = {("a", "a"): 7, ("a", "b"): 3, ("b", "b"): 5, ("c", "a"): 1, ("c", "c"): 4, ("b", "c"): 2}
        first, second = zip(*(pair for pair, count in pairs.items() for _ in range(count)), strict=True)

        assert compute_kappa(pairs) == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-4)

    def test_kappa_has_no_value_without_answers_or_with_a_single_label(self):
        assert compute_kappa({}) is None
        assert compute_kappa({("a", "a"): 5}) is None

    def test_the_table_is_shown(self, client, user, make):
        flows.review_reading(make(label="mi"), user, label="normal")
        body = client.get("/review/agreement").content.decode()

        assert "0 of 1 are the same (0 %)" in body
        assert "Download as a data set" in body


class TestDataSet:
    def test_training_reads_it_with_labels_and_groups(self, user, make, tmp_path):
        case = flows.create_case(user, "bed 7")
        together = [make("1.jpg"), make("2.jpg")]
        flows.add_readings(case, together)
        alone = make("3.jpg")
        for reading, label in zip((*together, alone), ("mi", "normal", "WPW, type A"), strict=True):
            flows.review_reading(reading, user, label=label, statements=["bradycardia"])
        file, count = pack_data_set(user)
        with file, zipfile.ZipFile(file) as archive:
            archive.extractall(tmp_path)
        recordings = from_path(tmp_path / "pages.csv")

        assert count == 3
        assert sorted(row.label for row in recordings.rows) == ["WPW, type A", "mi", "normal"]
        assert len({row.group for row in recordings.rows}) == 2
        assert all(row.extra["statements"] == "bradycardia" for row in recordings.rows)
        assert all(read_page(row.path).width > 1000 for row in recordings.rows)

    def test_readings_without_a_label_or_a_page_are_left_out_of_the_table(self, client, user, make):
        flows.review_reading(make(), user, text="no label")
        flows.review_reading(make(page=""), user, label="mi")
        answer = client.get("/review/data-set.zip")
        with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
            table, reviews = archive.read("pages.csv").decode(), archive.read("reviews.json").decode()

        assert len(table.splitlines()) == 1
        assert "no label" in reviews

    def test_names_of_files_cannot_leave_the_folder(self, user, make):
        flows.review_reading(make("../../evil.jpg"), user, label="mi")
        file, _count = pack_data_set(user)
        with file, zipfile.ZipFile(file) as archive:
            assert [name for name in archive.namelist() if ".." in name] == []


def _statements():
    return count_agreement(Review.objects.all()).statements
