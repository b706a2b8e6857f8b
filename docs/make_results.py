"""Put the shipped model's honest figures into the README and its cards, from its ``evaluation.json``."""

import json
import re
import tempfile
from pathlib import Path

from ecglens.models.card_text import data_card, model_card
from ecglens.models.cards import load_card
from ecglens.models.explain.stored import read_checks, save_checks

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "src" / "ecglens" / "weights" / "compact_cnn"
EVALUATION = SHIPPED / "evaluation.json"
README = ROOT / "README.md"
TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "macro_auroc": "macro-AUROC",
    "expected_calibration_error": "expected calibration error",
    "right_at_coverage": "right among the 72 % most confident",
}


def results() -> str:
    """Format the table and the paragraph below it."""
    evaluation = json.loads(EVALUATION.read_text(encoding="utf-8"))
    first = next(iter(evaluation["seeds"].values()))
    references = evaluation["references"]
    head = ["figure", "compact_cnn: mean of 3 seeds", "range", "95 % interval, first seed", *references]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for key, title in TITLES.items():
        figure, interval = evaluation["summary"][key], first["intervals"][key]
        cells = [
            title,
            f"**{figure['mean']:.3f}**",
            f"{figure['least']:.3f} to {figure['most']:.3f}",
            f"{interval[0]:.3f} to {interval[1]:.3f}",
            *(f"{reference[key]:.3f}" for reference in references.values()),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    data, calibration = evaluation["data"], evaluation["calibration"]
    lines += [
        "",
        f"Honest protocol: {data['recordings']} recordings once each in {data['groups']} groups (exam numbers), "
        "five folds that keep groups whole, all figures out of fold, intervals by bootstrap over groups; "
        f"{data['labels']['mi']} recordings are infarctions. At the shipped threshold the model answers "
        f"{calibration['answered']:.0%} of the pages and is not sure on the rest. Made by "
        "`ecglens train recipes/compact_cnn.toml` and `ecglens export`; the whole command and every figure by label "
        "are in the [card](src/ecglens/weights/compact_cnn/card.md).",
    ]
    return "\n".join(lines)


def cards() -> dict[str, str]:
    """Write the texts of the shipped model's cards, by file name."""
    card, evaluation = load_card(SHIPPED), json.loads(EVALUATION.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        text = Path(name) / "card.md"
        text.write_text(model_card(card, evaluation), encoding="utf-8")
        save_checks(read_checks(SHIPPED), Path(name))
        return {"card.md": text.read_text(encoding="utf-8"), "data.md": data_card(card, evaluation)}


def main() -> None:
    """Write the README and the cards."""
    for name, text in cards().items():
        (SHIPPED / name).write_text(text, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    block = f"<!-- results -->\n{results()}\n<!-- end of results -->"
    text = re.sub(r"<!-- results -->(.*?<!-- end of results -->)?", lambda _: block, text, count=1, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
