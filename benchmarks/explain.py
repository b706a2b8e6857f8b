"""Check the explanations of the shipped model on all real pages, and measure their time on one core.

    python benchmarks/explain.py [--data ../shared/data] [--state build/explain.jsonl] [--write]

Every page is a line of the state file, so that an interrupted run can be resumed. For each page: deletion and insertion
curves of the class map and of occlusion by lead against random orders, random maps and the ink itself; the location of
the heat; how it changes when the page is saved again; how the answer changes when the header is white, a lead is blank
or the page is upside down. On some pages: all methods, their agreement, and the class map of models whose weights are
shuffled layer by layer. The shipped model was trained on these same pages: the figures say how good its explanations
are, not how well it answers.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecglens.explaining import explain_page
from ecglens.explanation_checks import make_scene_builder
from ecglens.models.cards import GRAPH_FILE, ModelCard
from ecglens.models.explain import METHODS
from ecglens.models.explain.checks import LEAST_NEAR, MOST_OUTSIDE, compute_curves, locate_heat, make_ink_map
from ecglens.models.explain.class_map import compute_slope, spread_map
from ecglens.models.explain.model_checks import (
    LEAST_BETTER,
    check_page,
    correlate_by_layer,
    correlate_without_weights,
    summarize_checks,
)
from ecglens.models.explain.projection import project
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.explain.stored import save_checks
from ecglens.models.runtime import Runtime
from ecglens.models.zoo.compact_cnn import load_compact_cnn
from ecglens.pages.read import read_page
from ecglens.reading import examine_page, load_runtime

HERE = Path(__file__).resolve().parent
CHECKED = ("class_map", "occlusion_lead")
EACH_LABEL = 2
SPEED_PAGES, SPEED_TIMES = 12, 3


def main() -> None:
    """Check the remaining pages, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--state", type=Path, default=HERE.parent / "build" / "explain.jsonl", help="State file.")
    parser.add_argument("--write", action="store_true", help="Also write explain.md and the model folder's checks.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.data / "mendeley"
    with (folder / "manifest.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    runtime = load_runtime()
    chosen = _choose_pages(rows)
    lines = _check_pages(rows, chosen, folder, options.state, runtime)
    pages, methods = ([line for (kind, _), line in lines.items() if kind == name] for name in ("page", "methods"))
    few = [folder / row["page"] for row in rows if row["recording"] in chosen]
    scenes = [scene for path in few if (scene := make_scene_builder(runtime)(read_page(path))) is not None]
    text = "\n".join(
        [
            *_page_tables(pages),
            *_method_tables(methods, runtime.card),
            *_cascade_table(scenes),
            *_speed_table(few[:SPEED_PAGES], runtime),
        ]
    )
    print(text)
    if options.write:
        (HERE / "explain.md").write_text(_document(text), encoding="utf-8")
        left = correlate_without_weights(scenes, CHECKED, np.random.default_rng(0))
        save_checks(summarize_checks(pages, runtime.card, left=left), runtime.card.folder)


def _check_pages(
    rows: list[dict[str, str]], chosen: set[str], folder: Path, state: Path, runtime: Runtime
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return a line for each page, and one with all methods for each chosen page; reuse the lines of the state file."""
    done = _read_state(state, runtime.card.graph_sha256)
    module = load_compact_cnn(runtime.card.folder / GRAPH_FILE)
    look = make_scene_builder(runtime)
    work = [("page", row) for row in rows] + [("methods", row) for row in rows if row["recording"] in chosen]
    with state.open("a", encoding="utf-8") as stream:
        for number, (kind, row) in enumerate(work):
            name = row["recording"]
            if (kind, name) in done:
                continue
            page, rng = read_page(folder / row["page"]), np.random.default_rng(number)
            scene = look(page)
            figures = check_page(page, look, CHECKED if kind == "page" else tuple(METHODS), rng=rng, module=module)
            if figures is None or scene is None:
                continue
            figures |= _compare_maps(scene, rng) if kind == "page" else {}
            done[kind, name] = {"kind": kind, "recording": name, "graph": runtime.card.graph_sha256, **figures}
            stream.write(json.dumps(done[kind, name]) + "\n")
            stream.flush()
    return done


def _compare_maps(scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    """Return the figures of other maps: a random order, the ink, and the class map spread evenly over paper and ink."""
    order = {name: rng.normal(size=part.shape) for name, part in scene.planes().items()}
    others = {"random_order": order, "ink": make_ink_map(scene), "evenly_laid": _spread_evenly(scene)}
    curves = {name: compute_curves(scene, planes) for name, planes in others.items()}
    return {
        **{name: [one.deletion, one.insertion] for name, one in curves.items()},
        "near_evenly_laid": locate_heat(scene, project(scene, others["evenly_laid"]).heat).near,
        "near_even": locate_heat(scene, project(scene, _cover_leads(scene)).heat).near,
    }


def _page_tables(pages: list[dict[str, Any]]) -> Iterator[str]:
    maps = np.array([page["random_maps"] for page in pages])
    others = {
        "mean of 4 random maps": maps.mean(axis=1),
        "one random map": maps[:, 0],
        "random order of places": np.array([page["random_order"] for page in pages]),
        "the class map spread evenly over paper and ink": np.array([page["evenly_laid"] for page in pages]),
        "the ink itself": np.array([page["ink"] for page in pages]),
    }
    yield f"## Deletion and insertion, {len(pages)} pages"
    yield "\n| method | against | deletion | insertion | both |\n|---|---|---|---|---|"
    for method in CHECKED:
        own = _curves(pages, method)
        for name, other in others.items():
            better = np.column_stack([own[:, 0] < other[:, 0], own[:, 1] > other[:, 1]])
            shares = " | ".join(map(_share, (better[:, 0], better[:, 1], better.all(axis=1))))
            yield f"| {method} | {name} | {shares} |"
    own, mean = _curves(pages, "class_map"), maps.mean(axis=1)
    down, up = own[:, 0] < mean[:, 0], own[:, 1] > mean[:, 1]
    verdict = _verdict((down & up).mean() >= LEAST_BETTER)
    yield f"\nBar: the class map beats random maps in both on at least {LEAST_BETTER:.0%}: {verdict}."
    yield (
        "\nThat bar is low. The ink itself, which is independent of the model, does better in deletion than both "
        "methods on most pages: what removes the ink first also removes the answer."
    )
    yield "\n| most likely label | pages | class map better in deletion | in insertion |\n|---|---|---|---|"
    for label in dict.fromkeys(page["label"] for page in pages):
        here = np.array([page["label"] == label for page in pages])
        yield f"| {label} | {here.sum()} | {_share(down[here])} | {_share(up[here])} |"
    yield from _place_table(pages)
    yield from _repeated_table(pages)
    yield from _changed_table(pages)


def _place_table(pages: list[dict[str, Any]]) -> Iterator[str]:
    near, outside = (np.array([page["methods"]["class_map"][name] for page in pages]) for name in ("near", "outside"))
    evenly, even = (np.array([page[name] for page in pages]) for name in ("near_evenly_laid", "near_even"))
    yield "\n## Where the class map's heat lies\n\n| | mean | least | most |\n|---|---|---|---|"
    for name, values in (
        ("within 5 mm of a trace", near),
        ("outside of the grid", outside),
        ("within 5 mm, of the map spread evenly over paper and ink", evenly),
        ("within 5 mm, of heat spread evenly over all leads", even),
    ):
        yield f"| {name} | {values.mean():.1%} | {values.min():.1%} | {values.max():.1%} |"
    yield (
        f"\nBars: at least {LEAST_NEAR:.0%} near traces: {_verdict(near.mean() >= LEAST_NEAR)}, on "
        f"{_share(near >= LEAST_NEAR)} of the pages; at most {MOST_OUTSIDE:.0%} outside of the grid: "
        f"{_verdict(outside.mean() <= MOST_OUTSIDE)}.\n"
    )
    yield (
        "Tried first: the map spread evenly, each unit a pyramid 32 mm wide, as class maps usually are. It is hardly "
        "nearer to traces than heat spread evenly over all leads, since one unit is 16 mm. Projected on the ink of its "
        "field, which alone can have caused a difference from bare paper, the same units do better in deletion and "
        "insertion too. So this figure says that the ink belongs to a trace. It does not say that the model "
        "distinguishes places 5 mm from each other."
    )


def _repeated_table(pages: list[dict[str, Any]]) -> Iterator[str]:
    again = [page["methods"] for page in pages if page["methods"]["class_map"]["saved_again"] is not None]
    yield f"\n## The same page saved as JPEG again, {len(again)} pages\n"
    yield "Rank correlation of the leads' shares. The same page read twice gives identical results.\n"
    yield "| method | median | 5th percentile |\n|---|---|---|"
    for method in CHECKED:
        values = np.array([one[method]["saved_again"] for one in again])
        yield f"| {method} | {np.median(values):.3f} | {np.quantile(values, 0.05):.3f} |"


def _changed_table(pages: list[dict[str, Any]]) -> Iterator[str]:
    yield "\n## How the most likely label changes with the page\n"
    yield "| change | stays | becomes another | refused |\n|---|---|---|---|"
    for name, row in summarize_checks(pages, load_runtime().card).changes.items():
        yield f"| {name} | {row['stays']:.1%} | {row['another']:.1%} | {row['refused']:.1%} |"


def _method_tables(lines: list[dict[str, Any]], card: ModelCard) -> Iterator[str]:
    summed = summarize_checks(lines, card)
    random = np.array([line["random_maps"] for line in lines]).mean(axis=1)
    yield f"\n## All methods, {len(lines)} pages ({EACH_LABEL} of each label)\n"
    yield "| method | beats 4 random maps in deletion | in insertion | near traces | saved again |"
    yield "|---|---|---|---|---|"
    for method in METHODS:
        own = _curves(lines, method)
        figures = {name: value for check in summed.methods[method] for name, value in check.figures.items()}
        cells = [f"{figures[name]:.2f}" if name in figures else "-" for name in ("near_trace", "saved_again")]
        shares = _share(own[:, 0] < random[:, 0]), _share(own[:, 1] > random[:, 1])
        yield f"| {method} | " + " | ".join((*shares, *cells)) + " |"
    yield "\nAgreement: median rank correlation of the leads' shares.\n"
    yield "| | " + " | ".join(METHODS) + " |\n|---|" + "---|" * len(METHODS)
    for one, row in summed.agreement.items():
        yield f"| {one} | " + " | ".join(f"{row[other]:.2f}" for other in METHODS) + " |"


def _cascade_table(scenes: list[Scene]) -> Iterator[str]:
    """Measure how much of the class map remains when the weights are shuffled from the answer down."""
    yield f"\n## Shuffled weights, {len(scenes)} pages\n"
    yield "Rank correlation of the class map with its own, place by place, without signs and with them.\n"
    yield "| layers shuffled from the answer down | without signs | with signs | leads' shares |\n|---|---|---|---|"
    last = 1.0
    for layers, (bare, last, of_leads) in correlate_by_layer(scenes, "class_map", np.random.default_rng(0)):
        yield f"| {layers} | {bare:.2f} | {last:.2f} | {of_leads:.2f} |"
    verdict = _verdict(abs(last) < 0.5)
    yield f"\nThe map depends on what was learned (|correlation with signs| below 0.5 at the end): {verdict}."
    yield "Without signs some correlation remains: heat lies on ink whatever the weights are."


def _speed_table(paths: list[Path], runtime: Runtime) -> Iterator[str]:
    times: dict[str, list[float]] = {"read": [], "class_map": [], "occlusion_lead": [], "checks": []}
    for path in paths:
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
    yield "\n## Time on one core, ms of CPU, medians\n\n| step | ms |\n|---|---|"
    yield f"| reading a page | {median['read']:.0f} |"
    yield f"| class map, more | {median['class_map']:.0f} |"
    yield f"| occlusion by lead, more | {median['occlusion_lead']:.0f} |"
    yield f"| checks of one explanation, more | {median['checks'] - median['occlusion_lead']:.0f} |"
    yield (
        f"\nBars: class map at most 30 ms: {_verdict(median['class_map'] <= 30)}; occlusion by lead at most 2 s: "
        f"{_verdict(median['occlusion_lead'] <= 2000)}."
    )


def _spread_evenly(scene: Scene) -> Planes:
    """Return the class map with each unit's heat spread evenly around its position."""
    model = scene.model
    assert isinstance(model, Runtime)
    logits, class_maps = model.class_maps({"page": np.concatenate([scene.arrays["page"], scene.paper["page"]])})
    slope = compute_slope(logits[0] / model.card.temperature, scene.index) / model.card.temperature
    size = scene.arrays["page"].shape[2:]
    each = (
        spread_map(np.einsum("lyx,l->yx", maps[0] - maps[1], slope), described, size)
        for described, maps in zip(model.card.feature_maps, class_maps, strict=True)
    )
    return {"page": np.sum(list(each), axis=0, dtype=np.float32)[None]}


def _cover_leads(scene: Scene) -> Planes:
    return {name: (part >= 0).astype(np.float32) for name, part in scene.regions.items()}


def _curves(lines: list[dict[str, Any]], method: str) -> NDArray[np.float64]:
    return np.array([[line["methods"][method][name] for name in ("deletion", "insertion")] for line in lines])


def _choose_pages(rows: list[dict[str, str]]) -> set[str]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["label"], []).append(row["recording"])
    return {name for each in names.values() for name in each[:: max(1, len(each) // EACH_LABEL)][:EACH_LABEL]}


def _read_state(state: Path, graph: str) -> dict[tuple[str, str], dict[str, Any]]:
    state.parent.mkdir(parents=True, exist_ok=True)
    lines = state.read_text(encoding="utf-8").splitlines() if state.is_file() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return {(line["kind"], line["recording"]): line for line in records if line["graph"] == graph}


def _share(values: NDArray[np.bool_]) -> str:
    return f"{np.mean(values):.1%}"


def _verdict(good: bool) -> str:
    return "met" if good else "**missed**"


def _document(text: str) -> str:
    return (
        "# Explanations of the shipped model, checked\n\n`python benchmarks/explain.py --write` printed the following. "
        "The shipped model was trained on these pages: the figures say how good its explanations are, not how well it "
        f"answers.\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
