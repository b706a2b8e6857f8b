"""Plain convolutional networks as described in the reproduced works, for whole pages and for lead crops.

Our choices where a description leaves something open are listed in ``docs/models.md``: no padding (the default of
Keras, in which the works are written), one hidden layer of 128 units and a dropout of 0.5 before the output, and 64
units in the second recurrent layer.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["cnn_224", "cnn_lead", "crnn_lead", "crnn_lead_repeated"]

_CHANNELS = (32, 64, 128)
_FIRST_UNITS, _SECOND_UNITS = 128, 64


def cnn_224(
    *, labels: int = 4, page: tuple[int, int, int] = (3, 224, 224), hidden: int = 128, dropout: float = 0.5
) -> nn.Module:
    """Build three convolutions, each with max pooling, and two linear layers, for a whole page."""
    return _plain(labels, page, hidden, dropout)


def cnn_lead(
    *, labels: int = 4, page: tuple[int, int, int] = (3, 150, 150), hidden: int = 128, dropout: float = 0.5
) -> nn.Module:
    """Build three 3 x 3 convolutions with 32 to 128 channels and two linear layers, for the crop of one lead."""
    return _plain(labels, page, hidden, dropout)


def crnn_lead(
    *, labels: int = 4, page: tuple[int, int, int] = (3, 150, 150), dropout: float = 0.5
) -> "RecurrentOverTime":
    """Build the convolutions of :func:`cnn_lead` with two LSTM layers that read their columns from left to right."""
    return RecurrentOverTime(labels=labels, page=page, dropout=dropout)


def crnn_lead_repeated(
    *, labels: int = 4, page: tuple[int, int, int] = (3, 150, 150), repeats: int = 50, dropout: float = 0.5
) -> "RecurrentOverOneVector":
    """Build :func:`crnn_lead` as in the published code: the flattened map is repeated at each of 50 steps.

    Such a sequence has no time axis; the model exists for comparison with the published figures.
    """
    return RecurrentOverOneVector(labels=labels, page=page, repeats=repeats, dropout=dropout)


class RecurrentOverTime(nn.Module):
    """Recurrent model in which each column of the last map is a step."""

    def __init__(self, *, labels: int, page: tuple[int, int, int], dropout: float) -> None:
        super().__init__()
        self.features = _convolutions(page[0])
        channels, height, _ = _map_shape(self.features, page)
        self.sequence = _TwoLayers(channels * height)
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(_SECOND_UNITS, labels))

    def forward(self, page: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``."""
        columns = self.features(page).permute(0, 3, 1, 2).flatten(2)
        answer: Tensor = self.classify(self.sequence(columns))
        return answer


class RecurrentOverOneVector(nn.Module):
    """Recurrent model in which every step is the flattened map."""

    def __init__(self, *, labels: int, page: tuple[int, int, int], repeats: int, dropout: float) -> None:
        super().__init__()
        self.repeats = repeats
        self.features = _convolutions(page[0])
        channels, height, width = _map_shape(self.features, page)
        self.sequence = _TwoLayers(channels * height * width)
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(_SECOND_UNITS, labels))

    def forward(self, page: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``."""
        vector = self.features(page).flatten(1)
        steps = _repeat_vector(self.sequence.first, vector, self.repeats)
        answer: Tensor = self.classify(self.sequence.last(steps))
        return answer


class _TwoLayers(nn.Module):
    """Two LSTM layers: the first returns its sequence, and the second its last output."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = nn.LSTM(size, _FIRST_UNITS, batch_first=True)
        self.second = nn.LSTM(_FIRST_UNITS, _SECOND_UNITS, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        sequence, _ = self.first(steps)
        return self.last(sequence)

    def last(self, sequence: Tensor) -> Tensor:
        """Compute the last output of the second layer from the sequence of the first."""
        answers, _ = self.second(sequence)
        last: Tensor = answers[:, -1]
        return last


def _repeat_vector(layer: nn.LSTM, vector: Tensor, repeats: int) -> Tensor:
    """Compute a layer's sequence for one repeated vector; the product with the large matrix is computed only once."""
    of_input, of_hidden, bias_of_input, bias_of_hidden = layer.parameters()
    projected = functional.linear(vector, of_input, bias_of_input + bias_of_hidden)
    hidden = cell = projected.new_zeros(projected.shape[0], layer.hidden_size)
    steps = []
    for _ in range(repeats):
        input_gate, forget_gate, candidate, output_gate = (projected + functional.linear(hidden, of_hidden)).chunk(
            4, dim=1
        )
        cell = torch.sigmoid(forget_gate) * cell + torch.sigmoid(input_gate) * torch.tanh(candidate)
        hidden = torch.sigmoid(output_gate) * torch.tanh(cell)
        steps.append(hidden)
    return torch.stack(steps, dim=1)


def _plain(labels: int, page: tuple[int, int, int], hidden: int, dropout: float) -> nn.Module:
    features = _convolutions(page[0])
    channels, height, width = _map_shape(features, page)
    return nn.Sequential(
        features,
        nn.Flatten(),
        nn.Linear(channels * height * width, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, labels),
    )


def _convolutions(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((channels, *_CHANNELS), _CHANNELS, strict=False):
        layers += [nn.Conv2d(before, after, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def _map_shape(features: nn.Module, page: tuple[int, int, int]) -> tuple[int, int, int]:
    with torch.no_grad():
        _, channels, height, width = features(torch.zeros(1, *page)).shape
    return channels, height, width
