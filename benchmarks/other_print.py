"""What the shipped model would say of pages in a print that it has not learned, if it were let.

    python benchmarks/other_print.py [--data ../shared/data] [--write]

Records of PTB-XL, labelled by its own statements (this project's four labels), rendered as 3x4+1 pages in two styles;
the model's rule that it answers only for known prints is switched off.
"""

import argparse
from pathlib import Path

from msgspec.structs import replace

from ecglens.datasets.sources import from_ptbxl
from ecglens.formats.wfdb import read_wfdb
from ecglens.leads.layout import find_layout
from ecglens.reading import load_runtime
from ecglens.records import Layout
from ecglens.render import render_page

HERE = Path(__file__).resolve().parent
STYLES = ("plain", "dotted-report")


def main() -> None:
    """Render, answer, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    runtime = load_runtime()
    runtime.recipe = replace(runtime.recipe, known_print=False)
    lines = [
        "| style | pages | right | would be answered | right of those |",
        "|---|---|---|---|---|",
    ]
    for style in STYLES:
        right, answered, right_answered, pages = 0, 0, 0, 0
        for row in from_ptbxl(given.data / "ptbxl"):
            page = render_page(read_wfdb(row.path), style=style).page
            layout = find_layout(page, doubtful=True)
            if not isinstance(layout, Layout) or layout.name != "3x4+1":
                continue
            prediction = runtime.predict(page, layout)
            told = prediction.probabilities or {}
            likeliest = max(told, key=lambda label: told[label])
            pages += 1
            right += likeliest == row.label
            answered += prediction.label is not None
            right_answered += prediction.label == row.label
        shares = right / pages, answered / pages, right_answered / max(1, answered)
        lines.append(f"| {style} | {pages} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    text = "\n".join(lines)
    print(text)
    if given.write:
        (HERE / "other_print.md").write_text(
            f"# The shipped model on another print\n\n`python benchmarks/other_print.py --write` printed:\n\n{text}\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
