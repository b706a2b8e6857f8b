"""Reasons why a page has no label, in the reader's language."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

import ecglens
from ecglens.pages import assessing
from ecglens.web.readings.reasons import translate_reason

SOURCE = Path(ecglens.__file__).parent
NOT_FOR_PEOPLE = {
    "Several lead names were read.",  # another search for the leads goes on
    "No lines of one lead were seen.",
    "",
}


def spell(node: ast.expr) -> str | None:
    """Return a text of the source, with 7 for what it is formatted with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _value(part) for part in node.values)
    return None


def _value(part: ast.expr) -> str:
    return "7%" if "%" in ast.unparse(part) else "7"


def list_reasons() -> Iterator[str]:
    """Yield the sentences with which leads are not found."""
    for path in [*(SOURCE / "leads").glob("*.py"), SOURCE / "pages" / "grid.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "NotFound":
                text = spell(node.args[0])
                if text is not None and text not in NOT_FOR_PEOPLE:
                    yield text.replace("7 has no trace", "Lead 7 has no trace").replace(
                        "7 is a flat", "Lead 7 is a flat"
                    )


@pytest.mark.parametrize("reason", sorted({each.replace("seen 7 them", "seen above them") for each in list_reasons()}))
def test_every_reason_of_the_search_for_leads_is_translated(reason: str) -> None:
    with translation.override("de"):
        text, language = translate_reason(f"This was not recognized as an ECG page that can be read. {reason}")
    assert language == ""
    assert text.startswith("Dies wurde nicht als")
    assert reason not in text


def test_hints_are_translated_and_numbers_have_a_decimal_comma() -> None:
    hints = [value for name, value in vars(assessing).items() if name.isupper() and str(value).endswith(".")]
    assert len(hints) >= 5
    with translation.override("de"):
        assert translate_reason(" ".join(hints))[1] == ""
        text, _ = translate_reason("By its grid the paper would be 3.5 m long; crop the picture to one page.")
    assert "3,5 m" in text


def test_a_title_in_a_reason_is_translated_too() -> None:
    reason = (
        "The page model compact_cnn says Normal, and the signal model any_recorder says Myocardial infarction, new or "
        "old and no Normal ECG; look at the page."
    )
    with translation.override("de"):
        text, language = translate_reason(reason)
    assert language == ""
    assert text.startswith("Das Seitenmodell sagt Normal, und")


def test_a_reason_with_an_unknown_sentence_stays_as_it_is() -> None:
    with translation.override("de"):
        assert translate_reason("Use more light. Something new.") == ("Use more light. Something new.", "en")
