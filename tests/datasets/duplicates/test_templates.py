import numpy as np
import pytest

from ecglens.datasets.duplicates.signatures import HEIGHT, WIDTH, near_copies
from ecglens.datasets.duplicates.templates import FEWEST, Looks

FRAMED = 60


def waves(rng: np.random.Generator, high: float) -> np.ndarray:
    """Make the ink of four random walks two pixels thick."""
    ink = np.zeros((HEIGHT, WIDTH), bool)
    for line in range(4):
        walk = np.cumsum(rng.standard_normal(WIDTH))
        walk -= walk.mean()
        rows = (14 + 30 * line + high * walk / np.abs(walk).max()).astype(int)
        ink[rows, np.arange(WIDTH)] = ink[rows + 1, np.arange(WIDTH)] = True
    return ink


def frame() -> np.ndarray:
    """Make what a recorder prints on each of its pages: rules and boxes, much more ink than the traces."""
    ink = np.zeros((HEIGHT, WIDTH), bool)
    ink[:, ::8] = ink[::12] = True
    return ink


def mix_recorders() -> list[np.ndarray]:
    """Make pages of a recorder with a frame, a copy of the first with some ink gone, and pages of others without."""
    rng = np.random.default_rng(7)
    framed = [waves(rng, 3.5) | frame() for _ in range(FRAMED)]
    copy = framed[0] & (rng.random((HEIGHT, WIDTH)) > 0.01)
    return [np.packbits(page) for page in (*framed, copy, *(waves(rng, 12.0) for _ in range(9 * FRAMED)))]


@pytest.mark.slow
def test_a_copy_is_found_and_a_common_frame_is_none_in_a_set_of_several_recorders():
    assert near_copies(mix_recorders()) == [(0, FRAMED)]


def test_the_look_of_a_pair_is_taken_from_the_pages_that_have_what_it_has_in_common():
    packed = np.stack(mix_recorders())
    looks = Looks(packed, np.arange(len(packed)), seed=0)
    share = looks.share(frame())
    assert (share[frame()] == 1).all()
    assert share[~frame()].mean() < 0.1


def test_a_few_pages_do_not_determine_a_look():
    packed = np.stack(mix_recorders())
    assert not Looks(packed, np.arange(FEWEST - 1), seed=0)
    assert Looks(packed, np.arange(FEWEST), seed=0)
