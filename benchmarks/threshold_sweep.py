"""Change one threshold at a time and report which figures of the accuracy set notice.

    python benchmarks/threshold_sweep.py [PATTERN ...] [--by 0.3] [--stages signals made ...] [--all-stages]
                                         [--results FILE] [--processes N]

A threshold is a number in a ``...Limits`` dataclass, or one number of a tuple there (``docs/thresholds.md``). Each is
raised and lowered by 30 %, and the set of ``accuracy.py`` is run again. PATTERN selects thresholds by name, such as
``ecglens.measuring.waves:*``; with ``module:LIMITS.name=VALUE`` one is set to a value instead.

The quick stages (``signals`` and ``made``) run first; where they notice a change, the pages are not rendered for it,
unless ``--all-stages`` is given. Results go to a JSON lines file, one line for each change, so that an interrupted run
can be resumed. Each line has a digest of the program, and lines of another program are ignored.
"""

import argparse
import dataclasses
import fnmatch
import hashlib
import importlib
import json
import math
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from accuracy import KINDS, STAGES, all_cases, run_cases

import ecglens

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "var" / "threshold_sweep.jsonl"
PACKAGES = (
    "ecglens.joining",
    "ecglens.leads",
    "ecglens.measuring",
    "ecglens.pages",
    "ecglens.printed",
    "ecglens.tracing",
)
"""Packages that have thresholds."""

QUICK_STAGES = ("signals", "made")
BASELINE = "baseline"


@dataclass(frozen=True)
class Threshold:
    """A number that can be changed while the program runs.

    Attributes:
        module: Name of its module.
        instance: Name of the limits.
        field: Field of the limits.
        part: Index in a tuple, ``None`` for a plain number.
        value: Current value.
    """

    module: str
    instance: str
    field: str
    part: int | None
    value: float

    @property
    def label(self) -> str:
        """Name, such as ``ecglens.leads.fit:LIMITS.down_mm[0]``."""
        part = "" if self.part is None else f"[{self.part}]"
        return f"{self.module}:{self.instance}.{self.field}{part}"


@dataclass(frozen=True)
class Change:
    """A threshold and its new value."""

    threshold: Threshold
    value: float

    @property
    def label(self) -> str:
        """Description, such as ``ecglens.measuring.waves:_QUIET 6 -> 8``."""
        return f"{self.threshold.label} {self.threshold.value:g} -> {self.value:g}"


def main() -> None:
    """Run the sweep, and print which figures notice which change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", default=["*"], help="Names of thresholds.")
    parser.add_argument("--by", type=float, default=0.3, help="Share by which thresholds are raised and lowered.")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES, help="Stages of the accuracy set.")
    parser.add_argument("--all-stages", action="store_true", help="Run every stage for every change.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines file of the results.")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="Number of processes, by default one for each core."
    )
    options = parser.parse_args()
    changes = list(select_changes(options.patterns, options.by))
    if not changes:
        parser.error(f"Expected patterns of thresholds, got {' '.join(options.patterns)}, which select none.")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    results = read_results(options.results)
    with ProcessPoolExecutor(options.processes) as pool, options.results.open("a", encoding="utf-8") as stream:
        stages = tuple(stage for stage in STAGES if stage in options.stages)
        if missing := set(stages) - set(results.get(BASELINE, {}).get("stages", ())):
            print(f"Baseline of {', '.join(sorted(missing))} ...", flush=True)
            store(stream, results, {"change": BASELINE, "stages": stages, "figures": pool.submit(run, stages).result()})
        open_changes = [
            change for change in changes if not is_done(results.get(change.label), options.all_stages, stages)
        ]
        print(
            f"{len(changes) - len(open_changes)} of {len(changes)} changes are in {options.results.name}.", flush=True
        )
        baseline = results[BASELINE]["figures"]
        work = {
            pool.submit(try_change, change, stages, baseline, options.all_stages): change for change in open_changes
        }
        for done in as_completed(work):
            store(stream, results, done.result())
            print(describe(done.result()), flush=True)
    report([results[change.label] for change in changes])


def select_changes(patterns: Sequence[str], by: float) -> Iterator[Change]:
    """Yield the changes that the patterns select, in the order of the modules."""
    thresholds = find_thresholds()
    for pattern in patterns:
        label, _, value = pattern.partition("=")
        for threshold in thresholds:
            if not fnmatch.fnmatchcase(threshold.label, label.replace("[", "[[]")):
                continue
            if value:
                yield Change(threshold, type(threshold.value)(value))
                continue
            for factor in (1 + by, 1 - by):
                changed = threshold.value * factor
                if isinstance(threshold.value, int):
                    # A whole number moves by at least one.
                    step = max(1, round(abs(changed - threshold.value)))
                    changed = threshold.value + (step if factor > 1 else -step)
                yield Change(threshold, changed)


def find_thresholds() -> list[Threshold]:
    """Return every threshold of the program, by module."""
    names = [module.name for module in pkgutil.walk_packages(ecglens.__path__, "ecglens.")]
    modules = [importlib.import_module(name) for name in names if name.startswith(PACKAGES)]
    return [threshold for module in modules for threshold in limits_of(module)]


def limits_of(module: ModuleType) -> Iterator[Threshold]:
    """Yield the numbers in the module's own instances of frozen dataclasses whose class name ends in ``Limits``."""
    for name, value in vars(module).items():
        if type(value).__module__ != module.__name__ or not type(value).__name__.endswith("Limits"):
            continue
        for item in dataclasses.fields(value):
            whole = getattr(value, item.name)
            parts = dict(enumerate(whole)) if isinstance(whole, tuple) else {None: whole}
            for part, number in parts.items():
                if is_number(number):
                    yield Threshold(module.__name__, name, item.name, part, number)


def is_number(value: object) -> bool:
    """Return whether a value is a number other than zero, which 30 % do not change."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


@contextmanager
def apply_change(change: Change) -> Iterator[None]:
    """Give a threshold another value within the context, for all that use its module or its instance."""
    threshold = change.threshold
    module = importlib.import_module(threshold.module)
    limits = getattr(module, threshold.instance)
    before = getattr(limits, threshold.field)
    object.__setattr__(limits, threshold.field, with_part(before, threshold.part, change.value))
    forget_results()
    try:
        yield
    finally:
        forget_results()
        object.__setattr__(limits, threshold.field, before)


def forget_results() -> None:
    """Clear the caches of functions in the packages, as their results may depend on a threshold."""
    for name in [name for name in sys.modules if name.startswith(PACKAGES)]:
        for value in list(vars(sys.modules[name]).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


def with_part(whole: Any, part: int | None, value: float) -> Any:
    """Return a field's value with one part changed."""
    return value if part is None else (*whole[:part], value, *whole[part + 1 :])


def run(stages: Sequence[str]) -> dict[str, float]:
    """Compute the figures of some stages in this process, by name."""
    return {figure.name: figure.value for figure in run_cases(cases_of(stages), processes=1)}


def cases_of(stages: Sequence[str]) -> list[Any]:
    """Return the cases of some stages."""
    return [case for case in all_cases() if case.stage in stages]


def try_change(
    change: Change, stages: Sequence[str], baseline: Mapping[str, float], all_stages: bool
) -> dict[str, Any]:
    """Run the set with a change, the quick stages first."""
    quick = tuple(stage for stage in stages if stage in QUICK_STAGES)
    slow = tuple(stage for stage in stages if stage not in QUICK_STAGES)
    done, error, figures = (), None, {}
    with apply_change(change):
        for some in (quick, slow):
            if not some or (figures and not all_stages and moved_figures(figures, baseline)):
                continue
            try:
                figures |= run(some)
            except (
                Exception
            ) as problem:  # a wrong threshold may break the code that relies on it, which is a result too
                error = f"{type(problem).__name__}: {problem}"
                break
            done += some
    moved = moved_figures(figures, baseline)
    return {"change": change.label, "stages": done, "moved": moved, "error": error}


def moved_figures(figures: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, list[float]]:
    """Find the figures that moved beyond the margin of their kind, with their values before and after."""
    moved = {}
    for name, value in figures.items():
        before, margin = baseline.get(name, float("nan")), KINDS[name.partition(" / ")[0]].margin
        if not abs(value - before) <= margin + 1e-9 and not (math.isnan(value) and math.isnan(before)):
            moved[name] = [before, value]
    return moved


def is_done(result: Mapping[str, Any] | None, all_stages: bool, stages: Sequence[str]) -> bool:
    """Return whether the result of a change is complete."""
    if result is None:
        return False
    whole = set(stages) <= set(result["stages"]) or result["error"] is not None
    return whole or (not all_stages and bool(result["moved"]))


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """Read the last result of this program for each change; a line that an interruption cut off is ignored."""
    results, program = {}, digest_program()
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        if result["program"] == program:
            results[result["change"]] = result
    return results


@cache
def digest_program() -> str:
    """Compute a digest of the package, the accuracy set and its scoring."""
    digest = hashlib.sha256()
    files = sorted(Path(ecglens.__path__[0]).rglob("*.py"))
    for path in [*files, HERE / "accuracy.py", HERE / "scoring.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def store(stream: Any, results: dict[str, dict[str, Any]], result: dict[str, Any]) -> None:
    """Write a result at once, so that an interruption loses only the work in progress."""
    results[result["change"]] = result
    stream.write(json.dumps({**result, "program": digest_program()}) + "\n")
    stream.flush()


def describe(result: Mapping[str, Any]) -> str:
    """Describe one change in a line, with the figures that moved most."""
    if result["error"]:
        return f"{result['change']}: breaks, {result['error']}"
    if not result["moved"]:
        return f"{result['change']}: nothing in {', '.join(result['stages'])} notices"
    moved = sorted(result["moved"].items(), key=lambda item: -abs(item[1][1] - item[1][0]))
    parts = [f"{name} {before:.4g} -> {after:.4g}" for name, (before, after) in moved[:3]]
    more = f", and {len(moved) - 3} more" if len(moved) > 3 else ""
    return f"{result['change']}: {'; '.join(parts)}{more}"


def report(results: Sequence[Mapping[str, Any]]) -> None:
    """Print every change and then those that nothing notices."""
    print("\n".join(["", "# Every change", "", *(f"- {describe(result)}" for result in results)]))
    silent = [result["change"] for result in results if not result["moved"] and not result["error"]]
    print("\n".join(["", f"# Changes that nothing notices: {len(silent)} of {len(results)}", ""]))
    print("\n".join(f"- {change}" for change in silent) or "None.")


if __name__ == "__main__":
    main()
