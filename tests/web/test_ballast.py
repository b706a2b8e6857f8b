"""The ballast: deleted when the disk is full, and made again where there is much room."""

from collections import namedtuple

import pytest

from ecglens.web.serving import ballast
from ecglens.web.serving.ballast import Ballast

Usage = namedtuple("Usage", "free")


@pytest.fixture
def disk(monkeypatch):
    def set_free(megabytes):
        monkeypatch.setattr(ballast.shutil, "disk_usage", lambda path: Usage(megabytes << 20))

    return set_free


def test_the_ballast_takes_room_while_there_is_much_and_gives_it_to_a_full_disk(tmp_path, disk):
    one, path = Ballast(tmp_path), tmp_path / "ballast"
    disk(1000)
    one.adjust()
    assert path.stat().st_blocks * 512 >= 32 << 20
    disk(100)
    one.adjust()
    assert path.exists()
    disk(7)
    one.adjust()
    assert list(tmp_path.iterdir()) == []
    disk(100)
    one.adjust()
    assert list(tmp_path.iterdir()) == []
    disk(300)
    one.adjust()
    assert path.exists()


def test_a_ballast_that_cannot_be_made_leaves_nothing_and_stops_nothing(tmp_path, disk, monkeypatch, caplog):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ballast.os, "posix_fallocate", fail, raising=False)
    disk(1000)
    Ballast(tmp_path).adjust()
    assert list(tmp_path.iterdir()) == []
    assert "No space left on device" in caplog.text
