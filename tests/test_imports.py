"""Cost of an import, extras that serving does without, and the names that modules offer."""

import importlib
import os
import pkgutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ecglens

DATA = Path(__file__).resolve().parent / "data"
TRAINING = ("torch", "torchvision", "timm", "sklearn", "matplotlib", "onnx", "onnxscript", "safetensors")
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(ecglens.__path__, "ecglens.") if ".migrations" not in module.name
)
EXPORTED = [
    *("Abstention", "Box", "EcgLensError", "EcgReadError", "EcgRecord", "Explanation", "Layout", "LeadBox", "Located"),
    *("NotFound", "Page", "Prediction", "Reading", "Tracing", "__version__", "digitize", "digitize_joined"),
    *("examine", "explain", "read", "read_record"),
    *("iterate_pages", "list_models", "read_many", "ArgumentError", "BatchError", "DatasetError", "MissingExtraError"),
    *(
        "examine_record",
        "RecordReading",
        "MissingDataError",
        "MissingFileError",
        "MissingModelError",
        "MissingSourceError",
        "ModelError",
        "RenderError",
        "SettingsError",
        "StreamError",
        "TrainingError",
    ),
    *("Model", "create_model", "fine_tune", "load_model", "assess", "Corrections"),
]


def fresh(code: str, *arguments: object) -> str:
    """Return what a fresh process prints."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_ecglens_loads_the_standard_library_only():
    loaded = fresh(
        """
        import sys
        before = set(sys.modules)
        import ecglens
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
        """
    ).split()
    assert "ecglens" in loaded
    foreign = [name for name in loaded if name not in sys.stdlib_module_names]
    assert foreign == ["ecglens"]


def test_importing_ecglens_loads_only_its_leaves():
    loaded = fresh("import ecglens, sys; print(*(name for name in sys.modules if name.startswith('ecglens')))")
    assert sorted(loaded.split()) == ["ecglens", "ecglens.errors"]


def test_serving_reads_a_page_without_any_training_library(tmp_path):
    from tiny_models import write_model

    write_model(tmp_path / "tiny", (0.0, 5.0))
    answered = fresh(
        f"""
        import sys
        for name in {TRAINING!r}:
            sys.modules[name] = None
        import ecglens.web.project.wsgi
        import ecglens.reading
        print(ecglens.reading.read(sys.argv[1], model=sys.argv[2]).label)
        left = [name for name in sys.modules if name.partition(".")[0] in {TRAINING!r} and sys.modules[name]]
        print(left, [name for name in sys.modules if name.startswith(("ecglens.models.zoo", "ecglens.models.train"))])
        """,
        DATA / "MI_26.jpg",
        tmp_path / "tiny",
    )
    assert answered.splitlines() == ["mi", "[] []"]


def test_the_package_offers_these_names_and_all_of_them_exist():
    assert sorted(EXPORTED) == sorted(ecglens.__all__)
    for name in EXPORTED:
        assert getattr(ecglens, name) is not None
    with pytest.raises(AttributeError, match="module 'ecglens' has no attribute 'diagnose'"):
        ecglens.diagnose  # noqa: B018 (the lookup is what fails)


def test_all_names_exist_without_torch_and_a_call_says_what_is_missing():
    answered = fresh(
        """
        import importlib.util, sys
        find_spec = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find_spec(name, *rest)
        sys.modules["torch"] = None
        import ecglens
        from ecglens import *
        try:
            ecglens.create_model("compact_cnn", num_classes=2)
        except ecglens.MissingExtraError as error:
            print(error)
        """
    )
    assert answered.strip() == "This needs torch, which is not installed; install it with: pip install 'ecglens[train]'"


def test_the_command_line_starts_without_numpy_and_imports_the_command_that_is_called_only():
    loaded = fresh(
        """
        import contextlib, io, sys
        from ecglens.cli.app import app
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            app(["--help"])
        print(*sorted(name for name in sys.modules if name.startswith("ecglens") or name in {"numpy", "cv2", "rich"}))
        """
    )
    ours = ["ecglens", "ecglens.cli", *(f"ecglens.cli.{name}" for name in ("app", "old_names", "streams"))]
    assert loaded.split() == [*ours, "ecglens.errors"]


@pytest.mark.parametrize("name", MODULES)
def test_every_name_that_a_module_offers_exists_once_and_in_order(name):
    module = importlib.import_module(name)
    offered = list(getattr(module, "__all__", ()))
    assert [missing for missing in offered if not hasattr(module, missing)] == []
    assert len(set(offered)) == len(offered)
    # Constants, then classes, then functions, each by the alphabet, as ruff's RUF022 has it.
    kinds = [(0 if entry.isupper() else 1 if entry[:1].isupper() else 2, entry) for entry in offered]
    assert kinds == sorted(kinds)
