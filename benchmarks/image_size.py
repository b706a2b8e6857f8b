"""Measure the size of the image that the Dockerfile builds, from its layers, without a container engine.

python benchmarks/image_size.py [--python python3.12] [--extras web,mysql] > benchmarks/image_size.md
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
BASE_MB = 125
"""python:3.12-slim-bookworm for amd64, unpacked, as `docker image ls` shows it; not measured here."""
LIBRARIES_MB = 1
"""libmariadb3 with mariadb-common: Installed-Size 553 KiB and below 100 KiB in Debian 12."""
LIMIT_MB = 700


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--extras", default=extras(), help="extras to install, separated by commas")
    parser.add_argument("--python", default=sys.executable, help="Python of the environment; the image has Python 3.12")
    arguments = parser.parse_args()
    chosen = arguments.extras
    with TemporaryDirectory() as name:
        venv = Path(name) / "venv"
        uv = [str(Path(sys.executable).with_name("uv"))]
        run([*uv, "venv", "--quiet", "--python", arguments.python, str(venv)])
        install = [*uv, "pip", "install", "--quiet", "--python", str(venv / "bin" / "python")]
        run([*install, "--constraint", "constraints.txt", f".[{chosen}]"])
        run([sys.executable, "deploy/slim.py", str(venv)])
        run([str(venv / "bin" / "python"), "-m", "compileall", "-q", str(venv / "lib")])
        packages = next(venv.glob("lib/python3.*/site-packages"))
        by_package = {path.name: size_mb(path) for path in packages.iterdir()}
        whole = size_mb(venv)
        version = packages.parent.name.removeprefix("python")
    total = BASE_MB + LIBRARIES_MB + whole
    print("# Size of the image\n")
    print(f"`python benchmarks/image_size.py --python python{version} --extras {chosen}`.\n")
    print("| layer | MB |\n|---|---|")
    print(f"| python:3.12-slim-bookworm, known, not measured | {BASE_MB} |")
    print(f"| libmariadb3 | {LIBRARIES_MB} |")
    print(f"| /opt/ecglens, measured | {whole:.0f} |")
    print(f"| together; the limit is {LIMIT_MB} | {total:.0f} |\n")
    print("Largest packages:\n\n| package | MB |\n|---|---|")
    for package, size in sorted(by_package.items(), key=lambda pair: -pair[1])[:12]:
        print(f"| {package} | {size:.0f} |")
    if "torch" in by_package:
        sys.exit("Expected an image without torch, got one with it.")
    if total > LIMIT_MB:
        sys.exit(f"Expected an image of at most {LIMIT_MB} MB, got {total:.0f} MB.")


def extras() -> str:
    """Return the extras that the Dockerfile installs."""
    match = re.search(r"^ARG EXTRAS=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        sys.exit("Expected ARG EXTRAS=... in the Dockerfile, got none.")
    return match[1]


def size_mb(path: Path) -> float:
    """Return the size of all files below a path, MB; links are not followed."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(each.stat().st_size for each in files if each.is_file() and not each.is_symlink()) / 1e6


def run(command: list[str]) -> None:
    """Run a command in the repository; stop if it fails."""
    subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)


if __name__ == "__main__":
    main()
