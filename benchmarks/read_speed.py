"""Measure the time for a page on one core, compared with decoding its JPEG and with the plain Keras-style way.

Bars: the whole chain takes at most 4 times the decoding and at most 120 ms; process start to first answer at most 2 s;
peak memory at most 400 MB.

The *chain* is ``ecglens.reading.examine`` on the bytes of a file: decoding, locating the leads, predicting. The *plain
way* is what most published code does: decode in full with Pillow, convert to RGB, resize to a square, and run a
framework's module in eager mode on it; no lead is located, and header and footer are in the picture. Its modules are
the same compact CNN and timm's ResNet-50, both with random weights: only their time counts.

All contestants take turns on each page, in a random order for each, so that other work on the machine affects all
equally. Starts are measured in fresh processes on the same core, their memory as the peak resident set of the process.
"""

import os

# One core and one thread for all: the libraries of numpy and torch count the cores when they are loaded.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import contextlib
import io
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ecglens.reading import examine, load_runtime

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT.parent / "shared" / "data" / "mendeley" / "originals"
BARS = {"ratio": 4.0, "chain_ms": 120.0, "start_s": 2.0, "memory_mb": 400.0}

LAUNCHER = """
import os, resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Starts a process from a small one: Linux counts the memory of the parent towards the peak of its child."""

Contestant = Callable[[bytes], object]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="?", type=Path, default=PAGES, help="folder of JPEGs")
    parser.add_argument("--model", help="name or folder of a model; by default the shipped one")
    parser.add_argument("--rounds", type=int, default=3, help="how often each page is read by each contestant")
    parser.add_argument("--starts", type=int, default=5, help="how many processes are started of each kind")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/read_speed.md")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    files = {path: path.read_bytes() for path in sorted(options.pages.glob("*.jpg"))}
    if not files:
        sys.exit(f"Expected a folder with JPEGs of ECG pages, got none in {options.pages}.")
    times = take_turns(contestants(options.model), list(files.values()), rounds=options.rounds)
    starts = measure_starts(start_commands(next(iter(files)), options.model), options.starts)
    report = table(times, starts, files, options.pages)
    print(report)
    if options.write:
        (ROOT / "benchmarks" / "read_speed.md").write_text(report + "\n", encoding="utf-8")


def contestants(model: str | None) -> dict[str, Contestant]:
    """Return every way to read the bytes of a page, not warmed up yet."""
    load_runtime(model)
    return {
        "JPEG decode alone (cv2.imdecode)": lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
        "ecglens, the whole chain": lambda data: examine(data, model=model),
        **plain_ways(),
    }


def plain_ways() -> dict[str, Contestant]:
    """Return ways that decode in full, resize and run eagerly; none if torch and timm are not installed."""
    try:
        import timm
        import torch

        from ecglens.models.zoo import compact_cnn
    except ModuleNotFoundError:
        return {}
    torch.set_num_threads(1)
    compact, resnet = compact_cnn().eval(), timm.create_model("resnet50", num_classes=4).eval()

    def plain(module: torch.nn.Module, side: int, mode: str) -> Contestant:
        def read(data: bytes) -> object:
            image = Image.open(io.BytesIO(data)).convert("RGB").convert(mode).resize((side, side))
            array = np.atleast_3d(np.asarray(image, dtype=np.float32)).transpose(2, 0, 1) / 255
            with torch.no_grad():
                return module(torch.from_numpy(array.copy())[None]).softmax(1).numpy()

        return read

    return {
        "plain way: Pillow, 384 x 384, compact CNN in eager torch": plain(compact, 384, "L"),
        "plain way: Pillow, 224 x 224, ResNet-50 in eager torch": plain(resnet, 224, "RGB"),
        "plain way: Pillow, 384 x 384, ResNet-50 in eager torch": plain(resnet, 384, "RGB"),
    }


def take_turns(ways: dict[str, Contestant], pages: list[bytes], *, rounds: int) -> dict[str, np.ndarray]:
    """Measure the seconds of each contestant, ``(rounds * pages,)``, in the same order of pages.

    Each first reads another page, which is not timed, so that no contestant pays for the caches and the memory that the
    one before it has emptied.
    """
    rng = np.random.default_rng(0)
    for read in ways.values():
        read(pages[0])
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for data in pages:
            for name in rng.permutation(list(ways)):
                ways[name](pages[0])
                began = time.perf_counter()
                ways[name](data)
                times[name].append(time.perf_counter() - began)
    return {name: np.array(values) for name, values in times.items()}


def start_commands(page: Path, model: str | None) -> dict[str, list[str]]:
    """Return commands that start, read one page and stop."""
    code = f"import ecglens; print(ecglens.read({str(page)!r}, model={model!r}).label)"
    command = [str(Path(sys.executable).parent / "ecglens"), "read", "--no-measure", str(page)]
    return {
        'python -c "import ecglens; ecglens.read(page)"': [sys.executable, "-c", code],
        "ecglens read --no-measure PAGE": command + (["--model", model] if model else []),
    }


def measure_starts(commands: dict[str, list[str]], count: int) -> dict[str, tuple[np.ndarray, float]]:
    """Measure ``count`` processes of each kind, in turns: their seconds, and the largest of their peak memories, MB."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(count + 1):
        for name, command in commands.items():
            launched = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], capture_output=True)
            if launched.returncode:
                sys.exit(f"'{shlex.join(command)}' failed: {launched.stderr.decode()}")
            took, peak = launched.stdout.split()[-2:]
            seconds[name].append(float(took))
            memory[name].append(float(peak) / (1e6 if sys.platform == "darwin" else 1e3))
    # The first of each fills the disk cache and is not counted.
    return {name: (np.array(seconds[name][1:]), max(memory[name])) for name in commands}


def table(
    times: dict[str, np.ndarray], starts: dict[str, tuple[np.ndarray, float]], files: dict[Path, bytes], folder: Path
) -> str:
    """Format the table in Markdown, with bars next to the results."""
    decode, chain = times["JPEG decode alone (cv2.imdecode)"], times["ecglens, the whole chain"]
    ratio, chain_ms = float(np.median(chain) / np.median(decode)), 1000 * float(np.median(chain))
    rows = []
    for name, seconds in times.items():
        low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75)) * 1000
        bar = f"<= {BARS['chain_ms']:.0f} ms: {verdict(chain_ms, 'chain_ms')}" if seconds is chain else ""
        times_decode = float(np.median(seconds) / np.median(decode))
        rows.append(f"| {name} | {median:.1f} ms | {low:.1f} to {high:.1f} ms | {times_decode:.2f} | {bar} |")
    rows.append(f"| chain over decode | {ratio:.2f} | | | <= {BARS['ratio']:.0f}: {verdict(ratio, 'ratio')} |")
    for name, (seconds, memory) in starts.items():
        low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75))
        bar = f"<= {BARS['start_s']:.0f} s: {verdict(median, 'start_s')}"
        rows.append(f"| start to first answer: `{name}` | {median:.2f} s | {low:.2f} to {high:.2f} s | | {bar} |")
        bar = f"<= {BARS['memory_mb']:.0f} MB: {verdict(memory, 'memory_mb')}"
        rows.append(f"| peak memory: `{name}` | {memory:.0f} MB | | | {bar} |")
    command = "python benchmarks/read_speed.py " + shlex.join(shorten(argument) for argument in sys.argv[1:])
    return "\n".join(
        [
            f"`{command.strip()}` at commit {commit()}: {len(files)} JPEGs of `{shorten(str(folder))}`, "
            f"{sizes(files)}; one core of {os.cpu_count()}, {processor()}, Python {platform.python_version()}.",
            "",
            "| step | median | quartiles | times decode | bar |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def verdict(value: float, bar: str) -> str:
    """Return whether a bar is reached, as a word."""
    return "reached" if value <= BARS[bar] else "**missed**"


def shorten(argument: str) -> str:
    """Return a path relative to the repository if it is in its parent folder, other arguments unchanged."""
    path = Path(argument)
    return os.path.relpath(path, ROOT) if path.is_absolute() and path.is_relative_to(ROOT.parent) else argument


def sizes(files: dict[Path, bytes]) -> str:
    """List the sizes of the pages."""
    unique = set()
    for data in files.values():
        with Image.open(io.BytesIO(data)) as image:
            unique.add(image.size)
    return " and ".join(f"{width} x {height}" for width, height in sorted(unique)[:3])


def processor() -> str:
    """Return the name of the processor according to the system."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the commit that was measured."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
