"""Graphs and Keras files that ask for any memory and time are refused within a few seconds and a GB."""

import resource
import sys
import threading

import numpy as np
import pytest
from hostile import models

from ecglens.errors import ModelError
from ecglens.models.cards import load_card
from ecglens.models.keras import import_keras
from ecglens.models.memory import limit_memory
from ecglens.models.runtime import Runtime

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory on Linux only")


def write(folder, files):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (models.constant_of_gigabytes, "takes more than 500 MB beside its weights"),
        (models.loop_that_never_ends, "to answer within 2 s, but its graph goes on"),
        (models.graph_in_a_ring, "cannot be loaded"),
        (models.weights_larger_than_the_file, "cannot be loaded"),
    ],
)
def test_a_graph_that_takes_gigabytes_or_never_ends_is_refused_when_it_is_loaded(maker, message, tmp_path, monkeypatch):
    monkeypatch.setattr("ecglens.models.runtime._RUN_SECONDS", 1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    card = load_card(write(tmp_path, maker(np.random.default_rng(2))))
    with pytest.raises(ModelError, match=message):
        Runtime(card)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (models.layer_of_gigabytes, "cannot be loaded: .*allocate"),
        (models.config_that_unpacks_to_gigabytes, "cannot be read as one"),
        (models.layers_by_the_thousand, "a model of at most 1500 layers"),
    ],
)
def test_a_keras_file_that_asks_for_gigabytes_or_minutes_is_refused(maker, message, tmp_path):
    file = tmp_path / "a.keras"
    file.write_bytes(maker(np.random.default_rng(0)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=message):
        import_keras(
            file, tmp_path / "a", labels=("normal", "mi"), title="t", license="l", recipe={"kind": "page_image"}
        )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def test_the_limit_of_memory_ends_with_its_block():
    with limit_memory(50), pytest.raises(MemoryError):
        np.ones(100_000_000)
    assert np.ones(100_000_000).nbytes == 800_000_000


def test_limits_of_several_threads_are_all_taken_back():
    """Two models that are loaded at once must not leave the limit of one of them behind."""
    before, entered, waiting = resource.getrlimit(resource.RLIMIT_DATA), threading.Event(), threading.Event()

    def first():
        with limit_memory(500):
            entered.set()
            waiting.wait(10)

    def second():
        entered.wait(10)
        waiting.set()
        with limit_memory(300):
            pass

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert resource.getrlimit(resource.RLIMIT_DATA) == before
