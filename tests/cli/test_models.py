import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecglens import explanation_checks
from ecglens.cli import main
from ecglens.cli.app import app
from ecglens.models import keras as importing
from ecglens.models.explain.stored import read_checks
from ecglens.models.networks import NETWORKS
from ecglens.records import Check, ModelChecks
from ecglens.settings import load_settings

FLAGS = ["--labels", "normal, mi", "--title", "From elsewhere", "--license", "CC0"]


def run(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def test_every_model_of_the_zoo_is_listed_without_torch(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("--zoo")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    for name, network in NETWORKS.items():
        assert f"{network.parameters:,}" in lines[name]
    assert "page 3 x 150 x 150" in lines["crnn_lead"]
    assert "page 1 x 304 x 512, signal 24 x 250" in lines["fusion"]
    assert "timm" in lines["resnet50"]
    assert {"NAME+lstm", "timm:NAME"} < set(lines)


@pytest.mark.parametrize("flags", [(), ("--zoo",)])
@pytest.mark.parametrize("columns", ["30", "60"])
def test_the_lists_of_models_follow_the_width_of_the_terminal(monkeypatch, columns, flags):
    monkeypatch.setenv("COLUMNS", columns)
    result = run(*flags)
    assert max(map(len, result.stdout.splitlines())) <= int(columns)
    assert any(line.startswith("  compact_cnn,") for line in result.stdout.splitlines())


def test_a_model_that_cannot_be_used_is_reported_below_the_list(monkeypatch, tmp_path):
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "model.json").write_text('{"name":')
    (tmp_path / "cut" / "model.onnx").touch()
    monkeypatch.setenv("ECGLENS_MODELS_DIR", str(tmp_path))
    load_settings.cache_clear()
    result = run()
    load_settings.cache_clear()
    assert result.exit_code == 0
    assert "compact_cnn" in result.stdout
    assert result.stderr.startswith("ecglens: left out of the list: The card model.json in ")
    assert result.stderr.endswith("it is damaged or no JSON; export the model again.\n")


@pytest.fixture
def imported(monkeypatch, tmp_path):
    """Replace the import of a model, and return its arguments."""
    calls = []

    def fake(file, folder, **options):
        folder.mkdir()
        (folder / "card.md").write_text("# The card\n", encoding="utf-8")
        calls.append((file.name, folder.name, options))

    monkeypatch.setattr(importing, "import_keras", fake)
    return calls


def test_the_old_spelling_of_license_is_still_accepted(imported, tmp_path):
    words = ["--licence" if word == "--license" else word for word in FLAGS]  # codespell:ignore licence
    result = run("import", tmp_path / "own.h5", "--out", tmp_path / "own", *words)
    assert result.exit_code == 0, result.output
    ((_, _, options),) = imported
    assert options["license"] == "CC0"


def test_flags_become_the_input_recipe(imported, tmp_path):
    flags = ["--steps", "gray,clahe", "--mean", "0.5", "--std", "0.2,0.3,0.4", "--area", "page", "--width", "64"]
    result = run("import", tmp_path / "own.h5", "--out", tmp_path / "own", *FLAGS, *flags, "--bgr", "--any-print")
    assert result.exit_code == 0, result.output
    assert "# The card" in result.stdout
    ((file, folder, options),) = imported
    assert (file, folder) == ("own.h5", "own")
    assert options["recipe"] == {
        "kind": "page_image",
        "steps": ["gray", "clahe"],
        "mean": 0.5,
        "std": (0.2, 0.3, 0.4),
        "known_print": False,
        "area": "page",
        "width": 64,
    }
    assert options["labels"] == ["normal", "mi"]
    assert options["flip_colors"] is True


def test_a_model_of_crops_aggregates_its_leads(imported, tmp_path):
    assert (
        run("import", "own.h5", "--out", tmp_path / "own", *FLAGS, "--crops", "--aggregate", "majority").exit_code == 0
    )
    recipe = imported[0][2]["recipe"]
    assert (recipe["kind"], recipe["aggregate"]) == ("lead_crops", "majority")
    assert "area" not in recipe


def test_a_number_that_is_none_is_refused(imported, tmp_path):
    result = run("import", "own.h5", "--out", tmp_path / "own", *FLAGS, "--mean", "half")
    assert result.exit_code == 2
    assert "expected one number or one for each channel" in re.sub(r"\W+", " ", result.output)
    assert imported == []


def test_a_file_that_is_no_keras_model_is_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "noise.h5").write_bytes(b"noise")
    monkeypatch.setattr(
        sys,
        "argv",
        ["ecglens", "models", "import", str(tmp_path / "noise.h5"), "--out", str(tmp_path / "own"), *FLAGS],
    )
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == (
        "ecglens: Expected a model that Keras saved, but 'noise.h5' cannot be read as one.\n"
    )


@pytest.fixture
def checks(monkeypatch):
    """Replace the checks of explanations by a fixed result, and return the arguments of the calls."""
    calls = []

    def fake(pages, runtime, *, methods=None):
        calls.append((list(pages), methods))
        card = runtime.card
        checks = {"occlusion_lead": (Check("deletion", False, "On few pages.", {"better": 0.5}),)}
        return ModelChecks(card.name, card.version, card.graph_sha256, 1, checks, {}, {"occlusion_lead": {}})

    monkeypatch.setattr(explanation_checks, "check_explanations", fake)
    return calls


def test_checks_of_explanations_are_stored_and_printed(checks, tmp_path):
    page = Path(__file__).parents[1] / "data" / "HB_1.jpg"
    flags = ["--method", "occlusion_lead", "--out", tmp_path / "checks"]
    result = run("check-explanations", "compact_cnn", page, *flags)
    assert result.exit_code == 0, result.output
    assert "| occlusion_lead | failed | failed: better 0.500 |" in result.stdout
    ((pages, methods),) = checks
    assert ([page.source for page in pages], methods) == (["HB_1.jpg"], ["occlusion_lead"])
    assert read_checks(tmp_path / "checks").pages == 1
    assert "| occlusion_lead | failed |" in (tmp_path / "checks" / "card.md").read_text(encoding="utf-8")
