"""A residual network over time for the signals of any recorder, in any layout and with leads missing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["AnyRecorder", "MeanOfNetworks", "any_recorder"]

_STEM_SAMPLES, _BLOCK_SAMPLES = 11, 7
_LEAST_RMS_MV = 0.02
"""Least amplitude of a lead: below it, a lead that is scaled to unit variance would be noise."""
_KNOWN_MV = 0.75
"""Mask above which a sample's amplitude is known; 0.5 says that only the shape is."""


def any_recorder(
    *,
    labels: int = 5,
    leads: int = 12,
    window: int = 250,
    channels: tuple[int, ...] = (32, 48, 64, 88),
    dropout: float = 0.3,
) -> "AnyRecorder":
    """Build the network.

    Args:
        labels: Number of labels, each with its own probability.
        leads: Number of leads.
        window: Samples that are read at once; a longer input is read window by window.
        channels: Of the first convolution, and of each residual block after it.
        dropout: Rate before the last layer.
    """
    return AnyRecorder(labels=labels, leads=leads, window=window, channels=channels, dropout=dropout)


class AnyRecorder(nn.Module):
    """Signals and masks to logits: the mean over windows, weighted by the square of the share that is known.

    Each lead is read twice, in mV and scaled to unit variance, so that records whose amplitudes are unknown teach the
    shapes of waves. A page of four columns fills the first window of 2.5 s, a recording of 10 s fills four.
    """

    def __init__(self, *, labels: int, leads: int, window: int, channels: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.leads, self.window = leads, window
        self.stem = nn.Sequential(
            nn.Conv1d(3 * leads, channels[0], _STEM_SAMPLES, stride=2, padding=_STEM_SAMPLES // 2, bias=False),
            nn.BatchNorm1d(channels[0]),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(
            *(_Block(before, after) for before, after in zip(channels, channels[1:], strict=False))
        )
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels[-1], labels))

    def forward(self, signal: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``, from ``(rows, 2 * leads, samples)``: signals, then masks."""
        rows, _, samples = signal.shape
        windows = samples // self.window
        cut = signal.reshape(rows, 2 * self.leads, windows, self.window).transpose(1, 2)
        logits = self.read_windows(cut.reshape(rows * windows, 2 * self.leads, self.window))
        weights = cut[:, :, self.leads :].mean(dim=(2, 3)).square()[..., None] + 1e-6
        answer: Tensor = (logits.reshape(rows, windows, -1) * weights).sum(1) / weights.sum(1)
        return answer

    def read_windows(self, windows: Tensor) -> Tensor:
        """Compute the logits of single windows."""
        signal, mask = windows[:, : self.leads], windows[:, self.leads :]
        valid = (mask > 0).to(signal.dtype)
        power = (signal.square() * valid).sum(2, keepdim=True) / valid.sum(2, keepdim=True).clamp(min=1.0)
        shape = signal / power.sqrt().clamp(min=_LEAST_RMS_MV)
        in_mv = signal.clamp(-5.0, 5.0) * (mask > _KNOWN_MV).to(signal.dtype)
        features = self.blocks(self.stem(torch.cat([in_mv, shape.clamp(-10.0, 10.0), mask], dim=1)))
        answer: Tensor = self.classify(torch.cat([features.mean(2), features.amax(2)], dim=1))
        return answer


class _Block(nn.Module):
    """Two convolutions with a shortcut and weights for the channels (Hu et al., arXiv 1709.01507); halves the rate."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        padding = _BLOCK_SAMPLES // 2
        self.residual = nn.Sequential(
            nn.Conv1d(before, after, _BLOCK_SAMPLES, stride=2, padding=padding, bias=False),
            nn.BatchNorm1d(after),
            nn.ReLU(),
            nn.Conv1d(after, after, _BLOCK_SAMPLES, padding=padding, bias=False),
            nn.BatchNorm1d(after),
        )
        self.weigh = nn.Sequential(nn.Linear(after, after // 4), nn.ReLU(), nn.Linear(after // 4, after), nn.Sigmoid())
        self.shortcut = nn.Sequential(
            nn.AvgPool1d(2, ceil_mode=True), nn.Conv1d(before, after, 1, bias=False), nn.BatchNorm1d(after)
        )

    def forward(self, signal: Tensor) -> Tensor:
        residual = self.residual(signal)
        weights = self.weigh(residual.mean(2))[..., None]
        return torch.relu(residual * weights + self.shortcut(signal))


class MeanOfNetworks(nn.Module):
    """The mean of the logits of several networks, as one graph."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, signal: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``."""
        return torch.stack([network(signal) for network in self.networks]).mean(0)
