import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.demo import FOLDER, demo_pages
from ecglens.labels import TITLES
from ecglens.layouts import LAYOUTS
from ecglens.pages import read_page

PAGES = {page.name: page for page in demo_pages()}


def test_a_handful_ships_one_for_each_label_small_enough_to_send():
    assert {page.label for page in PAGES.values()} == set(TITLES)
    assert len(PAGES) == 6
    assert all(page.path.stat().st_size < 300_000 for page in PAGES.values())
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 2_000_000


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_read_and_carries_its_truth(name):
    page, truth = read_page(PAGES[name].path), json.loads(PAGES[name].truth.read_text())
    assert not page.warnings
    assert [page.height, page.width] == truth["clean_size_px"]
    assert {lead["lead"] for lead in truth["leads"]} == set(LAYOUTS[truth["layout"]].leads)
    for lead in truth["leads"]:
        signal = np.array(lead["signal_mv"], dtype=float)
        assert len(signal) == truth["fs_hz"] * (10 if lead["rhythm"] else 2.5)
        assert 0.1 < np.ptp(signal) < 8


@pytest.mark.parametrize(
    "name", [name for name, page in PAGES.items() if not json.loads(page.truth.read_text())["mesh"]]
)
def test_the_trace_lies_where_the_truth_says(name):
    gray = read_page(PAGES[name].path).pixels.min(axis=2)
    truth = json.loads(PAGES[name].truth.read_text())
    for lead in truth["leads"]:
        signal = np.array(lead["signal_mv"])
        columns = lead["x0_px"] + np.arange(len(signal)) / truth["fs_hz"] * truth["speed_mm_s"] * truth["px_per_mm"]
        rows = lead["baseline_px"] - signal * truth["gain_mm_mv"] * truth["px_per_mm"]
        at = gray[np.clip(rows.round().astype(int), 0, len(gray) - 1), columns.round().astype(int)]
        assert np.median(at) < 110


def test_the_license_and_source_are_next_to_the_pages():
    note = " ".join((FOLDER / "LICENSE.md").read_text().split())
    assert "PTB-XL" in note
    assert "CC BY 4.0" in note
    assert "the printed heart rate is the record's" in note


def test_the_command_writes_them_all(tmp_path):
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [str(tmp_path / "out" / f"{name}.jpg") for name in PAGES]
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(PAGES) + 1
