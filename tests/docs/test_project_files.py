"""Files that are for people and for other programs: citation, changelog, decision records, templates, hooks."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import ecglens
from ecglens.pages.source import MIN_SIDE_PX

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))


def test_the_citation_is_that_of_the_package_and_names_nobody() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert citation["version"] == project["version"] == ecglens.__version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"] == [{"name": "The ecglens authors"}]


def test_the_changelog_has_the_version_and_what_is_to_come() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)

    assert versions[0] == "Unreleased"
    assert ecglens.__version__ in versions
    assert set(re.findall(r"^### (\w+)", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }


def test_decision_records_are_numbered_listed_and_one_screen_long() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")

    assert [record.name[:4] for record in RECORDS] == [f"{number:04d}" for number in range(1, len(RECORDS) + 1)]
    assert re.findall(r"\]\((\d{4}-.+?\.md)\)", index) == [record.name for record in RECORDS]
    assert all(len(record.read_text(encoding="utf-8").splitlines()) <= 40 for record in RECORDS)


def test_the_readme_activates_the_environment_before_the_first_command_of_it() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.+?)```", text, re.DOTALL)
    with_commands = [block for block in blocks if re.search("^ecglens ", block, re.MULTILINE)]

    assert all("source .venv/bin/activate\n" in re.sub(" +#.*", "", block) for block in with_commands[:2])
    assert "source .venv/bin/activate" in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_the_readme_says_from_which_size_a_page_is_read() -> None:
    assert f"pages with a side of less than {MIN_SIDE_PX} px" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_on_the_api_names_no_other_version_than_the_package() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    assert not re.findall(r"ecglens \d+\.\d+", text)
    assert set(re.findall(r"\b\d+\.\d+\.\d+\b", text)) <= {ecglens.__version__}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_record_has_its_parts_in_order(record: Path) -> None:
    lines = record.read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith(f"# {int(record.name[:4])}. ")
    assert lines[2].startswith("Status: ")
    assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_an_issue_form_is_valid_and_warns_of_patient_data(name: str) -> None:
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8")
    form = yaml.safe_load(text)

    assert {"name", "description", "body"} <= set(form)
    assert {part["type"] for part in form["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert all("label" in part["attributes"] for part in form["body"] if part["type"] != "markdown")
    assert "no patient data" in text.lower()


def test_hooks_run_tools_of_the_environment_and_fetch_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))

    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].split()[0] == "make" or hook["entry"].startswith(".venv/bin/")
