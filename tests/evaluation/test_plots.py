import io

import numpy as np
import pytest
from PIL import Image

from ecglens.evaluation.compare import compare
from ecglens.evaluation.evaluate import evaluate
from ecglens.evaluation.plots import PLOTS, draw, draw_differences
from ecglens.evaluation.predictions import Predictions


def predict(names, *, pages=120, seed=0) -> Predictions:
    targets = np.random.default_rng(9).integers(0, len(names), pages)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(names)), pages)
    rows = tuple(map(str, range(pages)))
    return Predictions(rows, rows, names, targets, probabilities, np.zeros(pages, np.intp))


def draw_all(names):
    return draw(evaluate(predict(names), rng=np.random.default_rng(0), draws=20))


def test_every_plot_is_a_png_with_something_on_it():
    plots = draw_all(("normal", "mi", "other"))
    assert set(plots) == set(PLOTS)
    for png in plots.values():
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.size > (300, 300)
            assert np.asarray(picture.convert("L")).std() > 5


def test_letters_that_the_font_lacks_are_reported_once(caplog):
    assert set(draw_all(("正常", "mi", "other"))) == set(PLOTS)
    assert caplog.text.count("lacks some letters of the labels") == 1


@pytest.mark.slow
@pytest.mark.parametrize("labels", [2, 20])
def test_labels_of_any_number_and_form_are_drawn(labels):
    names = (r"$\frac{a$", "x" * 500, *(f"label {n}" for n in range(labels - 2)))
    assert set(draw_all(names)) == set(PLOTS)


def test_the_differences_are_drawn():
    names = ("normal", "mi", "other")
    comparison = compare(
        predict(names, seed=1), predict(names), names=("a", "b"), rng=np.random.default_rng(0), draws=20
    )
    with Image.open(io.BytesIO(draw_differences(comparison))) as picture:
        assert np.asarray(picture.convert("L")).std() > 5
