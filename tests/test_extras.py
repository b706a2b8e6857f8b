"""Optional dependencies, and the error that names the extra which installs one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglens.errors import MissingExtraError
from ecglens.extras import is_installed, require


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder of modules that can be imported; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_is_imported_only_when_it_is_required(folder: Path) -> None:
    (folder / "an_extra").mkdir()
    (folder / "an_extra" / "__init__.py").write_text("")
    (folder / "an_extra" / "part.py").write_text("VALUE = 7\n")
    assert is_installed("an_extra")
    assert "an_extra" not in sys.modules
    assert require("an_extra.part", extra="train").VALUE == 7


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.figure", "json.no_such_part"])
def test_what_is_missing_names_its_package_and_the_extra(module: str) -> None:
    package = module.partition(".")[0]
    message = rf"This needs {package}, which is not installed; install it with: pip install 'ecglens\[train\]'"
    with pytest.raises(MissingExtraError, match=message):
        require(module, extra="train")
    assert is_installed(package) is (package == "json")


def test_a_module_that_lacks_something_else_is_not_called_missing(folder: Path) -> None:
    (folder / "an_extra.py").write_text("import no_such_dependency\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("an_extra", extra="train")
    (folder / "another_extra.py").write_text("raise ImportError('it is broken')\n")
    with pytest.raises(ImportError, match="it is broken"):
        require("another_extra", extra="train")
