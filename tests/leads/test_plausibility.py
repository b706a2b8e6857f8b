from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecglens.layouts import plan
from ecglens.leads import find_layout
from ecglens.leads.plausibility import check_leads, similarity
from ecglens.pages import read_page
from ecglens.records import Layout, NotFound, Page

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "Normal_1.jpg"
LAYOUT = plan("3x4+1")
COLUMNS = np.array([0.0, 250, 500, 750, 1000])


def heart() -> dict[str, NDArray[np.float64]]:
    """Return twelve leads that obey Einthoven and Goldberger, px below the zero line."""
    beats = 20 * np.exp(-np.square((np.arange(250) % 80 - 40) / 4.0))
    wave = 6 * np.exp(-np.square((np.arange(250) % 80 - 60) / 8.0))
    leads = {"I": -beats, "III": -0.4 * beats - wave}
    leads["II"] = leads["I"] + leads["III"]
    leads["aVR"] = -(leads["I"] + leads["II"]) / 2
    leads["aVL"] = (leads["I"] - leads["III"]) / 2
    leads["aVF"] = (leads["II"] + leads["III"]) / 2
    return leads | {f"V{n}": (n - 3.5) * beats - wave for n in range(1, 7)}


def page_of(leads: dict[str, NDArray[np.float64]], rhythm: str = "II") -> NDArray[np.float64]:
    rows = [np.concatenate([leads[name] for name in names]) for names in LAYOUT.rows]
    return np.stack([*rows, np.tile(leads[rhythm], 4)])


def verdict(curves: NDArray[np.float64]) -> str:
    answer = check_leads(curves, np.ones(curves.shape, dtype=np.bool_), COLUMNS, LAYOUT)
    return answer.reason if isinstance(answer, NotFound) else ""


def test_one_heart_passes() -> None:
    assert verdict(page_of(heart())) == ""


@pytest.mark.parametrize("lead", [name for names in LAYOUT.rows for name in names])
def test_a_flat_lead_is_named(lead: str) -> None:
    assert f"Lead {lead} is a flat line" in verdict(page_of(heart() | {lead: np.zeros(250)}))


def test_a_blank_lead_is_named() -> None:
    curves = page_of(heart())
    covered = np.ones(curves.shape, dtype=np.bool_)
    covered[1, 560:640] = False
    answer = check_leads(curves, covered, COLUMNS, LAYOUT)
    assert answer is not None
    assert "Lead V2 has no trace" in answer.reason


def test_one_lead_drawn_everywhere_does_not_add_up() -> None:
    assert "do not add up" in verdict(page_of(dict.fromkeys(heart(), heart()["V6"])))


def test_unrelated_noise_is_not_one_recording() -> None:
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(0, 8, 250) for name in heart()}
    curves = page_of(noise)
    curves[-1] = rng.normal(0, 8, 1000)
    assert "may not be one recording" in verdict(curves)


def test_exchanged_rows_do_not_add_up() -> None:
    leads = heart()
    exchanged = leads | {"I": leads["II"], "II": leads["I"]}
    assert "do not add up to II" in verdict(page_of(exchanged))


def test_similarity_is_one_for_the_same_curve_at_another_height() -> None:
    curve = heart()["V6"]
    assert similarity(curve, curve + 5) == pytest.approx(1)


@pytest.mark.parametrize("lead", ["I", "aVL", "V3", "V5"])
def test_a_page_with_a_lead_whited_out_is_refused_by_name(lead: str) -> None:
    page = read_page(SAMPLE)
    layout = find_layout(page)
    assert isinstance(layout, Layout)
    box = next(each.box for each in layout.leads if each.lead == lead)
    pixels = page.pixels.copy()
    pixels[round(box.top) : round(box.bottom), round(box.left) + 12 : round(box.right) - 3] = 255
    answer = find_layout(Page(pixels))
    assert isinstance(answer, NotFound)
    assert f"Lead {lead} has no trace" in answer.reason or "mm long" in answer.reason
