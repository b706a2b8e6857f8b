"""Compare the statements of ``ecglens.criteria`` with the diagnoses of LUDB and PTB-XL, on signals and on pages.

python benchmarks/criteria.py [--write] [--data ../shared/data] [--stored FOLDER]

Truth: the diagnoses of LUDB (``ludb.csv``) and the SCP codes of PTB-XL, of whatever likelihood (``ptbxl_database.csv``,
and ``statements.csv`` where ``mv_250hz.npz`` has the signals). Both come from cardiologists who did not apply these
criteria, so that a perfect program would not reach 1. A record on which the truth says nothing about a statement (such
as the axis where it was not coded, or a rate code beside fibrillation) is left out of the statement's counts. LUDB's
STEMI is no truth for ST elevation: it names the infarction, and none of its records here is raised by 0.1 mV.

Pages: rendered at 200 dpi in the layout 3x4+1 and digitized. They are a part of the records that is chosen with a seed:
the records come in random order, and one is taken if it has a diagnosis that few of those before it had.

Three ways to count: *met*, which lies beyond its limit by more than an error bar; *at the limit*, the figures alone
without their errors, as a person reads them; and *met or borderline*. A statement that cannot be evaluated counts as
negative; how many could not is listed. The bars hold where one way holds them. Records are numbered in the order of the
sources; thresholds and criteria were set on the signals of the odd ones (first, third, ...).
"""

import argparse
import ast
import csv
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ecglens.criteria import Outcome, evaluate_criteria
from ecglens.criteria.table import load_criteria
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.measurements import LEAD_FIGURES
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord, Measurements
from ecglens.render import render_page

HERE = Path(__file__).resolve().parent

LIMB_FROM_TWO = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))
"""Limb leads as sums of I and II."""

BARS = {
    "atrial_fibrillation": (0.90, 0.95),
    "complete_lbbb": (0.85, 0.97),
    "complete_rbbb": (0.85, 0.97),
    "pr_prolonged": (0.75, 0.95),
    "bradycardia": (0.97, 0.97),
    "tachycardia": (0.97, 0.97),
}
"""Least sensitivity and specificity on pages."""

BAR_CODES = frozenset({"AFIB", "CLBBB", "CRBBB", "1AVB", "SBRAD", "STACH"})
PAGES_WITH_BAR, PAGES = 28, 3
"""Pages with a diagnosis that has a bar, and with any other one, that are enough."""

MIN_POSITIVES = 5
"""Positives that a statement needs to have a worth."""
LEAST_WORTH = 0.2
"""Sensitivity plus specificity less 1 on signals, at the limit, below which a statement is off by default."""

SINUS = frozenset({"SR", "SBRAD", "STACH", "SARRH"})
NO_SINUS = frozenset({"AFIB", "AFLT", "PACE", "SVTAC", "PSVT"})
INFARCTIONS = frozenset({"IMI", "ASMI", "ILMI", "AMI", "ALMI", "LMI", "IPLMI", "IPMI", "PMI"})
ISCHEMIA = frozenset({"ISC_", "ISCAL", "ISCIN", "ISCIL", "ISCAS", "ISCLA", "ISCAN"})
INJURY = frozenset({"INJAS", "INJAL", "INJIN", "INJLA", "INJIL"})
OTHER_ST_T = frozenset({"NDT", "NST_", "NT_", "TAB_", "LOWT", "DIG", "ANEUR", "EL", "LNGQT"})


@dataclass(frozen=True)
class Meaning:
    """What diagnoses say about a statement: codes for it, codes that leave it open, and codes that speak against it.

    Where ``against`` is empty, every other record speaks against it.
    """

    codes: frozenset[str]
    open: frozenset[str] = frozenset()
    against: frozenset[str] = frozenset()

    def truth(self, codes: frozenset[str]) -> bool | None:
        """Return whether a record with these codes has the diagnosis; ``None`` where they leave it open."""
        if codes & self.codes:
            return True
        if codes & self.open or (self.against and not codes & self.against):
            return None
        return False


def _meaning(codes: str, *, open_to: Iterable[str] = (), against: Iterable[str] = ()) -> Meaning:
    return Meaning(frozenset(codes.split()), frozenset(open_to), frozenset(against))


MEANINGS: Mapping[str, Meaning] = {
    "pacing_spikes": _meaning("PACE"),
    "sinus_rhythm": _meaning("SR SBRAD STACH SARRH", against=NO_SINUS),
    "bradycardia": _meaning("SBRAD", open_to=NO_SINUS, against=SINUS),
    "tachycardia": _meaning("STACH", open_to=NO_SINUS, against=SINUS),
    "irregular_rhythm": _meaning(
        "AFIB SARRH", open_to=("PAC", "PVC", "SVARR", "BIGU", "TRIGU", "AFLT", "2AVB", "PACE")
    ),
    "atrial_fibrillation": _meaning("AFIB", open_to=("AFLT", "PACE")),
    "narrow_extrasystoles": _meaning("PAC", open_to=("BIGU", "TRIGU", "SVARR", "PRC(S)")),
    "broad_extrasystoles": _meaning("PVC", open_to=("BIGU", "TRIGU", "PRC(S)", "PACE")),
    "pr_prolonged": _meaning("1AVB LPR", open_to=("PACE", "2AVB", "3AVB")),
    "qrs_prolonged": _meaning("CRBBB CLBBB", open_to=("IVCD", "IRBBB", "ILBBB", "PACE", "WPW")),
    "complete_rbbb": _meaning("CRBBB", open_to=("PACE",)),
    "complete_lbbb": _meaning("CLBBB", open_to=("PACE",)),
    "incomplete_rbbb": _meaning("IRBBB", open_to=("PACE",)),
    "incomplete_lbbb": _meaning("ILBBB", open_to=("PACE",)),
    "left_anterior_fascicular_block": _meaning("LAFB", open_to=("PACE",)),
    "left_posterior_fascicular_block": _meaning("LPFB", open_to=("PACE",)),
    "nonspecific_conduction_delay": _meaning("IVCD", open_to=("PACE",)),
    "left_axis": _meaning("axis:LAD axis:ALAD", against=("axis:MID", "axis:RAD", "axis:ARAD")),
    "right_axis": _meaning("axis:RAD axis:ARAD", against=("axis:MID", "axis:LAD", "axis:ALAD")),
    "qtc_prolonged": _meaning("LNGQT", open_to=("PACE",)),
    "low_voltage_limb": _meaning("LVOLT"),
    "lvh_sokolow_lyon": _meaning("LVH VCLVH", open_to=("PACE", "CLBBB", "SEHYP")),
    "lvh_cornell_voltage": _meaning("LVH VCLVH", open_to=("PACE", "CLBBB", "SEHYP")),
    "lvh_cornell_product": _meaning("LVH VCLVH", open_to=("PACE", "CLBBB", "SEHYP")),
    "right_ventricular_hypertrophy": _meaning("RVH", open_to=("PACE",)),
    "left_atrial_enlargement": _meaning("LAO/LAE", open_to=NO_SINUS),
    "right_atrial_enlargement": _meaning("RAO/RAE", open_to=NO_SINUS),
    "st_elevation": _meaning("STE_", open_to=("STEMI", "PACE", "CLBBB", "CRBBB", "ANEUR", *INFARCTIONS)),
    "st_depression": _meaning("STD_", open_to=("PACE", "CLBBB", "CRBBB", *ISCHEMIA, *INJURY, *OTHER_ST_T)),
    "t_inversion": _meaning("INVT", open_to=("PACE", "CLBBB", "CRBBB", *ISCHEMIA, *INJURY, *OTHER_ST_T)),
    "pathological_q": _meaning(" ".join(("QWAVE", "SCAR", *sorted(INFARCTIONS))), open_to=("PACE", "CLBBB", "STEMI")),
}
"""Meaning of the codes for each statement; statements that are not listed have no truth in these sets."""

LUDB_CODES = {
    "sinus rhythm": "SR",
    "irregular sinus rhythm": "SARRH",
    "sinus arrhythmia": "SARRH",
    "sinus bradycardia": "SBRAD",
    "sinus tachycardia": "STACH",
    "atrial fibrillation": "AFIB",
    "atrial flutter": "AFLT",
    "wandering atrial pacemaker": "SVARR",
    "left axis deviation": "axis:LAD",
    "axis of the heart: horizontal": "axis:MID",
    "axis of the heart: normal": "axis:MID",
    "axis of the heart: vertical": "axis:MID",
    "right axis deviation": "axis:RAD",
    "incomplete right bundle branch block": "IRBBB",
    "incomplete left bundle branch block": "ILBBB",
    "complete right bundle branch block": "CRBBB",
    "complete left bundle branch block": "CLBBB",
    "i degree av block": "1AVB",
    "iii degree av-block": "3AVB",
    "left anterior hemiblock": "LAFB",
    "non-specific intravintricular conduction delay": "IVCD",
    "atrial extrasystole": "PAC",
    "ventricular extrasystole": "PVC",
    "left ventricular hypertrophy": "LVH",
    "right ventricular hypertrophy": "RVH",
    "left atrial": "LAO/LAE",
    "right atrial": "RAO/RAE",
    "pacemaker presence": "PACE",
    "stemi": "STEMI",
    "scar formation": "SCAR",
    "ischemia:": "ISC_",
    "supp.nstemi": "ISC_",
    "non-specific repolarization abnormalities:": "NST_",
}
"""Words of LUDB's table by the code of PTB-XL; a word within a longer one that was found before does not count."""


@dataclass(frozen=True, eq=False)
class Case:
    """A record with its diagnoses.

    Attributes:
        name: Source and number.
        record: Signals.
        codes: Codes of its diagnoses, and ``axis:...`` for its axis.
        age: In years, if known.
        sex: ``"female"`` or ``"male"``, if known.
        odd: Whether its number is odd: thresholds were set on these.
    """

    name: str
    record: EcgRecord
    codes: frozenset[str]
    age: float | None
    sex: str | None
    odd: bool


def load_cases(data: Path) -> list[Case]:
    """Load all records with their diagnoses, in the order of the sources."""
    parts = [*_ludb(data / "ludb"), *_ptbxl(data / "ptbxl"), *_ptbxl_signals(data / "ptbxl_signals")]
    return [Case(*part, odd=number % 2 == 0) for number, part in enumerate(parts)]


Part = tuple[str, EcgRecord, frozenset[str], float | None, str | None]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _ludb(folder: Path) -> Iterator[Part]:
    for row in _rows(folder / "ludb.csv"):
        header = folder / "data" / f"{row['ID']}.hea"
        if header.is_file():
            text = " ".join(value or "" for key, value in row.items() if key not in ("ID", "Sex", "Age")).lower()
            age = row["Age"].strip().lstrip(">")
            sex = {"F": "female", "M": "male"}.get(row["Sex"].strip())
            yield f"ludb {row['ID']}", read_wfdb(header), ludb_codes(text), float(age) if age else None, sex


def ludb_codes(text: str) -> frozenset[str]:
    """Return the codes of LUDB's diagnoses; longer phrases are matched first."""
    codes = set()
    for phrase in sorted(LUDB_CODES, key=len, reverse=True):
        if phrase in text:
            codes.add(LUDB_CODES[phrase])
            text = text.replace(phrase, " ")
    return frozenset(codes)


def _ptbxl(folder: Path) -> Iterator[Part]:
    for row in _rows(folder / "ptbxl_database.csv"):
        yield _ptbxl_part(row, read_wfdb(folder / f"{row['filename_hr']}.hea"))


def _ptbxl_signals(folder: Path) -> Iterator[Part]:
    arrays = np.load(folder / "mv_250hz.npz")
    numbers, microvolts = {int(number): at for at, number in enumerate(arrays["ecg_id"])}, arrays["uv"]
    for row in _rows(folder / "statements.csv"):
        at = numbers.get(int(row["ecg_id"]))
        if at is not None:
            eight = microvolts[at].T.astype(np.float32) / 1000
            signals = np.concatenate([np.array(LIMB_FROM_TWO, np.float32) @ eight[:2], eight[2:]])
            yield _ptbxl_part(row, EcgRecord(signals, 250.0, STANDARD_LEADS))


def _ptbxl_part(row: Mapping[str, str], record: EcgRecord) -> Part:
    codes = {*ast.literal_eval(row["scp_codes"]), *([f"axis:{row['heart_axis']}"] if row["heart_axis"] else [])}
    sex = {"0": "male", "1": "female"}.get(row["sex"])
    return f"ptbxl {row['ecg_id']}", record, frozenset(codes), float(row["age"]) if row["age"] else None, sex


def choose_for_pages(cases: Sequence[Case]) -> list[Case]:
    """Choose cases in a random order, each with a code that too few of those before it have."""
    counts: Counter[str] = Counter()
    chosen = []
    for number in np.random.default_rng(0).permutation(len(cases)):
        codes = [code for code in cases[number].codes if not code.startswith("axis:")]
        if any(counts[code] < (PAGES_WITH_BAR if code in BAR_CODES else PAGES) for code in codes):
            chosen.append(cases[number])
            counts.update(codes)
    return chosen


def digitize(record: EcgRecord) -> EcgRecord | None:
    """Render a record as a page and digitize it; ``None`` if the page was refused."""
    try:
        return digitize_page(render_page(record, layout="3x4+1").page).record
    except EcgReadError:
        return None


def measure_case(case: Case, *, on_page: bool, stored: Path | None) -> Measurements | None:
    """Measure the signals or the page of a case; a folder stores what was measured.

    Returns:
        ``None`` if the page was refused.
    """
    path = None if stored is None else stored / f"{case.name} {'page' if on_page else 'signals'}.pkl"
    if path is not None and path.is_file():
        measured: Measurements | None = pickle.loads(path.read_bytes())
        return measured
    record = digitize(case.record) if on_page else case.record
    measured = None if record is None else measure(record)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(measured))
    return measured


@dataclass(frozen=True)
class Answer:
    """Outcome of a statement on a record whose truth is known."""

    truth: bool
    outcome: Outcome
    without_errors: Outcome
    odd: bool


WAYS: Mapping[str, Callable[[Answer], bool]] = {
    "met": lambda answer: answer.outcome is Outcome.MET,
    "at the limit": lambda answer: answer.without_errors is Outcome.MET,
    "met or borderline": lambda answer: answer.outcome in (Outcome.MET, Outcome.BORDERLINE),
}
"""Ways to count a statement as positive."""

Answers = dict[str, list[Answer]]


def answer(pairs: Iterable[tuple[Case, Measurements | None]]) -> Answers:
    """Evaluate all criteria on each record."""
    answers: Answers = {name: [] for name in load_criteria().criteria}
    for case, figures_or_none in pairs:
        measured = figures_or_none or Measurements()
        plain, exact = (
            evaluate_criteria(figures, age=case.age, sex=case.sex, include_weak=True)
            for figures in (measured, without_errors(measured))
        )
        for statement, other in zip(plain, exact, strict=True):
            meaning = MEANINGS.get(statement.name)
            truth = None if meaning is None else meaning.truth(case.codes)
            if truth is not None:
                answers[statement.name].append(Answer(truth, statement.outcome, other.outcome, case.odd))
    return answers


def without_errors(measured: Measurements) -> Measurements:
    """Return measurements whose figures count as exact."""

    def clear(plain: Any) -> Any:
        if not isinstance(plain, dict):
            return plain
        return {name: 0.0 if name == "error" else clear(value) for name, value in plain.items()}

    return Measurements.from_dict(clear(measured.to_dict()))


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval by Wilson (1927)."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.hits / self.count if self.count else np.nan

    def __str__(self) -> str:
        if not self.count:
            return "-"
        z, n, p = 1.96, self.count, self.value
        middle, half = (p + z**2 / (2 * n)), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = ((middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
        return f"{p:.2f} ({max(low, 0):.2f}-{min(high, 1):.2f})"


def sensitivity(answers: Iterable[Answer], way: str) -> Share:
    """Return the share of positive statements among the records with the diagnosis."""
    hits = [WAYS[way](item) for item in answers if item.truth]
    return Share(sum(hits), len(hits))


def specificity(answers: Iterable[Answer], way: str) -> Share:
    """Return the share of statements that are not positive among the records without the diagnosis."""
    hits = [not WAYS[way](item) for item in answers if not item.truth]
    return Share(sum(hits), len(hits))


def table(answers: Answers) -> list[str]:
    """Format sensitivity and specificity of each statement with its counts, and both halves at the limit."""
    ways = " | ".join(f"sens., {way} | spec., {way}" for way in WAYS)
    lines = [
        f"| statement | with / without | not evaluated | {ways} | odd, at the limit | even, at the limit |",
        "|---" * (5 + 2 * len(WAYS)) + "|",
    ]
    for name, items in answers.items():
        if not items:
            continue
        cells = [f"{share(items, way)}" for way in WAYS for share in (sensitivity, specificity)]
        for odd in (True, False):
            half = [item for item in items if item.odd == odd]
            one, two = (share(half, "at the limit") for share in (sensitivity, specificity))
            cells.append(f"{one.value:.2f}, {two.value:.2f} ({one.count} / {two.count})")
        counts = Counter(item.truth for item in items)
        unknown = sum(item.outcome is Outcome.CANNOT_BE_EVALUATED for item in items)
        title = load_criteria().criteria[name].title
        lines.append(f"| {title} | {counts[True]} / {counts[False]} | {unknown} | {' | '.join(cells)} |")
    return lines


def bars_table(answers: Answers) -> list[str]:
    """Format the bars, and whether they hold."""
    lines = [f"| statement | bar | {' | '.join(WAYS)} |", "|---" * (2 + len(WAYS)) + "|"]
    for name, (least_sensitivity, least_specificity) in BARS.items():
        cells = []
        for way in WAYS:
            one, two = (share(answers[name], way).value for share in (sensitivity, specificity))
            holds = one >= least_sensitivity and two >= least_specificity
            cells.append(f"{one:.3f} at {two:.3f}: {'holds' if holds else 'missed'}")
        title = load_criteria().criteria[name].title
        lines.append(f"| {title} | {least_sensitivity:.2f} at {least_specificity:.2f} | {' | '.join(cells)} |")
    return lines


def worths(answers: Answers) -> dict[str, float | None]:
    """Return sensitivity plus specificity less 1 of each statement; ``None`` with too few positives."""
    out: dict[str, float | None] = {}
    for name, items in answers.items():
        is_known = sum(item.truth for item in items) >= MIN_POSITIVES
        shares = (sensitivity(items, "at the limit"), specificity(items, "at the limit"))
        out[name] = sum(share.value for share in shares) - 1 if is_known else None
    return out


def weak_names(answers: Answers) -> list[str]:
    """List the statements that are off by default: their worth is known and too little."""
    return [name for name, worth in worths(answers).items() if worth is not None and worth < LEAST_WORTH]


def worth_lines(answers: Answers) -> list[str]:
    """Say which statements are off by default, and which have no worth."""
    criteria, values = load_criteria().criteria, worths(answers)
    weak = ", ".join(f"{criteria[name].title} ({values[name]:.2f})" for name in weak_names(answers))
    unknown = ", ".join(criteria[name].title for name, worth in values.items() if worth is None)
    return [
        f"Worth: sensitivity plus specificity less 1 on signals, at the limit. Below {LEAST_WORTH}, a statement is off "
        f"by default: {weak or 'none'}.",
        "",
        f"Without {MIN_POSITIVES} records with the diagnosis, and so without a worth: {unknown or 'none'}.",
    ]


def rates_table(pairs: Iterable[tuple[Measurements | None, Measurements | None]]) -> list[str]:
    """Format how often the rate of a page is on the same side of 60 and 100/min as that of the signals."""
    rates = [
        (signals.rate_bpm.value, None if page is None or page.rate_bpm is None else page.rate_bpm.value)
        for signals, page in pairs
        if signals is not None and signals.rate_bpm is not None
    ]
    lines = ["| rate of the signals | with / without | sensitivity | specificity |", "|---|---|---|---|"]
    for title, is_beyond in (("below 60/min", lambda rate: rate < 60), ("above 100/min", lambda rate: rate > 100)):
        sides = [(is_beyond(one), two is not None and is_beyond(two)) for one, two in rates]
        hits = [side for truth, side in sides if truth]
        others = [not side for truth, side in sides if not truth]
        shares = (Share(sum(hits), len(hits)), Share(sum(others), len(others)))
        lines.append(f"| {title} | {len(hits)} / {len(others)} | {shares[0]} | {shares[1]} |")
    return lines


def amplitudes_table(pairs: Iterable[tuple[Measurements | None, Measurements | None]]) -> list[str]:
    """Format how amplitudes of pages differ from those of the signals, and how often the error bars cover that."""
    both = [(one, two) for one, two in pairs if one is not None and two is not None]
    lines = [
        "| page less signals | n | median, mV | middle 68 %, mV | within one error bar | within two |",
        "|---" * 6 + "|",
    ]
    for name in ("q_mv", "r_mv", "s_mv", "r2_mv", "p_mv", "t_mv"):
        each = [
            (getattr(page.leads[lead], name), getattr(signals.leads[lead], name))
            for signals, page in both
            for lead in set(page.leads) & set(signals.leads)
        ]
        figures = [(page, signals) for page, signals in each if page is not None and signals is not None]
        off = np.array([page.value - signals.value for page, signals in figures])
        bars = np.array([np.hypot(page.error, signals.error) for page, signals in figures])
        half = (np.percentile(off, 84) - np.percentile(off, 16)) / 2
        inside = " | ".join(f"{100 * (np.abs(off) <= times * bars).mean():.0f} %" for times in (1, 2))
        title = LEAD_FIGURES[name].title
        lines.append(f"| {title} | {len(off)} | {np.median(off):+.3f} | {half:.3f} | {inside} |")
    return lines


def main() -> None:
    """Print the tables, and store them if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="Also write the tables to benchmarks/criteria.md.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--stored", type=Path, help="Folder that stores what was measured.")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    cases = load_cases(chosen.data)
    on_signals = {case: measure_case(case, on_page=False, stored=chosen.stored) for case in cases}
    signals = answer(on_signals.items())
    on_pages = [(case, measure_case(case, on_page=True, stored=chosen.stored)) for case in choose_for_pages(cases)]
    pages = answer(on_pages)
    out = ["# Statements by published criteria", "", "`python benchmarks/criteria.py --write`", ""]
    out += [__doc__.split("\n\n", 2)[2].strip(), "", f"## Pages: {len(on_pages)} of {len(cases)} records", ""]
    out += [f"Pages that were refused: {sum(measured is None for _, measured in on_pages)}.", ""]
    out += [*bars_table(pages), "", "Against the rate that was measured in the signals of the same records:", ""]
    pairs = [(on_signals[case], measured) for case, measured in on_pages]
    out += [
        *rates_table(pairs),
        "",
        *amplitudes_table(pairs),
        "",
        *table(pages),
        "",
        f"## Signals: {len(cases)} records",
        "",
        *table(signals),
        "",
    ]
    text = "\n".join([*out, *worth_lines(signals)]) + "\n"
    print(text)
    wrong = [name for name, each in load_criteria().criteria.items() if each.is_weak != (name in weak_names(signals))]
    if wrong:
        print(f"Mark as weak, or no longer, in criteria.toml: {', '.join(wrong)}.")
    if chosen.write:
        (HERE / "criteria.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
