import runpy
from pathlib import Path

from ecglens.models.explain import METHODS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_tables_are_those_of_the_benchmarks() -> None:
    text = (DOCS / "explanations.md").read_text(encoding="utf-8")
    page = runpy.run_path(str(DOCS / "make_explanations.py"))["with_tables"](text)
    assert text == page, "run: python docs/make_explanations.py --tables"


def test_every_method_has_its_words_and_its_picture() -> None:
    text = (DOCS / "explanations.md").read_text(encoding="utf-8")
    for name, method in METHODS.items():
        assert f"### {method.title} (`{name}`)\n\n![{method.title}](images/explain-{name}.jpg)\n" in text
        assert (DOCS / "images" / f"explain-{name}.jpg").stat().st_size < 300_000
