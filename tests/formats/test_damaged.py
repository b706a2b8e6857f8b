"""Digital ECGs with damaged bytes are read or refused; nothing else is raised."""

import random
from pathlib import Path

import pytest
import recorder_files

from ecglens.errors import DatasetError
from ecglens.formats.files import read_record

pytest.importorskip("ecgdatakit")

DATA = Path(__file__).parents[1] / "data"
SAMPLES = [7, -5, 300, 20] * 250
KEYS = {"ishne": 5, "mfer": 1, "kardia": "leadI"}
ROUNDS = 40


def damage(content: bytes, rng: random.Random) -> bytes:
    """Overwrite, delete or repeat some bytes."""
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 3, 20])):
        place = rng.randrange(min(len(damaged), rng.choice([64, 600, len(damaged)])))
        kind = rng.randrange(4)
        if kind == 0:
            damaged[place] = rng.randrange(256)
        elif kind == 1:
            damaged[place : place + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"9999"])
        elif kind == 2:
            del damaged[place : place + rng.randrange(1, len(damaged) // 2)]
        else:
            damaged[place:place] = damaged[place : place + 50]
    return bytes(damaged)


@pytest.mark.parametrize("name", [*recorder_files.__all__, "scp"])
def test_damaged_files_are_read_or_refused(name: str) -> None:
    if name == "scp":
        content = (DATA / "welch_allyn.scp").read_bytes()
    else:
        content = getattr(recorder_files, name)({KEYS.get(name, "I"): SAMPLES})
    rng, refused = random.Random(name), 0
    for _ in range(ROUNDS):
        try:
            read_record(damage(content, rng))
        except DatasetError:
            refused += 1
    assert 0 < refused < ROUNDS
