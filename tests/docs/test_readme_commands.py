"""The README's commands, run as they are written where only what `make setup` installs can be imported."""

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
HIDE = """
import sys

HIDDEN = frozenset({names!r})


class WithoutHidden:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *arguments):
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, *arguments)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [WithoutHidden(finder) for finder in sys.meta_path]
"""


def list_commands(title: str) -> list[str]:
    """Return the commands of ecglens in the first block of a section of the README."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    block = re.search(r"```console\n(.+?)```", section, re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for line in block[1].splitlines()]
    return [line for line in lines if line.startswith("ecglens ")]


def list_installed_by_setup() -> set[str]:
    """Return the distributions that `make setup` installs: ecglens with its extras there, and all that these need."""
    extras = re.search(r"\.serving:.+\n.+--editable '\.\[(.+?)\]'", (ROOT / "Makefile").read_text())[1]
    installed: set[str] = set()
    waiting = [("ecglens", extra) for extra in ("", *extras.split(","))]
    visited = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        installed.add(canonicalize_name(name))
        for text in distribution(name).requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                new = {(need.name, each) for each in ("", *need.extras)} - visited
                waiting += new
                visited |= new
    return installed


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Return variables of processes that import no more than what `make setup` installs."""
    installed = list_installed_by_setup()
    hidden = {
        module
        for module, names in packages_distributions().items()
        if not installed & {canonicalize_name(name) for name in names}
    }
    assert {"torch", "timm", "pytest"} < hidden
    folder = tmp_path_factory.mktemp("hide")
    (folder / "sitecustomize.py").write_text(HIDE.format(names=sorted(hidden)))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with files by the names that the README gives them."""
    page = Image.open(DATA / "MI_26.jpg")
    page.save(tmp_path / "page.jpg", quality=95)
    page.save(tmp_path / "file.pdf", save_all=True, append_images=[Image.open(DATA / "HB_1.jpg")], resolution=100)
    for name in ("scans", "SOURCE"):
        (tmp_path / name).mkdir()
        page.save(tmp_path / name / "page.jpg", quality=95)
    (tmp_path / "DIR").mkdir()
    (tmp_path / "DIR" / "ecg.csv").write_bytes((DATA / "ptbxl_00001.csv").read_bytes())
    (tmp_path / "ecg.xml").write_bytes((DATA / "welch_allyn.scp").read_bytes())  # the content tells the format
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", list_commands("Read pages"))
def test_a_command_of_the_readme_runs(command, environment, folder):
    if command.startswith("ecglens stream "):
        pytest.skip("a stream needs a device; tests/streams runs the command against servers on loopback")
    words = command.replace("--out DIR", "--out OUT")
    done = subprocess.run(["bash", "-c", words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_training_command_says_which_extra_it_needs(environment, folder):
    words = shlex.split("ecglens train recipe.toml --data DIR --out runs")
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'ecglens[train]'" in done.stderr
