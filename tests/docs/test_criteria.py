import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_on_criteria_is_what_the_table_and_the_benchmark_say() -> None:
    page = runpy.run_path(str(DOCS / "make_criteria.py"))["page"]()
    assert (DOCS / "criteria.md").read_text(encoding="utf-8") == page, "run: python docs/make_criteria.py"
