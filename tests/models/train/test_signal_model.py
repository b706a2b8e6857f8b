import numpy as np
import torch

from ecglens.models.inputs import LeadBeats
from ecglens.models.train.signal_model import compute_logits

SHAPE = LeadBeats().shapes["signal"]


def test_logits_are_those_of_the_network_in_any_number():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SHAPE[0] * SHAPE[1], 5))
    inputs = np.random.default_rng(0).normal(size=(130, *SHAPE)).astype(np.float32)
    expected = network(torch.from_numpy(inputs)).detach().numpy()
    np.testing.assert_allclose(compute_logits(network, inputs), expected, atol=1e-4)
