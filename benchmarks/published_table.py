#!/usr/bin/env python3
"""Write the table of the published tree with the manifest's data of each page: batch, printed rate, sex.

    python benchmarks/published_table.py TREE MANIFEST OUT.csv

TREE is the folder that ``mendeley_tree.py`` builds next to the manifest: every published name, copies included.
"""

import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ecglens.datasets.recordings import Recording, Recordings

COLUMNS = ("batch", "printed_rate_bpm", "printed_sex")


def main() -> None:
    """Write the table."""
    tree, manifest, out = (Path(argument) for argument in sys.argv[1:4])
    files = {path.name: path for path in sorted(tree.rglob("*.jpg"))}
    rows = []
    with manifest.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            extra = {name: row[name] for name in COLUMNS}
            rows += [
                Recording(files[name], row["label"], row["recording"], row["group"], extra=extra)
                for name in row["published_names"].split()
            ]
    Recordings(tuple(rows)).to_csv(out)
    print(f"{len(rows)} files, {len({row.recording for row in rows})} recordings; {out} written.")


if __name__ == "__main__":
    main()
