"""Dewarping by the grid."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from read_against_truth import compute_snr_by_lead
from rendered_recorders import as_jpeg

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.leads.locate import locate_leads
from ecglens.pages import read_page
from ecglens.pages.geometry import dewarping
from ecglens.pages.geometry.dewarping import estimate_bend, flatten
from ecglens.pages.geometry.grid_refinement import Refinement, refine_map
from ecglens.pages.geometry.paper_map import PaperMap
from ecglens.printed.redaction import redact
from ecglens.records import Layout, Page
from ecglens.render import PageTruth, RenderedPage, damage, render_page
from ecglens.render.paper import GridStyle

DATA = Path(__file__).resolve().parents[2] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.mark.slow
def test_a_curled_page_is_dewarped_by_its_grid() -> None:
    rendered = damage(render_page(RECORD), kind="curl", strength=0.4, seed=3)
    before = estimate_bend(rendered.page)
    assert before is not None
    assert before.most_mm > 2
    after = estimate_bend(flatten(rendered.page))
    assert after is not None
    assert after.most_mm < 0.5
    tracing = digitize_page(rendered.page)
    assert any("bent or photographed" in warning for warning in tracing.warnings)
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 15


def test_a_flat_page_keeps_its_pixels() -> None:
    page = read_page(DATA / "MI_26.jpg")
    assert flatten(page).pixels is page.pixels


@pytest.mark.parametrize("name", ["MI_26", "HB_1", "Normal_1", "PMI_18"])
def test_a_flat_page_with_a_blank_name_keeps_its_pixels(name: str) -> None:
    located = locate_leads(read_page(DATA / f"{name}.jpg"))
    assert isinstance(located.layout, Layout)
    redacted = redact(located.page, located.layout)
    assert flatten(redacted).pixels is redacted.pixels


@pytest.mark.parametrize("layout", ["3x4+1", "3x2-limb"])
@pytest.mark.parametrize("quality", [90, 75])
def test_a_flat_gray_page_saved_as_jpeg_keeps_its_pixels(layout: str, quality: int) -> None:
    gray = GridStyle((205, 205, 205), (130, 130, 130), 0.12, 0.25)
    page = as_jpeg(render_page(RECORD, layout=layout, dpi=120, grid=gray).page, quality)
    flat = flatten(page)
    assert flat.pixels is page.pixels
    assert flat.bend_mm < 1


@pytest.mark.slow
def test_a_slight_fold_is_dewarped() -> None:
    rendered = damage(render_page(RECORD), kind="fold", strength=0.16, seed=3)
    tracing = digitize_page(rendered.page)
    assert tracing.page.bend_mm > 0.8
    assert tracing.page.residual_mm is not None
    assert tracing.page.residual_mm < 0.05
    assert np.median(list(compute_snr_by_lead(rendered, tracing).values())) > 18


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "strength"), [("perspective", 0.6), ("curl", 0.8), ("fold", 1.0)])
def test_squares_of_a_bent_page_are_square_to_a_twentieth_of_a_millimeter(kind: str, strength: float) -> None:
    rendered = damage(render_page(RECORD), kind=kind, strength=strength, seed=3)
    page = rendered.page
    picture = dewarping._find_lines(page)
    bend = dewarping._estimate_bend(page, picture, 1.5)
    assert bend is not None
    refined = refine_map(dewarping._find_fine_lines(page, bend), dewarping._unbend(bend, page.pixels.shape))
    assert compute_map_error(rendered.truth, refined.paper) < 0.03
    assert refined.residual_mm < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("grid", ["pink-lines", "faint-dotted"])
@pytest.mark.parametrize(("kind", "strength", "seed"), [("fold", 0.75, 3), ("fold", 0.5, 8), ("curl", 0.8, 3)])
def test_a_frame_around_a_grid_does_not_bend_the_paper_at_its_edges(
    kind: str, strength: float, seed: int, grid: str
) -> None:
    rendered = damage(draw_framed_page(grid), kind=kind, strength=strength, seed=seed)
    page = rendered.page
    picture = dewarping._find_lines(page)
    bend = dewarping._estimate_bend(page, picture, 1.5)
    assert bend is not None
    refined = refine_map(dewarping._find_fine_lines(page, bend), dewarping._unbend(bend, page.pixels.shape))
    assert compute_map_error(rendered.truth, refined.paper, margin_mm=FRAME_MM) < 0.2


def test_a_page_whose_map_does_not_settle_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    page = damage(render_page(RECORD, dpi=100), kind="fold", strength=0.3, seed=3).page
    assert flatten(page).residual_mm is not None
    unsettled = Refinement(dewarping._unbend(bend_of(page), page.pixels.shape), 0.31, np.zeros((1, 1), np.bool_))
    monkeypatch.setattr(dewarping, "refine_map", lambda picture, paper: unsettled)
    assert flatten(page).pixels is page.pixels


def test_creases_on_a_dotted_grid_do_not_move_it_by_a_square() -> None:
    page = damage(render_page(RECORD, grid="pink-dotted", dpi=150), kind="crease", strength=1.0, seed=3).page
    bend = estimate_bend(page)
    assert bend is not None
    assert bend.most_mm < 2.5


def test_a_creased_page_is_dewarped_although_its_surface_is_flat() -> None:
    page = damage(render_page(RECORD, grid="red-lines", dpi=150), kind="crease", strength=1.0, seed=3).page
    bend = estimate_bend(page)
    assert bend is not None
    assert bend.local_mm > dewarping.LIMITS.min_local_mm
    assert flatten(page).residual_mm is not None


def test_a_dark_part_of_a_grid_is_not_read_as_ink() -> None:
    style = GridStyle((205, 150, 150), (190, 100, 100), 0.3, 0.4)
    pixels = render_page(RECORD, dpi=120, grid=style).page.pixels.copy()
    dark = pixels[200:700, 400:900].astype(float)
    gray = np.asarray(dark.min(axis=2, keepdims=True).repeat(3, axis=2), dtype=np.uint8)
    pixels[200:700, 400:900] = np.where(gray < 230, np.asarray(gray * 0.55, dtype=np.uint8), gray)
    lines = dewarping._find_lines(Page(pixels))
    assert (lines.paper[300:600, 500:800] > 0).mean() > 0.5


def bend_of(page: Page) -> dewarping.Bend:
    bend = estimate_bend(page)
    assert bend is not None
    return bend


FRAME_MM = 13.4
"""Distance of the frame of a grid from the edges of the paper: not on one of its lines."""


def draw_framed_page(grid: str) -> RenderedPage:
    """Draw a page whose grid ends at a dark red frame, as many recorders print it."""
    faint = GridStyle((244, 214, 216), (236, 190, 194), 0.13, 0.13, dotted=True)
    rendered = render_page(RECORD, dpi=110, grid=faint if grid == "faint-dotted" else grid)
    height, width = rendered.page.pixels.shape[:2]
    edge = round(FRAME_MM * rendered.truth.px_per_mm)
    pixels = np.full_like(rendered.page.pixels, 255)
    inner = (slice(edge, height - edge), slice(edge, width - edge))
    pixels[inner] = rendered.page.pixels[inner]
    cv2.rectangle(pixels, (edge, edge), (width - edge, height - edge), (222, 120, 120), 2)
    return RenderedPage(Page(pixels), rendered.truth)


def compute_map_error(truth: PageTruth, paper: PaperMap, *, margin_mm: float = 12.0) -> float:
    """Compute the root mean square of the deviation from squares, in mm, of a map inside the page."""
    goal = paper.nodes.astype(np.float64)
    clean = goal.copy()
    for _ in range(60):
        clean += 0.8 * (goal - truth.on_page(clean))
    height, width = truth.clean_size_px
    margin = margin_mm * truth.px_per_mm
    inside = np.all((clean > margin) & (clean < np.array([width, height]) - margin), axis=-1)
    rows, columns = np.nonzero(inside)
    apart = []
    for axis, places in enumerate((columns, rows)):
        values = clean[rows, columns, axis] / truth.px_per_mm
        apart.append(values - np.polyval(np.polyfit(places, values, 1), places))
    return float(np.sqrt(np.mean(np.square(apart))))
