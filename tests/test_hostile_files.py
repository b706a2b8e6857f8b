"""Hostile files of every kind are answered or refused with an error of the program's own; damaged ones too.

``benchmarks/attack.py`` measures their time and memory, each in a process of its own.
"""

import time
import warnings
from contextlib import suppress

import mutations
import numpy as np
import pytest
from hostile import KINDS, hostile_files
from hostile.entries import prepare_reader, read_hostile

import ecglens
from ecglens.digitizing import digitize
from ecglens.errors import EcgLensError, EcgReadError
from ecglens.pages.decoding import LIMITS

FILES = {file.name: file for file in hostile_files(np.random.default_rng(0), per_kind=1)}
SLOW = ("PDF content", "JPEG scans", "Keras file")
"""Kinds whose files are ended after seconds of computing, or whose reader takes seconds to load."""
PAGE_SECONDS = 20.0
"""CPU time for a damaged page, in s."""
QUICK_MUTATIONS, MUTATIONS, DIGITIZED = 10, 2000, 300


def read_or_refuse(file, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of values that they repair
        try:
            answer = read_hostile(file.entry, file.write(folder))
        except EcgLensError as error:
            answer = str(error)
    assert answer.strip()
    assert "\n" not in answer.strip()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if file.kind in SLOW else name for name, file in FILES.items()]
)
def test_a_file_of_each_kind_is_answered_or_refused(name, tmp_path):
    read_or_refuse(FILES[name], tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_each_of_200_hostile_files_is_answered_or_refused(tmp_path):
    files = list(hostile_files(np.random.default_rng(1)))
    assert len(files) >= 200
    assert len(KINDS) >= 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of each other as they are imported
        for entry in sorted({file.entry for file in files}):
            prepare_reader(entry)
    for number, file in enumerate(files):
        start = time.process_time()
        read_or_refuse(file, tmp_path / str(number))
        assert time.process_time() - start < 2 * LIMITS.cpu_seconds, file.name


def read_mutation(number, read):
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of values that they repair
        with suppress(EcgReadError):
            read(mutations.draw_mutation(number).data)
    assert time.process_time() - start < PAGE_SECONDS


@pytest.mark.timeout(600)
def test_damaged_files_are_read_or_refused():
    for number in range(QUICK_MUTATIONS):
        read_mutation(number, ecglens.read)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("read", "count"), [(ecglens.read, MUTATIONS), (digitize, DIGITIZED)], ids=["read", "digitize"]
)
def test_thousands_of_damaged_files_are_read_or_refused(read, count):
    for number in range(10_000, 10_000 + count):
        read_mutation(number, read)


def test_a_damaged_file_is_drawn_again_from_its_number():
    first, other, again = map(mutations.draw_mutation, (3, 4, 3))
    assert first == again
    assert first != other
    assert first.data != mutations.seeds()[first.seed]
