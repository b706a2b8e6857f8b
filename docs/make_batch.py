"""Make the tables of ``docs/batch.md`` from ``ecglens.batch.rows``; a test holds them current."""

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
    """What stands between the two marks."""
    parts = [f"Schema version {SCHEMA_VERSION}.", "Every result has:", _table(columns(_job(())))]
    known = {column.name for column in columns(_job(()))}
    record = [each for each in columns(_job(("signals",))) if each.name not in known | {"signals_file"}]
    for title, what in (
        ("With `label`", ("label",)),
        ("With `measurements` or `signals`", ()),
        ("With `measurements`", ("measurements",)),
        ("With `signals`", ("signals",)),
        ("With `explanation`, which has the columns of `label` too", ("explanation",)),
    ):
        shown = [each for each in columns(_job(what)) if each.name not in known] if what else record
        known |= {each.name for each in shown}
        parts += [f"{title}:", _table(shown)]
    parts += ["The words in `failure`:", _lines(("failure", "meaning"), FAILURES.items())]
    return "\n\n".join(parts)


def page() -> str:
    """The whole page, its tables made new."""
    text = TARGET.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def _job(what: tuple[str, ...]) -> Job:
    asked = tuple(part for part in PARTS if part in what)
    return Job(asked, "", "", "", "", ("LABEL",), "parquet", 600, 120.0, 100.0)


def _table(shown: object) -> str:
    rows = [(each, each.what) for each in shown if not _is_error(each)]  # type: ignore[attr-defined]
    names = {each.name for each in shown}  # type: ignore[attr-defined]
    lines = [
        f"| `{each.name}`{f', `{each.name}_error`' if f'{each.name}_error' in names else ''} | "
        f"{_KINDS.get(each.kind, each.kind)} | {what} |"
        for each, what in rows
    ]
    return "\n".join(["| column | kind | what stands in it |", "|---|---|---|", *lines])


def _is_error(column: Column) -> bool:
    """Whether it is the uncertainty of the column in front of it, which shows both."""
    return column.what == "its standard uncertainty"


def _lines(head: tuple[str, str], rows: object) -> str:
    lines = [f"| `{name}` | {what} |" for name, what in rows]  # type: ignore[attr-defined]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *lines])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
