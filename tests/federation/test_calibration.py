import numpy as np
import pytest

from ecglens.federation.calibration import calibrate_sites

PAGES = 600


def simulate(sharpness):
    """Return targets and logits of a site whose logits are too large by a factor."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(PAGES, 3)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.array([rng.choice(3, p=row / row.sum()) for row in probabilities.astype(np.float64)])
    return targets, logits * sharpness


def test_a_site_of_its_own_kind_is_calibrated_by_its_own_temperature_only():
    first, second = simulate(1.0), simulate(8.0)
    targets, logits = (np.concatenate(parts) for parts in zip(first, second, strict=True))
    folds = np.arange(2 * PAGES) % 4
    at_first = np.arange(2 * PAGES) < PAGES
    sites = {"first": at_first, "second": ~at_first, "empty": np.zeros(2 * PAGES, bool)}
    one, other = calibrate_sites(targets, logits, folds, sites)
    assert (one.site, one.pages, other.site) == ("first", PAGES, "second")
    assert other.raw_error > 0.2
    assert one.own_error < 0.06 < one.common_error
    assert other.own_error < 0.06
    assert one.accuracy == pytest.approx((first[1].argmax(1) == first[0]).mean())
    assert "600 test pages" in one.describe()
    assert other.to_dict()["site"] == "second"


def test_a_site_in_one_fold_has_no_temperature_of_its_own():
    targets, logits = simulate(1.0)
    here = np.arange(PAGES) < 50
    (figures,) = calibrate_sites(targets, logits, (~here).astype(np.intp), {"left out": here})
    assert figures.own_error is None
    assert figures.describe().endswith("- with its own")
