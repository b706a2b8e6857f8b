import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets import sources
from ecglens.datasets.explore import explore
from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError, MissingExtraError

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def folder(tmp_path) -> Path:
    for label, name in (("normal", "Normal_1.jpg"), ("mi", "MI_26.jpg")):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / name).write_bytes((DATA / name).read_bytes())
    (tmp_path / "set" / "mi" / "bad.jpg").write_text("x")
    return tmp_path / "set"


def test_exploring_counts_shows_and_writes_outside_the_data(folder, tmp_path):
    overview = explore(sources.from_path(folder))
    assert overview.to_dict()["counts"] == {"mi": {"": 2}, "normal": {"": 1}}
    assert overview.broken == ("bad.jpg",)
    assert overview.to_dict()["sizes"] == {"1107 x 786": 2}
    overview.write(tmp_path / "out", plots=False)
    assert "1107 x 786" in (tmp_path / "out" / "index.html").read_text()
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"samples-0.png", "samples-1.png"}
    with pytest.raises(DatasetError, match="none of 1 files is one"):
        explore(sources.from_path(folder).subset([1]))


def test_the_distributions_are_drawn_and_shown_on_the_page(folder, tmp_path):
    pytest.importorskip("matplotlib")
    rows = [
        replace(row, label="$a_<b>", extra=MappingProxyType({"printed_rate_bpm": str(60 + number)}))
        for number, row in enumerate(sources.from_path(folder))
    ]
    explore(Recordings(tuple(rows))).write(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    for name in ("sizes", "brightness", "rates"):
        assert f'src="{name}.png"' in page
        plot = cv2.imread(str(tmp_path / "out" / f"{name}.png"))
        assert plot.shape[1] == 825
        assert (plot < 200).mean() > 0.01
    assert "<b>" not in page


def test_without_matplotlib_plots_are_refused_with_the_line_that_installs_it(folder, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "out"
    refused = CliRunner().invoke(app, ["explore", str(folder), "--out", str(out)])
    assert refused.exit_code != 0
    assert isinstance(refused.exception, MissingExtraError)
    assert "pip install 'ecglens[report]'" in str(refused.exception)
    assert not out.exists()
    assert CliRunner().invoke(app, ["explore", str(folder), "--out", str(out), "--no-plots"]).exit_code == 0
    assert (out / "index.html").is_file()
