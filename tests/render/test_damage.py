import numpy as np
import pytest

from ecglens.errors import RenderError
from ecglens.records import EcgRecord
from ecglens.render import DAMAGES, GEOMETRIC, RenderedPage, damage, render_page


@pytest.fixture(scope="module")
def clean() -> RenderedPage:
    t = np.arange(5000) / 500
    wave = 0.5 * np.sin(2 * np.pi * 1.3 * t)
    source = EcgRecord(np.float32([wave, 0.7 * wave]), 500.0, ("I", "II"))
    return render_page(
        source, layout="6x1-limb", grid="none", names=None, footer=None, dpi=120, ink=(0, 0, 0), row_mm=24
    )


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_strength_0_changes_nothing_and_the_seed_decides_the_details(kind, clean):
    assert np.array_equal(damage(clean, kind, 0.0, seed=1).page.pixels, clean.page.pixels)
    one, again = damage(clean, kind, 0.7, seed=1), damage(clean, kind, 0.7, seed=1)
    assert np.array_equal(one.page.pixels, again.page.pixels)
    assert one.page.pixels.shape != clean.page.pixels.shape or not np.array_equal(one.page.pixels, clean.page.pixels)
    assert one.truth.damage == ((kind, 0.7, 1),)
    assert one.page.pixels.dtype == np.uint8


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(DAMAGES))
@pytest.mark.parametrize("seed", [0, 1])
def test_the_truth_follows_the_trace_through_every_damage(kind, seed, clean):
    """Look for dark ink at the positions of the trace in the truth."""
    hurt = damage(clean, kind, 0.8, seed=seed)
    gray = hurt.page.pixels.mean(axis=2)
    for segment in hurt.truth.leads[1:4]:
        points = hurt.truth.trace(segment)
        points = points[np.isfinite(points).all(axis=1)][50:-50:7]
        column, row = np.rint(points).astype(int).T
        inside = (row >= 12) & (row < gray.shape[0] - 12) & (column >= 0) & (column < gray.shape[1])
        column, row = column[inside], row[inside]
        assert len(row) > 100
        near = np.stack([gray[row + d, column] for d in (-1, 0, 1)]).min(axis=0)
        aside = np.stack([gray[row + d, column] for d in (-11, 11)]).max(axis=0)
        assert np.mean(near < aside - 8) > 0.9, kind


@pytest.mark.parametrize("kind", sorted(GEOMETRIC))
def test_center_line_and_truth_agree_to_half_a_pixel_after_geometric_damage(kind, clean):
    hurt = damage(clean, kind, 1.0, seed=3)
    ink = 255.0 - hurt.page.pixels.max(axis=2)
    segment = hurt.truth.leads[2]
    points = hurt.truth.trace(segment)
    points = points[np.isfinite(points).all(axis=1)][100:-100:11]
    errors = []
    for x, y in points:
        column, row = round(x), round(y)
        if not (5 <= row < ink.shape[0] - 5 and 0 <= column < ink.shape[1]):
            continue
        window = ink[row - 5 : row + 6, column]
        window = np.clip(window - np.median(window), 0, None)
        slope_shift = (column - x) * _slope(points, x)
        errors.append(row - 5 + np.average(np.arange(11), weights=window + 1e-9) - y - slope_shift)
    assert abs(np.median(errors)) < 0.25
    assert np.median(np.abs(errors)) < 0.5


def test_damages_compose_and_the_truth_follows_through_all(clean):
    hurt = clean
    for kind in ("perspective", "rotation", "crop"):
        hurt = damage(hurt, kind, 0.6, seed=4)
    assert [kind for kind, _, _ in hurt.truth.damage] == ["perspective", "rotation", "crop"]
    gray = hurt.page.pixels.mean(axis=2)
    points = hurt.truth.trace(hurt.truth.leads[2])
    column, row = np.rint(points[np.isfinite(points).all(axis=1)][50:-50]).astype(int).T
    assert np.mean(gray[row, column] < 140) > 0.9


def test_what_a_crop_cuts_off_is_nan_in_the_truth(clean):
    hurt = damage(damage(clean, "crop", 1.0, seed=0), "crop", 1.0, seed=1)
    assert hurt.page.width < clean.page.width
    lost = [np.isnan(segment.signal_mv).mean() for segment in hurt.truth.leads]
    assert max(lost) > 0
    for segment in hurt.truth.leads:
        x, y = hurt.truth.trace(segment)[np.isfinite(segment.signal_mv)].T
        assert np.all((x >= -0.5) & (x <= hurt.page.width - 0.5) & (y >= -0.5) & (y <= hurt.page.height - 0.5))


def test_boxes_on_the_page_surround_the_trace(clean):
    hurt = damage(clean, "rotation", 1.0, seed=0)
    for segment in hurt.truth.leads:
        box = hurt.truth.box_on_page(segment.box)
        x, y = hurt.truth.trace(segment).T
        assert box.left - 1 <= np.nanmin(x)
        assert np.nanmax(x) <= box.right + 1
        assert box.top - 1 <= np.nanmin(y)
        assert np.nanmax(y) <= box.bottom + 1


def test_unknown_damage_and_strength_are_refused(clean):
    with pytest.raises(RenderError, match="Expected a damage out of rotation.* got 'fire'"):
        damage(clean, "fire", 0.5, 0)
    with pytest.raises(RenderError, match="Expected a strength from 0 to 1, got 1.5"):
        damage(clean, "blur", 1.5, 0)


def _slope(points: np.ndarray, x: float) -> float:
    index = int(np.clip(np.searchsorted(points[:, 0], x), 1, len(points) - 2))
    before, after = points[index - 1], points[index + 1]
    return float((after[1] - before[1]) / (after[0] - before[0]))
