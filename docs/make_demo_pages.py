"""Make the demo pages that ship, with ``ecglens render``, from records of PTB-XL (CC BY 4.0).

python docs/make_demo_pages.py PTBXL_FOLDER
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src" / "ecglens" / "demo"
REPORT = ("--style", "dotted-report", "--dpi", "100", "--quality", "75")

PAGES = (
    ("normal", "Sinus rhythm, normal", "normal", 10, 64, REPORT),
    ("infarction", "Acute myocardial infarction, posterior and inferior", "mi", 15059, 83, REPORT),
    ("old-infarction", "Old anteroseptal infarction, right bundle branch block", "history_mi", 310, 59, REPORT),
    ("atrial-fibrillation", "Atrial fibrillation", "abnormal_heartbeat", 321, 96, REPORT),
    ("extrasystoles", "Ventricular extrasystoles", "abnormal_heartbeat", 10240, 102, REPORT),
    (
        "photo",
        "Sinus tachycardia, as a photo",
        "abnormal_heartbeat",
        108,
        121,
        (*REPORT, "--damage", "perspective:0.1", "--damage", "uneven-light:0.4", "--damage", "noise:0.1"),
    ),
)
"""Name, title, label, record, heart rate (counted in the record) and options of each page."""


def main() -> None:
    """Render each page and write the list of all."""
    source = Path(sys.argv[1])
    rows = []
    for seed, (name, title, label, record, rate_bpm, options) in enumerate(PAGES):
        (header,) = source.rglob(f"{record:05d}_hr.hea")
        arguments = [
            str(header),
            str(OUT / f"{name}.jpg"),
            "--heart-rate",
            str(rate_bpm),
            "--seed",
            str(seed),
            *options,
        ]
        subprocess.run([sys.executable, "-c", "from ecglens.cli import main; main()", "render", *arguments], check=True)
        rows.append({"name": name, "title": title, "label": label, "record": record})
    (OUT / "pages.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
