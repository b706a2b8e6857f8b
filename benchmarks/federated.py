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
import subprocess
import time
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import logging

import numpy as np
import torch

from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays, read_ptbxl_column
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Split
from ecglens.errors import TrainingError
from ecglens.evaluation.several_labels import macro_auroc, macro_auroc_interval
from ecglens.federation.local import PageTask, SignalTask
from ecglens.federation.plan import FederationPlan
from ecglens.federation.privacy import compute_epsilon
from ecglens.federation.simulate import Faults, divide, simulate
from ecglens.federation.simulate_signals import place_groups, simulate_signals
from ecglens.federation.sites import parse_site_plan
from ecglens.federation.strategies import StrategySettings
from ecglens.models.train.cut_beats import BeatCutter
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
from ecglens.models.train.signal_model import FitSettings, fit_signal_model
from ecglens.models.train.signal_run import RECIPE, build_network
from ecglens.models.train.signal_set import assign_folds, make_signal_set

HERE = Path(__file__).resolve().parent
FOLDS = 3
CHANGES = ["input.width=192", "input.height=114", "optimization.epochs=30"]
"""A smaller page than the recipe's, so that a run takes minutes on one core."""

SMALL = ["input.width=128", "input.height=76", "optimization.epochs=30"]
"""A page that is smaller still, for faults and privacy, where a run is compared with its own kind on one fold."""

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
    "tuned-double": {"strategy": StrategySettings("fedavg"), "tune_epochs": 5, "rounds": 30, "epochs": 2},
    "shared": {"strategy": StrategySettings("fedavg"), "shared": 0.1},
    "shared-double": {"strategy": StrategySettings("fedavg"), "shared": 0.1, "rounds": 30, "epochs": 2},
    "trimmed-mean": {"strategy": StrategySettings("trimmed-mean")},
    "krum": {"strategy": StrategySettings("krum")},
}


DEVICE_METHODS = ("central", "local", "fedavg", "fedprox", "fedbn")
DEVICE_EPOCHS = 8
"""Epochs, or rounds of one epoch, of the model of signals; ``ecglens train-signals`` takes 20."""


SOURCES = {"tuned": "fedavg", "tuned-double": "double"}
"""Methods that begin with the finished rounds of another one."""


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
    parser.add_argument("--table", action="store_true", help="Run nothing, and print the table of what is there.")
    parser.add_argument("--write", action="store_true", help="Also write federated.md.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    logging.getLogger("ecglens.federation").setLevel(logging.CRITICAL)  # faults are on purpose here
    methods = options.methods.split(",")
    for row in options.rows.split(",") if not options.table else ():
        for seed in map(int, options.seeds.split(",")):
            for method in methods:
                if row in SITES:
                    run_pages(row, method, seed, options.data, options.runs)
        if row == "faults":
            run_faults(options.data, options.runs, ["trimmed-mean", "fedavg", "krum"])
        elif row == "privacy":
            run_privacy(options.data, options.runs)
        elif row == "scale":
            run_scale(options.data, options.runs)
        elif row == "devices":
            run_devices(options.data, options.runs, [name for name in DEVICE_METHODS if name in methods])
    stored = sorted((options.runs / "results").glob("*.json"))
    page = make_table({path.stem: json.loads(path.read_text(encoding="utf-8")) for path in stored})
    print(page)
    if options.write:
        (HERE / "federated.md").write_text(page, encoding="utf-8")


def run_devices(data: Path, runs: Path, methods: list[str]) -> None:
    """Run the model of signals on the records of PTB-XL whose device is known, a site for each kind of device."""
    names = [name for name in methods if not (runs / "results" / f"devices-{name}-0.json").exists()]
    if not names:
        return
    official, arrays = data / "ptbxl", data / "ptbxl_signals"
    records = list(chain(read_ptbxl(official), read_ptbxl_arrays(arrays, official)))
    # "AT-6 C 5.5" and "AT-6     6" are versions of one device
    devices = {number: name.split()[0] for number, name in read_ptbxl_column([official, arrays], "device").items()}
    signals = make_signal_set(record for record in records if record.ecg_id in devices)
    sites = place_groups([devices[number] for number in signals.ecg_ids.tolist()], signals.groups.tolist())
    for name in names:
        print(f"devices-{name}-0", flush=True)
        begun, cpu, out = time.perf_counter(), time.process_time(), runs / f"devices-{name}-0"
        epochs = {"central": DEVICE_EPOCHS, "local": DEVICE_EPOCHS}.get(name)
        fold_of = assign_folds(signals, folds=FOLDS, seed=0)
        test = np.flatnonzero((fold_of == 0) & np.isin(np.array(sites), sorted(set(sites))))
        if epochs is None:
            plan = FederationPlan(strategy=StrategySettings(name))
            answers = simulate_signals(signals, sites, out, plan, rounds=DEVICE_EPOCHS, folds=FOLDS, only=[0])
            test, logits = answers.rows, answers.logits
            result: dict[str, Any] = count_traffic(out)
        else:
            cutter = BeatCutter(signals, RECIPE, rng=np.random.default_rng(0))
            places = sorted(set(sites)) if name == "local" else [None]
            best: tuple[float, Any] = (-1.0, None)
            for place in places:
                here = np.ones(len(signals), bool) if place is None else np.array(sites) == place
                learn = np.flatnonzero((fold_of != 0) & here)
                settings = FitSettings(epochs=epochs, batch=min(64, len(learn)))
                torch.manual_seed(0)
                network = fit_signal_model(build_network(), signals, cutter, learn, settings=settings)
                answered = SignalTask(signals, cutter, learn, test).compute_logits(network, test)
                score_of = macro_auroc(signals.targets[test] > 0, answered) or 0.0
                best = max(best, (score_of, answered), key=lambda each: each[0])
            logits, result = best[1], {}
        targets = signals.targets[test] > 0
        result |= {
            "macro_auroc": macro_auroc(targets, logits),
            "interval": macro_auroc_interval(
                targets, logits, np.unique(signals.groups[test], return_inverse=True)[1], rng=np.random.default_rng(0)
            ),
            "records": len(test),
            "sites": {site: int((np.array(sites) == site).sum()) for site in sorted(set(sites))},
            "seconds": time.perf_counter() - begun,
            "cpu_seconds": time.process_time() - cpu,
        }
        (runs / "results" / f"devices-{name}-0.json").write_text(json.dumps(result, indent=1) + "\n")
        print(f"  {json.dumps(result)[:300]}", flush=True)


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
    print(name, flush=True)
    is_resumed = (runs / name).exists() or method in SOURCES  # then the time of this process is not that of the run
    begun, cpu = time.perf_counter(), time.process_time()
    if method == "local":
        result = train_alone(recordings, recipe, plan, seed, context, runs / name)
    else:
        out, protocol = runs / name, Plan(folds=FOLDS)
        start_run(recordings, recipe, out, protocol)
        if method.startswith("central"):
            cross_validate(recordings, recipe, out, protocol, seeds=[seed], context=context)
        else:
            if method in SOURCES:
                take_rounds(runs / f"{row}-{SOURCES[method]}-{seed}", out)
            simulate(recordings, recipe, out, protocol, plan, seeds=[seed], context=context)
        result = score_run(recordings, recipe, out, seed)
        result |= count_traffic(out)
    spent = None if is_resumed else time.process_time() - cpu
    result |= {"seconds": time.perf_counter() - begun, "cpu_seconds": spent}
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
    recipe = load_recipe(HERE.parent / "recipes" / "compact_cnn.toml", changes=SMALL)
    split = make_split(recordings, recipe, Plan(folds=FOLDS), seed=0)
    one = runs / "first-fold.json"
    Split(split.protocol, split.seed, split.folds[:1]).save(one, recordings)
    protocol, out = Plan(str(one)), runs / name
    context = RunContext(ALONE, runs / "cache", Quiet())
    begun, cpu = time.perf_counter(), time.process_time()
    start_run(recordings, recipe, out, protocol)
    try:
        simulate(recordings, recipe, out, protocol, plan, seeds=[0], context=context, faults=faults)
    except TrainingError as error:
        path.write_text(json.dumps({"failed": str(error)}) + "\n", encoding="utf-8")
        return
    result = score_run(recordings, recipe, out, 0) | count_traffic(out)
    result |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    result["left_out"] = json.loads(next(out.rglob("rounds.json")).read_text())[0]["left_out"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"  {json.dumps(result)[:300]}", flush=True)


def run_faults(data: Path, runs: Path, methods: list[str]) -> None:
    """Run ten sites of like labels, without faults and with a dead, a late and a poisoned site."""
    for method in methods:
        for name, faults in (("clean", None), ("faulty", Faults(dead=(0,), late=(1,), poisoned=(2,)))):
            settings = StrategySettings(method)
            plan = FederationPlan(sites=parse_site_plan("label-skew:100:10"), strategy=settings, rounds=15, epochs=2)
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
        run_on_one_fold(
            f"privacy-{name}", FederationPlan(strategy=settings, rounds=15, epochs=2, secure=secure), data, runs
        )


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

    def measure_fit(*arguments: Any, **options: Any) -> Any:
        begun = time.process_time(), time.perf_counter()
        result = fit(*arguments, **options)
        spent.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
        return result

    PageTask.fit = measure_fit  # type: ignore[method-assign]
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


TITLES = {
    "central": "in one place",
    "central-60": "in one place, 60 epochs",
    "local": "the best of the sites that train alone",
    "fedavg": "FedAvg",
    "double": "FedAvg, two epochs in a round",
    "fedprox": "FedProx",
    "fedadam": "FedAdam",
    "fedyogi": "FedYogi",
    "fedbn": "FedBN, each site's own model",
    "tuned": "FedAvg, then each site fits its last layers",
    "tuned-double": "FedAvg, two epochs in a round, then each site fits its last layers",
    "shared": "FedAvg after training on a shared tenth",
    "shared-double": "FedAvg, two epochs in a round, after training on a shared tenth",
}
ROW_TITLES = {
    "month": "Public pages, three sites by printed month (44, 79 and 270 recordings)",
    "skew-0.1": "Public pages, five sites by label skew, Dirichlet 0.1",
    "skew-0.3": "Public pages, five sites by label skew, Dirichlet 0.3",
    "skew-1": "Public pages, five sites by label skew, Dirichlet 1",
}


def make_table(results: Mapping[str, dict[str, Any]]) -> str:
    """Make the page of all results, with a command beside what was not run."""
    lines = [
        "# Federated training",
        "",
        f"`python benchmarks/federated.py --table --write` at commit {describe_commit()}. The compact CNN on",
        f"393 public pages of 192 x 114 px, 30 epochs or rounds of one epoch, honest protocol with {FOLDS} folds; one",
        "thread of two cores that other programs used too. Accuracy and macro-F1 are those of all test pages out of",
        "fold; in brackets the 95 % interval by bootstrap over groups of the first seed, and the range where there are",
        "several seeds. Bytes are those of all messages of one fold, both ways. CPU time is that of all folds.",
        "",
    ]
    for row, title in ROW_TITLES.items():
        lines += [f"## {title}", "", "| training | seeds | accuracy | macro-F1 | rounds | MB a fold | CPU s |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [make_line(results, row, method) for method in TITLES]
        lines.append("")
    return "\n".join([*lines, *make_other_tables(results), *make_bars(results), ""])


def make_line(results: Mapping[str, dict[str, Any]], row: str, method: str) -> str:
    """Make the line of one method, over its seeds."""
    names = [f"{method}-{seed}" if method.startswith("central") else f"{row}-{method}-{seed}" for seed in range(3)]
    stored = [results[name] for name in names if name in results]
    if not stored:
        command = f"`python benchmarks/federated.py --rows {row} --methods {method} --seeds 0`"
        return f"| {TITLES[method]} | not run: {command} | | | | | |"
    first = stored[0]
    cells = [
        f"{np.mean([each[key] for each in stored]):.3f} ({first[f'{key}_interval'][0]:.3f} to "
        f"{first[f'{key}_interval'][1]:.3f})"
        + (f", {min(e[key] for e in stored):.3f} to {max(e[key] for e in stored):.3f}" if len(stored) > 1 else "")
        for key in ("accuracy", "macro_f1")
    ]
    traffic = f"{first['bytes'] / first['folds'] / 1e6:.0f}" if first.get("folds") else "-"
    rounds = str(first.get("rounds") or "-")
    spent = "of a part only" if first["cpu_seconds"] is None else f"{first['cpu_seconds']:.0f}"
    return f"| {TITLES[method]} | {len(stored)} | {' | '.join(cells)} | {rounds} | {traffic} | {spent} |"


def make_other_tables(results: Mapping[str, dict[str, Any]]) -> list[str]:
    """Make the tables of faults, privacy, scale, devices and recorders."""
    lines = ["## Ten sites: one dead, one late, one poisoned", ""]
    lines += [
        "One fold, pages of 128 x 76 px, 15 rounds of two epochs. The poisoned site sends ten times its update with the"
    ]
    lines += ["opposite sign.", "", "| strategy | accuracy, no faults | accuracy, faults |", "|---|---|---|"]
    for method in ("trimmed-mean", "krum", "fedavg"):
        cells = [say_accuracy(results.get(f"{kind}-{method}")) for kind in ("clean", "faulty")]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += [
        "",
        "`python benchmarks/federated.py --rows faults`",
        "",
        "## Secure aggregation and differential privacy",
        "",
    ]
    lines += [
        "Three sites by month, FedBN, one fold, pages of 128 x 76 px, 15 rounds of two epochs; clipped at 1. Epsilon"
    ]
    lines += ["is that of all rounds for a whole site, at delta 1e-3.", ""]
    lines += ["| protection | epsilon | accuracy | macro-F1 | MB | CPU s |", "|---|---|---|---|---|---|"]
    for name, title, noise in (
        ("plain", "none", 0.0),
        ("secure", "SecAgg+", 0.0),
        ("noise-0.01", "noise 0.01", 0.01),
        ("noise-0.1", "noise 0.1", 0.1),
        ("noise-1", "noise 1", 1.0),
    ):
        result = results.get(f"privacy-{name}")
        epsilon = f"{compute_epsilon(noise, 15, delta=1e-3):.3g}" if noise else "-"
        figures = (
            " | | | |"
            if result is None
            else (f" {result['macro_f1']:.3f} | {result['bytes'] / 1e6:.0f} | {result['cpu_seconds']:.0f} |")
        )
        lines.append(
            f"| {title} | {epsilon} | {'not run' if result is None else format(result['accuracy'], '.3f')} |{figures}"
        )
    lines += ["", "`python benchmarks/federated.py --rows privacy`", "", "## 20 sites on this machine", ""]
    scale = results.get("scale")
    if scale is None:
        lines.append("Not run: `python benchmarks/federated.py --rows scale`")
    else:
        overhead = scale["rounds_s"] / scale["training_s"] - 1
        lines.append(
            f"{scale['sites']} sites, pages of 512 x 304 px, {scale['trainings']} trainings in one process: at most "
            f"{scale['memory_mb']:.0f} MB with the mapped pages; {overhead:.1%} more time than the trainings alone."
        )
    lines += ["", "## PTB-XL signals, a site for each device", ""]
    lines += [
        f"One fold of three, {DEVICE_EPOCHS} epochs or rounds, the model of signals of any recorder, whole recordings.",
        "",
    ]
    lines += ["| training | macro AUROC | MB | CPU s |", "|---|---|---|---|"]
    for method in DEVICE_METHODS:
        result = results.get(f"devices-{method}-0")
        if result is None:
            lines.append(
                f"| {TITLES[method]} | not run: `python benchmarks/federated.py --rows devices --methods {method}` "
                "| | |"
            )
        else:
            ends, size = result["interval"], f"{result['bytes'] / 1e6:.0f}" if "bytes" in result else "-"
            interval = f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
            lines.append(
                f"| {TITLES[method]} | {result['macro_auroc']:.3f}{interval} | {size} | {result['cpu_seconds']:.0f} |"
            )
    lines += ["", "## Pages of two recorders as two sites", ""]
    lines += [
        "Not run: render PTB-XL with `ecglens render`, put both tables into one with a column `recorder`, and run"
    ]
    lines += ["`ecglens federate simulate recipes/compact_cnn.toml --sites recorder --set input.known_print=false`."]
    lines.append("")
    return lines


def make_bars(results: Mapping[str, dict[str, Any]]) -> list[str]:
    """Compare the results with what was to be reached."""
    lines = ["## What was to be reached", "", "| bar | measured | reached |", "|---|---|---|"]
    central, local = results.get("central-0"), results.get("month-local-0")
    for method in ("fedavg", "double"):
        result = results.get(f"month-{method}-0")
        if central and local and result:
            gap, gain = result["accuracy"] - central["accuracy"], result["accuracy"] - local["accuracy"]
            lines.append(
                f"| month, {TITLES[method]}: within 0.02 accuracy of one place | {gap:+.3f} | {_say(gap >= -0.02)} |"
            )
            lines.append(
                f"| month, {TITLES[method]}: at least 0.03 above the best alone | {gain:+.3f} | {_say(gain >= 0.03)} |"
            )
    longer, double = results.get("central-60-0"), results.get("month-double-0")
    if longer and double:
        gap = double["accuracy"] - longer["accuracy"]
        lines.append(
            f"| month, {TITLES['double']}: within 0.02 accuracy of one place with as many epochs | {gap:+.3f} | "
            f"{_say(gap >= -0.02)} |"
        )
    skewed = {
        method: results[f"skew-0.3-{method}-0"]["macro_f1"]
        for method in TITLES
        if f"skew-0.3-{method}-0" in results and method != "local"
    }
    if central and skewed:
        best = max(skewed, key=lambda method: skewed[method])
        share = skewed[best] / central["macro_f1"]
        lines.append(
            f"| label skew 0.3: 90 % of the macro-F1 of one place by the best strategy, {TITLES[best]} | {share:.1%} "
            "| "
            f"{_say(share >= 0.9)} |"
        )
    else:
        lines.append("| label skew 0.3: 90 % of the macro-F1 of one place by the best strategy | not run | - |")
    if (scale := results.get("scale")) is not None:
        overhead = scale["rounds_s"] / scale["training_s"] - 1
        lines.append(
            f"| 20 sites: memory of at most 4 GB | {scale['memory_mb']:.0f} MB | {_say(scale['memory_mb'] < 4096)} |"
        )
        lines.append(f"| 20 sites: overhead of at most 15 % | {overhead:.1%} | {_say(overhead <= 0.15)} |")
    for method in ("trimmed-mean", "krum"):
        clean, faulty = results.get(f"clean-{method}"), results.get(f"faulty-{method}")
        if clean and faulty and "failed" not in faulty:
            gap = faulty["accuracy"] - clean["accuracy"]
            lines.append(
                f"| dead, late and poisoned site of ten, {method}: within 0.02 of no faults | {gap:+.3f} | "
                f"{_say(gap >= -0.02)} |"
            )
    return lines


def say_accuracy(result: dict[str, Any] | None) -> str:
    """Return the accuracy of a result, or why there is none."""
    if result is None:
        return "not run"
    return "the training ended, as weights grew without bound" if "failed" in result else f"{result['accuracy']:.3f}"


def describe_commit() -> str:
    """Return the short name of the commit of this code."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def _say(is_reached: bool) -> str:
    return "yes" if is_reached else "**no**"


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
