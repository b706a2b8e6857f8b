"""The time that a digital ECG may take on the command line."""

import time

import pytest

from ecglens.cli.time_limits import limit_time
from ecglens.errors import EcgReadError


def sleep_within(seconds: float) -> None:
    with limit_time("muse.xml", seconds):
        time.sleep(60)


def sleep_again_within(seconds: float) -> None:
    with limit_time("muse.xml", seconds):
        try:
            time.sleep(60)
        except Exception:
            time.sleep(60)


def test_what_takes_too_long_is_ended_with_one_sentence() -> None:
    with pytest.raises(EcgReadError, match="muse.xml: expected a digital ECG that can be read within 0.2 s") as error:
        sleep_within(0.2)
    assert error.value.code == "too_costly"


def test_a_library_that_takes_the_end_for_a_fault_is_ended_again() -> None:
    with pytest.raises(EcgReadError):
        sleep_again_within(0.1)


def test_nothing_is_ended_afterwards() -> None:
    with limit_time("muse.xml", 0.1):
        pass
    time.sleep(0.3)
