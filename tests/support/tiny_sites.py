"""Sites with a linear network on a few numbers, for tests of federated training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from flwr.app import Context, Message
from numpy.typing import NDArray
from torch import Tensor, nn

from ecglens.federation.client import OpenSite, make_client_app
from ecglens.federation.local import Order


class TinyTask:
    """Rows of two numbers whose sum tells the label, as a site's task."""

    labels = 2

    def __init__(self, rows: int, seed: int, *, fails: str = "") -> None:
        rng = np.random.default_rng(seed)
        self.inputs = torch.from_numpy(rng.normal(size=(rows, 2)).astype(np.float32))
        self.targets = (self.inputs.sum(1) > 0).long()
        self.fails = fails

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))

    def count(self) -> int:
        return len(self.inputs)

    def fit(self, network: nn.Module, order: Order, folder: Path, penalty: Callable[[], Tensor] | None) -> nn.Module:
        if self.fails:
            raise RuntimeError(self.fails)
        torch.manual_seed(order.seed)
        network.train()
        optimizer = torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.1)
        for _ in range(order.epochs):
            loss = nn.functional.cross_entropy(network(self.inputs), self.targets)
            if penalty is not None:
                loss = loss + penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return network

    def count_answers(self, network: nn.Module) -> NDArray[np.intp]:
        network.eval()
        counts = np.zeros((2, 2), np.intp)
        with torch.inference_mode():
            np.add.at(counts, (self.targets.numpy(), network(self.inputs).argmax(1).numpy()), 1)
        return counts


def tiny_runner(
    tasks: list[TinyTask], folder: Path, *, mods: tuple = (), secure: bool = False, log: list | None = None
) -> Callable[[int, Message], Message]:
    """Return a function that runs the ClientApp of a site, and collects the messages of all sites in a log."""
    contexts = [Context(1, index + 1, {"site": index}, state=_state(), run_config={}) for index in range(len(tasks))]

    def open_site(context: Context) -> OpenSite:
        index = int(context.node_config["site"])
        return OpenSite(tasks[index], folder / f"site{index}", index)

    app = make_client_app(open_site, mods=mods, secure=secure)

    def run(index: int, message: Message) -> Message:
        reply = app(message, contexts[index])
        if log is not None:
            log.append((index, message, reply))
        return reply

    return run


def _state():
    from flwr.app import RecordDict

    return RecordDict()
