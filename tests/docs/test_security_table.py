"""The table of ``docs/asvs.md``: each item of the standard once, each test and setting that it names there is."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import global_settings, settings

from ecglens.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SHORT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TEXT = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
STATES = ("met", "partly", "not met", "operator's part")
ITEMS = """
1.1: 1 2; 1.2: 1 2 3 4 5 6 7 8 9; 1.3: 1 2 3 4 5 6 7 8 9 10 11; 1.4: 1 2 3; 1.5: 1 2
2.1: 1 2 3; 2.2: 1 2 3; 2.3: 1 2 3 4; 2.4: 1
3.2: 1 2; 3.3: 1 2 3 4; 3.4: 1 2 3 4 5 6; 3.5: 1 2 3 4 5; 3.7: 1 2
4.1: 1 2 3; 4.2: 1; 4.3: 1 2; 4.4: 1 2 3 4
5.1: 1; 5.2: 1 2 3; 5.3: 1 2; 5.4: 1 2 3
6.1: 1 2 3; 6.2: 1 2 3 4 5 6 7 8 9 10 11 12; 6.3: 1 2 3 4; 6.4: 1 2 3 4; 6.5: 1 2 3 4 5; 6.6: 1 2 3; 6.8: 1 2 3 4
7.1: 1 2 3; 7.2: 1 2 3 4; 7.3: 1 2; 7.4: 1 2 3 4 5; 7.5: 1 2; 7.6: 1 2
8.1: 1 2; 8.2: 1 2 3; 8.3: 1; 8.4: 1
9.1: 1 2 3; 9.2: 1 2 3 4
10.1: 1 2; 10.2: 1 2; 10.3: 1 2 3 4; 10.4: 1 2 3 4 5 6 7 8 9 10 11; 10.5: 1 2 3 4 5; 10.6: 1 2; 10.7: 1 2 3
11.1: 1 2; 11.2: 1 2 3; 11.3: 1 2 3; 11.4: 1 2 3 4; 11.5: 1; 11.6: 1
12.1: 1 2 3; 12.2: 1 2; 12.3: 1 2 3 4
13.1: 1; 13.2: 1 2 3 4 5; 13.3: 1 2; 13.4: 1 2 3 4 5
14.1: 1 2; 14.2: 1 2 3 4; 14.3: 1 2 3
15.1: 1 2 3; 15.2: 1 2 3; 15.3: 1 2 3 4 5 6 7
16.1: 1; 16.2: 1 2 3 4 5; 16.3: 1 2 3 4; 16.4: 1 2 3; 16.5: 1 2 3
17.1: 1; 17.2: 1 2 3 4; 17.3: 1 2
"""
"""Items of levels 1 and 2 in OWASP ASVS 5.0.0, by section."""


def items() -> list[str]:
    parts = [part.split(":") for line in ITEMS.strip().splitlines() for part in line.split("; ")]
    return [f"{section}.{number}" for section, numbers in parts for number in numbers.split()]


def rows() -> list[list[str]]:
    """Return the rows of the items that apply."""
    lines = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if re.match(r"\| \d", line)]
    return [row for row in lines if "." in row[0]]


def left_out() -> list[str]:
    matches = re.findall(r"^\| V(\d+) \| ([\d., ]+) \| \S", TEXT, re.MULTILINE)
    ids = [(chapter, each) for chapter, named in matches for each in named.split(", ")]
    assert all(each.split(".")[0] == chapter for chapter, each in ids)
    return [each for _, each in ids]


def named_tests() -> list[str]:
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", TEXT)))


def test_each_item_of_the_standard_is_listed_once() -> None:
    ids = [row[0] for row in rows()] + left_out()

    assert all(re.fullmatch(r"\d{1,2}\.\d\.\d{1,2}", each) for each in ids)
    assert len(ids) == len(set(ids))
    assert set(ids) == set(items())
    assert len(items()) == 253
    assert {int(each.split(".")[0]) for each in ids} == set(range(1, 18))


def test_items_are_listed_in_their_order_and_chapter() -> None:
    matches = re.findall(r"^### V(\d+) |^\| (\d+)\.", TEXT, re.MULTILINE)
    chapter = "0"
    for heading, item in matches:
        chapter = heading or chapter
        assert item in ("", chapter)
    keys = [tuple(map(int, row[0].split("."))) for row in rows()]
    assert keys == sorted(keys)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_row_is_whole_and_says_on_what_it_rests(row: list[str]) -> None:
    assert len(row) == 6
    _, level, item, state, measure, evidence = row
    assert level in ("1", "2")
    assert state in STATES
    assert item
    assert measure
    if state in ("met", "partly"):
        assert re.search(r"`tests/|^by (?:Django|allauth|Django and allauth): `[A-Z]|^this page, `docs/", evidence) or (
            state == "partly" and evidence.startswith("operator's part: ")
        )
    else:
        assert re.search(r"`tests/|^not met: |^operator's part: ", evidence)


@pytest.mark.parametrize("named", named_tests())
def test_each_named_test_is_there(named: str) -> None:
    path, *names = named.split("::")
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for name in names:
        matches = [each for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name]
        assert len(matches) == 1, name
        body = matches[0].body
    assert names[-1].startswith("test_")


def test_each_named_setting_and_file_is_there() -> None:
    from allauth.account import app_settings as account
    from allauth.mfa import app_settings as mfa
    from allauth.socialaccount import app_settings as social

    with_prefix = (("ACCOUNT_", account), ("MFA_", mfa), ("SOCIALACCOUNT_", social))
    for name in set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", TEXT + SHORT)):
        if name.startswith("ECGLENS_"):
            assert name.removeprefix("ECGLENS_").lower() in Settings.__struct_fields__, name
        elif name not in ("SITE_HOST", "OAUTH_PKCE_ENABLED"):
            modules = [part for prefix, part in with_prefix if name.startswith(prefix)]
            there = hasattr(settings, name) or hasattr(global_settings, name)
            assert there or [part for part in modules if hasattr(part, name.split("_", 1)[1])], name
    for name in set(
        re.findall(r"`((?:docs|readings|project|api|catalog|site|http|serving|accounts)/[\w/]+\.(?:py|md|html))`", TEXT)
    ):
        web = ROOT / "src" / "ecglens" / "web"
        places = (ROOT / name, web / name, web / "project" / "templates" / name)
        assert [place for place in places if place.exists()], name
    for text, folder in ((TEXT, ROOT / "docs"), (SHORT, ROOT)):
        for name in re.findall(r"\]\(([\w./]+\.md)\)", text):
            assert (folder / name).exists(), name
    headings = {re.sub(r"[^\w-]", "", head.lower().replace(" ", "-")) for head in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= headings


def test_the_counts_in_the_text_are_those_of_the_table() -> None:
    counts = [sum(row[3] == state for row in rows()) for state in STATES]
    sentence = (
        r"that apply, (\d+) are met, (\d+) partly, (\d+) are not, and (\d+) are\s+left to the operator; (\d+) do not"
    )
    match = re.search(sentence, TEXT)

    assert match is not None
    assert [int(each) for each in match.groups()] == [*counts, len(left_out())]


def test_how_to_report_is_private_and_without_an_address_of_anybody() -> None:
    assert "Report a vulnerability" in SHORT
    assert "not a medical device" in SHORT
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", TEXT + SHORT)
    assert len(SHORT) < 9000, "an operator reads it first"
