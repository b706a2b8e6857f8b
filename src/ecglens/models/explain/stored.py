"""Results of the checks of explanations in a model's folder: ``explanations.json`` and a section of its card."""

import json
from pathlib import Path

from ecglens.documents import parse_json
from ecglens.errors import ModelError
from ecglens.models.cards import ModelCard
from ecglens.records import Check, ModelChecks

__all__ = ["CHECKS_FILE", "load_checks", "load_method_checks", "read_checks", "save_checks"]

CHECKS_FILE = "explanations.json"
_CARD_FILE = "card.md"
_TITLE = "## Explanations"


def load_checks(card: ModelCard) -> ModelChecks | None:
    """Load the checks in a model's folder; ``None`` if there are none or they are of another graph."""
    path = card.folder / CHECKS_FILE
    if not path.is_file():
        return None
    try:
        checks = read_checks(path)
    except ModelError:
        return None
    return checks if checks.graph_sha256 == card.graph_sha256 else None


def read_checks(path: Path) -> ModelChecks:
    """Read checks from a file, or from the model folder that contains it.

    Raises:
        ModelError: There is no such file, or its content is invalid.
    """
    path = path / CHECKS_FILE if path.is_dir() else path
    try:
        return ModelChecks.of_dict(parse_json(path.read_bytes()))
    except OSError as error:
        raise ModelError(
            f"Expected a model folder with {CHECKS_FILE}, got '{path.parent}' without it; "
            "'ecglens models check-explanations' writes it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"Expected the checks of a model's explanations in '{path}', got something else.") from error


def load_method_checks(card: ModelCard, method: str) -> tuple[Check, ...]:
    """Load the checks of one method from a model's folder; empty if there are none."""
    checks = load_checks(card)
    return () if checks is None else tuple(checks.methods.get(method, ()))


def save_checks(checks: ModelChecks, folder: Path) -> None:
    """Write the checks into a model's folder, and their tables at the end of its card in place of older ones."""
    (folder / CHECKS_FILE).write_text(json.dumps(checks.to_dict(), indent=1) + "\n", encoding="utf-8")
    path = folder / _CARD_FILE
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = before.split(f"\n{_TITLE}\n")[0].rstrip("\n")
    path.write_text("\n".join([text, "", _TITLE, "", *checks.to_markdown(), ""]), encoding="utf-8")
