"""Attack the program with hostile and damaged files, and see whether each is answered or refused in time.

    python benchmarks/attack.py files [--kinds "PDF content" ...]
    python benchmarks/attack.py site
    python benchmarks/attack.py mutations --reads 10000 --digitized 3000
    python benchmarks/attack.py slow | people | uploads | kills | databases | twins

The bars: every file is answered or refused with an error of the program's own, within 10 s and 1 GB for the whole
process tree, while health checks of a site are answered within 1 s and an ordinary page within 3 times its typical
time; of damaged files, nothing but an error of the program's own is raised. Under load, kills and outages of databases,
nothing that was accepted is lost or read twice, and others are served meanwhile (``attack_load.py``).

The hostile files are those of ``tests/support/hostile``, eight of each kind; each is read in a process of its own by
the part of the program that people reach with such a file. Damaged files are those of ``tests/support/mutations.py``;
each has a number from which it is drawn again. With ``--write``, the stage's part of attack.md is replaced.
"""

import argparse
import json
import os
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from attack_load import attack_databases, attack_kills, attack_people, attack_slow, attack_twins, attack_uploads
from hostile import KINDS, HostileFile, hostile_files
from live_site import Person, Site

PAGE = ROOT / "tests" / "data" / "MI_26.jpg"
SECONDS_BAR, MEMORY_BAR_MB = 10.0, 1024**3 / 1e6
HEALTH_BAR_S, SLOWDOWN_BAR = 1.0, 3.0
STOP_AFTER_S = 60.0
"""Time after which a file is stopped, in s: it has failed long before."""
START_S = 300.0
"""Time that a process may take to load its libraries, in s."""
STOP_ABOVE_MB = 3000.0
"""Memory above which a file is stopped, in MB, so that the machine lives on."""
SAMPLE_S = 0.02
"""Time between two looks at the memory of a process tree, in s."""
MOST_CHARS = 160
"""Longest answer in a table."""


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of reading a file.

    Attributes:
        name: Name of the file.
        kind: Kind of the file.
        outcome: ``answered``, ``refused`` or ``failed``.
        text: The answer, the refusal or the failure.
        seconds: Time from the first byte to the answer, in s.
        cpu_s: Computing time of the process and all that it started and ended, in s.
        memory_mb: Most memory that the process and all that it started took beyond their libraries, in MB.
    """

    name: str
    kind: str
    outcome: str
    text: str
    seconds: float
    cpu_s: float
    memory_mb: float


def main() -> None:
    """Run a stage, print its table, and write it where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES, help="Stage to run.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the hostile files.")
    parser.add_argument("--kinds", nargs="*", help="Only these kinds of hostile files.")
    parser.add_argument("--per-kind", type=int, default=8, help="Number of hostile files of a kind.")
    parser.add_argument("--reads", type=int, default=10_000, help="Number of damaged files that are read.")
    parser.add_argument("--digitized", type=int, default=3000, help="Number of damaged files that are digitized.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first damaged file.")
    parser.add_argument("--processes", type=int, default=2, help="Number of processes that read damaged files.")
    parser.add_argument("--clients", type=int, default=200, help="Number of slow clients.")
    parser.add_argument("--people", type=int, default=200, help="Number of people who upload at once.")
    parser.add_argument("--seconds", type=float, default=60.0, help="Time for which they upload, in s.")
    parser.add_argument("--uploads", type=int, default=500, help="Number of uploads in a row.")
    parser.add_argument("--rounds", type=int, default=20, help="Number of kills.")
    parser.add_argument("--outage", type=float, default=20.0, help="Time for which a database is gone, in s.")
    parser.add_argument("--keys", type=int, default=40, help="Number of keys that two servers receive at once.")
    parser.add_argument("--write", action="store_true", help="Also write the stage's part of attack.md.")
    options = parser.parse_args()
    text = "\n".join(STAGES[options.stage](options))
    print(text)
    if options.write:
        write_part(Path(__file__).with_suffix(".md"), options.stage, text)


def write_part(path: Path, stage: str, text: str) -> None:
    """Replace the part of a stage in the report, and leave the other parts."""
    command = f"python benchmarks/attack.py {' '.join(sys.argv[1:])}"
    whole = path.read_text("utf-8") if path.exists() else "# Attack\n"
    title, *parts = whole.split("\n## ")
    by_stage = {part.partition("\n")[0]: part.rstrip() for part in parts}
    by_stage[stage] = f"{stage}\n\n`{command}` printed:\n\n{text}"
    ordered = [by_stage[name] for name in STAGES if name in by_stage]
    path.write_text("\n\n## ".join([title.rstrip(), *ordered]) + "\n", "utf-8")


def attack_files(options: argparse.Namespace) -> list[str]:
    """Read each hostile file in a process of its own."""
    results: list[Result] = []
    for file in draw_files(options):
        results.append(read_in_process(file))
        last = results[-1]
        figures = f"{last.seconds:5.1f} s, CPU {last.cpu_s:5.1f} s {last.memory_mb:6.0f} MB"
        print(f"{last.outcome:8} {figures}  {file.name}: {last.text}", flush=True)
    return tabulate_files(results)


def draw_files(options: argparse.Namespace) -> Iterator[HostileFile]:
    """Draw the hostile files of the chosen kinds."""
    unknown = set(options.kinds or ()) - {kind.name for kind in KINDS}
    if unknown:
        raise SystemExit(f"Expected kinds out of {', '.join(kind.name for kind in KINDS)}, got {', '.join(unknown)}.")
    for file in hostile_files(np.random.default_rng(options.seed), options.per_kind):
        if not options.kinds or file.kind in options.kinds:
            yield file


READ_ONE = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ecglens.errors import EcgLensError
from hostile.entries import prepare_reader, read_hostile
prepare_reader(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    outcome, text = "answered", read_hostile(sys.argv[2], Path(sys.argv[3]))
except EcgLensError as error:
    outcome, text = "refused", f"{error.code or type(error).__name__}: {error.detail}"
except BaseException as error:
    outcome, text = "failed", f"{type(error).__name__}: {error}"
print(json.dumps([outcome, text]), flush=True)
"""


def read_in_process(file: HostileFile) -> Result:
    """Read a file in a process that is watched, and stopped after a while."""
    with tempfile.TemporaryDirectory(prefix="ecglens-attack-") as folder:
        path = file.write(Path(folder) / "file")
        command = [sys.executable, "-c", READ_ONE, str(ROOT / "tests" / "support"), file.entry, str(path)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        watch = TreeWatch(process.pid)
        try:
            lines = read_lines(process)
            if lines.get(timeout=START_S) != "ready\n":
                raise RuntimeError(f"The reading process did not start: {process.stderr.read()}")
            watch.start()
            start = time.perf_counter()
            process.stdin.write("go\n")
            process.stdin.flush()
            try:
                outcome, text = json.loads(lines.get(timeout=STOP_AFTER_S) or '["failed", "the process ended"]')
            except queue.Empty:
                outcome, text = "failed", f"no answer within {STOP_AFTER_S:g} s"
            seconds = time.perf_counter() - start
        finally:
            most_mb, cpu_s = watch.stop()
            kill_tree(psutil.Process(process.pid))
            process.communicate()
    too_much = [f"{seconds:.1f} s"] * (seconds > SECONDS_BAR) + [f"{most_mb:.0f} MB"] * (most_mb > MEMORY_BAR_MB)
    if too_much and outcome != "failed":
        outcome, text = "failed", f"{' and '.join(too_much)}, {outcome}: {text}"
    return Result(file.name, file.kind, outcome, shorten(text), seconds, cpu_s, most_mb)


def read_lines(process: subprocess.Popen[str]) -> "queue.Queue[str]":
    """Read the lines of a process in a thread; the last one is empty."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


class TreeWatch:
    """A thread that looks at the memory and the computing time of a process and all that it started."""

    def __init__(self, pid: int) -> None:
        self._process, self._ended = psutil.Process(pid), threading.Event()
        self._first_bytes, self._most_bytes, self._first_s, self._last_s = 0, 0, 0.0, 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._first_bytes, self._first_s = measure_tree(self._process)
        self._thread.start()

    def stop(self) -> tuple[float, float]:
        """Return the most memory that the whole tree took at a time in MB and its computing time in s, and end.

        Libraries that were loaded before it began do not count.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        return max(0, self._most_bytes - self._first_bytes) / 1e6, max(0.0, self._last_s - self._first_s)

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            memory_bytes, cpu_s = measure_tree(self._process)
            self._most_bytes, self._last_s = max(self._most_bytes, memory_bytes), max(self._last_s, cpu_s)
            if memory_bytes > STOP_ABOVE_MB * 1e6:
                kill_tree(self._process)
                return


def measure_tree(process: psutil.Process) -> tuple[int, float]:
    """Return the resident memory of a process and its descendants in bytes, and their computing time in s."""
    memory_bytes, cpu_s = 0, 0.0
    try:
        for each in (process, *process.children(recursive=True)):
            try:
                memory_bytes += each.memory_info().rss
                cpu_s += sum(each.cpu_times()[:4])  # user, system, and both of the children that ended
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        pass
    return memory_bytes, cpu_s


def kill_tree(process: psutil.Process) -> None:
    """Kill a process and all that it started."""
    try:
        everyone = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in everyone:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue


def shorten(text: str) -> str:
    """Return a text on one line that fits into a table."""
    plain = " ".join(text.replace("|", "/").split())
    plain = re.sub(r"[^\x20-\x7e]", "?", plain)
    return plain if len(plain) <= MOST_CHARS else f"{plain[:MOST_CHARS]} ..."


def tabulate_files(results: Sequence[Result]) -> list[str]:
    """Return the table of kinds, and a line for each file that failed."""
    lines = [
        "| kind | files | answered | refused | failed | slowest, s | most CPU, s | most memory, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(result.kind for result in results):
        of_kind = [result for result in results if result.kind == kind]
        lines.append(describe_row(kind, of_kind))
    lines += [describe_row("**all**", results), ""]
    failed = [result for result in results if result.outcome == "failed"]
    verdict = "met" if not failed else "missed"
    lines.append(
        f"Each answered or refused within {SECONDS_BAR:g} s and {MEMORY_BAR_MB:g} MB of all its processes together "
        f"beyond their libraries: **{verdict}**."
    )
    if failed:
        lines += ["", "| failed | s | CPU, s | MB | how |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.name} | {each.seconds:.1f} | {each.cpu_s:.1f} | {each.memory_mb:.0f} | {each.text} |"
            for each in failed
        ]
    return lines


def describe_row(name: str, results: Sequence[Result]) -> str:
    """Return a row of the table of kinds."""
    counts = Counter(result.outcome for result in results)
    most = [max(getattr(each, name) for each in results) for name in ("seconds", "cpu_s", "memory_mb")]
    numbers = " | ".join(str(counts[outcome]) for outcome in ("answered", "refused", "failed"))
    return f"| {name} | {len(results)} | {numbers} | {most[0]:.1f} | {most[1]:.1f} | {most[2]:.0f} |"


def attack_mutations(options: argparse.Namespace) -> list[str]:
    """Read and digitize damaged files in a few processes."""
    lines = []
    for title, read, count in (
        ("the whole read", read_mutation, options.reads),
        ("digitizing", digitize_mutation, options.digitized),
    ):
        if count:
            lines += [*tabulate_mutations(title, read, range(options.first, options.first + count), options), ""]
    return lines[:-1]


def tabulate_mutations(
    title: str, read: Callable[[int], str], numbers: range, options: argparse.Namespace
) -> list[str]:
    """Return the counts of answers of damaged files, and a line for each fault."""
    answers, faults, slowest = Counter[str](), list[str](), (0.0, 0)
    for number, answer, seconds in run_in_pool(read, numbers, options.processes):
        slowest = max(slowest, (seconds, number))
        if answer.startswith("fault: "):
            faults.append(f"- {number}: {answer.removeprefix('fault: ')}")
            print(faults[-1], flush=True)
            answer = "fault"
        answers[answer] += 1
    lines = [f"| {len(numbers):,} damaged files through {title} | number |", "|---|---|"]
    lines += [f"| {answer} | {count} |" for answer, count in sorted(answers.items())]
    verdict = "met" if not faults else "missed"
    lines += [
        "",
        f"The slowest took {slowest[0]:.1f} s of CPU (number {slowest[1]}). Only errors of the program: **{verdict}**.",
    ]
    return [*lines, *([""] if faults else []), *faults]


def run_in_pool(read: Callable[[int], str], numbers: range, processes: int) -> Iterator[tuple[int, str, float]]:
    """Read the damaged files of some numbers in a pool; a number that ends its process is a fault."""
    waiting = list(numbers)
    while waiting:
        done: set[int] = set()
        with ProcessPoolExecutor(processes, initializer=prepare_pool) as pool:
            futures = {pool.submit(time_answer, read, number): number for number in waiting}
            for future in as_completed(futures):
                number = futures[future]
                try:
                    answer, seconds = future.result()
                except BrokenProcessPool:
                    continue
                done.add(number)
                yield number, answer, seconds
        waiting = [number for number in waiting if number not in done]
        if waiting and not done:  # the first of those that were running ends its process whenever it is read
            yield waiting[0], "fault: its process ended", 0.0
            waiting = waiting[1:]


def prepare_pool() -> None:
    """Load the libraries and draw the intact files, so that this does not count as time of the first file."""
    import cv2
    from mutations import draw_mutation, seeds

    import ecglens
    from ecglens.digitizing import digitize

    cv2.setNumThreads(1)
    draw_mutation(0)
    page = seeds()["JPEG"]
    ecglens.read(page)
    digitize(page)


def time_answer(read: Callable[[int], str], number: int) -> tuple[str, float]:
    """Read a damaged file; return the answer or the code of the refusal, and the CPU time in s."""
    from ecglens.errors import EcgLensError

    start = time.process_time()
    try:
        answer = read(number)
    except EcgLensError as error:
        answer = f"refused: {error.code or type(error).__name__}"
    except Exception:
        answer = "fault: " + " / ".join(traceback.format_exc().strip().splitlines()[-3:])
    return answer, time.process_time() - start


def read_mutation(number: int) -> str:
    """Read a damaged file with the default model."""
    from mutations import draw_mutation

    import ecglens

    return "answered: a label" if ecglens.read(draw_mutation(number).data).label else "answered: no label"


def digitize_mutation(number: int) -> str:
    """Digitize and measure a damaged file."""
    from mutations import draw_mutation

    from ecglens.digitizing import digitize, measure_tracing

    tracing = digitize(draw_mutation(number).data)
    measure_tracing(tracing)
    return "answered: signals" if tracing.record is not None else "answered: traces without a scale"


def attack_site(options: argparse.Namespace) -> list[str]:
    """Send the hostile files to a site, and watch its health and an ordinary upload meanwhile."""
    with tempfile.TemporaryDirectory(prefix="ecglens-attack-") as folder:
        site = Site(Path(folder) / "data", options=("--processes", "2", "--workers", "1")).start()
        try:
            ordinary = Person(site.address, "ordinary@example.org").sign_up()
            attackers = [Person(site.address, f"attacker{number}@example.org").sign_up() for number in range(3)]
            typical = measure_typical(ordinary)
            files = [file for file in draw_files(options) if file.entry in {"page", "archive"}]
            with Watch(site.address, ordinary) as watch:
                answers = send_all(files, attackers, Person(site.address, ""))
        finally:
            site.stop()
        log = site.log()
    return tabulate_site(answers, typical, watch, log)


TYPICAL_UPLOADS = 10
"""Number of ordinary uploads before the attack; the first ones load libraries and do not count."""
PAUSE_S = 3.0
"""Time between two ordinary uploads, in s."""
HEALTH_PAUSE_S = 0.2
"""Time between two health checks, in s."""
VISITOR_PAUSE_S = 5.0
"""Time between two uploads of a visitor, in s: 12 a minute are allowed."""
AFTER_S = 30.0
"""Time after the last hostile file in which health and ordinary uploads are watched, in s."""


def measure_typical(person: Person) -> float:
    """Return the median time of an ordinary upload in s."""
    seconds = [upload_page(person) for _ in range(TYPICAL_UPLOADS)]
    return statistics.median(seconds[TYPICAL_UPLOADS // 2 :])


def upload_page(person: Person) -> float:
    """Upload an ordinary page, and return the time until its answer in s; endless where it is not answered."""
    start = time.perf_counter()
    try:
        response = person.post("/disease-predict", file=PAGE.read_bytes(), Accept="application/json")
        is_answered = response.status_code == 200 and bool(response.json()["results"][0]["heading"])
    except (OSError, KeyError, TypeError, ValueError):
        is_answered = False
    return time.perf_counter() - start if is_answered else float("inf")


class Watch:
    """Two threads that ask for the site's health, and upload an ordinary page, while the block runs."""

    def __init__(self, address: str, person: Person) -> None:
        self.health_s: list[float] = []
        self.uploads_s: list[float] = []
        self._address, self._person, self._ended = address, person, threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._ask_health, self._upload)]

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.wait(AFTER_S)
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask_health(self) -> None:
        import requests

        while not self._ended.is_set():
            start = time.perf_counter()
            try:
                is_healthy = requests.get(f"{self._address}/healthz", timeout=STOP_AFTER_S).status_code == 200
            except OSError:
                is_healthy = False
            self.health_s.append(time.perf_counter() - start if is_healthy else float("inf"))
            self._ended.wait(HEALTH_PAUSE_S)

    def _upload(self) -> None:
        while not self._ended.is_set():
            self.uploads_s.append(upload_page(self._person))
            self._ended.wait(PAUSE_S)


def send_all(
    files: Sequence[HostileFile], attackers: Sequence[Person], visitor: Person
) -> list[tuple[HostileFile, str, float]]:
    """Send the files from several accounts and a visitor at once; return what came back, and after how many s."""
    waiting: queue.SimpleQueue[HostileFile] = queue.SimpleQueue()
    for file in files:
        waiting.put(file)
    answers: list[tuple[HostileFile, str, float]] = []

    def send(person: Person, pause_s: float) -> None:
        while True:
            try:
                file = waiting.get_nowait()
            except queue.Empty:
                return
            if file.entry == "archive" and not person.email:
                waiting.put(file)  # batches are for accounts
                time.sleep(pause_s)
                continue
            start = time.perf_counter()
            answers.append((file, send_file(person, file), time.perf_counter() - start))
            time.sleep(pause_s)

    people = [*((person, 0.0) for person in attackers), (visitor, VISITOR_PAUSE_S)]
    threads = [threading.Thread(target=send, args=each) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def send_file(person: Person, file: HostileFile) -> str:
    """Send a hostile file to the form for it, and return the status of the answer."""
    path = "/batches/" if file.entry == "archive" else "/disease-predict"
    try:
        response = person.post(path, file=file.files[file.target], name=file.target, Accept="application/json")
    except (OSError, TypeError) as error:
        return type(error).__name__
    return str(response.status_code)


def tabulate_site(
    answers: Sequence[tuple[HostileFile, str, float]], typical_s: float, watch: Watch, log: str
) -> list[str]:
    """Return the counts of answers of the site, and how it served others meanwhile."""
    lines = ["| kind | files | statuses | slowest, s |", "|---|---|---|---|"]
    for kind in dict.fromkeys(file.kind for file, _, _ in answers):
        of_kind = [(status, seconds) for file, status, seconds in answers if file.kind == kind]
        counts = Counter(status for status, _ in of_kind)
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
        lines.append(f"| {kind} | {len(of_kind)} | {statuses} | {max(seconds for _, seconds in of_kind):.1f} |")
    slow = [(file.name, seconds) for file, _, seconds in answers if seconds > SECONDS_BAR]
    errors = [(file.name, status) for file, status, _ in answers if not status.isdigit() or status >= "500"]
    ratio, slowest_health = statistics.median(watch.uploads_s) / typical_s, max(watch.health_s)
    tracebacks = log.count("Traceback (most recent call last)")
    bars = [
        (f"answers with a server's error: {len(errors)}", not errors),
        (f"answers later than {SECONDS_BAR:g} s: {len(slow)}", not slow),
        (f"tracebacks in the log: {tracebacks}", not tracebacks),
        (f"slowest of {len(watch.health_s)} health checks: {slowest_health:.2f} s, bar {HEALTH_BAR_S:g} s",
         slowest_health <= HEALTH_BAR_S),
        (f"median of {len(watch.uploads_s)} ordinary uploads: {ratio:.1f} times the typical {typical_s:.2f} s, bar "
         f"{SLOWDOWN_BAR:g}", ratio <= SLOWDOWN_BAR),
    ]  # fmt: skip
    lines += ["", *(f"- {text}: **{'met' if is_met else 'missed'}**." for text, is_met in bars)]
    return [*lines, *(f"- {name}: {cause}" for name, cause in [*errors, *slow])]


STAGES: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "files": attack_files,
    "site": attack_site,
    "mutations": attack_mutations,
    "slow": attack_slow,
    "people": attack_people,
    "uploads": attack_uploads,
    "kills": attack_kills,
    "databases": attack_databases,
    "twins": attack_twins,
}
"""Stages by name: each takes the options and returns the lines of its part of the report."""


if __name__ == "__main__":
    main()
