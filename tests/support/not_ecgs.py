"""Images without an ECG: photographs, text, charts, forms, empty grid paper, EEG- and seismograph-like traces."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_WORDS = ("patient", "report", "of", "the", "left", "side", "shows", "no", "sign", "at", "rest", "I", "II", "aVR", "V1")
_PHOTOS = ("astronaut", "camera", "coffee", "chelsea", "clock", "coins", "moon", "page", "rocket", "text", "cell")


def generate_not_ecgs(rng: np.random.Generator, count: int) -> Iterator[tuple[str, Image]]:
    """Yield ``count`` images as uint8 RGB, each with the name of its kind."""
    kinds: tuple[tuple[str, Callable[[np.random.Generator], Image]], ...] = (
        ("photograph", _photograph),
        ("text page", _text_page),
        ("chart", _chart),
        ("form", _form),
        ("grid paper", _grid_paper),
        ("EEG-like", _eeg),
        ("seismograph-like", _seismograph),
        ("four noise traces on ECG paper", _noise_on_ecg_paper),
    )
    for index in range(count):
        name, draw = kinds[index % len(kinds)]
        yield name, draw(rng)


def _photograph(rng: np.random.Generator) -> Image:
    name = str(rng.choice([*_PHOTOS, "china.jpg", "flower.jpg", "digit"]))
    if name == "digit":
        digit = sklearn.datasets.load_digits().images[int(rng.integers(1000))]
        image = np.kron(digit / 16 * 255, np.ones((60, 60))).astype(np.uint8)
    elif name.endswith(".jpg"):
        image = sklearn.datasets.load_sample_image(name)
    else:
        image = np.asarray(getattr(skimage.data, name)(), dtype=np.uint8)
    image = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
    image = image[..., :3]
    height, width = image.shape[:2]
    top, left = rng.integers(0, height // 4 + 1), rng.integers(0, width // 4 + 1)
    part = image[top : top + 3 * height // 4, left : left + 3 * width // 4]
    scale = float(rng.uniform(500, 1800)) / part.shape[1]
    return np.asarray(cv2.resize(part, None, fx=scale, fy=scale), dtype=np.uint8)


def _paper(rng: np.random.Generator) -> Image:
    height, width = int(rng.integers(700, 1600)), int(rng.integers(900, 2200))
    return np.full((height, width, 3), rng.integers(235, 256, 3), dtype=np.uint8)


def _write(image: Image, text: str, at: tuple[int, int], rng: np.random.Generator, size: float = 0.8) -> None:
    cv2.putText(image, text, at, int(rng.choice([0, 3, 4])), size, (20, 20, 20), 1 + int(size > 1), cv2.LINE_AA)


def _text_page(rng: np.random.Generator) -> Image:
    image = _paper(rng)
    for row in range(60, image.shape[0] - 40, int(rng.integers(28, 60))):
        _write(image, " ".join(rng.choice(_WORDS, 12)), (60, row), rng)
    return image


def _chart(rng: np.random.Generator) -> Image:
    image = _paper(rng)
    height, width = image.shape[:2]
    for step in range(1, 10):
        cv2.line(image, (80, step * height // 10), (width - 40, step * height // 10), (200, 200, 200), 1)
    if rng.random() < 0.5:
        for left in range(100, width - 100, 80):
            top = int(rng.integers(60, height - 60))
            cv2.rectangle(image, (left, top), (left + 50, height - 50), rng.integers(0, 255, 3).tolist(), -1)
    for _ in range(int(rng.integers(1, 5))):
        _trace(image, height * rng.uniform(0.2, 0.8), np.cumsum(rng.normal(0, 3, width - 120)), 80, 2)
    _write(image, "Sales by quarter", (width // 3, 40), rng, 1.2)
    return image


def _form(rng: np.random.Generator) -> Image:
    image = _paper(rng)
    height, width = image.shape[:2]
    for row in range(100, height - 60, 50):
        cv2.line(image, (40, row), (width - 40, row), (30, 30, 30), 1)
        _write(image, str(rng.choice(_WORDS)), (60, row - 12), rng)
        for box in range(300, width - 100, int(rng.integers(60, 200))):
            cv2.rectangle(image, (box, row - 40), (box + 20, row - 8), (20, 20, 20), 2)
    return image


def _grid_paper(rng: np.random.Generator, px_per_mm: float | None = None) -> Image:
    image = _paper(rng) if px_per_mm is None else np.full((1300, 2200, 3), 255, dtype=np.uint8)
    pitch = px_per_mm or float(rng.uniform(3.5, 9))
    color = np.array(rng.choice([(240, 150, 150), (150, 210, 150), (150, 170, 240), (180, 180, 180)]))
    for axis in (0, 1):
        for index, place in enumerate(np.arange(10, image.shape[axis] - 10, pitch)):
            line = (slice(None), int(place)) if axis else (int(place), slice(None))
            image[line] = color if index % 5 == 0 else (color + 2 * 255) // 3
    return image


def _noise(rng: np.random.Generator, samples: int, size: float) -> NDArray[np.float64]:
    smooth = np.convolve(rng.normal(0, 1, samples), np.hanning(int(rng.integers(5, 40))), mode="same")
    return np.asarray(smooth / smooth.std() * size, dtype=np.float64)


def _trace(image: Image, row: float, values: NDArray[np.float64], left: int, pen: int) -> None:
    points = np.stack([np.arange(len(values)) + left, row - values], axis=1)
    cv2.polylines(image, [np.rint(points * 16).astype(np.int32)], False, (10, 10, 10), pen, cv2.LINE_AA, 4)


def _eeg(rng: np.random.Generator) -> Image:
    image = _grid_paper(rng) if rng.random() < 0.5 else _paper(rng)
    height, width = image.shape[:2]
    channels = int(rng.integers(4, 21))
    for channel in range(channels):
        row = (channel + 0.8) * height / (channels + 1)
        _trace(image, row, _noise(rng, width - 160, 0.15 * height / channels), 100, 1)
        _write(image, str(rng.choice(["Fp1", "C3", "O2", "T4", "Cz", "I", "II"])), (20, int(row)), rng)
    return image


def _seismograph(rng: np.random.Generator) -> Image:
    image = _paper(rng)
    height, width = image.shape[:2]
    for row in range(60, height - 40, int(rng.integers(40, 120))):
        burst = np.exp(-np.square((np.arange(width - 80) - rng.uniform(0, width)) / 120)) * rng.uniform(0, 40) + 1
        _trace(image, row, _noise(rng, width - 80, 1.0) * burst, 40, 1)
    return image


def _noise_on_ecg_paper(rng: np.random.Generator) -> Image:
    """Draw the hardest kind: the right paper, pulses and length of the traces, but no heartbeat."""
    image = _grid_paper(rng, 8.0)
    for line in range(4):
        row = 260 + 290 * line
        pulse = np.array([[40, row], [48, row], [48, row - 80], [80, row - 80], [80, row], [90, row]])
        cv2.polylines(image, [pulse], False, (10, 10, 10), 2)
        _trace(image, row, _noise(rng, 2000, rng.uniform(4, 30)), 120, 2)
    return image
