"""Make the tables of ``docs/batch.md`` from ``ecglens.batch.rows``; a test checks that they are current."""

from pathlib import Path

from ecglens.batch.job import PARTS, SCHEMA_VERSION, Job
from ecglens.batch.rows import FAILURES, Column, columns

TARGET = Path(__file__).resolve().parent / "batch.md"
BEGIN, END = "<!-- columns, made by python docs/make_batch.py -->", "<!-- end of columns -->"

_KINDS = {
    "strings": "list of strings",
    "doubles": "list of doubles",
    "leads": "struct: a double for each of the twelve leads",
}


def tables() -> str:
    """Return what belongs between the two marks."""
    parts = [f"Schema version {SCHEMA_VERSION}.", "Every result has:", _table(columns(_job(())))]
    listed = {column.name for column in columns(_job(()))}
    record = [each for each in columns(_job(("signals",))) if each.name not in listed | {"signals_file"}]
    for title, outputs in (
        ("With `label`", ("label",)),
        ("With `measurements` or `signals`", ()),
        ("With `measurements`", ("measurements",)),
        ("With `signals`", ("signals",)),
        ("With `explanation`, which has the columns of `label` too", ("explanation",)),
    ):
        new = [each for each in columns(_job(outputs)) if each.name not in listed] if outputs else record
        listed |= {each.name for each in new}
        parts += [f"{title}:", _table(new)]
    parts += ["The codes in `failure`:", _lines(("failure", "meaning"), FAILURES.items())]
    return "\n\n".join(parts)


def page() -> str:
    """Return the whole page with new tables."""
    text = TARGET.read_text(encoding="utf-8")
    before, _, after = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after.partition(END)[2]}"


def _job(outputs: tuple[str, ...]) -> Job:
    parts = tuple(part for part in PARTS if part in outputs)
    return Job(parts, "", "", "", "", ("LABEL",), "parquet", 600, 120.0, 100.0)


def _table(new: object) -> str:
    rows = [(each, each.description) for each in new if not _is_error(each)]  # type: ignore[attr-defined]
    names = {each.name for each in new}  # type: ignore[attr-defined]
    lines = [
        f"| `{each.name}`{f', `{each.name}_error`' if f'{each.name}_error' in names else ''} | "
        f"{_KINDS.get(each.kind, each.kind)} | {meaning} |"
        for each, meaning in rows
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *lines])


def _is_error(column: Column) -> bool:
    """Return whether it is the uncertainty of the column before it, whose row shows both."""
    return column.description == "its standard uncertainty"


def _lines(head: tuple[str, str], rows: object) -> str:
    lines = [f"| `{name}` | {meaning} |" for name, meaning in rows]  # type: ignore[attr-defined]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *lines])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
