"""Whether a lead's quality tells how well it was digitized, over damaged pages whose truth is known.

    python benchmarks/quality.py [--data ../shared/data] [--records 12] [--fit] [--write]

Each record is drawn undamaged and with every kind of damage at a random strength from 0.05 to 0.7, in a random layout
of the plain style at 200 dpi; SNR as in ``digitize.py``. ``--fit`` draws records 5, 17, 29, ... of the
sorted list and prints the weights that ``leads/quality.py`` holds, with the rank correlation on each of these records
when it is left out of the fit. Without it the table is printed; its records are others.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
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
from ecglens.render import DAMAGES, damage, render_page
from ecglens.tracing import quality

HERE = Path(__file__).resolve().parent
LAYOUTS = ("3x4+1", "3x4", "6x2", "12x1")
KINDS = ("none", *DAMAGES)
FITTED = slice(5, None, 12)
SNR_RANGE_DB = (-5.0, 35.0)
"""Beyond it a dB more or less says nothing of how far a lead can be trusted."""


@dataclass(frozen=True)
class Lead:
    """A lead of a drawn page: what can be seen of it, what its quality says, and the truth."""

    kind: str
    snr_db: float
    quality: float
    signs: dict[str, float] | None


def main() -> None:
    """Damage, digitize, compare or fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--records", type=int, default=12)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted((given.data / "ptbxl").rglob("*.hea"))
    fitted = paths[FITTED]
    others = [path for path in paths if path not in set(fitted)]
    if given.fit:
        print(fit([list(drawn(path, seed=11)) for path in fitted]))
        return
    chosen = others[:: max(1, len(others) // given.records)][: given.records]
    text = report([lead for path in chosen for lead in drawn(path, seed=7)])
    print(text)
    if given.write:
        (HERE / "quality.md").write_text(
            f"# Quality against truth\n\n`python benchmarks/quality.py --write` printed:\n\n{text}\n", encoding="utf-8"
        )


def drawn(path: Path, *, seed: int) -> Iterator[Lead]:
    """Every lead of a record's pages, one page for each kind of damage; a refused page has one lead of NaN."""
    record = read_wfdb(path)
    rng = np.random.default_rng([seed, int("".join(filter(str.isdigit, path.stem)))])
    for kind in KINDS:
        page = render_page(record, layout=str(rng.choice(LAYOUTS)))
        strength, of_damage = float(rng.uniform(0.05, 0.7)), int(rng.integers(10**6))
        if kind != "none":
            page = damage(page, kind=kind, strength=strength, seed=of_damage)
        # A tracing does not hold the predictors: only this fit needs them.
        with mock.patch("ecglens.tracing.trace.lead_quality", wraps=quality.lead_quality) as asked:
            tracing = digitize_or_none(page.page)
        if tracing is None or tracing.record is None:
            yield Lead(kind, np.nan, np.nan, None)
            continue
        found, signs = tracing.record, quality.lead_predictors(*asked.call_args.args)
        for segment in page.truth.leads:
            name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
            if name in found.leads and np.isnan(segment.signal_mv).mean() < 0.3:
                index = found.leads.index(name)
                snr_db = score_lead(segment.signal_mv, found.signals_mv[index])[0]
                yield Lead(kind, snr_db, found.quality[index], signs[index])


def fit(records: list[list[Lead]]) -> str:
    """Weights by least squares, and how well they rank the leads of records left out."""
    groups = [[lead for lead in leads if lead.signs is not None] for leads in records]
    of = np.concatenate([np.full(len(leads), number) for number, leads in enumerate(groups)])
    leads = [lead for some in groups for lead in some]
    names = list(leads[0].signs or {})
    seen = np.array([[(lead.signs or {})[name] for name in names] for lead in leads])
    snr = np.clip([lead.snr_db for lead in leads], *SNR_RANGE_DB)
    told = np.empty(len(leads))
    for number in range(len(groups)):
        held = of == number
        told[held] = seen[held] @ np.linalg.lstsq(seen[~held], snr[~held])[0]
    weights = np.linalg.lstsq(seen, snr)[0]
    lines = [f'    "{name}": {weight:.2f},' for name, weight in zip(names, weights, strict=True)]
    by_record = [spearmanr(snr[of == number], told[of == number])[0] for number in range(len(groups))]
    return "\n".join(
        [
            f"{len(leads)} leads of {len(groups)} records.",
            *("_WEIGHTS = {", *lines, "}"),
            f"Left out of the fit: rank correlation {spearmanr(snr, told)[0]:.3f} over all leads, "
            f"{np.median(by_record):.3f} in the median record, error {np.sqrt(np.mean((snr - told) ** 2)):.1f} dB.",
        ]
    )


def report(leads: list[Lead]) -> str:
    """Rank correlation over all leads, and what quality says of good and bad ones."""
    known = [lead for lead in leads if not np.isnan(lead.snr_db)]
    snr, told = (np.array([getattr(lead, name) for lead in known]) for name in ("snr_db", "quality"))
    bad, good = snr < 5, snr > 15
    lines = [
        f"Rank correlation of quality and SNR over {len(known)} leads: {spearmanr(snr, told)[0]:.3f} (bar 0.6).",
        f"Below 5 dB: {bad.sum()} leads, {np.mean(told[bad] < 0.5):.0%} of them with a quality below 0.5.",
        f"Above 15 dB: {good.sum()} leads, {np.mean(told[good] < 0.5):.0%} of them with a quality below 0.5.",
        "",
        "| damage | pages refused | leads | median SNR dB | median quality |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        some = np.array([lead.kind == kind for lead in known])
        refused = sum(lead.kind == kind for lead in leads) - some.sum()
        snr_db, quality_of = (np.median(values[some]) if some.any() else np.nan for values in (snr, told))
        lines.append(f"| {kind} | {refused} | {some.sum()} | {snr_db:.1f} | {quality_of:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
