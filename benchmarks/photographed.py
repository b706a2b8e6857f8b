"""Measure how well pages are read that were photographed: at an angle, curled, folded, creased, in shadow, blurred.

    python benchmarks/photographed.py [--data ../shared/data] [--parts rendered,labels,real,large] [--write]

Rendered pages of PTB-XL and LUDB are digitized and compared with their truth as in ``digitize.py``; "phone" is curl,
perspective, shadow, blur, noise and JPEG one after the other. Public pages, damaged by ``ecglens.render.damage_page``
or rotated, are read by the shipped model: the table has the shares answered with the true label, with another one, and
refused. That model was trained on these pages, so that only the difference from undamaged ones is meaningful. Real
photographs without truth are judged as in ``real_pages.py``, of which ``--sheet`` also writes the overlays. Last, time
and memory of a photograph of 12 megapixels, each in a process of its own. Everything takes some six minutes of CPU.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from real_pages import Score, judge, score_row, write_sheets
from scipy.stats import spearmanr
from scoring import score_lead

from ecglens.digitizing import digitize_page, measure_tracing
from ecglens.errors import EcgReadError
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import RHYTHM
from ecglens.pages.read import read_page
from ecglens.reading import examine_page, load_runtime
from ecglens.records import GOOD_QUALITY, EcgRecord, Page
from ecglens.render import RenderedPage, damage, damage_page, render_page
from ecglens.tracing.overlay import draw_overlay

HERE = Path(__file__).resolve().parent
PARTS = ("rendered", "labels", "real", "large")
KINDS = ("perspective", "curl", "fold", "crease", "shadow", "blur")
PHONE = ("curl", "perspective", "shadow", "blur", "noise", "jpeg")
STRENGTHS = (0.5, 1.0)
LAYOUTS = ("3x4+1", "6x2")
STYLES = ("plain", "red-lines", "green-lines", "gray-lines")
"""Grids of the rendered pages, one for each record; "plain" is the style of ``render_page``."""
LABEL_PAGES = 20
LABEL_DAMAGES = (("perspective", 1.0), ("curl", 1.0), ("fold", 1.0), ("crease", 0.5), ("crease", 1.0))
ANGLES = (10, 30, 180)
WRONG_DB = 5.0
"""SNR below which a lead is wrong."""
LARGE_DPI = 360.0
"""Resolution at which a page of 285 x 180 mm has more than 10 megapixels; a photograph of it has 12."""


@dataclass
class Tally:
    """Scores of the leads of some pages.

    Attributes:
        snr_db: SNR of each lead that was read.
        quality: Its quality.
        missed: Number of leads that were not read.
        seconds: CPU seconds of each page.
    """

    snr_db: list[float] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)
    missed: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, page: RenderedPage) -> None:
        """Digitize a page and score its leads."""
        began = time.process_time()
        try:
            record = digitize_page(page.page).record
        except EcgReadError:
            record = None
        self.seconds.append(time.process_time() - began)
        for segment in page.truth.leads:
            name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
            if record is None or name not in record.leads:
                self.missed += 1
                continue
            row = record.leads.index(name)
            self.snr_db.append(score_lead(segment.signal_mv, record.signals_mv[row], align=False).snr_db)
            self.quality.append(record.quality[row])

    def cells(self) -> str:
        """Format the scores as cells of a table."""
        snr, quality = np.array(self.snr_db), np.array(self.quality)
        count = len(snr) + self.missed
        is_good = quality >= GOOD_QUALITY
        median = "-" if not snr.size else f"{np.median(snr):.1f}"
        tenth = "-" if not snr.size else f"{np.percentile(snr, 10):.1f}"
        wrong = int((is_good & (snr < WRONG_DB)).sum())
        return (
            f"{median} | {tenth} | {self.missed} of {count} | {int(is_good.sum())} | {wrong} | "
            f"{np.median(self.seconds):.1f} | {max(self.seconds):.1f}"
        )


def main() -> None:
    """Damage and read pages, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--parts", default=",".join(PARTS), help="Parts to run, with commas between them.")
    parser.add_argument("--records", type=int, default=2, help="Number of records of each data set.")
    parser.add_argument("--kinds", default=",".join((*KINDS, "phone")), help="Kinds of damage of rendered pages.")
    parser.add_argument("--sheet", type=Path, help="Folder for overlays of the real photographs.")
    parser.add_argument("--write", action="store_true", help="Also write photographed.md.")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    if options.one is not None:
        measure_one(options.one)
        return
    checks = {
        "rendered": lambda: check_signals(options.data, options.records, options.kinds.split(",")),
        "labels": lambda: check_labels(options.data),
        "real": lambda: check_photographs(options.data, options.sheet),
        "large": lambda: check_large(options.data),
    }
    sections = []
    for part in options.parts.split(","):
        sections.append(checks[part]())
        print(f"{sections[-1]}\n", flush=True)
    if options.write:
        text = "\n\n".join(sections)
        report = f"# Photographed pages\n\n`python benchmarks/photographed.py --write` printed:\n\n{text}\n"
        (HERE / "photographed.md").write_text(report, encoding="utf-8")


def check_signals(data: Path, records: int, kinds: list[str]) -> str:
    """Format the SNR of rendered pages by damage, the leads missed, and how quality ranks the leads."""
    chosen = choose_records(data, records)
    pages = len(chosen) * len(LAYOUTS)
    lines = [
        f"## {pages} rendered pages of PTB-XL and LUDB as {' and '.join(LAYOUTS)}",
        "",
        "Good leads have a quality of 0.5 or more; wrong ones are good leads below 5 dB.",
        "",
        "| damage | strength | median SNR dB | 10th percentile | leads missed | good | wrong | CPU s, median | most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    total = Tally()
    for kind in kinds:
        for strength in STRENGTHS if kind != "phone" else (0.5,):
            tally = Tally()
            for page in damaged_pages(chosen, PHONE if kind == "phone" else (kind,), strength):
                tally.add(page)
            lines.append(f"| {kind} | {strength:g} | {tally.cells()} |")
            print(lines[-1], file=sys.stderr, flush=True)
            total.snr_db += tally.snr_db
            total.quality += tally.quality
    rank = spearmanr(total.quality, total.snr_db).statistic
    return "\n".join([*lines, "", f"Rank correlation of quality and SNR over {len(total.snr_db)} leads: {rank:.2f}."])


def choose_records(data: Path, count: int) -> list[EcgRecord]:
    """Choose records of both data sets, the same each time."""
    chosen = []
    for folder in ("ptbxl", "ludb"):
        paths = sorted((data / folder).rglob("*.hea"))
        chosen += [read_wfdb(paths[index]) for index in np.linspace(7, len(paths) - 9, count).round().astype(int)]
    return chosen


def damaged_pages(records: list[EcgRecord], kinds: tuple[str, ...], strength: float) -> Iterator[RenderedPage]:
    """Render each record in each layout, and damage the page."""
    for number, record in enumerate(records):
        grid = STYLES[number % len(STYLES)]
        for layout in LAYOUTS:
            page = render_page(record, layout=layout, **({} if grid == "plain" else {"grid": grid}))
            for kind in kinds:
                page = damage(page, kind, strength, seed=number)
            yield page


def check_labels(data: Path) -> str:
    """Format the shares of damaged and rotated public pages that are right, wrong and refused."""
    with (data / "mendeley" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = np.random.default_rng(0).permutation(len(rows))[:LABEL_PAGES].tolist()
    read = {row: (read_page(data / "mendeley" / rows[row]["page"]), rows[row]["label"]) for row in chosen}
    lines = [
        f"## {LABEL_PAGES} public pages read by the shipped model",
        "",
        "| damage | right | wrong | refused |",
        "|---|---|---|---|",
    ]
    for kind, strength in LABEL_DAMAGES:
        damaged = ((damage_page(page, kind, strength, row, dpi=100.0), label) for row, (page, label) in read.items())
        lines.append(f"| {kind} {strength:g} | {shares(damaged)} |")
    for angle in ANGLES:
        lines.append(
            f"| rotated by {angle} degrees | {shares((turn(page, angle), label) for page, label in read.values())} |"
        )
    return "\n".join(lines)


def shares(pages: Iterable[tuple[Page, str]]) -> str:
    """Format the shares of pages that the shipped model answers with their label, with another one, and refuses."""
    runtime, count, right, refused = load_runtime(), 0, 0, 0
    for page, label in pages:
        probabilities = examine_page(page, runtime).prediction.probabilities
        count += 1
        refused += probabilities is None
        right += probabilities is not None and max(probabilities, key=lambda name: probabilities[name]) == label
    return f"{right / count:.2f} | {(count - right - refused) / count:.2f} | {refused / count:.2f}"


def turn(page: Page, angle: int) -> Page:
    """Rotate the whole page counterclockwise, on white."""
    if angle % 90 == 0:
        return Page(np.ascontiguousarray(np.rot90(page.pixels, angle // 90)))
    turn = cv2.getRotationMatrix2D(((page.width - 1) / 2, (page.height - 1) / 2), angle, 1.0)
    across, along = abs(turn[0, 1]), abs(turn[0, 0])
    width, height = (round(page.width * a + page.height * b) for a, b in ((along, across), (across, along)))
    turn[:, 2] += ((width - page.width) / 2, (height - page.height) / 2)
    white = (255, 255, 255)
    pixels = cv2.warpAffine(page.pixels, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=white)
    return Page(np.asarray(pixels, dtype=np.uint8))


def check_photographs(data: Path, sheet: Path | None) -> str:
    """Format layouts, qualities and verdicts of real photographs."""
    scores = [*score_foreign(data / "foreign_pages", sheet is not None), *score_unlabeled(data / "real_pages")]
    if sheet is not None:
        write_sheets(scores, sheet)
    lines = [
        "## Real photographs",
        "",
        "| page | layout | good leads | CPU s | verdict | differences or reason |",
        "|---|---|---|---|---|---|",
    ]
    for score in scores:
        good = f"{score.good[0]} of {score.good[1]}" if score.layout else ""
        cells = (score.row["file"], score.layout or "refused", good, f"{score.cpu_s:.1f}", score.verdict, score.reason)
        lines.append(f"| {' | '.join(cells)} |")
    half = sum(score.good[1] > 0 and score.good[0] >= 0.5 * score.good[1] for score in scores)
    correct = sum(score.verdict in ("correct", "refused rightly") for score in scores)
    return "\n".join([*lines, "", f"Half of the leads or more good: {half} of {len(scores)}; correct: {correct}."])


def score_foreign(folder: Path, with_overlay: bool) -> Iterator[Score]:
    """Score the photographs that have an index of what is printed on them."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "photo"]
    for row in rows:
        yield score_row(row, folder / "pages", with_overlay=with_overlay)


def score_unlabeled(folder: Path) -> Iterator[Score]:
    """Score photographs of which only the layout is known, of twelve leads where it is not."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["layout"].startswith("photo")]
    blank = dict.fromkeys(("printed_rate", "printed_pr", "printed_qrs", "printed_qt", "speed_mm_s", "rhythm"), "")
    for row in rows:
        layout = "6x1-limb" if "limb leads" in row["layout"] else "3x4+1"
        score = Score({**blank, "file": row["page"], "page": "", "layout": layout, "expect": "answer"})
        began = time.process_time()
        try:
            tracing = digitize_page(read_page(folder / row["page"]))
            measurements = measure_tracing(tracing)
        except EcgReadError as error:
            score.cpu_s = time.process_time() - began
            score.verdict, score.reason = "refused wrongly", error.detail
            yield score
            continue
        score.cpu_s = time.process_time() - began
        judge(score, tracing, measurements)
        score.overlay = draw_overlay(tracing)
        yield score


def check_large(data: Path) -> str:
    """Format time and memory of photographs of 12 megapixels, one that is read and one that is refused."""
    record = choose_records(data, 1)[0]
    page = render_page(record, dpi=LARGE_DPI)
    for kind in PHONE:
        page = damage(page, kind, 0.5, seed=0)
    table = np.random.default_rng(0).normal(150, 12, page.page.pixels.shape)
    pictures = {
        "a page": page.page.pixels,
        "no page": np.asarray(cv2.GaussianBlur(np.clip(table, 0, 255).astype(np.uint8), (0, 0), 2.0)),
    }
    lines = [
        "## Photographs of 12 megapixels, one core",
        "",
        "| photograph | megapixels | CPU s, import and decoding included | peak MB | result |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in pictures.items():
            path = Path(folder) / f"{name.replace(' ', '-')}.jpg"
            cv2.imwrite(str(path), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
            command = [sys.executable, str(Path(__file__).resolve()), "--one", str(path)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            lines.append(f"| {name} | {pixels.shape[0] * pixels.shape[1] / 1e6:.1f} | {printed.strip()} |")
    return "\n".join(lines)


def measure_one(path: Path) -> None:
    """Digitize a file and print CPU seconds, peak memory and the result as cells of a table."""
    from ecglens import digitize

    try:
        tracing = digitize(path)
        good = 0 if tracing.record is None else sum(value >= GOOD_QUALITY for value in tracing.record.quality)
        result = f"{tracing.layout.name}, {good} good leads"
    except EcgReadError as error:
        result = f"refused: {error.detail}"
    used = sum(
        resource.getrusage(who)[kind] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for kind in (0, 1)
    )
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # ru_maxrss begins with that of the parent
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{used:.1f} | {peak_kb / 1024:.0f} | {result}")


if __name__ == "__main__":
    main()
