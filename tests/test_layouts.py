"""Layouts as data, and the spelling of leads."""

import re

import pytest

from ecglens.layouts import (
    CABRERA_LEADS,
    LAYOUTS,
    RHYTHM,
    STANDARD_LEADS,
    LayoutPlan,
    canonical_lead,
    is_rhythm_strip,
    lead_of_row,
    plan,
)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_name_gives_rows_columns_and_strips(name: str) -> None:
    layout = plan(name)
    match = re.fullmatch(r"(\d+)x(\d+)(?:\+(\d))?(?:-(?:limb|precordial|cabrera))?", name)
    assert match is not None
    rows, columns, strips = (int(number or 0) for number in match.groups())
    assert layout.name == name
    assert (len(layout.rows), layout.columns, len(layout.rhythm)) == (rows, columns, strips)
    assert {len(row) for row in layout.rows} == {columns}
    assert layout.lines == rows + strips


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "1x1"])
def test_each_lead_is_once_in_the_rows_in_reading_order_by_columns(name: str) -> None:
    layout = plan(name)
    order = CABRERA_LEADS if name.endswith("-cabrera") else STANDARD_LEADS
    leads = {"limb": order[:6], "precordial": order[6:]}.get(name.rpartition("-")[2], order)
    assert sorted(lead for row in layout.rows for lead in row) == sorted(leads)
    assert layout.leads == leads


def test_a_strip_of_a_lead_that_no_row_shows_is_a_lead_of_the_page() -> None:
    assert LayoutPlan("2x1+1", (("I",), ("II",)), ("V1",)).leads == ("I", "II", "V1")


def test_there_is_no_layout_of_another_name() -> None:
    with pytest.raises(KeyError, match="5x5"):
        plan("5x5")


def test_leads_are_spelled_as_usual_and_other_names_stay() -> None:
    for lead in (*STANDARD_LEADS, "-aVR"):
        assert canonical_lead(f" {lead.upper()} ") == canonical_lead(lead.lower()) == lead
    assert canonical_lead(" ECG 1 ") == "ECG 1"


@pytest.mark.parametrize("lead", [*STANDARD_LEADS, "-aVR", "MLII"])
def test_a_row_of_a_record_belongs_to_its_lead(lead: str) -> None:
    rows = [lead, f"{lead}-2", f"{lead}{RHYTHM}", f"{lead}{RHYTHM}-3"]
    assert [lead_of_row(row) for row in rows] == [lead] * 4
    assert [is_rhythm_strip(row) for row in rows] == [False, False, True, True]
