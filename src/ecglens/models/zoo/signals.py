"""Models that read signals, or a page and its signals."""

from typing import Any

import torch
from torch import Tensor, nn

from ecglens.models.zoo.backbones import backbone
from ecglens.models.zoo.compact_cnn import compact_cnn
from ecglens.models.zoo.towers import Towers

__all__ = ["Fusion", "ResNet1d", "fusion", "resnet1d"]

_CHANNELS = (32, 48, 64, 96)
_STEM_SAMPLES, _BLOCK_SAMPLES = 15, 7


def resnet1d(*, labels: int = 4, signal: tuple[int, int] = (24, 250), dropout: float = 0.3) -> "ResNet1d":
    """Build a residual network over time (after Wang et al., arXiv 1611.06455), shared by all leads."""
    return ResNet1d(labels=labels, leads=signal[0] // 2, dropout=dropout)


def fusion(
    *,
    labels: int = 4,
    page: tuple[int, int, int] = (1, 304, 512),
    signal: tuple[int, int] = (24, 250),
    backbone: str = "compact_cnn",
    signal_dropout: float = 0.3,
    **page_options: Any,
) -> "Fusion":
    """Build a model of the page and :func:`resnet1d`, whose logits are averaged.

    Args:
        labels: Number of labels.
        page: Shape of one page.
        signal: Shape of one recording.
        backbone: ``compact_cnn`` or the name of a backbone, which reads the page.
        signal_dropout: Dropout rate of the model of the signals.
        **page_options: Options of the model of the page.
    """
    return Fusion(
        _page_model(backbone, labels=labels, page=page, **page_options),
        resnet1d(labels=labels, signal=signal, dropout=signal_dropout),
    )


class ResNet1d(nn.Module):
    """One tower that reads each lead; leads are combined after pooling, as a page shows them in turn."""

    def __init__(self, *, labels: int, leads: int, dropout: float) -> None:
        super().__init__()
        self.leads = leads
        self.features = nn.Sequential(
            nn.Conv1d(2, _CHANNELS[0], _STEM_SAMPLES, stride=2, padding=_STEM_SAMPLES // 2, bias=False),
            nn.BatchNorm1d(_CHANNELS[0]),
            nn.ReLU(),
            *(_Block(before, after) for before, after in zip(_CHANNELS, _CHANNELS[1:], strict=False)),
        )
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * _CHANNELS[-1] * leads, labels))

    def forward(self, signal: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``, from ``(rows, 2 * leads, samples)``: signals, then valid masks."""
        samples = signal.shape[-1]
        by_lead = signal.reshape(-1, 2, self.leads, samples).transpose(1, 2).reshape(-1, 2, samples)
        features = self.features(by_lead)
        pooled = torch.cat([features.mean(2), features.amax(2)], dim=1)
        answer: Tensor = self.classify(pooled.reshape(-1, self.leads * pooled.shape[1]))
        return answer


class Fusion(nn.Module):
    """Mean of the logits of page and signals; each model has its own loss, so that neither relies on the other."""

    def __init__(self, of_page: nn.Module, of_signal: nn.Module) -> None:
        super().__init__()
        self.of_page, self.of_signal = of_page, of_signal

    @property
    def trunk(self) -> nn.Module:
        """Pretrained part of the model of the page; :class:`AttributeError` if it has none."""
        trunk: nn.Module = self.of_page.get_submodule("trunk")
        return trunk

    def towers(self, page: Tensor, signal: Tensor) -> tuple[Tensor, ...]:
        """Compute the logits of the towers of the page and of the signals, ``(rows, labels)``."""
        pages = self.of_page.towers(page) if isinstance(self.of_page, Towers) else (self.of_page(page),)
        return *pages, self.of_signal(signal)

    def forward(self, page: Tensor, signal: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``."""
        answer: Tensor = (self.of_page(page) + self.of_signal(signal)) / 2
        return answer


class _Block(nn.Module):
    """Two convolutions with a shortcut; the number of samples is halved."""

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
        self.shortcut = nn.Sequential(nn.Conv1d(before, after, 1, stride=2, bias=False), nn.BatchNorm1d(after))

    def forward(self, signal: Tensor) -> Tensor:
        return torch.relu(self.residual(signal) + self.shortcut(signal))


def _page_model(name: str, *, labels: int, page: tuple[int, int, int], **options: Any) -> nn.Module:
    if name == "compact_cnn":
        return compact_cnn(labels=labels, page=page, **options)
    return backbone(name, labels=labels, page=page, **options)
