"""The tutorials run as they stand, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted(
    path for path in (Path(__file__).resolve().parents[2] / "docs" / "tutorials").glob("*.md") if path.stem != "index"
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*\n*(.*?)^```$", re.MULTILINE | re.DOTALL)
NIGHTLY = {"train-and-compare"}
"""Tutorials that take more than a minute; ``make docs`` runs them too."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "tutorial",
    [pytest.param(path, marks=[pytest.mark.nightly] * (path.stem in NIGHTLY)) for path in TUTORIALS],
    ids=lambda path: path.stem,
)
def test_a_tutorial_runs(tutorial, tmp_path):
    cells = CELL.findall(tutorial.read_text(encoding="utf-8"))
    assert len(cells) >= 4
    environment = {**os.environ, "MPLBACKEND": "agg", "ECGLENS_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(cells)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_there_are_four():
    assert len(TUTORIALS) == 4
