import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

from ecglens.errors import DatasetError
from ecglens.evaluation.evaluate import build_references, evaluate
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.points import THRESHOLDS, decision_curve, reliability
from ecglens.evaluation.predictions import Predictions

LABELS = ("normal", "mi", "other")


def answers(pages=120, *, skill=0.5, rates=True, folds=4, seed=0) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, pages)
    probabilities = rng.dirichlet(np.ones(3), pages) + skill * np.eye(3)[targets]
    rate = 50 + 40 * targets + rng.normal(0, 5, pages)
    extra = {"batch": tuple("ab"[n % 2] for n in range(pages)), "file": tuple(f"{n}.jpg" for n in range(pages))}
    if rates:
        extra["printed_rate_bpm"] = tuple(f"{value:.0f}" for value in rate)
    return Predictions(
        tuple(f"r{n}" for n in range(pages)),
        tuple(f"g{n // 2}" for n in range(pages)),
        LABELS,
        targets,
        probabilities / probabilities.sum(axis=1, keepdims=True),
        np.arange(pages) % folds,
        extra,
    )


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(answers(), name="tiny", files=150, rng=np.random.default_rng(0), draws=60)


def test_every_figure_has_its_interval_around_it(evaluation):
    for name in FIGURES:
        low, high = evaluation.intervals[name]
        assert low <= evaluation.scored[name] <= high, name
    low, high = evaluation.intervals["mi/recall"]
    assert low < evaluation.scored["by_label"]["mi"]["recall"] < high


def test_files_recordings_and_groups_are_counted(evaluation):
    plain = evaluation.to_dict()
    assert (plain["files"], plain["recordings"], plain["groups"]) == (150, 120, 60)
    assert sum(plain["labels"].values()) == 120
    assert json.loads(json.dumps(plain)) == plain


def test_the_rate_is_fitted_to_other_pages_and_the_most_common_label_is_one():
    references = build_references(answers())
    assert set(references) == {"majority label", "printed rate alone, 15 nearest"}
    by_rate = references["printed rate alone, 15 nearest"]
    assert (by_rate.probabilities.argmax(1) == by_rate.targets).mean() > 0.9
    most_common = np.bincount(references["majority label"].targets).argmax()
    assert (references["majority label"].probabilities.argmax(1) == most_common).all()
    part = answers().subset(np.flatnonzero(answers().folds == 0))
    assert set(build_references(part)) == set(references)
    assert set(build_references(part.subset(np.flatnonzero(part.group_codes == 0)))) == {"majority label"}


def test_the_majority_of_a_small_balanced_folder_is_right_once_in_as_many_as_there_are_labels():
    table = answers(pages=24, rates=False, folds=1)
    even = replace(table, targets=np.arange(24) % 3)
    scored = evaluate(even, rng=np.random.default_rng(0), draws=20).references["majority label"]
    assert scored["accuracy"] == pytest.approx(1 / 3)
    assert scored["matthews"] is None
    assert scored["right_at_coverage"] == pytest.approx(1 / 3)


def test_controls_have_intervals_and_one_group_has_none(evaluation):
    low, high = evaluation.reference_intervals["majority label"]["accuracy"]
    assert low <= evaluation.references["majority label"]["accuracy"] <= high
    alone = replace(answers(), groups=("g",) * 120)
    assert set(evaluate(alone, rng=np.random.default_rng(0), draws=20).intervals.values()) == {None}


def test_a_table_without_rates_has_no_rate_reference():
    assert set(build_references(answers(rates=False))) == {"majority label"}
    unknown = replace(answers(), extra={"printed_rate_bpm": ("",) * 120})
    assert set(build_references(unknown)) == {"majority label"}


def test_pages_without_a_rate_are_left_out_of_its_control_and_that_is_reported():
    rates = list(answers().extra["printed_rate_bpm"])
    rates[3] = rates[90] = ""
    table = replace(answers(), extra={"printed_rate_bpm": tuple(rates)})
    evaluated = evaluate(table, rng=np.random.default_rng(0), draws=20)
    assert list(evaluated.references) == ["majority label", "printed rate alone, 15 nearest, on 118 pages"]
    assert evaluated.references["printed rate alone, 15 nearest, on 118 pages"]["accuracy"] > 0.9


def test_subgroups_are_bands_of_the_rate_and_columns_of_few_values(evaluation):
    assert set(evaluation.subgroups) == {"batch", "printed rate"}
    assert sum(row["pages"] for row in evaluation.subgroups["batch"].values()) == 120
    bands = evaluation.subgroups["printed rate"]
    assert set(bands) <= {"below 60/min", "60 to 80/min", "80 to 100/min", "100/min and more"}
    for row in bands.values():
        assert row["pages"] >= 10
        assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]


def test_the_most_confident_pages_are_right_most_often_and_all_pages_give_the_accuracy(evaluation):
    assert evaluation.coverage[-1] == (1.0, pytest.approx(evaluation.scored["accuracy"]))
    assert evaluation.coverage[2][1] >= evaluation.coverage[-1][1]
    for share, right in evaluation.coverage:
        low, high = evaluation.intervals[f"coverage/{share:g}"]
        assert low <= right <= high


def test_reliability_agrees_with_scikit_learn():
    predictions = answers(400)
    mine = reliability(predictions.targets, predictions.probabilities)
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.probabilities.argmax(axis=1) == predictions.targets
    theirs, mean = calibration_curve(right, confidence, n_bins=15)
    assert [row[2] for row in mine] == pytest.approx(theirs.tolist())
    assert [row[1] for row in mine] == pytest.approx(mean.tolist())
    assert sum(row[0] for row in mine) == 400


def test_net_benefit_is_that_of_a_worked_example():
    """With 20 positive pages of 100, at 10 %, acting on 30 with 18 hits gains 18/100 - 12/100 * 0.1/0.9."""
    positive = np.arange(100) < 20
    score = np.where((np.arange(100) < 18) | ((np.arange(100) >= 20) & (np.arange(100) < 32)), 0.9, 0.05)
    ((threshold, net, all_pages),) = decision_curve(positive, score, (0.1,))
    assert threshold == 0.1
    assert net == pytest.approx(0.18 - 0.12 / 9)
    assert all_pages == pytest.approx(0.2 - 0.8 / 9)


def test_a_control_is_compared_with_the_model_on_the_pages_that_both_answered():
    predictions, control = answers(), answers(skill=0.0, seed=1)
    shuffled = control.subset(np.arange(119, -1, -1))
    shuffled.targets[:] = predictions.targets[::-1]
    controls = {"header alone": shuffled, "footer alone": shuffled.subset(np.arange(50))}
    evaluated = evaluate(predictions, rng=np.random.default_rng(0), draws=20, references=controls)
    alone = evaluate(shuffled, rng=np.random.default_rng(0), draws=20)
    assert evaluated.references["header alone"]["accuracy"] == alone.scored["accuracy"]
    assert "footer alone, on 50 pages" in evaluated.references


def test_a_control_on_other_pages_is_refused():
    other = answers()
    renamed = Predictions(
        tuple(f"x{n}" for n in range(120)), other.groups, LABELS, other.targets, other.probabilities, other.folds
    )
    with pytest.raises(
        DatasetError, match="The control 'header alone' cannot be compared with .* no recording in common"
    ):
        evaluate(answers(), rng=np.random.default_rng(0), draws=20, references={"header alone": renamed})


def test_shares_of_pages_that_are_all_right_have_an_exact_interval_over_groups_and_other_figures_none():
    table = answers(pages=12, rates=False)
    sure = replace(table, probabilities=0.9 * np.eye(3)[table.targets] + 0.1 / 3)
    evaluated = evaluate(sure, rng=np.random.default_rng(0), draws=40)
    assert evaluated.scored["accuracy"] == evaluated.scored["macro_f1"] == 1.0
    assert evaluated.intervals["accuracy"] == pytest.approx((0.025 ** (1 / 6), 1.0))
    assert evaluated.intervals["coverage/1"] == evaluated.intervals["accuracy"]
    assert evaluated.intervals["macro_f1"] is evaluated.intervals["matthews"] is None
    assert evaluated.bands["roc/mi"] == evaluated.bands["precision_recall/mi"] == ()
    assert evaluated.bands["decision/mi"]
    ((_, low, high),) = evaluated.bands["reliability"]
    assert (low, high) == evaluated.intervals["accuracy"]


def test_every_curve_has_a_band_about_it(evaluation):
    predictions = evaluation.predictions
    for number, label in enumerate(LABELS):
        positive, score = predictions.targets == number, predictions.probabilities[:, number]
        net = {at: benefit for at, benefit, _ in decision_curve(positive, score)}
        assert [at for at, *_ in evaluation.bands[f"decision/{label}"]] == list(THRESHOLDS)
        assert all(low <= net[at] <= high for at, low, high in evaluation.bands[f"decision/{label}"])
        alarms, hits, _ = roc_curve(positive, score, drop_intermediate=False)
        for at, low, high in evaluation.bands[f"roc/{label}"]:
            assert low <= np.interp(at, alarms, hits) <= high
        assert len(evaluation.bands[f"precision_recall/{label}"]) == 51
    held = {at: right for _, at, right in evaluation.reliability}
    assert len(evaluation.bands["reliability"]) > 4
    assert all(low <= held[at] <= high for at, low, high in evaluation.bands["reliability"])


def test_a_rate_that_is_none_counts_as_unknown_and_is_reported():
    rates = list(answers().extra["printed_rate_bpm"])
    rates[3], rates[4], rates[5] = "-80", "inf", "fast"
    evaluated = evaluate(
        replace(answers(), extra={"printed_rate_bpm": tuple(rates)}), rng=np.random.default_rng(0), draws=20
    )
    assert "printed rate alone, 15 nearest, on 117 pages" in evaluated.references
    assert (
        evaluated.notes[-1] == "3 of the values of printed_rate_bpm are no rate, such as '-80', and count as unknown."
    )


def test_the_progress_of_all_bootstraps_is_reported_as_one():
    calls = []
    evaluate(
        answers(rates=False),
        rng=np.random.default_rng(0),
        draws=200,
        progress=lambda done, of: calls.append((done, of)),
    )
    assert calls == [(100, 400), (200, 400), (300, 400), (400, 400)]


def test_a_share_of_pages_that_are_all_right_is_exact_though_some_draws_find_wrong_ones_among_the_most_confident():
    table = answers(pages=40, rates=False)
    confidence = np.linspace(0.9, 0.5, 40)
    answered = np.where(np.arange(40) == 24, (table.targets + 1) % 3, table.targets)
    sure = (1 - confidence)[:, None] / 2 * np.ones(3)
    sure[np.arange(40), answered] = confidence
    evaluated = evaluate(replace(table, probabilities=sure), rng=np.random.default_rng(0), draws=200)
    assert dict(evaluated.coverage)[0.6] == 1.0
    assert evaluated.intervals["coverage/0.6"] == pytest.approx((0.025 ** (1 / 12), 1.0))


def test_a_bootstrap_without_draws_is_refused():
    with pytest.raises(ValueError, match="at least one draw of the bootstrap, got 0"):
        evaluate(answers(), rng=np.random.default_rng(0), draws=0)


def test_labels_may_be_called_as_curves_and_columns_as_bands():
    table = replace(answers(), labels=("roc", "auroc", "decision"))
    table = replace(table, extra={**table.extra, "printed rate": ("slow", "fast") * 60})
    evaluated = evaluate(table, rng=np.random.default_rng(0), draws=20)
    assert evaluated.intervals["roc/auroc"] is not None
    assert evaluated.bands["roc/auroc"]
    assert "roc" in evaluated.scored["by_label"]
    assert set(evaluated.subgroups) == {"batch", "printed rate", "printed_rate_bpm"}
    assert set(evaluated.subgroups["printed rate"]) == {"slow", "fast"}


def test_a_rate_may_have_a_decimal_comma():
    rates = tuple(f"{float(rate):.1f}".replace(".", ",") for rate in answers().extra["printed_rate_bpm"])
    assert set(build_references(replace(answers(), extra={"printed_rate_bpm": rates}))) == set(
        build_references(answers())
    )


def test_a_label_of_two_groups_that_is_always_right_has_the_exact_interval():
    table = answers(pages=200, rates=False)
    rare = replace(table, targets=np.where(np.arange(200) < 4, 1, 0))
    sure = replace(rare, probabilities=0.9 * np.eye(3)[rare.targets] + 0.1 / 3)
    evaluated = evaluate(sure, rng=np.random.default_rng(0), draws=40)
    assert evaluated.intervals["mi/recall"] == pytest.approx((0.025 ** (1 / 2), 1.0))
