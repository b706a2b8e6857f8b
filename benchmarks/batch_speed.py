"""Compare the speed of ``ecglens.batch.run`` with a loop on one core: it should be as fast as the cores allow.

The bar: with the label only, the rate is at least 0.9 times (cores x the rate of ``ecglens.read`` in a loop). Loop and
run take turns over the same files, block by block, and the ratio of each pair counts, since other work on the machine
affects both. The loop runs in one process on one core. Where other programs use the machine, a second core is not fully
available; *loops at once* measures what is: as many loops as cores at the same time, each in its own process. It is not
part of the bar. The rate of a run counts its pages between the first and the last answers, as in an archive that takes
hours; the column *with start* includes all of the command's work, such as starting processes and writing tables.
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
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="?", type=Path, default=PAGES, help="folder of pages")
    parser.add_argument("--blocks", type=int, default=5, help="pairs of a loop and a run")
    parser.add_argument("--loop", type=int, default=200, help="pages of a loop")
    parser.add_argument("--times", type=int, default=4, help="how often a run reads the folder")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes of a run")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/batch_speed.md")
    parser.add_argument("--one-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    files = sorted(path for path in options.pages.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        sys.exit(f"Expected a folder of pages, got none in {options.pages}.")
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
    """Measure the pages a second of ``ecglens.read``, one after the other."""
    paths = [files[(block * count + place) % len(files)] for place in range(count)]
    began = time.perf_counter()
    for path in paths:
        ecglens.read(path)
    return count / (time.perf_counter() - began)


def loops(options: argparse.Namespace, numbers: list[int]) -> float:
    """Measure the pages a second of simultaneous loops, one for each number, in sum; Dask would slow them down here."""
    command = [sys.executable, __file__, str(options.pages), "--loop", str(options.loop), "--one-of"]
    started = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in numbers]
    return sum(float(process.communicate()[0]) for process in started)


def many(files: list[Path], times: int, workers: int) -> tuple[float, float]:
    """Measure the pages a second of a run: between its first answers and its last, and in all."""
    moments: list[tuple[float, int]] = []

    def note(progress: Progress) -> None:
        if progress.state == "reading" and progress.done:
            moments.append((time.perf_counter(), progress.done))

    # Repeated content is read again, and has one row.
    entries = [Entry(f"{turn}/{path.name}", str(path), stamp=f"{turn}") for turn in range(times) for path in files]
    with tempfile.TemporaryDirectory() as folder:
        copies = [Entry(each.name, link_page(each, Path(folder) / "pages")) for each in entries]
        began = time.perf_counter()
        run(copies, Path(folder) / "out", workers=workers, listener=note)
        ended = time.perf_counter()
    # The first chunk of each process includes its start.
    first, last = moments[2 * workers], moments[-1]
    return (last[1] - first[1]) / (last[0] - first[0]), len(copies) / (ended - began)


def link_page(entry: Entry, folder: Path) -> str:
    """Create another path to the same bytes."""
    path = folder / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(entry.address)
    return str(path)


def table(pairs: list[tuple[float, float, float, float]], options: argparse.Namespace, files: int) -> str:
    """Format the table in Markdown, with the bar next to the result."""
    ratios = [steady / (options.workers * single) for single, steady, _, _ in pairs]
    starts = [whole / (options.workers * single) for single, _, whole, _ in pairs]
    available = [steady / together for _, steady, _, together in pairs]
    ratio = statistics.median(ratios)
    verdict = "reached" if ratio >= BAR else "**missed**"
    rows = [
        f"| {number + 1} | {single:.1f} | {together:.1f} | {steady:.1f} | {ratio:.2f} | {start:.2f} | {share:.2f} |"
        for number, ((single, steady, _, together), ratio, start, share) in enumerate(
            zip(pairs, ratios, starts, available, strict=True)
        )
    ]
    command = f"python benchmarks/batch_speed.py {shlex.join(sys.argv[1:])}".strip()
    return "\n".join(
        [
            f"`{command}` at commit {commit()}: {files} pages of `{os.path.relpath(options.pages, ROOT)}`, "
            f"{options.times} times each in a run; {options.workers} processes on {os.cpu_count()} cores, "
            "shared with other programs.",
            "",
            "| pair | loop, pages/s | loops at once | run | run / (cores x loop) | with start and tables "
            "| run / loops at once |",
            "|---|---|---|---|---|---|---|",
            *rows,
            f"| median | | | | {ratio:.2f}, bar >= {BAR:.1f}: {verdict} | {statistics.median(starts):.2f} | "
            f"{statistics.median(available):.2f} |",
        ]
    )


def commit() -> str:
    """Return the commit that was measured."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
