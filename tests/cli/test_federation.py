import csv
from importlib import import_module

import numpy as np
import pytest
from tiny_runs import write_recordings
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.errors import MissingExtraError, TrainingError
from ecglens.formats.wfdb import write_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

TINY = """
model = "compact_cnn"
title = "Tiny"
labels = ["mi", "normal"]
[input]
kind = "trace_canvas"
width = 96
height = 64
[optimization]
epochs = 1
batch_size = 4
precision = "float32"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder, pages=16).to_csv(folder / "recordings.csv")
    (folder / "tiny.toml").write_text(TINY)
    return folder


def call(*words):
    return CliRunner().invoke(app, ["federate", *map(str, words)])


def simulate(data, out, *options):
    paths = ["--data", data / "recordings.csv", "--out", out, "--cache", data / "cache", "--folds", 2]
    return call("simulate", data / "tiny.toml", *paths, "--sites", "label-skew:100:2", *options)


def test_a_simulation_reports_its_folds_and_each_site(data, tmp_path):
    answer = simulate(data, tmp_path / "out", "--fit")
    assert answer.exit_code == 0, answer.output
    assert "seed 0, fold 2 of 2, 2 sites: " in answer.output
    assert "seed 0, site 1: " in answer.output
    assert "test pages correct, calibration error " in answer.output
    assert "fitted on all 16 recordings of 2 sites" in answer.output
    assert f"The run is complete in {tmp_path / 'out'}." in answer.output
    again = simulate(data, tmp_path / "out", "--fit", "--resume")
    assert again.exit_code == 0, again.output


def test_settings_that_do_not_fit_are_refused_before_any_work(data, tmp_path):
    answer = simulate(data, tmp_path / "out", "--strategy", "mean")
    assert isinstance(answer.exception, TrainingError)
    assert str(answer.exception).startswith("Expected a strategy out of fedavg, fedprox")
    assert not (tmp_path / "out").exists()


def test_a_server_names_a_certificate_that_is_missing(data, tmp_path):
    files = ["--ca", tmp_path / "ca.crt", "--certificate", tmp_path / "s.crt", "--key", tmp_path / "s.key"]
    answer = call("server", data / "tiny.toml", "--out", tmp_path / "out", *files, "--site", f"a={tmp_path / 'a.pub'}")
    assert isinstance(answer.exception, TrainingError)
    assert "ca.crt', but there is no such file" in str(answer.exception)


def test_a_site_of_the_server_needs_a_name_and_a_file(data, tmp_path):
    files = ["--ca", "ca.crt", "--certificate", "s.crt", "--key", "s.key"]
    answer = call("server", data / "tiny.toml", "--out", tmp_path / "out", *files, "--site", "a.pub")
    assert answer.exit_code == 2
    assert "expected a site as NAME=FILE, got 'a.pub'" in answer.output


def test_a_site_audits_its_pages_before_it_joins(data, tmp_path):
    paths = ["--data", data / "recordings.csv", "--folder", tmp_path / "site"]
    answer = call("site", *paths, "--server", "localhost:1", "--ca", tmp_path / "ca.crt", "--key", tmp_path / "key")
    assert isinstance(answer.exception, TrainingError)
    assert "1 are surplus copies" in answer.output
    assert (tmp_path / "site" / "recordings.csv").exists()


def test_without_flower_one_sentence_names_the_extra(data, tmp_path, monkeypatch):
    def refuse(name):
        if name == "flwr":
            raise ModuleNotFoundError("No module named 'flwr'", name="flwr")
        return import_module(name)

    monkeypatch.setattr("ecglens.extras.import_module", refuse)
    answer = simulate(data, tmp_path / "out")
    assert isinstance(answer.exception, MissingExtraError)
    assert "This needs flwr, which is not installed; install it with: pip install 'ecglens[federate]'" in str(
        answer.exception
    )


@pytest.fixture
def ptbxl(tmp_path):
    """Write 12 records of two devices in PTB-XL's official form."""
    time = np.arange(5000) / 500
    rng, rows = np.random.default_rng(0), []
    (tmp_path / "records500").mkdir()
    for number in range(12):
        beat = np.exp(-(((time % 0.8) - 0.3) ** 2) / 2e-4) * (1 if number % 2 else -1)
        signals = (beat + rng.normal(0, 0.02, (12, 5000))).astype(np.float32)
        write_wfdb(EcgRecord(signals, 500.0, STANDARD_LEADS), tmp_path / "records500" / f"{number}.hea")
        code = "{'NORM': 100.0}" if number % 2 else "{'IMI': 100.0}"
        rows.append([number, number // 2, code, f"records500/{number}", "CS-12" if number < 6 else "AT-6"])
    statements = [["", "diagnostic", "diagnostic_class"], ["NORM", "1.0", "NORM"], ["IMI", "1.0", "MI"]]
    table = [["ecg_id", "patient_id", "scp_codes", "filename_hr", "device"], *rows]
    for name, lines in (("scp_statements", statements), ("ptbxl_database", table)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(lines)
    return tmp_path


def test_the_model_of_signals_is_trained_over_devices(ptbxl):
    answer = call("simulate-signals", ptbxl, "--out", ptbxl / "run", "--rounds", 1, "--folds", 2)
    assert answer.exit_code == 0, answer.output
    assert "fold 2 of 2: 2 sites, 1 rounds" in answer.output
    assert "12 whole recordings out of fold, 2 sites: macro AUROC " in answer.output
