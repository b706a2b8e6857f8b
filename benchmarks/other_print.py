"""Test the shipped model on pages in a print that it was not trained on, which it would normally refuse.

    python benchmarks/other_print.py [--data ../shared/data] [--write]

Records of PTB-XL, labeled by its own statements (this project's four labels), are rendered as 3x4+1 pages in two
styles; the model's rule that it answers only for known prints is switched off.
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
    """Render pages, predict their labels and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--write", action="store_true", help="Also write other_print.md.")
    options = parser.parse_args()
    runtime = load_runtime()
    runtime.recipe = replace(runtime.recipe, known_print=False)
    lines = [
        "| style | pages | right | would be answered | right of those |",
        "|---|---|---|---|---|",
    ]
    for style in STYLES:
        right, answered, right_answered, pages = 0, 0, 0, 0
        for row in from_ptbxl(options.data / "ptbxl"):
            page = render_page(read_wfdb(row.path), style=style).page
            layout = find_layout(page, doubtful=True)
            if not isinstance(layout, Layout) or layout.name != "3x4+1":
                continue
            prediction = runtime.predict(page, layout)
            probabilities = prediction.probabilities or {}
            top_label = max(probabilities, key=lambda label: probabilities[label])
            pages += 1
            right += top_label == row.label
            answered += prediction.label is not None
            right_answered += prediction.label == row.label
        shares = right / pages, answered / pages, right_answered / max(1, answered)
        lines.append(f"| {style} | {pages} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        (HERE / "other_print.md").write_text(
            f"# The shipped model on another print\n\n`python benchmarks/other_print.py --write` printed:\n\n{text}\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
