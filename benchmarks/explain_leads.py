"""Check that occlusion by lead names the lead that changed the answer, on rendered pages where that lead is known.

    python benchmarks/explain_leads.py [--data ../shared/data] [--every 1] [--write]

Records of PTB-XL are rendered in the print that the shipped model accepts. On each page a single lead is changed, in
the picture, by replacing it by the same lead of another record (two of them); by itself upside down and doubled; or by
itself with the ST segment and T wave raised by 0.4 mV. If this changes the model's most likely label, occlusion by lead
explains the new label, and the changed lead should have the largest share. Such a change makes leads contradict each
other, for which a user's page would be refused; these pages are not.

A model of ecglens answers with a label or abstains. The table therefore has two groups: pages whose answer changed,
because a label was given before, after or both; and all pages, even if the model abstained before and after. A lead
that tips the balance need not have the largest share: if the other label was nearly reached before, all that supported
it before supports it still. So the table also reports how far the change moved the label.

Four ways to remove a lead are compared: bare paper, a flat line, the average of the lead over these pages, and bare
paper both ways: what the absence of the lead costs on the page, plus what the lead alone adds to bare paper.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecglens.datasets.sources import from_ptbxl
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads.layout import find_layout
from ecglens.models.explain.scene import Scene
from ecglens.models.runtime import Runtime
from ecglens.reading import load_runtime
from ecglens.records import EcgRecord, Layout, Page
from ecglens.render import render_page

HERE = Path(__file__).resolve().parent
STYLE, DPI = "dotted-report", 100
ST_MV, ST_WINDOW_S = 0.4, (0.06, 0.36)
MOVED = (0.0, 1.0, 2.0, 4.0)
WAYS = ("bare paper", "flat line", "average lead", "bare paper, both ways")
DONORS = 2
FLAT_PX = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A page on which one lead alone changed the answer, and the changed lead's rank by each way of occlusion."""

    change: str
    moved: float
    given_before: bool
    given_after: bool
    ranks: tuple[int, ...]


def main() -> None:
    """Render, change and explain pages, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--every", type=int, default=1, help="Use only every n-th record.")
    parser.add_argument("--write", action="store_true", help="Also write explain_leads.md.")
    options = parser.parse_args()
    runtime = load_runtime()
    records = [read_wfdb(row.path) for row in from_ptbxl(options.data / "ptbxl")][:: options.every]
    rng = np.random.default_rng(0)
    bases = [(record, scene) for record in records if (scene := _scene(_page(record), runtime)) is not None]
    average = np.mean([scene.arrays["page"] for _, scene in bases], axis=0).astype(np.float32)
    cases: list[Case] = []
    tried = 0
    for number, (record, base) in enumerate(bases):
        donors = (number + 1 + rng.choice(len(bases) - 1, DONORS, replace=False)) % len(bases)
        for change, changed in _changes(record, [bases[index][1] for index in donors], runtime):
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
    if options.write:
        (HERE / "explain_leads.md").write_text(
            "# Does occlusion by lead name the lead that changed the answer?\n\n"
            f"`python benchmarks/explain_leads.py --write` printed:\n\n{text}\n",
            encoding="utf-8",
        )


def _changes(record: EcgRecord, donors: list[Scene], runtime: Runtime) -> Iterator[tuple[str, Scene | None]]:
    """Yield pages with every lead changed; one lead at a time is copied from them."""
    for donor in donors:
        yield "lead of another record", donor
    turned = replace(record, signals_mv=np.asarray(-2 * record.signals_mv, np.float32))
    yield "upside down and doubled", _scene(_page(turned), runtime)
    raised = replace(record, signals_mv=record.signals_mv + _compute_elevation(record))
    yield "ST and T raised by 0.4 mV", _scene(_page(raised), runtime)


def _compute_elevation(record: EcgRecord) -> NDArray[np.float32]:
    """Return 0.4 mV after each QRS complex, which is where all leads together are steepest, and 0 elsewhere."""
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
    """Check quickly whether the answer changes when the lead is put into the input of the model."""
    mask = _of_lead(base, lead)[:, None]
    arrays = {"page": np.where(mask, changed.arrays["page"], base.arrays["page"])}
    return int(runtime.logits(arrays).argmax()) != base.index


def _case(
    runtime: Runtime, base: Scene, changed: Scene, lead: str, change: str, average: NDArray[np.float32]
) -> Case | None:
    """Put the lead into the picture, read the page again from its pixels, and rank the lead."""
    pixels = base.page.pixels.copy()
    box = next(one.box for one in base.layout.leads if one.lead == lead and not one.rhythm)
    part = slice(round(box.top), round(box.bottom)), slice(round(box.left), round(box.right))
    pixels[part] = changed.page.pixels[part]
    scene = _scene(Page(pixels), runtime)
    if scene is None or scene.label == base.label:
        return None
    own, before = scene.own_log_odds(), replace(base, label=scene.label).own_log_odds()
    fills = scene.paper["page"], _flat(scene), average
    costs = [_costs(scene, fill) for fill in fills]
    is_answered = [expit(one.own_log_odds()) >= runtime.card.abstain_below for one in (base, scene)]
    ranks = tuple(_rank(scene, lead, cost) for cost in (*costs, costs[0] + _alone(scene)))
    return Case(change, own - before, bool(is_answered[0]), bool(is_answered[1]), ranks)


def _costs(scene: Scene, fill: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute how much the absence of each lead costs the label, up to a constant."""
    filled = replace(scene)
    filled.__dict__["paper"] = {"page": fill}
    return -filled.log_odds([{"page": _of_lead(scene, lead)} for lead in scene.leads])


def _alone(scene: Scene) -> NDArray[np.float64]:
    """Compute how much each lead alone adds to bare paper, up to a constant."""
    every = scene.regions["page"] >= 0
    return scene.log_odds([{"page": every & ~_of_lead(scene, lead)} for lead in scene.leads])


def _rank(scene: Scene, lead: str, cost: NDArray[np.float64]) -> int:
    """Count the leads with a larger share than this one."""
    return int((cost > cost[scene.leads.index(lead)]).sum())


def _flat(scene: Scene) -> NDArray[np.float32]:
    """Return paper with a line at 0 mV in every strip."""
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
    before, after = (np.array([getattr(case, name) for case in cases]) for name in ("given_before", "given_after"))
    moved = np.array([case.moved for case in cases])
    kinds = np.array([case.change for case in cases])
    yield f"{pages} pages, {tried:,} changes of one lead, {len(cases)} of which changed the most likely label.\n"
    yield "The changed lead is first, by way of removing a lead:\n"
    yield "| pages | n | " + " | ".join(WAYS) + " | among the first three, bare paper |"
    yield "|---|---|" + "---|" * (len(WAYS) + 1)
    parts = {
        "the answer changed": before | after,
        "the most likely label changed, given or not": np.ones(len(cases), bool),
        "of these: a label was given before": before,
        "of these: the new label is given": after,
        **{f"of these: {kind}": kinds == kind for kind in dict.fromkeys(kinds.tolist())},
        **{f"of these: moved by at least {least:g} log-odds": moved >= least for least in MOVED},
    }
    for name, here in parts.items():
        if here.any():
            shares = [*(ranks[here] == 0).mean(axis=0), (ranks[here, 0] <= 2).mean()]
            yield f"| {name} | {here.sum()} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"
        else:
            yield f"| {name} | 0 | " + " | ".join("-" * (len(WAYS) + 1)) + " |"
    yield "\nBar: the changed lead is first on at least 90 %.\n"
    for name in list(parts)[:2]:
        here = parts[name]
        first = float((ranks[here, 0] == 0).mean()) if here.any() else 0.0
        yield f"- Where {name}: {'met' if first >= 0.9 else '**missed**'} ({first:.1%} of {here.sum()})."
    yield (
        "\nTried: a flat line and the average lead in place of bare paper, and both ways. Where a change only tips a "
        "label that was close already, the other leads that supported it before have the same weight as before."
    )


if __name__ == "__main__":
    main()
