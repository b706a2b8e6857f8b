"""Compare federated training with training in one place and with sites that train alone.

    python benchmarks/federated.py [--rows month,skew-0.3] [--methods central,fedavg] [--seeds 0,1,2] [--write]

Rows: ``month`` (the public pages, a site for each printed month), ``skew-0.1``, ``skew-0.3``, ``skew-1`` (the public
pages at five sites by a Dirichlet distribution over labels), ``devices`` (PTB-XL signals, a site for each device),
``recorders`` (public pages and rendered PTB-XL records as two sites), ``faults`` (ten sites, of which one is dead, one
late and one poisoned), ``privacy`` (secure aggregation and differential privacy) and ``scale`` (20 sites: memory and
overhead). Every result is stored in the folder of the runs, so that a stopped benchmark can go on; ``--table`` prints
what is there. What was not run is listed with its command.
"""

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import logging

import numpy as np
import torch

from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Split
from ecglens.federation.local import PageTask
from ecglens.federation.plan import FederationPlan
from ecglens.federation.simulate import Faults, divide, simulate
from ecglens.federation.sites import parse_site_plan
from ecglens.federation.strategies import StrategySettings
from ecglens.models.train.devices import ALONE
from ecglens.models.train.folder import Plan, start_run
from ecglens.models.train.loop import train
from ecglens.models.train.recipe import Recipe, change_recipe, load_recipe
from ecglens.models.train.run import (
    Listener,
    RunContext,
    build_model,
    cross_validate,
    load_answers,
    make_split,
    page_logits,
    prepare_rows,
)

HERE = Path(__file__).resolve().parent
FOLDS = 3
CHANGES = ["input.width=192", "input.height=114", "optimization.epochs=30"]
"""A smaller page than the recipe's, so that a run takes minutes on one core."""

SITES = {
    "month": "batch",
    "skew-0.1": "label-skew:0.1",
    "skew-0.3": "label-skew:0.3",
    "skew-1": "label-skew:1",
}
METHODS: Mapping[str, dict[str, Any]] = {
    "central": {},
    "central-60": {},
    "local": {},
    "fedavg": {"strategy": StrategySettings("fedavg")},
    "double": {"strategy": StrategySettings("fedavg"), "rounds": 30, "epochs": 2},
    "fedprox": {"strategy": StrategySettings("fedprox")},
    "fedadam": {"strategy": StrategySettings("fedadam")},
    "fedyogi": {"strategy": StrategySettings("fedyogi")},
    "fedbn": {"strategy": StrategySettings("fedbn")},
    "tuned": {"strategy": StrategySettings("fedavg"), "tune_epochs": 5},
    "shared": {"strategy": StrategySettings("fedavg"), "shared": 0.1},
    "trimmed-mean": {"strategy": StrategySettings("trimmed-mean")},
    "krum": {"strategy": StrategySettings("krum")},
}


class Quiet(Listener):
    """Listener that prints finished parts only."""

    def line(self, text: str) -> None:
        """Print a line."""
        print(f"  {text}", flush=True)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="month,skew-0.3,skew-0.1,skew-1")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs" / "federated")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    for row in options.rows.split(","):
        for seed in map(int, options.seeds.split(",")):
            for method in options.methods.split(","):
                if row in SITES:
                    run_pages(row, method, seed, options.data, options.runs)
        if row == "faults":
            run_faults(options.data, options.runs, ["trimmed-mean", "fedavg", "krum"])
        elif row == "privacy":
            run_privacy(options.data, options.runs)
        elif row == "scale":
            run_scale(options.data, options.runs)


def run_pages(row: str, method: str, seed: int, data: Path, runs: Path) -> None:
    """Run one method on the public pages, unless its result is there."""
    name = f"{method}-{seed}" if method.startswith("central") else f"{row}-{method}-{seed}"
    path = runs / "results" / f"{name}.json"
    if path.exists():
        return
    recordings = Recordings.from_csv(data / "mendeley" / "manifest.csv")
    recipe = load_recipe(HERE.parent / "recipes" / "compact_cnn.toml", changes=CHANGES)
    if method == "central-60":
        recipe = change_recipe(recipe, {"optimization.epochs": 60})
    plan = FederationPlan(sites=parse_site_plan(SITES[row]), **METHODS[method])
    context = RunContext(ALONE, runs / "cache", Quiet())
    print(f"{name}", flush=True)
    begun, cpu = time.perf_counter(), time.process_time()
    if method == "local":
        result = train_alone(recordings, recipe, plan, seed, context, runs / name)
    else:
        out, protocol = runs / name, Plan(folds=FOLDS)
        start_run(recordings, recipe, out, protocol)
        if method.startswith("central"):
            cross_validate(recordings, recipe, out, protocol, seeds=[seed], context=context)
        else:
            if method == "tuned":
                take_rounds(runs / f"{row}-fedavg-{seed}", out)
            simulate(recordings, recipe, out, protocol, plan, seeds=[seed], context=context)
        result = score_run(recordings, recipe, out, seed)
        result |= count_traffic(out)
    result |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"  {json.dumps(result)[:300]}", flush=True)


def run_on_one_fold(name: str, plan: FederationPlan, data: Path, runs: Path, *, faults: Faults | None = None) -> None:
    """Run one plan on the first fold of seed 0 of the public pages, unless its result is there."""
    path = runs / "results" / f"{name}.json"
    if path.exists():
        return
    print(name, flush=True)
    recordings = Recordings.from_csv(data / "mendeley" / "manifest.csv")
    recipe = load_recipe(HERE.parent / "recipes" / "compact_cnn.toml", changes=CHANGES)
    split = make_split(recordings, recipe, Plan(folds=FOLDS), seed=0)
    one = runs / "first-fold.json"
    Split(split.protocol, split.seed, split.folds[:1]).save(one, recordings)
    protocol, out = Plan(str(one)), runs / name
    context = RunContext(ALONE, runs / "cache", Quiet())
    begun, cpu = time.perf_counter(), time.process_time()
    start_run(recordings, recipe, out, protocol)
    simulate(recordings, recipe, out, protocol, plan, seeds=[0], context=context, faults=faults)
    result = score_run(recordings, recipe, out, 0) | count_traffic(out)
    result |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    result["left_out"] = json.loads(next(out.rglob("rounds.json")).read_text())[0]["left_out"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"  {json.dumps(result)[:300]}", flush=True)


def run_faults(data: Path, runs: Path, methods: list[str]) -> None:
    """Run ten sites of like labels, without faults and with a dead, a late and a poisoned site."""
    for method in methods:
        for name, faults in (("clean", None), ("faults", Faults(dead=(0,), late=(1,), poisoned=(2,)))):
            settings = StrategySettings(method)
            plan = FederationPlan(sites=parse_site_plan("label-skew:100:10"), strategy=settings, rounds=20, epochs=2)
            run_on_one_fold(f"{name}-{method}", plan, data, runs, faults=faults)


def run_privacy(data: Path, runs: Path) -> None:
    """Run three sites by month without protection, with secure aggregation, and with noise of several sizes."""
    for name, secure, noise in (
        ("plain", False, 0.0),
        ("secure", True, 0.0),
        ("noise-0.01", False, 0.01),
        ("noise-0.1", False, 0.1),
        ("noise-1", False, 1.0),
    ):
        settings = StrategySettings("fedbn", noise=noise, clip=1.0)
        run_on_one_fold(f"privacy-{name}", FederationPlan(strategy=settings, rounds=30, secure=secure), data, runs)


def run_scale(data: Path, runs: Path) -> None:
    """Run three rounds of 20 sites with the recipe's own page size; measure memory, and time beside the trainings."""
    path = runs / "results" / "scale.json"
    if path.exists():
        return
    print("scale", flush=True)
    recordings = Recordings.from_csv(data / "mendeley" / "manifest.csv")
    recipe = load_recipe(HERE.parent / "recipes" / "compact_cnn.toml")
    plan = FederationPlan(sites=parse_site_plan("label-skew:100:20"), rounds=3)
    split = make_split(recordings, recipe, Plan(folds=FOLDS), seed=0)
    one = runs / "first-fold.json"
    Split(split.protocol, split.seed, split.folds[:1]).save(one, recordings)
    protocol, context = Plan(str(one)), RunContext(ALONE, runs / "cache", Quiet())
    prepare_rows(recordings, recipe, recordings.canonical_indices(), context)
    spent, fit = [], PageTask.fit

    def timed(*arguments: Any, **options: Any) -> Any:
        begun = time.process_time(), time.perf_counter()
        result = fit(*arguments, **options)
        spent.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
        return result

    PageTask.fit = timed  # type: ignore[method-assign]
    out = runs / "scale"
    shutil.rmtree(out, ignore_errors=True)
    start_run(recordings, recipe, out, protocol)
    begun = time.process_time()
    simulate(recordings, recipe, out, protocol, plan, seeds=[0], context=context)
    whole = time.process_time() - begun
    rounds = json.loads(next(out.rglob("rounds.json")).read_text())
    cpu, wall = (float(sum(column)) for column in zip(*spent, strict=True))
    result = {
        "sites": rounds[0]["sites"],
        "trainings": len(spent),
        "training_cpu_s": cpu,
        "training_s": wall,
        "rounds_s": sum(each["seconds"] for each in rounds),
        "whole_cpu_s": whole,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"  {json.dumps(result)}", flush=True)


def take_rounds(source: Path, out: Path) -> None:
    """Copy the finished rounds of a run with the same strategy, so that only the fine-tuning remains."""
    for path in source.rglob("rounds.safetensors"):
        target = out / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def score_run(recordings: Recordings, recipe: Recipe, out: Path, seed: int) -> dict[str, Any]:
    """Compute accuracy and macro-F1 over all folds, with intervals by bootstrap over groups."""
    answers = load_answers(recordings, out, seed=seed)
    targets = np.array([recipe.labels.index(recordings[int(row)].label) for row in answers.rows])
    groups = recordings.codes("group")[answers.rows]
    return score(targets, page_logits(answers.logits, recipe.input).argmax(1), groups, len(recipe.labels))


def score(targets: np.ndarray, answers: np.ndarray, groups: np.ndarray, labels: int) -> dict[str, Any]:
    """Compute accuracy and macro-F1, with 95 % intervals by bootstrap over groups."""

    def figures(rows: np.ndarray) -> tuple[float, float]:
        return float((targets[rows] == answers[rows]).mean()), macro_f1(targets[rows], answers[rows], labels)

    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    resampled = np.array(
        [
            figures(np.concatenate([members[place] for place in rng.integers(len(members), size=len(members))]))
            for _ in range(500)
        ]
    )
    accuracy, f1 = figures(np.arange(len(targets)))
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return {
        "accuracy": accuracy,
        "macro_f1": f1,
        "accuracy_interval": [float(low[0]), float(high[0])],
        "macro_f1_interval": [float(low[1]), float(high[1])],
        "pages": len(targets),
    }


def macro_f1(targets: np.ndarray, answers: np.ndarray, labels: int) -> float:
    """Compute the mean F1 of the labels; a label that is neither true nor answered counts 0."""
    values = []
    for label in range(labels):
        right = int(((targets == label) & (answers == label)).sum())
        both = int((targets == label).sum() + (answers == label).sum())
        values.append(2 * right / both if both else 0.0)
    return float(np.mean(values))


def train_alone(
    recordings: Recordings, recipe: Recipe, plan: FederationPlan, seed: int, context: RunContext, out: Path
) -> dict[str, Any]:
    """Train a model at each site alone, by the whole recipe, and let it answer the test pages of all sites."""
    split = make_split(recordings, recipe, Plan(folds=FOLDS), seed=seed)
    sites = divide(recordings, plan, recordings.canonical_indices(), seed=seed)
    prepared = prepare_rows(recordings, recipe, recordings.canonical_indices(), context)
    groups, parts = recordings.codes("group"), {site.name: ([], []) for site in sites}
    own: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for number, fold in enumerate(split.folds):
        for site in sites:
            rows = np.intersect1d(site.rows, fold.train)
            if len(rows) < 2:
                continue
            network = build_model(recipe, seed=1000 * seed + number)
            place = out / f"fold{number}" / site.name
            train(network, prepared.samples(rows, damaged=True), None, recipe, seed=seed, folder=place)
            logits = PageTask(prepared, rows, fold.test).compute_logits(network, fold.test)
            answers = page_logits(logits, recipe.input).argmax(1)
            parts[site.name][0].append(fold.test)
            parts[site.name][1].append(answers)
            here = np.isin(fold.test, site.rows)
            own[0].append(fold.test[here])
            own[1].append(answers[here])
    everywhere = {}
    for name, (rows, answers) in parts.items():
        if len(rows) == FOLDS:
            tested, answered = np.concatenate(rows), np.concatenate(answers)
            everywhere[name] = score(prepared.targets[tested], answered, groups[tested], len(recipe.labels))
    best = max(everywhere.values(), key=lambda figures: figures["accuracy"])
    tested, answered = np.concatenate(own[0]), np.concatenate(own[1])
    at_home = score(prepared.targets[tested], answered, groups[tested], len(recipe.labels))
    return {**best, "sites": everywhere, "own_pages": at_home}


def count_traffic(out: Path) -> dict[str, Any]:
    """Count rounds and bytes of a run, over all folds."""
    rounds = [json.loads(path.read_text()) for path in sorted(out.rglob("rounds.json"))]
    return {
        "rounds": max((len(each) for each in rounds), default=0),
        "bytes": sum(one["sent"] + one["received"] for each in rounds for one in each),
        "folds": len(rounds),
    }


if __name__ == "__main__":
    main()
