"""What checks of explanations came to, kept in a model's folder: ``explanations.json``, and a section of its card."""

import json
from pathlib import Path

from ecglens.errors import ModelError
from ecglens.models.cards import ModelCard
from ecglens.records import Check, ModelChecks

__all__ = ["CHECKS_FILE", "load_checks", "load_method_checks", "read_checks", "save_checks"]

CHECKS_FILE = "explanations.json"
_CARD_FILE = "card.md"
_TITLE = "## Explanations"


def load_checks(card: ModelCard) -> ModelChecks | None:
    """Checks that the model's folder holds; ``None`` where there are none, or where they are of another graph."""
    path = card.folder / CHECKS_FILE
    if not path.is_file():
        return None
    try:
        found = read_checks(path)
    except ModelError:
        return None
    return found if found.graph_sha256 == card.graph_sha256 else None


def read_checks(path: Path) -> ModelChecks:
    """Checks from a file, or from the model folder that holds it.

    Raises:
        ModelError: There is none, or it is not what it should be.
    """
    path = path / CHECKS_FILE if path.is_dir() else path
    try:
        return ModelChecks.of_dict(json.loads(path.read_bytes()))
    except OSError as error:
        raise ModelError(
            f"Expected a model folder with {CHECKS_FILE}, found none in '{path.parent}'; "
            "'ecglens models check-explanations' writes it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"Expected the checks of a model's explanations in '{path}', found something else.") from error


def load_method_checks(card: ModelCard, method: str) -> tuple[Check, ...]:
    """How a method did on a model, as far as its folder tells."""
    found = load_checks(card)
    return () if found is None else tuple(found.methods.get(method, ()))


def save_checks(found: ModelChecks, folder: Path) -> None:
    """Write the checks into a model's folder, and their tables to the end of its card in place of older ones."""
    (folder / CHECKS_FILE).write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    path = folder / _CARD_FILE
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    kept = before.split(f"\n{_TITLE}\n")[0].rstrip("\n")
    path.write_text("\n".join([kept, "", _TITLE, "", *found.to_markdown(), ""]), encoding="utf-8")
