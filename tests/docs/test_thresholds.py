import dataclasses
import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
MAKER = runpy.run_path(str(DOCS / "make_thresholds.py"))
LIMITS = [limits for package in MAKER["STEPS"] for limits in MAKER["find_limits"](package)]


def test_the_page_of_thresholds_is_what_the_code_says() -> None:
    current = (DOCS / "thresholds.md").read_text(encoding="utf-8")
    assert current == MAKER["page"](), "run: python docs/make_thresholds.py"


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: type(limits).__name__)
def test_every_threshold_says_what_it_is_and_what_breaks(limits: Any) -> None:
    assert type(limits).__dataclass_params__.frozen
    for threshold in dataclasses.fields(limits):
        facts = threshold.metadata
        assert facts["unit"], threshold.name
        assert all(facts[name].endswith(".") for name in ("low", "high")), threshold.name
        assert len({facts["meaning"], facts["low"], facts["high"]}) == 3, threshold.name
