"""Measure how quickly ecglens starts, compared with the bare imports that it cannot do without.

    python benchmarks/start_speed.py [PAGE] [--rounds 7] [--write]

Each command runs in a fresh process on one core. All commands take turns in each round, so that other work on the
machine affects all equally, and the smallest CPU time of each is compared. A first round, which is not counted, fills
the caches of files and compiled modules.
"""

import argparse
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
ECGLENS = str(Path(sys.executable).with_name("ecglens"))

SHELL, ARRAYS = "import typer, rich", "import numpy, cv2, onnxruntime"
"""Imports of a command line and of a reading: what the two cannot do without."""
READ = "import ecglens, sys; ecglens.read(sys.argv[1])"
BARS = {
    "ecglens --version": (SHELL, 2.0),
    "ecglens --help": (SHELL, 2.0),
    "ecglens.read(PAGE)": (ARRAYS, 2.5),
    "ecglens read PAGE": (ARRAYS, 5.0),
}
"""Largest CPU time of each command in times that of the imports."""
MAX_BATCH_S = 3.0
"""Largest CPU time in which a batch without new pages is over, s."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?", type=Path, default=DATA / "MI_26.jpg", help="file of an ECG page")
    parser.add_argument("--rounds", type=int, default=7, help="how often each command is run")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/start_speed.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        batch = [ECGLENS, "batch", str(DATA), "--out", str(Path(folder) / "batch"), "--workers", "1"]
        commands = {
            SHELL: [sys.executable, "-c", SHELL],
            ARRAYS: [sys.executable, "-c", ARRAYS],
            "ecglens --version": [ECGLENS, "--version"],
            "ecglens --help": [ECGLENS, "--help"],
            "ecglens.read(PAGE)": [sys.executable, "-c", READ, str(options.page)],
            "ecglens read PAGE": [ECGLENS, "read", str(options.page)],
            "ecglens batch, again": batch,
        }
        rounds = [
            {name: measure_cpu_s(command) for name, command in commands.items()} for _ in range(options.rounds + 1)
        ]
    best_s = {name: min(times[name] for times in rounds[1:]) for name in commands}
    report = write_table(best_s, options.rounds)
    print(report)
    if options.write:
        (ROOT / "benchmarks" / "start_speed.md").write_text(report + "\n", encoding="utf-8")


def measure_cpu_s(command: Sequence[str]) -> float:
    """Run a command and return the CPU time of it and its children, in s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_table(best_s: dict[str, float], rounds: int) -> str:
    """Return the report in Markdown.

    Args:
        best_s: Smallest CPU time of each command, s.
        rounds: How often each was run.
    """
    lines = [
        "# Start",
        "",
        f"`{shlex.join(['python', *sys.argv])}` on {platform.system()}, Python {platform.python_version()}, one core; "
        f"smallest CPU time of {rounds} runs that took turns.",
        "",
        "| command | CPU s | beside | ratio | bar |",
        "|---|---|---|---|---|",
    ]
    for base in (SHELL, ARRAYS):
        lines.append(f'| `python -c "{base}"` | {best_s[base]:.2f} | | | |')
        for name, (beside, bar) in BARS.items():
            if beside == base:
                ratio = best_s[name] / best_s[base]
                verdict = "" if ratio <= bar else ", missed"
                lines.append(f"| `{name}` | {best_s[name]:.2f} | `{base}` | {ratio:.2f} | {bar:g}{verdict} |")
    again_s = best_s["ecglens batch, again"]
    verdict = "" if again_s <= MAX_BATCH_S else ", missed"
    lines.append(f"| `ecglens batch`, again with all pages answered | {again_s:.2f} | | | {MAX_BATCH_S:g} s{verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
