"""What checks of explanations came to, kept in a model's folder: ``explanations.json``, and a section of its card."""

import json
from pathlib import Path

from ecglens.models.cards import ModelCard
from ecglens.records import Check, ModelChecks

__all__ = ["CHECKS_FILE", "load_checks", "on_model", "save_checks"]

CHECKS_FILE = "explanations.json"
_CARD_FILE = "card.md"
_TITLE = "## Explanations"


def load_checks(card: ModelCard) -> ModelChecks | None:
    """Checks that the model's folder holds; ``None`` where there are none, or where they are of another graph."""
    try:
        told = json.loads((card.folder / CHECKS_FILE).read_bytes())
        found = ModelChecks.of_dict(told)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.graph_sha256 == card.graph_sha256 else None


def on_model(card: ModelCard, method: str) -> tuple[Check, ...]:
    """How a method did on a model, as far as its folder tells."""
    found = load_checks(card)
    return () if found is None else tuple(found.methods.get(method, ()))


def save_checks(found: ModelChecks, folder: Path) -> None:
    """Write the checks into a model's folder, and their tables to the end of its card in place of older ones."""
    (folder / CHECKS_FILE).write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    path = folder / _CARD_FILE
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = before.split(f"\n{_TITLE}\n")[0].rstrip("\n")
    path.write_text("\n".join([kept, "", _TITLE, "", *_markdown(found), ""]), encoding="utf-8")


def _markdown(found: ModelChecks) -> list[str]:
    lines: list[str] = []
    for title, rows in found.tables():
        head, *rest = (f"| {' | '.join(row)} |" for row in rows)
        lines += [f"{title}:", "", head, "|" + "---|" * len(rows[0]), *rest, ""]
    return lines[:-1]
