from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets.beat_strips import draw_beats
from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_beats_become_strips_by_aami_class_grouped_by_person(tmp_path):
    table = draw_beats(SHARED / "mitbih" / "first10min", tmp_path, most=3, dpi=100)
    assert {"N", "V"} <= set(table.labels) <= {"N", "S", "V", "F", "Q"}
    assert len(set(table.column("group"))) == 4
    back = Recordings.from_csv(tmp_path / "recordings.csv")
    assert len(back) == len(table)
    assert all(row.path.is_file() for row in back)


def test_a_folder_without_marked_records_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected WFDB records with \.atr marks below"):
        draw_beats(tmp_path, tmp_path / "out")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_strips_are_drawn_from_the_command_line(tmp_path):
    options = ("--beats", "--most", "1", "--dpi", "100", "--style", "bare")
    done = CliRunner().invoke(app, ["render", str(SHARED / "mitbih" / "first10min"), str(tmp_path), *options])
    assert done.exit_code == 0
    assert {"N", "V"} <= {path.name for path in tmp_path.iterdir()}
    assert done.stdout.startswith(f"{tmp_path}/recordings.csv: ")
