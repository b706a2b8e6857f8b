"""Whether many pages are read as fast as the cores allow: ``ecglens.batch.run`` beside a loop on one core.

The bar: with the label only, the rate is at least 0.9 times (cores x the rate of ``ecglens.read`` in a loop). Loop and
run take turns over the same files, block by block, and the ratio of each pair counts, since other work on the machine
hits both. The loop has a process and one core to itself, as far as the machine gives it. Where others are at work, a
second core is not there to be had; *loops at once* tells what the machine gives: as many loops as cores, side by side,
each a process of its own. It is no part of the bar. A run's rate is that of its pages between its first answers and its
last, as on an archive of hours; the column *with start* has all of the command's work, starting processes and writing
tables and summary included.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

import ecglens
from ecglens.batch import Entry, Progress, run

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT.parent / "shared" / "data" / "mendeley" / "pages"
BAR = 0.9


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="?", type=Path, default=PAGES, help="folder of pages")
    parser.add_argument("--blocks", type=int, default=5, help="pairs of a loop and a run")
    parser.add_argument("--loop", type=int, default=200, help="pages of a loop")
    parser.add_argument("--times", type=int, default=4, help="how often a run reads the folder")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="also write benchmarks/batch_speed.md")
    parser.add_argument("--one-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    files = sorted(path for path in options.pages.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        sys.exit(f"Expected a folder of pages, but found none in {options.pages}.")
    ecglens.read(files[0])
    if options.one_of is not None:
        print(loop(files, options.loop, options.one_of))
        return
    pairs = []
    for block in range(options.blocks):
        before = loops(options, [block])
        steady, whole = many(files, options.times, options.workers)
        after = loops(options, [block + 1])
        single = 2 / (1 / before + 1 / after)
        pairs.append((single, steady, whole, loops(options, list(range(options.workers)))))
        print("loop {:.1f}/s, run {:.1f}/s, with start {:.1f}/s, loops {:.1f}/s".format(*pairs[-1]), file=sys.stderr)
    report = table(pairs, options, len(files))
    print(report)
    if options.write:
        (ROOT / "benchmarks" / "batch_speed.md").write_text(report + "\n", encoding="utf-8")


def loop(files: list[Path], count: int, block: int) -> float:
    """Pages a second of ``ecglens.read``, one after the other."""
    taken = [files[(block * count + place) % len(files)] for place in range(count)]
    began = time.perf_counter()
    for path in taken:
        ecglens.read(path)
    return count / (time.perf_counter() - began)


def loops(options: argparse.Namespace, numbers: list[int]) -> float:
    """Pages a second of a loop for each number, side by side, together; Dask in this process would hold them up."""
    command = [sys.executable, __file__, str(options.pages), "--loop", str(options.loop), "--one-of"]
    started = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in numbers]
    return sum(float(process.communicate()[0]) for process in started)


def many(files: list[Path], times: int, workers: int) -> tuple[float, float]:
    """Pages a second of a run: between its first answers and its last, and with everything."""
    seen: list[tuple[float, int]] = []

    def note(told: Progress) -> None:
        if told.state == "reading" and told.done:
            seen.append((time.perf_counter(), told.done))

    # The same content again is read again, and has one row.
    entries = [Entry(f"{turn}/{path.name}", str(path), stamp=f"{turn}") for turn in range(times) for path in files]
    with tempfile.TemporaryDirectory() as folder:
        copies = [Entry(each.name, copied(each, Path(folder) / "pages")) for each in entries]
        began = time.perf_counter()
        run(copies, Path(folder) / "out", workers=workers, listener=note)
        ended = time.perf_counter()
    # The first chunk of each process has its start in it.
    first, last = seen[2 * workers], seen[-1]
    return (last[1] - first[1]) / (last[0] - first[0]), len(copies) / (ended - began)


def copied(entry: Entry, folder: Path) -> str:
    """Another path to the same bytes."""
    path = folder / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(entry.address)
    return str(path)


def table(pairs: list[tuple[float, float, float, float]], options: argparse.Namespace, files: int) -> str:
    """One table in Markdown, the bar beside what was measured."""
    ratios = [steady / (options.workers * single) for single, steady, _, _ in pairs]
    starts = [whole / (options.workers * single) for single, _, whole, _ in pairs]
    given = [steady / together for _, steady, _, together in pairs]
    ratio = statistics.median(ratios)
    verdict = "reached" if ratio >= BAR else "**missed**"
    rows = [
        f"| {number + 1} | {single:.1f} | {together:.1f} | {steady:.1f} | {ratio:.2f} | {start:.2f} | {share:.2f} |"
        for number, ((single, steady, _, together), ratio, start, share) in enumerate(
            zip(pairs, ratios, starts, given, strict=True)
        )
    ]
    command = f"python benchmarks/batch_speed.py {shlex.join(sys.argv[1:])}".strip()
    return "\n".join(
        [
            f"`{command}` at commit {commit()}: {files} pages of `{os.path.relpath(options.pages, ROOT)}`, "
            f"{options.times} times each in a run; {options.workers} processes on {os.cpu_count()} cores, "
            "others at work.",
            "",
            "| pair | loop, pages/s | loops at once | run | run / (cores x loop) | with start and tables "
            "| run / loops at once |",
            "|---|---|---|---|---|---|---|",
            *rows,
            f"| median | | | | {ratio:.2f}, bar >= {BAR:.1f}: {verdict} | {statistics.median(starts):.2f} | "
            f"{statistics.median(given):.2f} |",
        ]
    )


def commit() -> str:
    """The commit that was measured."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
