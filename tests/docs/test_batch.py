import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_tables_of_the_page_on_many_pages_are_what_the_code_says() -> None:
    page = runpy.run_path(str(DOCS / "make_batch.py"))["page"]()
    assert (DOCS / "batch.md").read_text(encoding="utf-8") == page, "run: python docs/make_batch.py"
