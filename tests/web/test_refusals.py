"""A page that could not be read is shown to its sender, who corrects corners and rotation and tries again."""

import base64
import html
import re

import cv2
import numpy as np
import pytest
from askew_photo import CORNERS, take_photo
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ecglens.corrections import Corrections
from ecglens.errors import EcgReadError
from ecglens.pages.read import read_page
from ecglens.web.readings.models import Reading
from ecglens.web.readings.refusals import build_corrections, encode_whole, show_refused

pytestmark = pytest.mark.sqlite

CORNERS_TEXT = " ".join(f"{column}.0,{row}.0" for column, row in CORNERS)


@pytest.fixture(scope="session")
def photo():
    return take_photo()


class TestCorrectionsOfAForm:
    def test_corners_rotation_and_layout_become_corrections(self):
        assert build_corrections("0,0 99.5,0 99.5,70 0,70", 90, "3x4+1") == Corrections(
            corners=((0, 0), (99.5, 0), (99.5, 70), (0, 70)), rotation_deg=90, layout="3x4+1"
        )

    def test_nothing_is_no_correction(self):
        assert build_corrections("", 0.0, "") is None

    @pytest.mark.parametrize(
        "corners", ["1,2", "a,b c,d e,f g,h", "0,0 1,0 1,1 0,1 2,2", "0,0 1,0 1,1 1e9,1", "0,0" * 99]
    )
    def test_anything_but_four_points_is_refused(self, corners):
        with pytest.raises(ValueError, match="no four points"):
            build_corrections(corners, 0.0, "")

    def test_an_unknown_layout_is_refused(self):
        with pytest.raises(EcgReadError, match="expected a layout out of"):
            build_corrections("", 0.0, "5x5")


class TestRefusedPage:
    def test_the_corners_of_the_paper_are_those_that_were_seen(self, photo):
        page = show_refused(read_page(photo))

        assert page.has_paper
        assert (page.width_px, page.height_px) == (1500, 1400)
        distances = [min(np.hypot(x - u, y - v) for u, v in CORNERS) for x, y in page.corners]
        assert max(distances) < 8

    def test_without_paper_the_corners_are_those_of_the_picture(self):
        noise = np.random.default_rng(0).integers(0, 255, (400, 500, 3), dtype=np.uint8)
        page = show_refused(read_page(noise))

        assert not page.has_paper
        assert page.corners_text == "0.0,0.0 499.0,0.0 499.0,399.0 0.0,399.0"

    def test_what_is_sent_again_has_the_pixels_of_the_page(self, photo):
        page = read_page(photo)
        again = read_page(base64.b64decode(encode_whole(page)))

        assert again.pixels.shape == page.pixels.shape
        assert np.abs(again.pixels.astype(int) - page.pixels).mean() < 3


@pytest.mark.django_db
class TestUpload:
    def send(self, client, content, **fields):
        file = SimpleUploadedFile("photo.jpg", content)
        headers = {"Accept": "application/json"}
        return client.post("/disease-predict", {"file": file, **fields}, headers=headers)

    def test_a_user_sees_the_page_of_which_nothing_is_stored(self, client, photo, stored_files):
        [result] = self.send(client, photo).json()["results"]
        picture = base64.b64decode(result["refused"]["picture"].partition(",")[2])

        assert result["heading"] == "Not readable"
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), 1).shape[1] == 1400
        assert result["refused"]["has_paper"]
        assert stored_files() == []

    def test_with_corners_the_page_is_read_and_replaces_the_refused_one(self, client, photo):
        [before] = self.send(client, photo).json()["results"]
        fields = {"corners": CORNERS_TEXT, "rotation": "0", "layout": "", "replaces": before["pk"]}
        [after] = self.send(client, photo, **fields).json()["results"]

        assert "refused" not in after
        assert Reading.objects.get().label == "mi"

    def test_only_the_own_refused_reading_is_replaced(self, client, other, photo, upload):
        upload()
        answered = Reading.objects.get()
        theirs = Reading.objects.create(owner=other, name="b", outcome="not_readable")
        for pk in (answered.pk, theirs.pk):
            self.send(client, photo, corners=CORNERS_TEXT, replaces=str(pk))

        assert set(Reading.objects.values_list("pk", flat=True)) >= {answered.pk, theirs.pk}

    @pytest.mark.parametrize(
        "fields",
        [{"corners": "here"}, {"corners": "0,0 9,0 9,9 0,9", "layout": "5x5"}, {"rotation": "1e9"}, {"replaces": "x"}],
    )
    def test_wrong_corrections_are_refused_in_a_sentence(self, client, page, fields):
        answer = self.send(client, page, **fields)

        assert answer.status_code == 400
        assert answer.json()["message"]
        assert not Reading.objects.exists()

    def test_corners_beside_the_page_are_refused_in_a_sentence(self, client, page):
        answer = self.send(client, page, corners="0,0 90000,0 90000,90000 0,90000")

        assert answer.status_code == 422
        assert "corners" in answer.json()["message"]

    def test_a_visitor_gets_the_page_back_with_the_frame_and_sends_it_again(self, photo):
        file = SimpleUploadedFile("photo.jpg", photo)
        body = Client().post("/disease-predict", {"file": file}).content.decode()
        form = re.search(r'(?s)<form class="panel corrector".*?</form>', body)[0]
        data = {name: html.unescape(value) for name, value in re.findall(r'data-([a-z]+)="([^"]+)"', form)}
        again = SimpleUploadedFile("photo.jpg", base64.b64decode(data["file"]))
        answer = Client().post("/disease-predict", {"file": again, "corners": CORNERS_TEXT}).content.decode()

        assert (data["width"], data["height"], data["name"]) == ("1500", "1400", "photo.jpg")
        assert "This is what ecglens got" in body
        assert 'class="panel corrector"' not in answer
        assert "Myocardial infarction" in answer
        assert not Reading.objects.exists()
