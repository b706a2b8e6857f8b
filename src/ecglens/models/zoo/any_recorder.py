"""A small residual network over the typical beats of all leads, for the signals of any recorder."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecglens.models.inputs.recipes import RHYTHM_ROWS

__all__ = ["AnyRecorder", "MeanOfNetworks", "any_recorder"]

_STEM_SAMPLES, _BLOCK_SAMPLES = 9, 7
_HIDDEN = 40
_LEAST_RMS_MV = 0.02
"""Least amplitude of a lead: below it, a lead that is scaled to unit variance would be noise."""
_KNOWN_MV = 0.75
"""Mask above which a sample's amplitude is known; 0.5 says that only the shape is."""


def any_recorder(
    *,
    labels: int = 5,
    leads: int = 12,
    samples: int = 75,
    channels: tuple[int, ...] = (40, 48, 64),
    dropout: float = 0.4,
) -> "AnyRecorder":
    """Build the network.

    Args:
        labels: Number of labels, each with its own probability.
        leads: Number of leads.
        samples: Length of a beat.
        channels: Of the first convolution, and of each residual block after it.
        dropout: Rate behind the convolutions; half of it before the last layer.
    """
    return AnyRecorder(labels=labels, leads=leads, samples=samples, channels=channels, dropout=dropout)


class AnyRecorder(nn.Module):
    """Beats, masks and rhythm to logits.

    Each lead is read twice, in mV and scaled to unit variance, so that records whose amplitudes are unknown teach the
    shapes of waves. Beats are aligned, so what is left of the time axis is not pooled.
    """

    def __init__(self, *, labels: int, leads: int, samples: int, channels: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.leads = leads
        self.stem = nn.Sequential(
            nn.Conv1d(3 * leads, channels[0], _STEM_SAMPLES, padding=_STEM_SAMPLES // 2, bias=False),
            nn.BatchNorm1d(channels[0]),
            nn.ReLU(),
        )
        ends = (*channels[1:], channels[-1])
        self.blocks = nn.Sequential(*(_Block(before, after) for before, after in zip(channels, ends, strict=True)))
        for _ in channels:
            samples = -(-samples // 2)
        self.classify = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels[-1] * samples + RHYTHM_ROWS, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout / 2),
            nn.Linear(_HIDDEN, labels),
        )

    def forward(self, signal: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``, from ``(rows, 2 * leads + 3, samples)``: beats, masks, rhythm."""
        beats, masks = signal[:, : self.leads], signal[:, self.leads : 2 * self.leads]
        rhythm = signal[:, 2 * self.leads :, 0]
        rms = beats.square().mean(2, keepdim=True).sqrt()
        shapes = (beats / rms.clamp(min=_LEAST_RMS_MV)).clamp(-10.0, 10.0)
        in_mv = beats.clamp(-5.0, 5.0) * (masks > _KNOWN_MV).to(beats.dtype)
        features = self.blocks(self.stem(torch.cat([in_mv, shapes, masks], dim=1)))
        answer: Tensor = self.classify(torch.cat([features.flatten(1), rhythm], dim=1))
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
