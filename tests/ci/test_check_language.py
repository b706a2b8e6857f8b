"""The checker of plain English, on small files that are made here, and on its own data."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def language() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_language", ROOT / ".ci" / "check_language.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def report(language: ModuleType, text: str, path: str = "src/ecglens/leads/trace.py") -> list[tuple[int, str, str]]:
    """Check a text and return line, rule and text of each finding."""
    findings = language.check_file(Path(path), text, language.load_words())
    return [(finding.line, finding.rule, finding.text) for finding in findings]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("found = locate(page)", "found"),
        ("def run(told): ...", "told"),
        ("class Told: ...", "Told"),
        ("self.kept = 1", "kept"),
        ("for seen in pages: ...", "seen"),
        ("_USUAL_GAIN_MM_MV = 10.0", "_USUAL_GAIN_MM_MV"),
        ("from ecglens.records import Page as found", "found"),
        ("def p_likeness(beats): ...", "p_likeness"),
        ("where = folder / name", "where"),
    ],
)
def test_a_banned_name_is_reported_where_it_is_bound(language: ModuleType, code: str, name: str) -> None:
    assert report(language, code) == [(1, "identifier", f"`{name}`")]


@pytest.mark.parametrize(
    "code",
    [
        "print(told)",  # only a use: the place that binds it is reported
        "def not_found(request): ...",
        "class NotFound: ...",
        "restored = interest = arrest = 0",
        "numpy.where(mask)",
        "where_clause = 1",
        'ROWS = "The place where it was found."',
        "def test_pages_are_found_and_kept(): ...",
    ],
)
def test_plain_names_pass(language: ModuleType, code: str) -> None:
    assert report(language, code) == []


def test_a_module_is_a_name_too(language: ModuleType) -> None:
    assert report(language, "", "src/ecglens/datasets/seen.py") == [(1, "identifier", "`seen`")]
    assert report(language, "", "src/ecglens/told/__init__.py") == [(1, "identifier", "`told`")]


@pytest.mark.parametrize("name", ["mended", "_titled", "scored"])
def test_a_function_is_not_named_by_a_participle(language: ModuleType, name: str) -> None:
    assert report(language, f"def {name}(): ...") == [(1, "participle", f"function `{name}`")]


@pytest.mark.parametrize(
    "code", ["def mend_gaps(): ...", "def _feed(): ...", "class A:\n    @property\n    def scored(self): ..."]
)
def test_verbs_and_properties_are_no_participles(language: ModuleType, code: str) -> None:
    assert report(language, code) == []


def test_prose_is_checked_in_docstrings_comments_messages_and_names_of_tests(language: ModuleType) -> None:
    code = '''
"""Every mV hangs on it."""
# laid flat by its grid
raise ValueError(f"{name} could not be told")
def test_the_page_is_set_upright(): ...
'''

    assert report(language, code) == [
        (2, "prose", '"hangs on"'),
        (3, "prose", '"laid flat"'),
        (4, "prose", '"be told"'),
        (5, "prose", '"set upright"'),
    ]


def test_a_finding_in_a_long_docstring_has_its_own_line(language: ModuleType) -> None:
    assert report(language, '"""Page.\n\nThe name stands beside the lead.\n"""') == [(3, "prose", '"stands beside"')]


@pytest.mark.parametrize(
    "sentence",
    [
        "The layout was found by its names.",
        "AUROC stands for area under the curve.",
        "The user is told to open the page.",
        "Nothing is taken for granted.",
        "There is room for one more lead.",
    ],
)
def test_normal_english_passes(language: ModuleType, sentence: str) -> None:
    assert report(language, f'"""{sentence}"""') == []


@pytest.mark.parametrize(
    "first", ["Of every draw.", "Whether it is upright.", "What was read.", "For people.", "How far a run is."]
)
def test_half_sentences_are_reported_in_docstrings_and_help(language: ModuleType, first: str) -> None:
    assert report(language, f'def grid():\n    """{first}"""') == [(2, "opening", f'"{first}"')]


def test_half_sentences_are_reported_in_help_texts(language: ModuleType) -> None:
    assert report(language, 'Option(help="Of every draw.")') == [(1, "opening", '"Of every draw."')]
    assert report(language, 'Option(help="Random seed.")') == []


@pytest.mark.parametrize(
    "code",
    [
        'def grid():\n    """For each row, return its pitch."""',
        'class A:\n    @property\n    def is_upright(self):\n        """Whether the page is upright."""',
        'class A:\n    is_upright: bool\n    """Whether the page is upright."""',
        'class Record:\n    """Frozen record of one lead."""',
        'class A:\n    @property\n    def width(self):\n        """Width in px."""',
        'def _helper():\n    """Width in px."""',
    ],
)
def test_sentences_properties_and_nouns_of_values_pass(language: ModuleType, code: str) -> None:
    assert report(language, code) == []


@pytest.mark.parametrize(
    "first", ["The grid.", "A page.", "Share of the pages.", "Fold of each row.", "Name, box, row."]
)
def test_a_public_function_begins_with_a_verb(language: ModuleType, first: str) -> None:
    assert report(language, f'def grid():\n    """{first}"""') == [(2, "verb", f'"{first}"')]


@pytest.mark.parametrize(
    "first",
    ["Return the grid.", "Finds the grid.", "Fold the page.", "Parse, measure, print.", "Also return the grid."],
)
def test_imperative_and_third_person_pass(language: ModuleType, first: str) -> None:
    assert report(language, f'def grid():\n    """{first}"""') == []


def test_markdown_is_read_without_code_and_addresses(language: ModuleType) -> None:
    text = "A page is laid flat.\n\n```python\nlaid flat\n```\n`set upright` [name](what-stands-in.md)\nagain anew\n"

    assert report(language, text, "docs/reading.md") == [(1, "prose", '"laid flat"'), (7, "prose", '"anew"')]


def test_templates_are_read_without_tags_and_with_their_translations(language: ModuleType) -> None:
    text = '{% if told %}\n<p title="set upright">{% translate "Laid flat" %}</p>\n<script>// anew\n</script>{# anew #}'
    text += "anew"

    assert report(language, text, "page.html") == [(2, "prose", '"Laid flat"'), (4, "prose", '"anew"')]


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("src/ecglens/leads/trace.py", "src/ecglens/leads"),
        ("src/ecglens/web/readings/views/reading.py", "src/ecglens/web/readings"),
        ("src/ecglens/reader.py", "src/ecglens"),
        ("tests/web/test_api.py", "tests/web"),
        ("docs/reading.md", "docs"),
        ("README.md", "."),
    ],
)
def test_findings_are_counted_by_package(language: ModuleType, path: str, package: str) -> None:
    assert language.package_of(Path(path)) == package
    finding = language.Finding(Path(path), 1, "prose", "anew", "again")
    assert f"| {package} | 0 | 0 | 1 | 0 | 0 | 1 |" in language.count_table([finding])


def test_the_exit_status_says_whether_anything_was_reported(
    language: ModuleType, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(language, "ROOT", tmp_path)
    (tmp_path / "good.md").write_text("Plain English.\n", encoding="utf-8")
    (tmp_path / "bad.md").write_text("Made anew.\n", encoding="utf-8")

    assert language.main(["--paths", "good.md"]) == 0
    assert capsys.readouterr().out == ""
    assert language.main(["--paths", "good.md", "bad.md"]) == 1
    assert capsys.readouterr().out == 'bad.md:1: prose: "anew"; write again\n'
    assert language.main(["--paths", "bad.md", "--rules", "identifier"]) == 0
    assert language.main(["--paths", "bad.md", "--counts"]) == 1
    assert "| . | 0 | 0 | 1 | 0 | 0 | 1 |" in capsys.readouterr().out


def test_a_path_that_is_not_there_is_an_error(language: ModuleType, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        language.main(["--paths", "src/ecglens/nowhere"])
    assert "Expected files or folders of the repository, got src/ecglens/nowhere" in capsys.readouterr().err


def test_vendored_files_and_migrations_are_left_out(language: ModuleType) -> None:
    files = [file.as_posix() for file in language.list_files([ROOT / "src"])]

    assert files
    assert not [file for file in files if re.search(r"/(migrations|vendor|__pycache__)/", file)]


def test_no_verb_is_banned_or_listed_twice(language: ModuleType) -> None:
    data = language.tomllib.loads(language.DATA.read_text(encoding="utf-8"))
    verbs = data["verbs"]["words"].split()
    banned = [word for entry in data["identifiers"] for word in entry["words"]]

    assert not [verb for verb in verbs if verbs.count(verb) > 1]
    assert not [word for word in banned if banned.count(word) > 1]
    assert not set(verbs) & set(banned)
    assert all(entry["where"] in ("name", "part") and entry["instead"] for entry in data["identifiers"])
