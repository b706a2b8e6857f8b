"""Compare the quality of each lead with how well it was digitized, over damaged pages whose truth is known.

    python benchmarks/quality.py [--data ../shared/data] [--records 12] [--classified] [--fit] [--write]

Each record is rendered undamaged and with every kind of damage at a random strength from 0.05 to 0.7, in a random
layout of the plain style at 200 dpi; SNR is computed as in ``digitize.py``. ``--fit`` renders records 5, 17, 29, ... of
the sorted list and prints the weights for ``tracing/quality.py``, with the rank correlation on each of these records
when it is left out of the fit. Without ``--fit``, the table of other records is printed.

``--classified`` renders pages in random styles at 70 to 190 dpi, as JPEG, and follows their traces by the classes of
their pixels.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scipy.stats import spearmanr
from scoring import digitize_or_none, score_lead

from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import RHYTHM
from ecglens.leads.locate import locate_by_classes
from ecglens.records import Layout, Page, Tracing
from ecglens.render import DAMAGES, damage, random_style, render_page
from ecglens.tracing import quality
from ecglens.tracing.trace import trace_page

HERE = Path(__file__).resolve().parent
LAYOUTS = ("3x4+1", "3x4", "6x2", "12x1")
KINDS = ("none", *DAMAGES)
FITTED = slice(5, None, 12)
SNR_RANGE_DB = (-5.0, 35.0)
"""Beyond this range a dB more or less does not change how far a lead can be trusted."""


@dataclass(frozen=True)
class Lead:
    """A lead of a rendered page: kind of damage, true SNR, quality, and the predictors of quality."""

    kind: str
    snr_db: float
    quality: float
    signs: dict[str, float] | None


def main() -> None:
    """Digitize damaged pages, then print the table or the fitted weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--records", type=int, default=12, help="Number of records.")
    parser.add_argument("--classified", action="store_true", help="Follow traces by the classes of pixels.")
    parser.add_argument("--fit", action="store_true", help="Fit the weights instead of printing the table.")
    parser.add_argument("--write", action="store_true", help="Also write quality.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted((options.data / "ptbxl").rglob("*.hea"))
    fitted = paths[FITTED]
    others = [path for path in paths if path not in set(fitted)]
    if options.fit:
        print(fit([list(score_damaged(path, seed=11, classified=options.classified)) for path in fitted]))
        return
    chosen = others[:: max(1, len(others) // options.records)][: options.records]
    text = report([lead for path in chosen for lead in score_damaged(path, seed=7, classified=options.classified)])
    print(text)
    if options.write:
        name, option = ("quality_classified.md", " --classified") if options.classified else ("quality.md", "")
        (HERE / name).write_text(
            f"# Quality against truth\n\n`python benchmarks/quality.py{option} --write` printed:\n\n{text}\n", "utf-8"
        )


def score_damaged(path: Path, *, seed: int, classified: bool) -> Iterator[Lead]:
    """Yield every lead of a record's pages, one page for each kind of damage; a refused page has one lead of NaN."""
    record = read_wfdb(path)
    rng = np.random.default_rng([seed, int("".join(filter(str.isdigit, path.stem)))])
    for kind in KINDS:
        style = random_style(rng, dpi=float(rng.uniform(100, 190))) if classified else "plain"
        page = render_page(record, layout=str(rng.choice(LAYOUTS)), style=style, rng=rng)
        strength, of_damage = float(rng.uniform(0.05, 0.7)), int(rng.integers(10**6))
        if kind != "none":
            page = damage(page, kind=kind, strength=strength, seed=of_damage)
        source = as_web_picture(page.page, rng) if classified else page.page
        # A tracing does not contain the predictors, as only this fit needs them.
        with mock.patch("ecglens.tracing.trace.lead_quality", wraps=quality.lead_quality) as spy:
            tracing = digitize_by_classes(source) if classified else digitize_or_none(source)
        if tracing is None or tracing.record is None:
            yield Lead(kind, np.nan, np.nan, None)
            continue
        record_read, signs = tracing.record, quality.lead_predictors(*spy.call_args.args)
        for segment in page.truth.leads:
            name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
            if name in record_read.leads and np.isnan(segment.signal_mv).mean() < 0.3:
                index = record_read.leads.index(name)
                snr_db = score_lead(segment.signal_mv, record_read.signals_mv[index])[0]
                yield Lead(kind, snr_db, record_read.quality[index], signs[index])


def as_web_picture(page: Page, rng: np.random.Generator) -> Page:
    """Return a page at 0.65 to 1 of its size, as JPEG."""
    zoom, quality = float(rng.uniform(0.65, 1.0)), int(rng.integers(55, 97))
    small = cv2.resize(page.pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return replace(page, pixels=cv2.imdecode(data, cv2.IMREAD_COLOR))


def digitize_by_classes(page: Page) -> Tracing | None:
    """Follow the traces by the classes of the page's pixels; return ``None`` if no leads are found."""
    located = locate_by_classes(page)
    if located is None or not isinstance(located.layout, Layout):
        return None
    return trace_page(located.page, located.layout)


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
    """Report the rank correlation over all leads, and the quality of good and bad ones."""
    scored = [lead for lead in leads if not np.isnan(lead.snr_db)]
    snr, qualities = (np.array([getattr(lead, name) for lead in scored]) for name in ("snr_db", "quality"))
    bad, good = snr < 5, snr > 15
    lines = [
        f"Rank correlation of quality and SNR over {len(scored)} leads: {spearmanr(snr, qualities)[0]:.3f} (bar 0.6).",
        f"Below 5 dB: {bad.sum()} leads, {np.mean(qualities[bad] < 0.5):.0%} of them with a quality below 0.5.",
        f"Above 15 dB: {good.sum()} leads, {np.mean(qualities[good] < 0.5):.0%} of them with a quality below 0.5.",
        "",
        "| damage | pages refused | leads | median SNR dB | median quality |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        some = np.array([lead.kind == kind for lead in scored])
        refused = sum(lead.kind == kind for lead in leads) - some.sum()
        snr_db, quality_of = (np.median(values[some]) if some.any() else np.nan for values in (snr, qualities))
        lines.append(f"| {kind} | {refused} | {some.sum()} | {snr_db:.1f} | {quality_of:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
