import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_reference_page_is_what_the_code_says() -> None:
    page = runpy.run_path(str(DOCS / "make_reference.py"))["reference"]()
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == page, "run: python docs/make_reference.py"


def test_every_setting_is_explained() -> None:
    page = runpy.run_path(str(DOCS / "make_reference.py"))["reference"]()
    for name in runpy.run_path(str(DOCS / "make_reference.py"))["settings"].Settings.__struct_fields__:
        assert f"`ECGLENS_{name.upper()}`" in page


def test_the_readmes_figures_are_those_of_the_evaluation() -> None:
    page = runpy.run_path(str(DOCS / "make_results.py"))
    assert page["results"]() in (DOCS.parent / "README.md").read_text(encoding="utf-8"), (
        "run: python docs/make_results.py"
    )
    for name, text in page["cards"]().items():
        assert (page["SHIPPED"] / name).read_text(encoding="utf-8") == text, "run: python docs/make_results.py"
