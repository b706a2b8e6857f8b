"""Whether occlusion by lead names the lead that changed the answer, on rendered pages where that is known.

    python benchmarks/explain_leads.py [--data ../shared/data] [--write]

Records of PTB-XL are rendered in the print that the shipped model accepts. On each page one lead alone is changed, in
the picture, by putting in its place that lead of the same record rendered with a change: that lead of another record;
turned upside down and doubled; its ST segment and T wave raised by 0.4 mV. Where the model's likeliest label is another
one then, occlusion by lead explains the new label, and the changed lead should have the largest share. Contradictions
between leads, which such a change brings, do not stop the page here as they would a user's.

A lead that tips the balance need not weigh most: where the label was nearly the other one before, all that spoke for it
before speaks for it still. So the table tells how far the change moved the label, too.

Three ways to take a lead away are compared: bare paper, a flat line, and the lead as it is on average on these pages.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.sources import from_ptbxl
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads.find import find_layout
from ecglens.models.explain.scene import Scene
from ecglens.models.runtime import Runtime
from ecglens.reader import load_runtime
from ecglens.records import EcgRecord, Layout, Page
from ecglens.render import render_page

HERE = Path(__file__).resolve().parent
STYLE, DPI = "dotted-report", 100
ST_MV, ST_WINDOW_S = 0.4, (0.06, 0.36)
MOVED = (0.0, 1.0, 2.0, 4.0)
WAYS = ("bare paper", "flat line", "average lead")
FLAT_PX = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A page on which one lead alone changed the answer, and the changed lead's rank by each way of occlusion."""

    change: str
    moved: float
    ranks: tuple[int, ...]


def main() -> None:
    """Render, change, explain, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    runtime = load_runtime()
    records = [read_wfdb(row.path) for row in from_ptbxl(given.data / "ptbxl")]
    rng = np.random.default_rng(0)
    bases = [(record, found) for record in records if (found := _scene(_page(record), runtime)) is not None]
    average = np.mean([scene.arrays["page"] for _, scene in bases], axis=0).astype(np.float32)
    cases: list[Case] = []
    tried = 0
    for number, (record, base) in enumerate(bases):
        donor = bases[(number + 1 + int(rng.integers(len(bases) - 1))) % len(bases)][1]
        for change, changed in _changes(record, donor, runtime):
            if changed is None:
                continue
            for lead in STANDARD_LEADS:
                tried += 1
                if not _may_change(runtime, base, changed, lead):
                    continue
                case = _case(runtime, base, changed, lead, change, average)
                if case is not None:
                    cases.append(case)
    text = "\n".join(_tables(cases, len(bases), tried))
    print(text)
    if given.write:
        (HERE / "explain_leads.md").write_text(
            "# Does occlusion by lead name the lead that changed the answer?\n\n"
            f"`python benchmarks/explain_leads.py --write` printed:\n\n{text}\n",
            encoding="utf-8",
        )


def _changes(record: EcgRecord, donor: Scene, runtime: Runtime) -> Iterator[tuple[str, Scene | None]]:
    """Pages with every lead changed; one lead at a time is taken from them."""
    yield "lead of another record", donor
    turned = replace(record, signals_mv=np.asarray(-2 * record.signals_mv, np.float32))
    yield "upside down and doubled", _scene(_page(turned), runtime)
    raised = replace(record, signals_mv=record.signals_mv + _raised(record))
    yield "ST and T raised by 0.4 mV", _scene(_page(raised), runtime)


def _raised(record: EcgRecord) -> NDArray[np.float32]:
    """0.4 mV after each QRS complex, by the steepest places of all leads together."""
    steep = np.abs(np.diff(np.nan_to_num(record.signals_mv), axis=1, prepend=0.0)).sum(axis=0)
    fs, out = record.fs_hz, np.zeros(record.signals_mv.shape[1], np.float32)
    high, last = np.flatnonzero(steep > 0.5 * np.quantile(steep, 0.995)), -np.inf
    for sample in high:
        if sample - last > 0.3 * fs:
            out[int(sample + ST_WINDOW_S[0] * fs) : int(sample + ST_WINDOW_S[1] * fs)] = ST_MV
            last = sample
    return out


def _page(record: EcgRecord) -> Page:
    return render_page(record, style=STYLE, dpi=DPI).page


def _scene(page: Page, runtime: Runtime) -> Scene | None:
    layout = find_layout(page, doubtful=True)
    if not isinstance(layout, Layout) or layout.name != "3x4+1" or not layout.known_print:
        return None
    scene = Scene.of(page, layout, runtime, runtime.card.labels[0])
    return replace(scene, label=runtime.card.labels[int(runtime.logits(scene.arrays).argmax())])


def _may_change(runtime: Runtime, base: Scene, changed: Scene, lead: str) -> bool:
    """A quick look: does the answer change where the lead is put into what the model reads?"""
    mask = _of_lead(base, lead)[:, None]
    arrays = {"page": np.where(mask, changed.arrays["page"], base.arrays["page"])}
    return int(runtime.logits(arrays).argmax()) != base.index


def _case(
    runtime: Runtime, base: Scene, changed: Scene, lead: str, change: str, average: NDArray[np.float32]
) -> Case | None:
    """The lead put into the picture and the page read again, from its pixels on."""
    pixels = base.page.pixels.copy()
    box = next(one.box for one in base.layout.leads if one.lead == lead and not one.rhythm)
    part = slice(round(box.top), round(box.bottom)), slice(round(box.left), round(box.right))
    pixels[part] = changed.page.pixels[part]
    scene = _scene(Page(pixels), runtime)
    if scene is None or scene.label == base.label:
        return None
    before = replace(base, label=scene.label).own_log_odds()
    ranks = tuple(
        _rank(scene, lead, fill) for fill in (lambda: scene.paper["page"], lambda: _flat(scene), lambda: average)
    )
    return Case(change, scene.own_log_odds() - before, ranks)


def _rank(scene: Scene, lead: str, fill: Callable[[], NDArray[np.float32]]) -> int:
    """How many leads cost the label more than this one."""
    filled = replace(scene)
    filled.__dict__["paper"] = {"page": fill()}
    cost = -filled.log_odds([{"page": _of_lead(scene, other)} for other in scene.leads])
    return int((cost > cost[scene.leads.index(lead)]).sum())


def _flat(scene: Scene) -> NDArray[np.float32]:
    """Paper with a line at 0 mV in every strip."""
    flat = np.array(scene.paper["page"])
    for view in scene.views["page"]:
        middle = view.top + view.height // 2
        flat[:, :, middle - FLAT_PX // 2 : middle + FLAT_PX // 2] = np.quantile(scene.arrays["page"], 0.99)
    return flat


def _of_lead(scene: Scene, lead: str) -> NDArray[np.bool_]:
    numbers = [number for number, stretch in enumerate(scene.stretches) if stretch.lead == lead]
    return np.isin(scene.regions["page"], numbers)


def _tables(cases: list[Case], pages: int, tried: int) -> Iterator[str]:
    ranks = np.array([case.ranks for case in cases]).reshape(-1, len(WAYS))
    yield f"{pages} pages, {tried:,} changes of one lead, {len(cases)} of which changed the likeliest label.\n"
    yield "| change | n | " + " | ".join(f"changed lead first, {way}" for way in WAYS) + " |"
    yield "|---|---|" + "---|" * len(WAYS)
    kinds = [case.change for case in cases]
    for kind in (*dict.fromkeys(kinds), "all"):
        here = np.array([kind in {name, "all"} for name in kinds])
        yield (
            f"| {kind} | {here.sum()} | "
            + " | ".join(f"{share:.1%}" for share in (ranks[here] == 0).mean(axis=0))
            + " |"
        )
    moved = np.array([case.moved for case in cases])
    yield (
        "\n| the label's log-odds moved by at least | n | "
        + " | ".join(WAYS)
        + " | among the first three, bare paper |"
    )
    yield "|---|---|" + "---|" * (len(WAYS) + 1)
    for least in MOVED:
        here = moved >= least
        shares = [f"{share:.1%}" for share in (ranks[here] == 0).mean(axis=0)] + [f"{(ranks[here, 0] <= 2).mean():.1%}"]
        yield f"| {least:g} | {here.sum()} | " + " | ".join(shares) + " |"

    first = float((ranks[:, 0] == 0).mean())
    verdict = "met" if first >= 0.9 else "**missed**"
    yield f"\nBar: the changed lead is first on at least 90 % of all: {verdict} ({first:.1%})."


if __name__ == "__main__":
    main()
