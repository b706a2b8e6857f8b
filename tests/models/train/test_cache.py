import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import ecg_page

from ecglens.errors import TrainingError
from ecglens.formats.files import write_record
from ecglens.leads import find_layout
from ecglens.models.inputs import LeadCrops, LeadSignals, PageImage, TraceCanvas, make_stored_input
from ecglens.models.train import cache as caching
from ecglens.models.train.cache import Entry, PageCache, prepare_page
from ecglens.pages import read_page
from ecglens.records import EcgRecord

CANVAS = TraceCanvas(width=96, height=64)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = []
    for number in range(3):
        paths.append(folder / f"{number}.png")
        Image.fromarray(ecg_page(number).pixels).save(paths[-1])
    return paths


def entries(paths):
    return [Entry(path) for path in paths]


def nothing_is_prepared(entry, recipe):
    raise AssertionError("prepared again")


@pytest.mark.parametrize("recipe", [CANVAS, PageImage(width=64, height=48), LeadCrops(width=32, height=32)])
def test_a_prepared_page_is_what_the_recipe_makes_of_it(pages, tmp_path, recipe):
    cache = PageCache(tmp_path, recipe)
    places, failed = cache.fill(entries(pages))
    (stored,) = cache.open()
    assert failed == {}
    assert stored.shape == (3, len(recipe.rows), *recipe.shapes["page"])
    for path, place in zip(pages, places, strict=True):
        page = read_page(path)
        np.testing.assert_array_equal(stored[place], make_stored_input(page, find_layout(page), recipe)["page"])


def test_a_page_is_prepared_once_whatever_its_file_is_called(pages, tmp_path, monkeypatch):
    first, _ = PageCache(tmp_path, CANVAS).fill(entries(pages))
    monkeypatch.setattr(caching, "prepare_page", nothing_is_prepared)
    copy = Path(shutil.copy(pages[1], tmp_path / "copy.png"))
    again, _ = PageCache(tmp_path, CANVAS).fill(entries([copy, pages[2], pages[0]]))
    assert again.tolist() == first[[1, 2, 0]].tolist()


def test_another_recipe_has_a_cache_of_its_own(pages, tmp_path):
    PageCache(tmp_path, CANVAS).fill(entries(pages))
    wider = PageCache(tmp_path, TraceCanvas(width=128, height=64))
    wider.fill(entries(pages[:1]))
    assert wider.open()[0].shape == (1, 1, 1, 64, 128)


def test_other_code_has_a_cache_of_its_own(pages, tmp_path, monkeypatch):
    PageCache(tmp_path, CANVAS).fill(entries(pages[:1]))
    monkeypatch.setattr(caching, "_code_hash", lambda: "other")
    with pytest.raises(FileNotFoundError):
        PageCache(tmp_path, CANVAS).open()


def test_a_filling_that_was_killed_is_taken_up_without_its_torn_end(pages, tmp_path, monkeypatch):
    whole, torn = PageCache(tmp_path / "whole", CANVAS), PageCache(tmp_path / "torn", CANVAS)
    whole.fill(entries(pages))
    torn.fill(entries(pages[:2]))
    (folder,) = (path for path in (tmp_path / "torn").iterdir())
    with (folder / "page.bin").open("ab") as stream:
        stream.write(b"half a page")
    with (folder / "index.txt").open("a") as stream:
        stream.write("half a na")
    places, _ = torn.fill(entries(pages))
    np.testing.assert_array_equal(torn.open()[0], whole.open()[0])
    assert places.tolist() == [0, 1, 2]


def test_a_file_that_lost_pages_is_not_trusted(pages, tmp_path):
    cache = PageCache(tmp_path, CANVAS)
    cache.fill(entries(pages))
    (folder,) = tmp_path.iterdir()
    os.truncate(folder / "page.bin", 100)
    with pytest.raises(TrainingError, match="The prepared pages in .* are damaged; remove that folder"):
        cache.fill(entries(pages))


def test_a_damaged_copy_is_a_page_of_its_own(pages, tmp_path):
    cache = PageCache(tmp_path, CANVAS)
    requested = [Entry(pages[0]), Entry(pages[0], ("uneven-light", 0.3, 1)), Entry(pages[0], ("noise", 0.2, 1))]
    places, failed = cache.fill(requested)
    assert failed == {}
    assert places.tolist() == [0, 1, 2]
    (stored,) = cache.open()
    assert not np.array_equal(stored[0], stored[2])
    np.testing.assert_array_equal(stored[1], prepare_page(requested[1], CANVAS)["page"])


def test_a_page_that_cannot_be_used_is_named_with_its_reason(pages, tmp_path):
    blank, text = tmp_path / "blank.png", tmp_path / "text.png"
    Image.new("RGB", (900, 700), "white").save(blank)
    text.write_text("no page")
    places, failed = PageCache(tmp_path / "cache", CANVAS).fill(entries([pages[0], blank, text]))
    assert places.tolist() == [0, -1, -1]
    assert failed[1].startswith("The leads of 'blank.png' were not found. ")
    assert failed[2].startswith("'text.png' cannot be used. ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"Expected the page '.*gone.png', but it cannot be read: No such file"):
        PageCache(tmp_path, CANVAS).fill([Entry(tmp_path / "gone.png")])


def test_a_full_disk_is_reported_and_prepared_pages_remain(pages, tmp_path, monkeypatch):
    cache = PageCache(tmp_path, CANVAS)
    cache.fill(entries(pages[:1]))
    monkeypatch.setattr(caching, "_extend", full)
    with pytest.raises(TrainingError, match="could not be written to .*: No space left on device; make room"):
        cache.fill(entries(pages))
    monkeypatch.undo()
    assert cache.open()[0].shape[0] == 1
    assert cache.fill(entries(pages))[0].tolist() == [0, 1, 2]


def full(*arguments):
    raise OSError(28, "No space left on device")


def test_several_processes_prepare_the_same(pages, tmp_path, monkeypatch):
    monkeypatch.setattr(caching, "_FEW", 1)
    alone, together = PageCache(tmp_path / "1", CANVAS), PageCache(tmp_path / "2", CANVAS)
    calls = []
    alone.fill(entries(pages))
    together.fill(entries(pages), workers=2, progress=lambda done, total: calls.append((done, total)))
    np.testing.assert_array_equal(alone.open()[0], together.open()[0])
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_recorded_signals_are_stored_for_a_model_that_reads_signals(tmp_path):
    record = EcgRecord(np.random.default_rng(0).normal(0, 0.2, (2, 1000)).astype(np.float32), 100.0, ("I", "V2"))
    path = write_record(record, tmp_path / "r1", "wfdb")
    recipe = LeadSignals(leads=("I", "II", "V2"), seconds=5)
    (cache := PageCache(tmp_path / "cache", recipe)).fill(entries([path]))
    (stored,) = cache.open()
    np.testing.assert_allclose(stored[0, 0, 0], record.signals_mv[0, :500] - np.median(record.signals_mv[0]), atol=2e-3)
    assert stored[0, 0, 3:].mean(axis=1).tolist() == [1.0, 0.0, 1.0]
    reason = prepare_page(Entry(path), CANVAS)
    assert reason == "'r1.hea' does not fit the recipe. It reads pages; render the recordings with ecglens render."


def test_a_record_with_other_samples_is_prepared_again(tmp_path):
    recipe, places = LeadSignals(leads=("I",)), []
    for seed in (0, 1):
        signal = np.random.default_rng(seed).normal(0, 0.2, (1, 1000)).astype(np.float32)
        path = write_record(EcgRecord(signal, 100.0, ("I",)), tmp_path / "r1", "wfdb")
        places.append(PageCache(tmp_path / "cache", recipe).fill(entries([path]))[0].tolist())
    assert places == [[0], [1]]
