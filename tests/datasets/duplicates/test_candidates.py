import numpy as np
import pytest

from ecglens.datasets.duplicates.candidates import ALL_PAIRS, candidate_pairs, link


def make_directions(pages: int, variants: int, similarity: float) -> np.ndarray:
    """Make random directions, and variants of the first of them at this correlation."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((pages, 256))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = rng.standard_normal((variants, 256))
    noise -= (noise * rows[:variants]).sum(axis=1, keepdims=True) * rows[:variants]
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    near = similarity * rows[:variants] + np.sqrt(1 - similarity**2) * noise
    return np.float32(np.vstack([rows, near]))


@pytest.mark.parametrize("pages", [400, 3 * ALL_PAIRS])
def test_similar_pages_are_found_in_small_and_large_sets_and_unlike_ones_are_not(pages):
    pairs, tries = candidate_pairs(make_directions(pages, 300, 0.85), seed=0)
    assert {tuple(pair) for pair in pairs.tolist()} == {(page, pages + page) for page in range(300)}
    assert (tries is None) == (pages + 300 <= ALL_PAIRS)


def test_the_most_similar_pairs_come_first():
    coarse = make_directions(50, 20, 0.7)
    coarse[50:60] = coarse[:10]
    pairs, _ = candidate_pairs(coarse, seed=0)
    assert {tuple(pair) for pair in pairs[:10].tolist()} == {(page, 50 + page) for page in range(10)}


def test_many_variants_of_one_page_become_one_recording():
    coarse = make_directions(3000, 0, 0.9)
    coarse[::10] = coarse[0]
    pairs, tries = candidate_pairs(coarse, seed=0)
    linked = link(len(coarse), pairs, lambda one, other: True, tries)
    assert len(linked) == 299
    assert {page for pair in linked for page in pair} == set(range(0, 3000, 10))


def test_a_page_of_a_large_set_is_tried_a_bounded_number_of_times():
    pairs = np.argwhere(np.triu(np.ones((60, 60)), 1))
    calls = []
    assert link(60, pairs, lambda one, other: bool(calls.append((one, other))), 3) == []
    assert len(calls) <= 3 * 60
    calls.clear()
    link(60, pairs, lambda one, other: bool(calls.append((one, other))), None)
    assert len(calls) == len(pairs)
