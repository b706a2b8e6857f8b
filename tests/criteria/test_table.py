"""Every entry of the table of criteria, and tables that are refused."""

import re

import pytest

from ecglens.criteria.expressions import Comparison, Number, walk
from ecglens.criteria.table import load_criteria, parse_criteria
from ecglens.errors import DatasetError

CRITERIA = load_criteria().criteria

SMALLEST = """
[groups]
[contiguous]
pairs = [["I", "aVL"]]
[definitions]
[sources.book]
title = "A book"
doi = "10.1/x"
[[criterion]]
name = "wide"
title = "Wide"
condition = "qrs_ms > 110"
source = "book"
place = "page 1"
"""


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_has_a_title_a_source_with_a_place_and_codes_that_are_well_formed(name: str) -> None:
    criterion = CRITERIA[name]
    assert re.fullmatch(r"[a-z][a-z_]+", name)
    assert criterion.title
    assert "normal" not in criterion.title.lower()
    assert re.fullmatch(r"10\.\d{4,}/\S+", criterion.source.doi)
    assert criterion.source.place
    assert criterion.scp_code is None or re.fullmatch(r"[A-Z0-9_/]{2,8}", criterion.scp_code)
    assert criterion.snomed_code is None or re.fullmatch(r"\d{6,18}", criterion.snomed_code)


def test_titles_are_distinct() -> None:
    assert len({criterion.title for criterion in CRITERIA.values()}) == len(CRITERIA)


RANGES = {"_ms": (10, 3000), "_mv": (-0.5, 5), "_bpm": (20, 250), "_deg": (-180, 180)}


@pytest.mark.parametrize("name", CRITERIA)
def test_limits_are_of_the_size_of_their_figures(name: str) -> None:
    for node in walk(CRITERIA[name].condition):
        if isinstance(node, Comparison) and isinstance(node.right, Number) and hasattr(node.left, "name"):
            low, high = next((span for end, span in RANGES.items() if node.left.name.endswith(end)), (0, 120))
            assert low <= node.right.value <= high


def test_a_table_of_one_criterion_is_read() -> None:
    (criterion,) = parse_criteria(SMALLEST).criteria.values()
    assert (criterion.name, criterion.source.place, criterion.is_weak) == ("wide", "page 1", False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "book"', 'source = "film"', "Expected 'film' in the criterion wide"),
        ('place = "page 1"', "", "Expected 'place' in the criterion wide"),
        ("qrs_ms > 110", "qrs_mm > 110", "got 'qrs_mm'"),
        ('place = "page 1"', 'place = "page 1"\nunless = ["later"]', "Expected 'later'"),
        ("[definitions]", '[definitions]\nwide = "qrs_ms > 1"', "got wide twice"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_criteria(SMALLEST.replace(old, new))
