"""Make ``docs/features.md`` from the names in ``ecglens.measuring.features``; a test checks that it is current."""

from pathlib import Path

from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.features import FEATURES, GLOBAL_FEATURES, LEAD_FEATURES

TARGET = Path(__file__).resolve().parent / "features.md"


def page() -> str:
    """Return the whole page."""
    parts = [
        "# Features",
        "Made by `python docs/make_features.py`; edit the code, not this page.",
        f"A row has {len(FEATURES)} columns: {len(GLOBAL_FEATURES)} of the whole record, then {len(LEAD_FEATURES)} of "
        f"each of the twelve leads, named `LEAD_NAME` with the leads {', '.join(STANDARD_LEADS)}. What could not "
        "be measured is missing. Amplitudes are measured on the median beat, relative to the level just before QRS; "
        "the edges of waves on all leads together; spectra on the longest stretch of the lead without a gap.",
        "## Features of the record",
        _table(GLOBAL_FEATURES.items()),
        "## Features of each lead",
        _table((f"LEAD_{name}", meaning) for name, meaning in LEAD_FEATURES.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: object) -> str:
    lines = [f"| `{name}` | {meaning} |" for name, meaning in rows]  # type: ignore[attr-defined]
    return "\n".join(["| column | meaning |", "|---|---|", *lines])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
