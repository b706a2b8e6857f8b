"""Compare the quality of each lead with how well it was digitized, over damaged pages whose truth is known.

    python benchmarks/quality.py [--data ../shared/data] [--records 12] [--classified | --agreement] [--fit] [--write]

Each record is rendered undamaged and with every kind of damage at a random strength from 0.05 to 0.7, in a random
layout, twice: in the plain style at 200 dpi, and as a picture of the web, in a random style at 65 to 190 dpi, as JPEG.
SNR is computed as in ``digitize.py``; that of web pictures is the one at the best shift, because at 4 px/mm a fraction
of a pixel is a few milliseconds. ``--fit`` renders records 5, 17, 29, ... of the sorted list and prints the weights for
``tracing/quality.py``, with the rank correlation on each of these records when it is left out of the fit. Without
``--fit``, the table of other records is printed.

``--classified`` renders web pictures only, and follows their traces by the classes of their pixels. ``--agreement``
compares the traces of records 5, 29, 53, ... with the strokes that the network sees, and prints how many of those that
agree are wrong.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from unittest import mock

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scipy.stats import spearmanr
from scoring import score_lead

from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import RHYTHM
from ecglens.leads.locate import locate_by_classes, locate_flat_leads
from ecglens.records import Agreement, Layout, Page
from ecglens.render import DAMAGES, PageTruth, damage, random_style, render_page
from ecglens.tracing import quality
from ecglens.tracing.agreement import compare_with_strokes
from ecglens.tracing.trace import trace_page
from ecglens.vision.pixel_classes import classify_page

HERE = Path(__file__).resolve().parent
LAYOUTS = ("3x4+1", "3x4", "6x2", "12x1")
KINDS = ("none", *DAMAGES)
FITTED = slice(5, None, 12)
SNR_RANGE_DB = (-5.0, 35.0)
"""Beyond this range a dB more or less does not change how far a lead can be trusted."""


@dataclass(frozen=True)
class Lead:
    """A lead of a rendered page.

    Attributes:
        kind: Kind of damage.
        web: Whether the page is a picture of the web.
        snr_db: True SNR; NaN for a page that was refused.
        quality: Quality of the lead.
        signs: Predictors of quality.
        facts: Share of its power in a neighbor's ink, bend of the paper in mm, and whether a grid gives the scale.
        agreement: Agreement with the strokes that a network sees, where it was compared.
    """

    kind: str
    web: bool
    snr_db: float
    quality: float
    signs: dict[str, float] | None
    facts: tuple[float, float, bool] = (0.0, 0.0, False)
    agreement: Agreement | None = None


def main() -> None:
    """Digitize damaged pages, then print the table or the fitted weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--records", type=int, default=12, help="Number of records.")
    parser.add_argument("--classified", action="store_true", help="Follow traces by the classes of pixels.")
    parser.add_argument("--agreement", action="store_true", help="Compare traces with the strokes a network sees.")
    parser.add_argument("--fit", action="store_true", help="Fit the weights instead of printing the table.")
    parser.add_argument("--write", action="store_true", help="Also write the table.")
    options = parser.parse_args()
    paths = sorted((options.data / "ptbxl").rglob("*.hea"))
    fitted = paths[FITTED]
    if options.fit:
        print(fit(score_all(fitted, seed=11, mode="classified" if options.classified else "ink")))
        return
    if options.agreement:
        name, option = "quality_agreement.md", " --agreement"
        text = report_agreement(list(chain.from_iterable(score_all(fitted[::2], seed=11, mode="agreement"))))
    else:
        others = [path for path in paths if path not in set(fitted)]
        chosen = others[:: max(1, len(others) // options.records)][: options.records]
        mode = "classified" if options.classified else "ink"
        name, option = ("quality_classified.md", " --classified") if options.classified else ("quality.md", "")
        text = report(list(chain.from_iterable(score_all(chosen, seed=7, mode=mode))))
    print(text)
    if options.write:
        (HERE / name).write_text(
            f"# Quality against truth\n\n`python benchmarks/quality.py{option} --write` printed:\n\n{text}\n", "utf-8"
        )


def score_all(paths: Sequence[Path], *, seed: int, mode: str) -> list[list[Lead]]:
    """Score the pages of each record, on all cores."""
    kinds = (True,) if mode == "classified" else (False, True)
    jobs = [(path, web, seed, mode) for path in paths for web in kinds]
    with ProcessPoolExecutor() as pool:
        scored = list(pool.map(score_damaged, *zip(*jobs, strict=True)))
    return [list(chain.from_iterable(scored[at : at + len(kinds)])) for at in range(0, len(jobs), len(kinds))]


def score_damaged(path: Path, web: bool, seed: int, mode: str) -> list[Lead]:
    """Score every lead of a record's pages, one page for each kind of damage."""
    cv2.setNumThreads(1)
    record = read_wfdb(path)
    rng = np.random.default_rng([seed, int(web), int("".join(filter(str.isdigit, path.stem)))])
    leads = []
    for kind in KINDS:
        style = random_style(rng, dpi=float(rng.uniform(100, 190))) if web else "plain"
        page = render_page(record, layout=str(rng.choice(LAYOUTS)), style=style, rng=rng)
        strength, of_damage = float(rng.uniform(0.05, 0.7)), int(rng.integers(10**6))
        if kind != "none":
            page = damage(page, kind=kind, strength=strength, seed=of_damage)
        source = as_web_picture(page.page, rng) if web else page.page
        leads += score_page_leads(kind, web, source, page.truth, mode)
    return leads


def score_page_leads(kind: str, web: bool, source: Page, truth: PageTruth, mode: str) -> Iterator[Lead]:
    """Yield every lead of a page; a refused page has one lead of NaN."""
    located = locate_by_classes(source) if mode == "classified" else locate_flat_leads(source)
    if located is None or not isinstance(located.layout, Layout):
        yield Lead(kind, web, np.nan, np.nan, None)
        return
    view = located.page if mode == "classified" else replace(located.page, classes=None)
    # A tracing does not contain the predictors, as only this fit needs them.
    with mock.patch("ecglens.tracing.trace.lead_quality", wraps=quality.lead_quality) as spy:
        tracing = trace_page(view, located.layout)
    if tracing.record is None:
        yield Lead(kind, web, np.nan, np.nan, None)
        return
    record, facts, page_facts, *_ = spy.call_args.args
    signs = quality.lead_predictors(record, facts, page_facts)
    agreements: Sequence[Agreement | None] = [None] * len(facts)
    if mode == "agreement":
        agreements = compare_with_strokes(tracing.traces, located.layout, find_strokes(view))
    for segment in truth.leads:
        name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
        if name in tracing.record.leads and np.isnan(segment.signal_mv).mean() < 0.3:
            index = tracing.record.leads.index(name)
            score = score_lead(segment.signal_mv, tracing.record.signals_mv[index], align=web)
            yield Lead(
                kind,
                web,
                score.aligned_snr_db if web else score.snr_db,
                tracing.record.quality[index],
                signs[index],
                (facts[index].tangled, page_facts.bend_mm, page_facts.has_grid),
                agreements[index],
            )


def as_web_picture(page: Page, rng: np.random.Generator) -> Page:
    """Return a page at 0.65 to 1 of its size, as JPEG."""
    zoom, quality = float(rng.uniform(0.65, 1.0)), int(rng.integers(55, 97))
    small = cv2.resize(page.pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return replace(page, pixels=cv2.imdecode(data, cv2.IMREAD_COLOR))


def find_strokes(view: Page) -> np.ndarray:
    """Return the share of each pixel that traces cover, as the network sees it, at the size of the view."""
    classes = classify_page(view).classes
    assert classes is not None
    return cv2.resize(classes.trace, (view.width, view.height), interpolation=cv2.INTER_AREA)


def fit(records: list[list[Lead]]) -> str:
    """Fit weights by least squares, and report how well they rank the leads of records left out."""
    groups = [[lead for lead in leads if lead.signs is not None] for leads in records]
    record_of = np.concatenate([np.full(len(leads), number) for number, leads in enumerate(groups)])
    leads = [lead for some in groups for lead in some]
    names = list(leads[0].signs or {})
    predictors = np.array([[(lead.signs or {})[name] for name in names] for lead in leads])
    snr = np.clip([lead.snr_db for lead in leads], *SNR_RANGE_DB)
    fit_db = np.empty(len(leads))
    for number in range(len(groups)):
        held = record_of == number
        fit_db[held] = predictors[held] @ np.linalg.lstsq(predictors[~held], snr[~held])[0]
    weights = np.linalg.lstsq(predictors, snr)[0]
    lines = [f'    "{name}": {weight:.2f},' for name, weight in zip(names, weights, strict=True)]
    by_record = [spearmanr(snr[record_of == number], fit_db[record_of == number])[0] for number in range(len(groups))]
    return "\n".join(
        [
            f"{len(leads)} leads of {len(groups)} records.",
            *("_WEIGHTS = {", *lines, "}"),
            f"Left out of the fit: rank correlation {spearmanr(snr, fit_db)[0]:.3f} over all leads, "
            f"{np.median(by_record):.3f} in the median record, error {np.sqrt(np.mean((snr - fit_db) ** 2)):.1f} dB.",
        ]
    )


def report(leads: list[Lead]) -> str:
    """Report the rank correlation, and the quality of good and bad leads, for each group of pages."""
    lines = []
    for web, title in ((False, "Plain pages"), (True, "Web pictures")):
        some = [lead for lead in leads if lead.web == web and not np.isnan(lead.snr_db)]
        if not some:
            continue
        snr, qualities = (np.array([getattr(lead, name) for lead in some]) for name in ("snr_db", "quality"))
        bad, good = snr < 5, snr > 15
        lines += [
            f"{title}: rank correlation of quality and SNR over {len(some)} leads: "
            f"{spearmanr(snr, qualities)[0]:.3f} (bar 0.6).",
            f"Below 5 dB: {bad.sum()} leads, {np.mean(qualities[bad] < 0.5):.0%} of them with a quality below 0.5.",
            f"Above 15 dB: {good.sum()} leads, {np.mean(qualities[good] < 0.5):.0%} of them with a quality below 0.5.",
            "",
        ]
    lines += ["| damage | pages refused | leads | median SNR dB | median quality |", "|---|---|---|---|---|"]
    for kind in KINDS:
        some = [lead for lead in leads if lead.kind == kind and not np.isnan(lead.snr_db)]
        refused = sum(lead.kind == kind and np.isnan(lead.snr_db) for lead in leads)
        snr_db, quality_of = (
            np.median([getattr(lead, name) for lead in some]) if some else np.nan for name in ("snr_db", "quality")
        )
        lines.append(f"| {kind} | {refused} | {len(some)} | {snr_db:.1f} | {quality_of:.2f} |")
    return "\n".join(lines)


def report_agreement(leads: list[Lead]) -> str:
    """Report how many leads that agree with the strokes are wrong, over ranges of one fact at a time."""
    compared = [lead for lead in leads if lead.agreement is not None and lead.facts[2]]
    columns = {
        "share in a neighbor's ink": ([lead.facts[0] for lead in compared], (0, 0.001, 0.05, 0.1, 0.2, 0.4, 1.01)),
        "stray strokes": ([lead.agreement.stray for lead in compared], (0, 0.005, 0.02, 0.05, 0.1, 0.3, 1.01)),
        "center line off strokes": (
            [1 - lead.agreement.on_stroke for lead in compared],
            (0, 0.02, 0.05, 0.1, 0.15, 0.3, 1.01),
        ),
        "bend of the paper, mm": ([lead.facts[1] for lead in compared], (0, 0.3, 1, 2, 4, 10)),
    }
    values = {name: np.array(of) for name, (of, _) in columns.items()}
    snr, qualities = (np.array([getattr(lead, name) for lead in compared]) for name in ("snr_db", "quality"))
    limit = quality.LIMITS
    most = (limit.max_tangled_confirmed, limit.max_stray, 1 - limit.min_on_stroke, limit.max_bend_mm)
    limits = dict(zip(columns, most, strict=True))
    lines = [
        "Leads on a page with a grid, and within the other three limits of a confirmed lead.",
        "",
        "| fact | range | leads | below 5 dB | below 10 dB | median dB | quality below 0.5 without the comparison |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (_, edges) in columns.items():
        others = np.all([values[other] <= limit for other, limit in limits.items() if other != name], axis=0)
        for low, high in pairwise(edges):
            some = others & (values[name] >= low) & (values[name] < high)
            if some.any():
                lines.append(
                    f"| {name} | {low:g} to {min(high, 1) if high < 2 else high:g} | {some.sum()} | "
                    f"{np.mean(snr[some] < 5):.0%} | {np.mean(snr[some] < 10):.0%} | {np.median(snr[some]):.1f} | "
                    f"{np.mean(qualities[some] < 0.5):.0%} |"
                )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
