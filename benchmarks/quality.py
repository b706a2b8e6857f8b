"""Whether a lead's quality tells how well it was digitized, over damaged pages whose truth is known.

    python benchmarks/quality.py [--data ../shared/data] [--records 8] [--write]

Every kind of damage at a random strength from 0.05 to 0.7, on random layouts; SNR as in ``digitize.py``. The weights of
``leads/quality.py`` were fitted on records 5, 28, 51, ... of the sorted list; those used here are others.
"""

import argparse
import os
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from digitize import compared, traced
from scipy.stats import spearmanr

from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import RHYTHM
from ecglens.render import DAMAGES, damage, render_page

HERE = Path(__file__).resolve().parent
LAYOUTS = ("3x4+1", "3x4", "6x2", "12x1")


def main() -> None:
    """Damage, digitize, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--records", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(7)
    paths = sorted((given.data / "ptbxl").rglob("*.hea"))
    fitted = set(range(5, len(paths), 23))
    others = [path for index, path in enumerate(paths) if index not in fitted]
    pairs: dict[str, list[tuple[float, float]]] = {kind: [] for kind in DAMAGES}
    refused = dict.fromkeys(DAMAGES, 0)
    for path in others[:: max(1, len(others) // given.records)][: given.records]:
        record = read_wfdb(path)
        for kind in DAMAGES:
            page = render_page(record, layout=str(rng.choice(LAYOUTS)))
            hurt = damage(page, kind=kind, strength=float(rng.uniform(0.05, 0.7)), seed=int(rng.integers(10**6)))
            tracing = traced(hurt.page)
            if tracing is None or tracing.record is None:
                refused[kind] += 1
                continue
            found = tracing.record
            for segment in hurt.truth.leads:
                name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
                if name in found.leads and np.isnan(segment.signal_mv).mean() < 0.3:
                    index = found.leads.index(name)
                    pairs[kind].append((compared(segment.signal_mv, found.signals_mv[index])[0], found.quality[index]))
    text = report(pairs, refused)
    print(text)
    if given.write:
        (HERE / "quality.md").write_text(
            f"# Quality against truth\n\n`python benchmarks/quality.py --write` printed:\n\n{text}\n", encoding="utf-8"
        )


def report(pairs: dict[str, list[tuple[float, float]]], refused: dict[str, int]) -> str:
    """Rank correlation over all leads, and what quality says of good and bad ones."""
    every = np.array([pair for some in pairs.values() for pair in some])
    snr, quality = every.T
    bad, good = snr < 5, snr > 15
    lines = [
        f"Rank correlation of quality and SNR over {len(every)} leads: {spearmanr(snr, quality)[0]:.3f} (bar 0.6).",
        f"Below 5 dB: {bad.sum()} leads, {np.mean(quality[bad] < 0.5):.0%} of them with a quality below 0.5.",
        f"Above 15 dB: {good.sum()} leads, {np.mean(quality[good] < 0.5):.0%} of them with a quality below 0.5.",
        "",
        "| damage | pages refused | leads | median SNR dB | median quality |",
        "|---|---|---|---|---|",
    ]
    for kind, some in pairs.items():
        values = np.array(some) if some else np.full((1, 2), np.nan)
        snr_db, told = np.median(values, axis=0)
        lines.append(f"| {kind} | {refused[kind]} | {len(some)} | {snr_db:.1f} | {told:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
