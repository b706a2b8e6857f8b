"""Make ``docs/criteria.md`` from the table of criteria and the benchmark's; a test checks that it is current."""

from pathlib import Path

from ecglens.criteria.table import Criterion, load_criteria

HERE = Path(__file__).resolve().parent
TARGET, MEASURED = HERE / "criteria.md", HERE.parent / "benchmarks" / "criteria.md"

INTRODUCTION = """# Statements by published criteria

Made by `python docs/make_criteria.py`; edit `src/ecglens/criteria/criteria.toml`, not this page.

ecglens compares the measurements of a record with the limits of published criteria and makes a statement for each:
*met*, *borderline* (a limit that decides lies within one error bar of the figure), *not met*, or *cannot be
evaluated*, with the reason. Each statement has the measured values with their errors against the limits, the leads,
its source and, where they are exact, codes of SCP-ECG and SNOMED CT. **Statements are for orientation and never a
diagnosis**; no statement says that an ECG is normal.

- `ecglens read PAGE --age 60 --sex female` prints them; `--json` has all of them under `statements`.
- In Python: `ecglens.examine(path, measure=True).statements`, or `ecglens.criteria.evaluate_criteria(measurements,
  age=60, sex="female")`.
- Where age or sex is unknown and a limit depends on it, the criterion is evaluated for everyone who is possible,
  and can be evaluated where all agree. Limits hold for adults.
- Some criteria do not hold beside others, such as ST elevation beside left bundle branch block; the statement then
  says so.
- A label *Normal* of a model beside a criterion that a normal ECG does not meet is reported as a warning.

The last two columns are sensitivity and specificity against the diagnoses of LUDB and PTB-XL, by the figures alone
(*at the limit*), on pages that were rendered and digitized, and on signals.
[benchmarks/criteria.md](../benchmarks/criteria.md) has the counts, the intervals and how the truth was chosen. A
criterion marked *off* agreed too little with the diagnoses and is left out unless `include_weak=True`."""


def page() -> str:
    """Return the whole page."""
    pages, signals = read_shares()
    lines = ["| criterion | condition | source | codes | pages | signals |", "|---|---|---|---|---|---|"]
    for criterion in load_criteria().criteria.values():
        worth = [table.get(criterion.title, "not known") for table in (pages, signals)]
        lines.append(f"| {_cells(criterion)} | {worth[0]} | {worth[1]} |")
    names = [f"- `{name}`: `{' '.join(text.split())}`" for name, text in _definitions()]
    shared = "Conditions that several criteria share:"
    return "\n".join([INTRODUCTION, "", *lines, "", shared, "", *names]) + "\n"


def read_shares() -> tuple[dict[str, str], dict[str, str]]:
    """Return sensitivity and specificity at the limit by title, on pages and on signals."""
    _, _, tables = MEASURED.read_text(encoding="utf-8").partition("## Pages")
    on_pages, _, on_signals = tables.partition("## Signals")
    return _shares(on_pages), _shares(on_signals)


def _shares(text: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if " / " in line]
    header = next((row for row in rows if "sens., at the limit" in row), None)
    if header is None:
        return {}
    one, two = header.index("sens., at the limit"), header.index("spec., at the limit")
    return {row[0]: f"{row[one][:4]}, {row[two][:4]}" for row in rows if len(row) == len(header) and row is not header}


def _cells(criterion: Criterion) -> str:
    source = f"[{criterion.source.title}](https://doi.org/{criterion.source.doi}), {criterion.source.place}"
    codes = [
        f"{system} {code}"
        for system, code in (("SCP", criterion.scp_code), ("SNOMED CT", criterion.snomed_code))
        if code is not None
    ]
    title = f"{criterion.title}{' (off)' if criterion.is_weak else ''}<br>`{criterion.name}`"
    beside = f"<br>not beside {', '.join(f'`{name}`' for name in criterion.unless)}" if criterion.unless else ""
    return f"{title} | `{criterion.text}`{beside} | {source} | {'<br>'.join(codes) or '-'}"


def _definitions() -> list[tuple[str, str]]:
    return list(load_criteria().definition_texts.items())


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
