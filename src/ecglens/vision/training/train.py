"""Train the two networks on rendered pages and words, and write their graphs (extra ``train``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ecglens.errors import TrainingError
from ecglens.formats.wfdb import read_wfdb
from ecglens.records import EcgRecord
from ecglens.vision.lead_names import OTHER, WINDOW
from ecglens.vision.training.networks import NameNet, SegmentationNet
from ecglens.vision.training.pages import CLASSES, TrainingPage, draw_training_page
from ecglens.vision.training.pool import open_pool
from ecglens.vision.training.words import draw_word

__all__ = ["Progress", "TrainingPlan", "find_fonts", "train_lead_names", "train_pixel_classes"]

Progress = Callable[[int, Mapping[str, float]], None]
"""Called with the step and some figures, such as the loss."""

_CROP_PX = 256
_PAGE_BATCH = 8
_STEPS_PER_PAGE = 6
_PAGE_POOL_SIZE = 260
_WORD_BATCH = 64
_WORDS_A_SAMPLE = 200
_STEPS_PER_WORDS = 10
_WORD_POOL_SIZE = 30_000
_HELD_PAGES = 12
_HELD_WORDS = 4000
_CLASS_WEIGHTS = (1.0, 0.6, 0.25, 0.6)
"""Weights of the classes in the cross entropy."""
_INK_WEIGHTS = (1.0, 1.0, 1.0, 8.0)
"""Weights that are added to those of pixels that a class covers: pulses are rare."""
_PULSE_CROPS = 0.25
"""Share of the crops that are cut around a pulse, where a page has some."""
_DICE_WEIGHTS = (0.5, 0.25, 0.0, 0.0)
"""Weights of their Dice losses, which keep rare classes from being forgotten."""
_AGREEMENT = 1e-3
"""Largest difference between the logits of a network and of its graph."""
_UNUSED_FONTS = ("STIXSiz", "STIXNonUni", "LastResort", "cmex", "cmsy", "cmmi", "Display")
"""Fonts of matplotlib that hold mathematical signs."""

Planes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Settings of a training.

    Attributes:
        steps: Number of steps.
        seed: Seed of everything random.
        rate: Largest learning rate; it rises over the first steps and falls with a cosine.
        every: Number of steps between reports.
    """

    steps: int
    seed: int = 0
    rate: float = 3e-3
    every: int = 100

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.rate * min(1.0, step / 50) * (0.5 * (1 + float(np.cos(np.pi * step / self.steps))) + 0.003)


def train_pixel_classes(records: Path, out: Path, plan: TrainingPlan, report: Progress) -> dict[str, float]:
    """Train the network of pixel classes and write its graph.

    Args:
        records: Folder of WFDB records, searched with its subfolders, such as PTB-XL.
        out: File of the graph.
        plan: Steps, seed and learning rate.
        report: Called every ``plan.every`` steps.

    Returns:
        Intersection over union of each class on rendered pages that the network was not trained on.

    Raises:
        TrainingError: There are no records.
    """
    if not _load_records(str(records)):
        raise TrainingError(f"Expected a folder with WFDB records, found none in '{records}'.")
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    network = SegmentationNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-3)
    weights, ink_weights = (torch.tensor(values).view(1, -1, 1, 1) for values in (_CLASS_WEIGHTS, _INK_WEIGHTS))
    held = [_draw_page((str(records), -1 - number)) for number in range(_HELD_PAGES)]
    losses: list[float] = []
    with open_pool(_draw_page, str(records), size=_PAGE_POOL_SIZE, seed=plan.seed * 1_000_000) as pool:
        pool.add(min(_PAGE_POOL_SIZE // 4, plan.steps))
        for step in range(1, plan.steps + 1):
            if step % _STEPS_PER_PAGE == 0:
                pool.add(1)
            batch = [_cut_crop(pool.samples[int(rng.integers(len(pool.samples)))], rng) for _ in range(_PAGE_BATCH)]
            pixels, masks = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
            logits = network(pixels.contiguous(memory_format=torch.channels_last))
            entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none")
            shares = logits.sigmoid()
            loss = (entropy * weights * (1 + ink_weights * masks)).mean()
            for channel, weight in enumerate(_DICE_WEIGHTS):
                if weight:
                    loss = loss + weight * _dice(shares[:, channel], masks[:, channel])
            losses.append(_step(loss, optimizer, plan.learning_rate(step)))
            if step % plan.every == 0:
                report(step, {"loss": float(np.mean(losses[-plan.every :]))})
                torch.save(network.state_dict(), out.with_suffix(".pt"))
    network.eval()
    height, width = (torch.export.Dim(name, min=2, max=400) for name in ("height", "width"))
    example = torch.zeros(1, 3, 128, 160)
    _write_graph(network, example, "pixels", out, {2: 32 * height, 3: 32 * width})
    return _score_pages(network, held)


def train_lead_names(out: Path, plan: TrainingPlan, report: Progress) -> dict[str, float]:
    """Train the reader of lead names and write its graph.

    Args:
        out: File of the graph.
        plan: Steps, seed and learning rate.
        report: Called every ``plan.every`` steps.

    Returns:
        Share of names, and of other print, that are classified correctly, on words that the network was not trained on.
    """
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    network = NameNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-3)
    held = [_draw_words((",".join(find_fonts()), -1 - number)) for number in range(_HELD_WORDS // _WORDS_A_SAMPLE)]
    losses: list[float] = []
    fonts = ",".join(find_fonts())
    with open_pool(_draw_words, fonts, size=_WORD_POOL_SIZE // _WORDS_A_SAMPLE, seed=plan.seed * 1_000_000) as pool:
        pool.add(20)
        for step in range(1, plan.steps + 1):
            if step % _STEPS_PER_WORDS == 0:
                pool.add(1)
            picks = [pool.samples[int(rng.integers(len(pool.samples)))] for _ in range(4)]
            windows, names = (np.concatenate([part[index] for part in picks]) for index in (0, 1))
            some = rng.integers(0, len(names), _WORD_BATCH)
            planes = windows[some].astype(np.float32) / 255 * rng.uniform(0.6, 1, (_WORD_BATCH, 1, 1))
            logits = network(torch.from_numpy(planes.astype(np.float32)[:, None]))
            loss = functional.cross_entropy(logits, torch.from_numpy(names[some]), label_smoothing=0.03)
            losses.append(_step(loss, optimizer, plan.learning_rate(step)))
            if step % plan.every == 0:
                report(step, {"loss": float(np.mean(losses[-plan.every :]))})
    network.eval()
    _write_graph(network, torch.zeros(2, 1, *WINDOW), "windows", out, {0: torch.export.Dim("windows")})
    return _score_words(network, held)


def find_fonts() -> list[str]:
    """Find the typefaces that words are rendered in: those of matplotlib, Pillow, OpenCV and ecglens."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    own = files("ecglens.render").joinpath("fonts")
    paths = [path for path in sorted(folder.glob("*.ttf")) if not any(name in path.name for name in _UNUSED_FONTS)]
    return [
        *map(str, paths),
        *sorted(str(path) for path in own.iterdir() if path.name.endswith(".ttf")),
        "default",
        *(f"hershey{number}" for number in range(5)),
    ]


@cache
def _load_records(folder: str) -> tuple[EcgRecord, ...]:
    return tuple(read_wfdb(path) for path in sorted(Path(folder).rglob("*.hea")))


def _draw_page(task: tuple[str, int]) -> TrainingPage:
    """The page of a seed; pages with a negative number are held out."""
    folder, number = task
    rng = np.random.default_rng([number & 0xFFFFFFFF, int(number < 0)])
    while True:
        page = draw_training_page(_load_records(folder), rng)
        if min(page.pixels.shape[:2]) >= _CROP_PX // 2:
            return page


def _draw_words(task: tuple[str, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Windows of a seed with the numbers of their names."""
    fonts, number = task
    rng = np.random.default_rng([number & 0xFFFFFFFF, int(number < 0)])
    samples = [draw_word(rng, fonts.split(",")) for _ in range(_WORDS_A_SAMPLE)]
    return np.stack([window for window, _ in samples]), np.array([name for _, name in samples], dtype=np.int64)


def _cut_crop(page: TrainingPage, rng: np.random.Generator) -> tuple[Planes, Planes]:
    """A crop of a page with other colors, contrast and light, and its masks, ``(channels, height, width)`` each."""
    pixels, masks = _pad(page)
    height, width = masks.shape[:2]
    pulses = np.argwhere(masks[..., CLASSES.index("pulse")] > 127) if rng.random() < _PULSE_CROPS else ()
    for _ in range(8):
        top, left = int(rng.integers(height - _CROP_PX + 1)), int(rng.integers(width - _CROP_PX + 1))
        if len(pulses):
            off = pulses[int(rng.integers(len(pulses)))] - rng.integers(32, _CROP_PX - 32, 2)
            top, left = (int(np.clip(off[axis], 0, masks.shape[axis] - _CROP_PX)) for axis in range(2))
        part = (slice(top, top + _CROP_PX), slice(left, left + _CROP_PX))
        if (masks[part][..., 0] > 127).mean() > 0.002 or rng.random() < 0.1:
            break
    crop, mask = pixels[part], masks[part]
    if rng.random() < 0.12:
        crop, mask = _lay_on_table(crop, mask, rng)
    colors = crop.astype(np.float32) / 255
    if rng.random() < 0.3:
        colors = colors.mean(axis=2, keepdims=True).repeat(3, axis=2)
    elif rng.random() < 0.4:
        colors = colors[..., rng.permutation(3)]
    if rng.random() < 0.3:
        colors = colors * rng.uniform(0.65, 1.05, 3)
    colors = np.clip(colors, 0, 1) ** rng.uniform(0.65, 1.6)
    colors = colors * rng.uniform(0.55, 1.05) + rng.uniform(0, 0.12)
    if rng.random() < 0.2:
        colors = colors + rng.normal(0, rng.uniform(0.01, 0.05), colors.shape)
    return (
        np.ascontiguousarray(np.clip(colors, 0, 1).transpose(2, 0, 1), dtype=np.float32),
        np.ascontiguousarray(mask.transpose(2, 0, 1), dtype=np.float32) / np.float32(255),
    )


def _pad(page: TrainingPage) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = page.masks.shape[:2]
    below, beside = max(0, _CROP_PX - height), max(0, _CROP_PX - width)
    if not below and not beside:
        return page.pixels, page.masks
    pixels = cv2.copyMakeBorder(page.pixels, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    masks = cv2.copyMakeBorder(page.masks, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(pixels, dtype=np.uint8), np.asarray(masks, dtype=np.uint8)


def _lay_on_table(
    crop: NDArray[np.uint8], mask: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The crop with the edge of the paper across it, and something smooth or rough beyond."""
    crop, mask = crop.copy(), mask.copy()
    rows, columns = np.mgrid[:_CROP_PX, :_CROP_PX] - _CROP_PX / 2
    angle = rng.uniform(0, 2 * np.pi)
    is_beyond = columns * np.cos(angle) + rows * np.sin(angle) > rng.uniform(-20, 110)
    texture = rng.normal(0, rng.uniform(0, 18), (_CROP_PX, _CROP_PX)).astype(np.float32)
    if rng.random() < 0.5:
        texture = np.asarray(cv2.GaussianBlur(texture, (0, 0), 2.0), dtype=np.float32) * 3
    color = rng.integers(0, 255 if rng.random() < 0.5 else 60, 3)
    crop[is_beyond] = np.clip(color + texture[..., None], 0, 255).astype(np.uint8)[is_beyond]
    mask[is_beyond] = 0
    return crop, mask


def _dice(shares: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    return 1 - (2 * (shares * masks).sum() + 1) / (shares.sum() + masks.sum() + 1)


def _step(loss: torch.Tensor, optimizer: torch.optim.Optimizer, rate: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach())


def _score_pages(network: SegmentationNet, pages: Sequence[TrainingPage]) -> dict[str, float]:
    """Intersection over union of each class where half a pixel is covered, over all pages together."""
    both, either = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for page in pages:
        height, width = page.masks.shape[:2]
        whole = cv2.copyMakeBorder(page.pixels, 0, -height % 32, 0, -width % 32, cv2.BORDER_REPLICATE)
        planes = torch.from_numpy(np.ascontiguousarray(whole.transpose(2, 0, 1)[None], dtype=np.float32) / 255)
        with torch.inference_mode():
            predicted = network(planes)[0, :, :height, :width].numpy() > 0
        true = page.masks.transpose(2, 0, 1) > 127
        both += (predicted & true).sum(axis=(1, 2))
        either += (predicted | true).sum(axis=(1, 2))
    return {name: float(a / max(b, 1)) for name, a, b in zip(CLASSES, both, either, strict=True)}


def _score_words(network: NameNet, samples: Sequence[tuple[NDArray[np.uint8], NDArray[np.int64]]]) -> dict[str, float]:
    windows, names = (np.concatenate([sample[index] for sample in samples]) for index in (0, 1))
    with torch.inference_mode():
        logits = [
            network(torch.from_numpy(part.astype(np.float32)[:, None] / 255))
            for part in np.array_split(windows, max(1, len(windows) // 250))
        ]
    predicted = torch.cat(logits).argmax(dim=1).numpy()
    is_name = names != OTHER
    return {
        "names": float((predicted[is_name] == names[is_name]).mean()),
        "other print": float((predicted[~is_name] == OTHER).mean()),
    }


def _write_graph(
    network: torch.nn.Module, example: torch.Tensor, name: str, out: Path, sizes: dict[int, object]
) -> None:
    """Write the graph, and check that it gives the network's logits."""
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network,
        (example,),
        str(out),
        input_names=[name],
        output_names=["logits"],
        dynamic_shapes=(sizes,),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    graph = onnx.load(out)
    del graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(graph, out)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    planes = np.random.default_rng(0).random(tuple(example.shape), dtype=np.float32)
    (own,) = session.run(["logits"], {name: planes})
    with torch.inference_mode():
        difference = float(np.abs(own - network(torch.from_numpy(planes)).numpy()).max())
    if difference > _AGREEMENT:
        raise TrainingError(f"Expected the graph to give the network's answers, but they differ by {difference:.2g}.")
