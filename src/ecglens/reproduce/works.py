"""The rows of the comparison: a model of a work, its reported score, and its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ecglens.errors import TrainingError

__all__ = ["ROWS", "WORKS", "Row", "find_rows"]

WORKS: Mapping[str, str] = {
    "custom-cnn": "Custom CNN of 423 K parameters",
    "lead-crops": "CNN and CRNN on lead crops",
    "conduction": "Conduction simulation",
    "comparative": "Comparative analysis of EfficientNetB0",
    "vgg16": "VGG16 transfer learning",
    "controls": "Controls",
    "ecglens": "ecglens",
}
"""Names of the works for people."""

_FROZEN = {"phases": [{"epochs": 20, "trunk": 0}]}


@dataclass(frozen=True, slots=True)
class Row:
    """One model of one work.

    Attributes:
        name: Name that the user types.
        work: Key of :data:`WORKS`.
        title: Title in the table.
        recipe: Stem of the recipe's file; ``"majority"`` and ``"nearest"`` are references that learn no weights.
        reported: Accuracy that the work reports, or ``None``.
        reported_text: The same in the words of the work.
        crops: Whether the work counted crops of leads, of which a page has twelve or more, and not pages.
        pretrained: Changes of the recipe where ImageNet weights are at hand, or ``None`` where the work used none.
    """

    name: str
    work: str
    title: str
    recipe: str
    reported: float | None = None
    reported_text: str = "-"
    crops: bool = False
    pretrained: Mapping[str, Any] | None = None


def _row(
    name: str,
    work: str,
    title: str,
    recipe: str,
    reported: float | None = None,
    reported_text: str | None = None,
    **options: Any,
) -> Row:
    text = reported_text or (f"{100 * reported:.2f} %" if reported is not None else "-")
    return Row(name, work, title, recipe, reported, text + " of crops" * options.get("crops", False), **options)


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            _row("shipped", "ecglens", "compact CNN that ships", "compact_cnn"),
            _row("compact-cnn", "custom-cnn", "compact CNN", "compact_cnn_384", 0.9506),
            _row("cnn", "conduction", "CNN", "cnn_224", 0.8763),
            _row("cnn-lead", "lead-crops", "CNN per lead", "cnn_lead", 0.9340, crops=True),
            _row("crnn-lead", "lead-crops", "CRNN per lead", "crnn_lead", 0.9372, crops=True),
            _row("mobilenet-v2", "custom-cnn", "MobileNetV2", "mobilenet_v2", 0.9018, pretrained={}),
            _row("mobilenet", "conduction", "MobileNet", "mobilenet_v1", 0.8978, pretrained=_FROZEN),
            _row(
                "mobilenet-lstm",
                "conduction",
                "MobileNet + LSTM",
                "mobilenet_v1_lstm",
                reported_text="best of its work, no figure",
                pretrained=_FROZEN,
            ),
            _row("efficientnet-b0", "comparative", "EfficientNetB0", "efficientnet_b0", 0.90, "> 90 %", pretrained={}),
            _row(
                "efficientnet-b0-lstm",
                "comparative",
                "EfficientNetB0 + LSTM",
                "efficientnet_b0_lstm",
                0.70,
                "about 70 %",
                pretrained={},
            ),
            _row("densenet", "conduction", "DenseNet121", "densenet121", 0.8441, pretrained=_FROZEN),
            _row("resnet50", "custom-cnn", "ResNet50", "resnet50", 0.9616, pretrained={}),
            _row(
                "vgg16",
                "vgg16",
                "VGG16",
                "vgg16",
                reported_text="in its notebook only",
                pretrained={"model": "vgg16", "phases": [{"epochs": 10, "trunk": 0, "learning_rate": 1e-3}]},
            ),
            _row("efficientnet-lite0", "ecglens", "EfficientNet-Lite0, frozen", "efficientnet_lite0", pretrained={}),
            _row("majority", "controls", "majority label", "majority"),
            _row("printed-rate", "controls", "printed rate alone, 15 nearest", "nearest"),
            _row("header", "controls", "header alone", "control_header"),
            _row("footer", "controls", "footer alone", "control_footer"),
            _row("blurred", "controls", "page with its traces blurred away", "control_blurred"),
        )
    }
)
"""Rows by name, in the order in which they are computed."""


def find_rows(names: Sequence[str]) -> list[Row]:
    """Find rows by their own names or by those of their works; return all of them where none is named.

    Raises:
        TrainingError: There is no such row or work.
    """
    unknown = [name for name in names if name not in ROWS and name not in WORKS]
    if unknown:
        raise TrainingError(
            f"Expected works out of {', '.join(WORKS)} or rows out of {', '.join(ROWS)}, got '{unknown[0]}'."
        )
    return [row for row in ROWS.values() if not names or row.name in names or row.work in names]
