"""Whether explanations of the shipped model mean anything, over all real pages and on one core.

    python benchmarks/explain.py [--data ../shared/data] [--state build/explain.jsonl] [--write]

Every page is a line of the state file, so that a stopped run goes on where it was. Page by page: deletion and insertion
curves of the class map and of occlusion by lead against random orders, random maps and the ink itself; where the heat
lies; how it changes when the page is saved again; what the answer does when the header is white, a lead is blank or the
page stands on its head. On some pages all methods, their agreement, and the class map of models whose weights are
shuffled layer by layer. The shipped model was fitted on these very pages: the figures say what its explanations are
worth, nothing of how well it answers.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import csv
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from ecglens.models.cards import GRAPH_FILE
from ecglens.models.explain import METHODS, heat_of
from ecglens.models.explain.checks import LEAST_NEAR, MOST_OUTSIDE, areas, ink_map, location, random_map
from ecglens.models.explain.laid import lay
from ecglens.models.explain.randomized import cascade
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.zoo.compact_cnn import compact_cnn_from_graph
from ecglens.pages.read import read_page
from ecglens.reader import examine_page, explain_page, load_runtime
from ecglens.records import Layout, Page, Reading

HERE = Path(__file__).resolve().parent
CHECKED = ("class_map", "occlusion_lead")
RANDOM_MAPS = 4
EACH_LABEL = 4
SAVED_QUALITY = 75
SPEED_PAGES, SPEED_TIMES = 12, 3


def main() -> None:
    """Go on with the pages, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--state", type=Path, default=HERE.parent / "build" / "explain.jsonl")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with (given.data / "mendeley" / "manifest.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    runtime = load_runtime()
    done = _known(given.state, runtime.card.graph_sha256)
    chosen = _chosen(rows)
    with given.state.open("a", encoding="utf-8") as state:
        for number, row in enumerate(rows):
            parts = {"page": _page_figures, **({"methods": _method_figures} if row["recording"] in chosen else {})}
            for kind, figures in parts.items():
                if (kind, row["recording"]) in done:
                    continue
                page = read_page(given.data / "mendeley" / row["page"])
                reading = examine_page(page, runtime)
                found = figures(reading, runtime, np.random.default_rng(number))
                line = {"kind": kind, "recording": row["recording"], "graph": runtime.card.graph_sha256, **found}
                state.write(json.dumps(line) + "\n")
                state.flush()
                done[kind, row["recording"]] = line
    pages = [line for (kind, _), line in done.items() if kind == "page"]
    methods = [line for (kind, _), line in done.items() if kind == "methods"]
    few = [given.data / "mendeley" / row["page"] for row in rows if row["recording"] in chosen]
    text = "\n".join([*_page_tables(pages), *_method_tables(methods), *_cascade_table(few), *_speed_table(few)])
    print(text)
    if given.write:
        (HERE / "explain.md").write_text(_document(text), encoding="utf-8")


def _page_figures(reading: Reading, runtime: Any, rng: np.random.Generator) -> dict[str, Any]:
    scene = _scene(reading, runtime)
    found: dict[str, Any] = {"label": scene.label, "log_odds": scene.own_log_odds()}
    for method in CHECKED:
        planes = heat_of(scene, method)
        curves, laid = areas(scene, planes), lay(scene, planes)
        found[method] = {"deletion": curves.deletion, "insertion": curves.insertion, "shares": laid.shares}
        if METHODS[method].places:
            place, even = location(scene, laid.heat), location(scene, lay(scene, _even(scene)).heat)
            found[method] |= {"near": place.near, "outside": place.outside, "even": even.near}
    drawn = [areas(scene, random_map(scene, rng)) for _ in range(RANDOM_MAPS)]
    order = areas(scene, {name: rng.normal(size=part.shape) for name, part in scene.planes().items()})
    found["random_maps"] = [[one.deletion, one.insertion] for one in drawn]
    found["random_order"] = [order.deletion, order.insertion]
    ink = areas(scene, ink_map(scene))
    found["ink"] = [ink.deletion, ink.insertion]
    return found | _saved_again(reading, runtime, found) | _changed(reading, runtime, scene)


def _saved_again(reading: Reading, runtime: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Agreement of the leads' shares with those of the page saved as JPEG once more."""
    stream = io.BytesIO()
    Image.fromarray(reading.page.pixels).save(stream, "JPEG", quality=SAVED_QUALITY)
    again = examine_page(read_page(stream.getvalue()), runtime)
    if again.prediction.probabilities is None:
        return {"again": None}
    scene = replace(_scene(again, runtime), label=found["label"])
    shares = {method: lay(scene, heat_of(scene, method)).shares for method in CHECKED}
    return {"again": {method: _alike(shares[method], found[method]["shares"]) for method in CHECKED}}


def _changed(reading: Reading, runtime: Any, scene: Scene) -> dict[str, Any]:
    """What becomes of the label when something is taken away or turned."""
    page, layout = reading.page, reading.layout
    assert isinstance(layout, Layout)
    without = page.pixels.copy()
    without[: max(0, int(layout.trace_area.top) - 4)] = 255
    number = {lead: index for index, lead in enumerate(scene.leads)}
    of_lead = np.array([number[stretch.lead] for stretch in scene.stretches] + [-1])
    blank = []
    for index in range(len(scene.leads)):
        away = {name: of_lead[part] == index for name, part in scene.regions.items()}
        arrays = {name: np.where(away[name][:, None], scene.paper[name], scene.arrays[name]) for name in scene.arrays}
        blank.append(int(runtime.logits(arrays).argmax()) != scene.index)
    turned = {name: array[:, :, ::-1] for name, array in scene.arrays.items()}
    return {
        "header": _likeliest(examine_page(Page(without), runtime)),
        "blank_leads": sum(blank),
        "flipped_page": _likeliest(examine_page(Page(np.ascontiguousarray(page.pixels[::-1])), runtime)),
        "flipped_input": runtime.card.labels[int(runtime.logits(turned).argmax())],
    }


def _method_figures(reading: Reading, runtime: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Every method on one page: curves, location, leads' shares, and those drawn with another seed."""
    scene = _scene(reading, runtime)
    module = compact_cnn_from_graph(runtime.card.folder / GRAPH_FILE)
    found: dict[str, Any] = {}
    for method, what in METHODS.items():
        planes = heat_of(scene, method, module=module)
        curves, laid = areas(scene, planes), lay(scene, planes)
        stretches = _of_stretches(scene, planes)
        found[method] = {
            "deletion": curves.deletion,
            "insertion": curves.insertion,
            "shares": laid.shares,
            "stretches": stretches.tolist(),
            "near": location(scene, laid.heat).near if what.places else None,
        }
        if what.random:
            other = heat_of(scene, method, seed=1)
            found[method]["again"] = float(spearmanr(stretches, _of_stretches(scene, other)).statistic)
    drawn = [areas(scene, random_map(scene, rng)) for _ in range(RANDOM_MAPS)]
    return {"label": scene.label, "methods": found, "random": [[one.deletion, one.insertion] for one in drawn]}


def _page_tables(pages: list[dict[str, Any]]) -> Iterator[str]:
    count = len(pages)
    maps = np.array([page["random_maps"] for page in pages])
    others = {
        "mean of 4 random maps": maps.mean(axis=1),
        "one random map": maps[:, 0],
        "random order of places": np.array([page["random_order"] for page in pages]),
        "the ink itself": np.array([page["ink"] for page in pages]),
    }
    yield f"## Deletion and insertion, {count} pages"
    yield "\n| method | against | deletion | insertion | both |\n|---|---|---|---|---|"
    for method in CHECKED:
        own = np.array([[page[method]["deletion"], page[method]["insertion"]] for page in pages])
        for name, other in others.items():
            better = np.column_stack([own[:, 0] < other[:, 0], own[:, 1] > other[:, 1]])
            shares = " | ".join(map(_share, (better[:, 0], better[:, 1], better.all(axis=1))))
            yield f"| {method} | {name} | {shares} |"
    own = np.array([[page["class_map"]["deletion"], page["class_map"]["insertion"]] for page in pages])
    mean = maps.mean(axis=1)
    better = (own[:, 0] < mean[:, 0]) & (own[:, 1] > mean[:, 1])
    yield f"\nBar: the class map beats random maps in both on at least 95 %: {_verdict(better.mean() >= 0.95)}."
    yield "\n| label | pages | class map better in deletion | in insertion |\n|---|---|---|---|"
    for label in dict.fromkeys(page["label"] for page in pages):
        here = np.array([page["label"] == label for page in pages])
        down, up = own[here, 0] < mean[here, 0], own[here, 1] > mean[here, 1]
        yield f"| {label} | {here.sum()} | {_share(down)} | {_share(up)} |"
    near, outside, even = (
        np.array([page["class_map"][name] for page in pages]) for name in ("near", "outside", "even")
    )
    yield "\n## Where the class map's heat lies\n\n| | mean | least | most |\n|---|---|---|---|"
    for name, values in (
        ("within 5 mm of a trace", near),
        ("outside of the grid", outside),
        ("within 5 mm, of heat spread evenly over all leads", even),
    ):
        yield f"| {name} | {values.mean():.1%} | {values.min():.1%} | {values.max():.1%} |"
    yield (
        f"\nBars: at least {LEAST_NEAR:.0%} near traces: {_verdict(near.mean() >= LEAST_NEAR)}, on "
        f"{_share(near >= LEAST_NEAR)} of the pages; at most {MOST_OUTSIDE:.0%} outside of the grid: "
        f"{_verdict(outside.mean() <= MOST_OUTSIDE)}."
    )
    again = [page["again"] for page in pages if page["again"]]
    yield f"\n## The same page saved as JPEG again (quality {SAVED_QUALITY}), {len(again)} pages\n"
    yield "Rank correlation of the leads' shares. Twice the same page is the same to the bit.\n"
    yield "| method | median | 5th percentile |\n|---|---|---|"
    for method in CHECKED:
        values = np.array([one[method] for one in again])
        yield f"| {method} | {np.median(values):.3f} | {np.quantile(values, 0.05):.3f} |"
    yield from _changed_table(pages)


def _changed_table(pages: list[dict[str, Any]]) -> Iterator[str]:
    yield "\n## What the likeliest label does when the page changes\n"
    yield "| change | stays | becomes another | refused |\n|---|---|---|---|"
    for name, title in (
        ("header", "header white"),
        ("flipped_page", "page top to bottom"),
        ("flipped_input", "model's input top to bottom"),
    ):
        stays = np.array([page[name] == page["label"] for page in pages])
        refused = np.array([page[name] is None for page in pages])
        yield f"| {title} | {_share(stays)} | {_share(~stays & ~refused)} | {_share(refused)} |"
    lost = np.array([page["blank_leads"] for page in pages])
    yield f"| one lead blank (13 leads, share of leads) | {1 - lost.mean() / 13:.1%} | {lost.mean() / 13:.1%} | - |"


def _method_tables(lines: list[dict[str, Any]]) -> Iterator[str]:
    yield f"\n## All methods, {len(lines)} pages ({EACH_LABEL} of each label)\n"
    yield "| method | beats 4 random maps in deletion | in insertion | near traces | again with another seed |"
    yield "|---|---|---|---|---|"
    random = np.array([line["random"] for line in lines]).mean(axis=1)
    for method in METHODS:
        own = [line["methods"][method] for line in lines]
        down = np.array([one["deletion"] for one in own]) < random[:, 0]
        up = np.array([one["insertion"] for one in own]) > random[:, 1]
        near = "-" if own[0]["near"] is None else f"{np.mean([one['near'] for one in own]):.0%}"
        again = f"{np.median([one['again'] for one in own]):.2f}" if "again" in own[0] else "same"
        yield f"| {method} | {_share(down)} | {_share(up)} | {near} | {again} |"
    yield "\nAgreement: median rank correlation over the stretches of 0.5 s.\n"
    yield "| | " + " | ".join(METHODS) + " |\n|---|" + "---|" * len(METHODS)
    for one in METHODS:
        agreed = [np.median([_agreement(line["methods"], one, other) for line in lines]) for other in METHODS]
        yield f"| {one} | " + " | ".join(f"{value:.2f}" for value in agreed) + " |"


def _agreement(found: dict[str, Any], one: str, other: str) -> float:
    return float(spearmanr(found[one]["stretches"], found[other]["stretches"]).statistic)


def _cascade_table(paths: list[Path]) -> Iterator[str]:
    """How much of the class map is left when the weights are shuffled from the answer down."""
    runtime = load_runtime()
    readings = [examine_page(read_page(path), runtime) for path in paths]
    scenes = [_scene(reading, runtime) for reading in readings]
    before = [heat_of(scene, "class_map") for scene in scenes]
    yield f"\n## Shuffled weights, {len(paths)} pages\n"
    yield "Rank correlation of the class map with its own, place by place, without signs and with them.\n"
    yield "| layers shuffled from the answer down | without signs | with signs | leads' shares |\n|---|---|---|---|"
    last = 1.0
    for layers, shuffled in cascade(runtime.card, np.random.default_rng(0)):
        bare, signed, shares = [], [], []
        for scene, planes in zip(scenes, before, strict=True):
            other = heat_of(replace(scene, model=shuffled), "class_map")
            here, there = (one["page"][:, ::8, ::8].ravel() for one in (planes, other))
            bare.append(spearmanr(np.abs(here), np.abs(there)).statistic)
            signed.append(spearmanr(here, there).statistic)
            shares.append(_alike(lay(scene, planes).shares, lay(scene, other).shares))
        last = float(np.mean(signed))
        yield f"| {layers} | {np.mean(bare):.2f} | {last:.2f} | {np.mean(shares):.2f} |"
    verdict = _verdict(abs(last) < 0.5)
    yield f"\nThe map depends on what was learned (|correlation with signs| below 0.5 at the end): {verdict}."


def _speed_table(paths: list[Path]) -> Iterator[str]:
    runtime = load_runtime()
    times: dict[str, list[float]] = {"read": [], "class_map": [], "occlusion_lead": [], "checks": []}
    for path in paths[:SPEED_PAGES]:
        content = path.read_bytes()
        for _ in range(SPEED_TIMES):
            began = time.process_time()
            reading = examine_page(read_page(content), runtime)
            times["read"].append(time.process_time() - began)
            for name, method, checks in (
                ("class_map", "class_map", False),
                ("occlusion_lead", "occlusion_lead", False),
                ("checks", "occlusion_lead", True),
            ):
                began = time.process_time()
                explain_page(reading, runtime, method=method, checks=checks)
                times[name].append(time.process_time() - began)
    median = {name: 1000 * float(np.median(values)) for name, values in times.items()}
    yield "\n## Time on one core, ms of CPU, medians\n\n| what | ms |\n|---|---|"
    yield f"| reading a page | {median['read']:.0f} |"
    yield f"| class map, more | {median['class_map']:.0f} |"
    yield f"| occlusion by lead, more | {median['occlusion_lead']:.0f} |"
    yield f"| checks of one explanation, more | {median['checks'] - median['occlusion_lead']:.0f} |"
    yield (
        f"\nBars: class map at most 30 ms: {_verdict(median['class_map'] <= 30)}; occlusion by lead at most 2 s: "
        f"{_verdict(median['occlusion_lead'] <= 2000)}."
    )


def _scene(reading: Reading, runtime: Any) -> Scene:
    assert isinstance(reading.layout, Layout)
    label = _likeliest(reading)
    assert label is not None
    return Scene.of(reading.page, reading.layout, runtime, label)


def _likeliest(reading: Reading) -> str | None:
    told = reading.prediction.probabilities
    return max(told, key=lambda label: told[label]) if told else None


def _even(scene: Scene) -> Planes:
    return {name: (part >= 0).astype(np.float32) for name, part in scene.regions.items()}


def _of_stretches(scene: Scene, planes: Planes) -> NDArray[np.float64]:
    parts = [
        np.bincount(scene.regions[name].ravel() + 1, weights=plane.ravel(), minlength=len(scene.stretches) + 1)
        for name, plane in planes.items()
    ]
    return np.asarray(sum(parts))[1:]


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    leads = [lead for lead in one if lead in other]
    return float(spearmanr([one[lead] for lead in leads], [other[lead] for lead in leads]).statistic)


def _chosen(rows: list[dict[str, str]]) -> set[str]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["label"], []).append(row["recording"])
    return {name for each in names.values() for name in each[:: max(1, len(each) // EACH_LABEL)][:EACH_LABEL]}


def _known(state: Path, graph: str) -> dict[tuple[str, str], dict[str, Any]]:
    state.parent.mkdir(parents=True, exist_ok=True)
    lines = state.read_text(encoding="utf-8").splitlines() if state.is_file() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return {(line["kind"], line["recording"]): line for line in found if line["graph"] == graph}


def _share(values: NDArray[np.bool_]) -> str:
    return f"{np.mean(values):.1%}"


def _verdict(good: bool) -> str:
    return "met" if good else "**missed**"


def _document(text: str) -> str:
    return (
        "# Explanations of the shipped model, checked\n\n`python benchmarks/explain.py --write` printed what follows. "
        "The shipped model was fitted on these pages: the figures say what its explanations are worth, nothing of how "
        f"well it answers.\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
