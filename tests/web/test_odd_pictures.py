"""Pictures of every depth, mode, size and value are read or refused with one sentence; none is an error of the site."""

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_models import ecg_page, write_model
from wild_files import encode, odd_pictures

from ecglens.settings import load_settings
from ecglens.web.accounts.models import User
from ecglens.web.accounts.tokens import create_token
from ecglens.web.readings.models import Reading

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SHORT, LONG = st.integers(1, 40), st.integers(1, 3500)
TINY = st.tuples(SHORT, SHORT)
LINES = st.one_of(st.tuples(st.just(1), LONG), st.tuples(LONG, st.just(1)))
NEARLY_A_PAGE = st.sampled_from([(299, 300), (300, 299), (300, 3001), (3001, 300)])
PAGES = st.tuples(st.integers(300, 340), st.integers(300, 340))


@pytest.fixture(scope="module", autouse=True)
def _tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "tiny", (2.0, 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLENS_MODELS_DIR", str(folder))
        patch.setenv("ECGLENS_MODEL", "tiny")
        load_settings.cache_clear()
        yield
    load_settings.cache_clear()


@pytest.fixture
def send():
    """Upload a file with a token, and check that the response is a reading or a problem of one sentence."""
    _, key = create_token(User.objects.create_user("mia@example.org", "a long password"), "test", ["read", "write"])
    program = Client(headers={"Authorization": f"Bearer {key}"})

    def upload(content):
        file = SimpleUploadedFile("page", content)
        response = program.post("/api/v1/readings", {"file": file, "explain": False})
        if response.status_code == 201:
            return response
        assert response.status_code == 422, response.content
        assert response["Content-Type"] == "application/problem+json"
        detail = response.json()["detail"]
        assert detail.startswith("page: expected ")
        assert detail.endswith(".")
        assert ". " not in detail
        assert "\n" not in detail
        assert not Reading.objects.exists()
        return response

    return upload


def quick(examples):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


def test_a_picture_that_is_no_page_is_refused_with_one_sentence(send):
    @quick(80)
    @given(odd_pictures(st.one_of(TINY, LINES, NEARLY_A_PAGE)))
    def check(content):
        assert send(content).status_code == 422

    check()


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.nightly)])
def test_a_picture_of_the_size_of_a_page_is_read_or_refused_whatever_its_values(send, examples):
    @quick(examples)
    @given(odd_pictures(PAGES))
    def check(content):
        send(content)
        Reading.objects.all().delete()

    check()


PAGE = Image.fromarray(ecg_page().pixels)
DEEP = np.asarray(PAGE).astype(np.uint16)[:, :, ::-1] * 257
IN_OTHER_MODES = {
    "PNG, gray and alpha": lambda: encode(PAGE.convert("LA"), "PNG"),
    "PNG, palette of 4 bits": lambda: encode(PAGE.quantize(16), "PNG"),
    "PNG, gray of 16 bits": lambda: cv2.imencode(".png", DEEP[:, :, 1])[1].tobytes(),
    "PNG, color of 16 bits": lambda: cv2.imencode(".png", DEEP)[1].tobytes(),
    "TIFF, color and alpha": lambda: encode(PAGE.convert("RGBA"), "TIFF", compression="tiff_lzw"),
    "TIFF, inks": lambda: encode(PAGE.convert("CMYK"), "TIFF", compression="tiff_lzw"),
    "JPEG, inks": lambda: encode(PAGE.convert("CMYK"), "JPEG", quality=95),
    "WebP": lambda: encode(PAGE, "WEBP", quality=90),
    "BMP, palette": lambda: encode(PAGE.quantize(64), "BMP"),
}


@pytest.mark.parametrize("make", IN_OTHER_MODES.values(), ids=IN_OTHER_MODES)
def test_a_page_is_read_in_every_depth_and_mode(send, make):
    assert send(make()).json()["label"] == "normal"
