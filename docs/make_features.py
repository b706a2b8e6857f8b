"""Make ``docs/features.md`` from the names in ``ecglens.measuring.features``; a test holds it current."""

from pathlib import Path

from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.features import FEATURES, GLOBAL_FEATURES, LEAD_FEATURES

TARGET = Path(__file__).resolve().parent / "features.md"


def page() -> str:
    """The whole page."""
    parts = [
        "# Features",
        "Made by `python docs/make_features.py`; edit the code, not this page.",
        f"A row has {len(FEATURES)} columns: {len(GLOBAL_FEATURES)} of the whole record, then {len(LEAD_FEATURES)} of "
        f"each of the twelve leads, named `LEAD_NAME` with the leads {', '.join(STANDARD_LEADS)}. What is not known is "
        "missing. Amplitudes are taken from the median beat against the level just before QRS, edges of waves from all "
        "leads together, spectra from the longest stretch of the lead without a gap.",
        "## Of the record",
        _table(GLOBAL_FEATURES.items()),
        "## Of each lead",
        _table((f"LEAD_{name}", what) for name, what in LEAD_FEATURES.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: object) -> str:
    lines = [f"| `{name}` | {what} |" for name, what in rows]  # type: ignore[attr-defined]
    return "\n".join(["| column | what |", "|---|---|", *lines])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
