from collections import Counter

import numpy as np
import pytest
from not_ecgs import generate_not_ecgs

from ecglens.leads.layout import find_layout
from ecglens.records import Page


@pytest.mark.slow
@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.nightly)])
def test_at_most_one_in_a_hundred_images_without_an_ecg_gets_a_layout(count: int) -> None:
    images = generate_not_ecgs(np.random.default_rng(0), count)
    accepted = Counter(kind for kind, pixels in images if find_layout(Page(pixels)))
    assert accepted.total() <= count // 100, accepted
