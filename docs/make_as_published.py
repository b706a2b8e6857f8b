"""Make ``as_published.json`` of the shipped model: its recipe, scored on files split at random, as most works do.

It is made from the predictions that ``ecglens reproduce shipped --protocol as-published`` stored in ``docs/results``;
the web application shows it beside the honest figures. Run from the repository: ``python docs/make_as_published.py``.
"""

import json
from pathlib import Path

import numpy as np

from ecglens.evaluation.classification import figures
from ecglens.evaluation.points import curve_points
from ecglens.evaluation.predictions import read_predictions

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "shipped" / "as-published"
TARGET = ROOT / "src" / "ecglens" / "weights" / "compact_cnn" / "as_published.json"


def as_published() -> str:
    """Return the text of the file."""
    note = json.loads((RESULT / "seed0.json").read_text(encoding="utf-8"))
    answers = read_predictions(RESULT / "seed0.csv")
    scored = figures(answers.targets, answers.probabilities, answers.labels)
    scored["curves"] = curve_points(answers.targets, answers.probabilities, answers.labels)
    counts = {label: int(np.sum(answers.targets == place)) for place, label in enumerate(answers.labels)}
    content = {
        "protocol": note["protocol"],
        "command": f"{note['command']}; python docs/make_as_published.py",
        "data": {
            "files": len(answers.targets),
            "recordings": len(set(answers.recordings)),
            "groups": len(set(answers.groups)),
            "labels": counts,
        },
        "labels": list(answers.labels),
        "seeds": {f"seed {note['seed']}": scored},
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(as_published(), encoding="utf-8")
