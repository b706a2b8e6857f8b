"""Measure the overhead of reading many pages: time for each, and the memory of the process that drives the batch.

A stub answers in place of a model, so that only the work around it remains: listing, sending by Dask, the processes
that read with their limits, hashing, the journal, the tables and the summary. Each number of entries runs in a fresh
process. Bars: at most 1 ms a page with 1,000,000 entries, where start and end matter least; peak memory of the driver
at most 500 MB for every number. Processor time next to wall-clock time shows how much other programs took away.
"""

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARS = {"ms": 1.0, "mb": 500.0}
BAR_ENTRIES = 1_000_000


def main() -> None:
    """Run each number of entries in a separate process and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", default="10000,100000,1000000", help="numbers of entries, separated by commas")
    parser.add_argument("--workers", type=int, default=2, help="number of processes that read")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/batch_scale.md")
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        print(json.dumps(drive(options.drive, options.workers)))
        return
    rows = []
    for entries in map(int, options.entries.split(",")):
        command = [sys.executable, __file__, "--drive", str(entries), "--workers", str(options.workers)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr)
    report = table(rows, options)
    print(report)
    if options.write:
        (ROOT / "benchmarks" / "batch_scale.md").write_text(report + "\n", encoding="utf-8")


def stub(data: bytes, number: int, stem: str, job: object) -> object:
    """Return the row of a page with a label."""
    from ecglens.batch.job import PageResult

    share = round(struct.unpack("<Q", data)[0] % 1000 / 1000, 3)
    row = {
        "width_px": 2213,
        "height_px": 1572,
        "layout": "3x4+1",
        "px_per_mm_vertical": 7.87,
        "px_per_mm_horizontal": 7.87,
        "px_per_mm_source": "grid",
        "rotation_deg": 0.0,
        "warnings": ["The model was trained on pages of one kind of recorder."],
        "model": "stub",
        "model_version": "1.0",
        "label": "normal" if share > 0.1 else None,
        "abstention": None if share > 0.1 else "uncertain",
        "confidence": share,
        "probability_normal": share,
        "probability_mi": round(1 - share, 3),
    }
    return PageResult(row)


def drive(entries: int, workers: int) -> dict[str, float]:
    """Read a number of entries, eight bytes of one file each, and return times and memory."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from ecglens.batch import Entry, Options, Progress
    from ecglens.batch.job import make_job
    from ecglens.batch.runs import run_job

    moments: dict[str, float] = {}

    def note(progress: Progress) -> None:
        moments.setdefault(progress.state, time.perf_counter())

    def list_parts(path: Path) -> Iterator[Entry]:
        for place in range(entries):
            yield Entry(f"archive/{place // 1000:04}/{place:07}.jpg", str(path), ("tar", 8 * place, 8), f"8 {place}")

    job = replace(make_job(Options()), answer="batch_scale:stub")
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "numbers.bin"
        with content.open("wb") as stream:
            stream.writelines(struct.pack("<Q", place) for place in range(entries))
        began = time.perf_counter()
        result = run_job(list_parts(content), Path(folder) / "out", job, workers=workers, listener=note, pictures=False)
        ended = time.perf_counter()
    if result.pages != entries or result.failures:
        sys.exit(f"Expected {entries} answers, got {result}.")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "entries": entries,
        "seconds": ended - began,
        "listing": moments["reading"] - began,
        "reading": moments["writing"] - moments["reading"],
        "writing": ended - moments["writing"],
        "processor": sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)),
        "driver_mb": peak / (1e6 if sys.platform == "darwin" else 1e3),
    }


def table(rows: list[dict[str, float]], options: argparse.Namespace) -> str:
    """Format the table in Markdown."""
    lines = [
        f"`python benchmarks/batch_scale.py {' '.join(sys.argv[1:])}` at commit {commit()}: {options.workers} "
        f"processes that read, {os.cpu_count()} cores, shared with other programs.",
        "",
        "| entries | all, ms an entry | listing | reading | tables and summary | processor, ms an entry | peak of the "
        "driver | bar |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        parts = ("seconds", "listing", "reading", "writing", "processor")
        each = {name: 1000 * row[name] / row["entries"] for name in parts}
        timed = row["entries"] >= BAR_ENTRIES
        reached = (not timed or each["seconds"] <= BARS["ms"]) and row["driver_mb"] <= BARS["mb"]
        lines.append(
            f"| {row['entries']:,.0f} | {each['seconds']:.3f} | {each['listing']:.3f} | {each['reading']:.3f} | "
            f"{each['writing']:.3f} | {each['processor']:.3f} | {row['driver_mb']:.0f} MB | "
            f"{'<= 1 ms, ' if timed else ''}<= 500 MB: {'reached' if reached else '**missed**'} |"
        )
    return "\n".join(lines)


def commit() -> str:
    """Return the commit that was measured."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
