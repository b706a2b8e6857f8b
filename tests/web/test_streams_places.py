"""Places of accounts: counted over all processes, and free again when a process is killed."""

import subprocess
import sys
from contextlib import ExitStack

import pytest

from ecglens.web.streams.places import NoPlaceError, Places

_HOLD = """
import sys, time
from pathlib import Path
from ecglens.web.streams.places import Places
with Places(Path(sys.argv[1])).hold(7, 2):
    print("held", flush=True)
    time.sleep(60)
"""


def test_an_account_has_so_many_places_and_another_one_has_its_own(tmp_path):
    places = Places(tmp_path / "senders")
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(places.hold(7, 2))
        with pytest.raises(NoPlaceError, match="account 7 has 2"), places.hold(7, 2):
            pass
        with places.hold(8, 2):
            pass
    with places.hold(7, 1):
        pass


def test_places_are_counted_over_processes_and_free_again_when_one_is_killed(tmp_path):
    places = Places(tmp_path / "senders")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "senders")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        with places.hold(7, 2), pytest.raises(NoPlaceError, match="account 7"), places.hold(7, 2):
            pass
        process.kill()
        process.wait()
        with places.hold(7, 2), places.hold(7, 2):
            pass
