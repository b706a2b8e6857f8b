"""Responses in two parts, with the site's server and with another one."""

import pytest
from django.test import RequestFactory
from django.utils import translation

from ecglens.web.http.later import IN_PARTS, LATER, respond_in_parts

pytestmark = pytest.mark.django_db


def respond(**variables):
    request = RequestFactory().get("/", **variables)
    work = lambda: f"second {translation.get_language()}"  # noqa: E731
    with translation.override("de"):
        return request, respond_in_parts(request, "first ", work=work, decline=lambda: "sorry")


def test_another_server_sends_both_parts_together_in_the_language_of_the_request():
    request, response = respond()

    assert response.content == b"first second de"
    assert LATER not in request.META


def test_the_sites_server_gets_the_second_part_as_work_for_later():
    request, response = respond(**{IN_PARTS: True})
    later = request.META[LATER]

    assert response.content == b"first "
    assert response["X-Accel-Buffering"] == "no"
    with translation.override("en"):
        assert later.run() == b"second de"
        assert later.refuse() == b"sorry"
        assert translation.get_language() == "en"


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.2"])
def test_turns_are_those_of_an_address_that_is_not_stored_in_the_clear(address):
    request, _ = respond(**{IN_PARTS: True, "REMOTE_ADDR": address})
    same, _ = respond(**{IN_PARTS: True, "REMOTE_ADDR": address})

    assert request.META[LATER].caller == same.META[LATER].caller
    assert address not in request.META[LATER].caller


def test_nothing_is_made_for_who_asks_for_headers_alone():
    request = RequestFactory().head("/", **{IN_PARTS: True})
    response = respond_in_parts(request, "first ", work=lambda: pytest.fail("made"), decline=lambda: "")

    assert response.content == b"first "
    assert LATER not in request.META
