"""Origin of a run: command, code and versions, so that its figures can be reproduced."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_origin"]

_PACKAGES = ("ecglens", "torch", "torchvision", "timm", "numpy", "scikit-learn", "opencv-python-headless")


def describe_origin(command: str) -> dict[str, object]:
    """Describe command, git state of the code, versions and machine, in plain types.

    Args:
        command: Command line.
    """
    return {
        "command": command,
        "git": _git_state(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _git_state() -> dict[str, object] | None:
    """Return the commit of this code and whether it was changed since; ``None`` outside a git checkout."""
    here = Path(__file__).parent
    try:
        commit, changes = (
            subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=20).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "changed": bool(changes.strip())}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
