"""The networks that can be trained, as a list that is shown without loading torch; ``models.zoo`` builds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["NETWORKS", "Network"]


@dataclass(frozen=True, slots=True)
class Network:
    """A network that can be built by its name.

    Attributes:
        parameters: Number of weights, for four labels and the default input.
        shapes: Default shape of one row of each input, by the input's name in the graph.
        source: Source of the architecture.
        note: Short description.
    """

    parameters: int
    shapes: Mapping[str, tuple[int, ...]]
    source: str
    note: str


_OWN = "ecglens"
_RGB: Mapping[str, tuple[int, ...]] = MappingProxyType({"page": (3, 224, 224)})
_LEAD: Mapping[str, tuple[int, ...]] = MappingProxyType({"page": (3, 150, 150)})
_SIGNAL = (24, 250)

NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "compact_cnn": Network(211_496, {"page": (1, 384, 384)}, _OWN, "two small towers over the trace canvas"),
        "cnn_224": Network(11_169_476, _RGB, _OWN, "convolution and maximum three times, two linear layers"),
        "cnn_lead": Network(4_828_868, _LEAD, _OWN, "three convolutions over the crop of a lead"),
        "crnn_lead": Network(1_323_844, _LEAD, _OWN, "cnn_lead, its columns read by two LSTM layers"),
        "crnn_lead_repeated": Network(19_149_636, _LEAD, _OWN, "crnn_lead as published: one vector repeated"),
        "mobilenet_v1": Network(3_211_076, _RGB, "timm", "arXiv 1704.04861"),
        "mobilenet_v2": Network(2_228_996, _RGB, "timm", "arXiv 1801.04381"),
        "densenet121": Network(6_957_956, _RGB, "timm", "arXiv 1608.06993"),
        "resnet50": Network(23_516_228, _RGB, "timm", "arXiv 1512.03385"),
        "vgg16": Network(14_716_740, _RGB, "timm", "arXiv 1409.1556"),
        "efficientnet_b0": Network(4_012_672, _RGB, "timm", "arXiv 1905.11946"),
        "resnet1d": Network(206_820, {"signal": _SIGNAL}, _OWN, "one residual tower over each lead's signal"),
        "fusion": Network(
            418_316,
            {"page": (1, 304, 512), "signal": _SIGNAL},
            _OWN,
            "compact_cnn or a backbone on the page, resnet1d on its signals",
        ),
    }
)
"""All networks by name; a name of timm, and the ending ``+lstm`` of a backbone, can be built too."""
