import numpy as np
import pytest
import torch

from ecglens.models.inputs import LeadBeats
from ecglens.models.inputs.beats import UNKNOWN_SCALE
from ecglens.models.train.signal_model import _mix, compute_logits

SHAPE = LeadBeats().shapes["signal"]


def test_two_records_are_mixed_with_their_targets_and_the_lesser_mask():
    inputs = np.zeros((2, *SHAPE), np.float32)
    inputs[0, :12], inputs[0, 12:24] = 1.0, 1.0
    inputs[1, :12], inputs[1, 12:24] = 3.0, UNKNOWN_SCALE
    targets = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    rng = np.random.default_rng(1)
    while True:
        mixed, mixed_targets = _mix(inputs, targets, 0.4, rng)
        if mixed_targets[0, 1] > 0:
            break
    share = mixed_targets[0, 0]
    assert mixed[0, 0, 0] == pytest.approx(share + 3 * (1 - share))
    assert mixed_targets.sum(axis=1) == pytest.approx([1, 1])
    assert (mixed[:, 12:24] == UNKNOWN_SCALE).all()
    assert (inputs[0, 12:24] == 1).all()


def test_logits_are_those_of_the_network_in_any_number():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SHAPE[0] * SHAPE[1], 5))
    inputs = np.random.default_rng(0).normal(size=(130, *SHAPE)).astype(np.float32)
    expected = network(torch.from_numpy(inputs)).detach().numpy()
    np.testing.assert_allclose(compute_logits(network, inputs), expected, atol=1e-4)
