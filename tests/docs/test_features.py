import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_features_is_what_the_code_says() -> None:
    page = runpy.run_path(str(DOCS / "make_features.py"))["page"]()
    assert (DOCS / "features.md").read_text(encoding="utf-8") == page, "run: python docs/make_features.py"
