import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ecglens.errors import TrainingError
from ecglens.federation.plan import FederationPlan
from ecglens.federation.simulate_signals import place_groups, simulate_signals
from ecglens.federation.strategies import StrategySettings
from ecglens.models.train.signal_model import FitSettings
from ecglens.models.train.signal_set import SIGNALS, SignalSet

SETTINGS = FitSettings(batch=8)
PLAN = FederationPlan()


@pytest.fixture(scope="module")
def data() -> SignalSet:
    """Return 24 records with a beat every 0.8 s, half of them with an inverted one."""
    rng = np.random.default_rng(0)
    time = np.arange(1000) / SIGNALS.fs_hz
    beat = np.exp(-(((time % 0.8) - 0.3) ** 2) / 2e-4)
    size, leads = 24, len(SIGNALS.leads)
    signs = np.where(np.arange(size) % 2, 1.0, -1.0)
    noise = rng.normal(0, 0.02, (size, leads, 1000))
    signals = (signs[:, None, None] * beat + noise).astype(np.float32)
    targets = np.zeros((size, 5), np.float32)
    targets[np.arange(size), (np.arange(size) % 2)] = 1
    return SignalSet(
        ecg_ids=np.arange(size),
        signals=signals,
        is_in_mv=np.ones(size, np.bool_),
        targets=targets,
        groups=np.array([f"patient {number // 2}" for number in range(size)]),
        four_labels=(None,) * size,
        sexes=(None,) * size,
        ages=np.full(size, np.nan),
    )


SITES = ["first"] * 12 + ["second"] * 12


def run(data, out, plan=PLAN, **options):
    return simulate_signals(data, SITES, out, plan, rounds=2, folds=2, settings=SETTINGS, **options)


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "fedbn"])
def test_each_record_is_answered_once(data, tmp_path, name):
    answers = run(data, tmp_path, FederationPlan(strategy=StrategySettings(name)))
    assert sorted(answers.rows.tolist()) == list(range(24))
    assert answers.logits.shape == (24, 5)
    assert np.isfinite(answers.logits).all()


def test_a_run_that_was_killed_gives_the_same_weights(data, tmp_path, monkeypatch):
    run(data, tmp_path / "whole", only=[0])
    from ecglens.federation import rounds

    store, calls = rounds._store, []

    def die(*arguments):
        store(*arguments)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "_store", die)
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path / "parts", only=[0])
    run(data, tmp_path / "parts", only=[0])
    one, other = (load_file(tmp_path / name / "fold0" / "rounds.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_patient_is_at_the_site_of_most_of_the_records():
    sites = ["b", "a", "a", "b", "a"]
    assert place_groups(sites, ["p", "p", "p", "q", "q"]) == ("a", "a", "a", "a", "a")
    assert place_groups(["b", "a"], ["p", "q"]) == ("b", "a")


def test_one_site_alone_is_refused(data, tmp_path):
    with pytest.raises(TrainingError, match="at least two sites"):
        simulate_signals(data, ["only"] * 24, tmp_path, PLAN, rounds=1, folds=2, settings=SETTINGS)


def test_what_needs_pages_is_refused(data, tmp_path):
    with pytest.raises(TrainingError, match="without fine-tuning"):
        run(data, tmp_path, FederationPlan(tune_epochs=1))
