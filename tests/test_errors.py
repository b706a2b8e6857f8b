"""Errors carry their code, source and detail, so that nothing has to be cut out of their text."""

import pickle

import pytest

import ecglens
from ecglens.errors import EcgLensError, EcgReadError


def test_the_text_is_the_source_a_colon_and_the_detail():
    error = EcgReadError(code="empty", source="page.png", detail="expected a page, got an empty file.")
    assert str(error) == "page.png: expected a page, got an empty file."
    assert (error.code, error.source, error.detail) == ("empty", "page.png", "expected a page, got an empty file.")


def test_an_error_with_a_message_only_has_it_as_its_detail():
    error = EcgLensError("Expected a model, got none; install one.")
    assert str(error) == error.detail == "Expected a model, got none; install one."
    assert error.code is None
    assert error.source == ""


def test_a_message_may_differ_from_the_detail():
    error = EcgLensError("Expected a ZIP at /a.zip, got text.", source="/a.zip", detail="Expected a ZIP, got text.")
    assert str(error) == "Expected a ZIP at /a.zip, got text."
    assert error.detail == "Expected a ZIP, got text."


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(EcgReadError(code="empty", source="page.png", detail="expected a page.")))
    assert (str(error), error.code, error.detail) == ("page.png: expected a page.", "empty", "expected a page.")


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty"), (b"just text", "unsupported"), (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "damaged")],
)
def test_reading_reports_the_kind_of_the_error_and_the_source(content, code):
    with pytest.raises(EcgReadError, match="^bytes: expected") as raised:
        ecglens.read(content)
    assert raised.value.code == code
    assert raised.value.source == "bytes"
    assert str(raised.value) == f"bytes: {raised.value.detail}"
