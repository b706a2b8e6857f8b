"""LIME and KernelSHAP over the stretches of the leads: a linear model of the answer, fitted to answers with some away.

Written out here rather than taken from captum, whose versions need torch, so that they work with every model folder.
The tests hold KernelSHAP against captum's and LIME's regression against scikit-learn's.
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.models.explain.scene import Planes, Scene

__all__ = ["kernel_shap", "lime", "linear_weights", "shapley_values"]

SAMPLES = 512
_WIDTH = 0.25
"""Of LIME's kernel, in cosine distance; the default of the authors' package for images."""
_RIDGE = 1.0


def lime(scene: Scene, rng: np.random.Generator, *, samples: int = SAMPLES) -> Planes:
    """Heat of LIME (Ribeiro et al., DOI 10.1145/2939672.2939778): weights of stretches, half of them away at a time.

    Args:
        scene: The page and its model.
        rng: Draws which are away.
        samples: How often the model is asked.
    """
    kept = rng.random((samples, len(scene.stretches))) < 0.5
    kept[0] = True
    return scene.spread(linear_weights(kept, _asked(scene, kept)))


def kernel_shap(scene: Scene, rng: np.random.Generator, *, samples: int = SAMPLES) -> Planes:
    """Heat of KernelSHAP (Lundberg and Lee, arXiv 1705.07874): estimated Shapley values of the stretches.

    Their sum is the log-odds of the page less those with every stretch away.

    Args:
        scene: The page and its model.
        rng: Draws which are away; each draw is asked with its complement too (Covert and Lee, arXiv 2012.01536).
        samples: How often the model is asked.
    """
    count = len(scene.stretches)
    ends = _asked(scene, np.array([[False] * count, [True] * count]))
    kept = _coalitions(count, samples, rng)
    return scene.spread(shapley_values(kept, _asked(scene, kept), (float(ends[0]), float(ends[1]))))


def linear_weights(kept: NDArray[np.bool_], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """LIME's ridge regression of answers on what was kept, near the whole weighing more.

    Args:
        kept: ``(samples, parts)``.
        answers: ``(samples,)``.

    Returns:
        ``(parts,)``.
    """
    distance = 1.0 - np.sqrt(kept.mean(axis=1))
    weights = np.exp(-((distance / _WIDTH) ** 2))
    share = weights / weights.sum()
    x = kept - share @ kept
    y = answers - share @ answers
    square = (x * weights[:, None]).T @ x + _RIDGE * np.eye(kept.shape[1])
    return np.asarray(np.linalg.solve(square, (x * weights[:, None]).T @ y))


def shapley_values(
    kept: NDArray[np.bool_], answers: NDArray[np.float64], ends: tuple[float, float]
) -> NDArray[np.float64]:
    """Least squares over coalitions drawn by Shapley's kernel, with the sum held at what all parts together do.

    Args:
        kept: ``(samples, parts)``, none of them empty or whole.
        answers: ``(samples,)``.
        ends: Answers with nothing and with everything kept.

    Returns:
        ``(parts,)``; their sum is the difference of ``ends``.
    """
    nothing, everything = ends
    whole = everything - nothing
    x = kept[:, :-1].astype(np.float64) - kept[:, -1:]
    y = answers - nothing - whole * kept[:, -1]
    first = np.linalg.lstsq(x, y, rcond=None)[0]
    return np.append(first, whole - first.sum())


def _coalitions(count: int, samples: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    sizes = np.arange(1, count)
    chance = 1.0 / (sizes * (count - sizes))
    drawn = rng.choice(sizes, size=samples // 2, p=chance / chance.sum())
    order = rng.random((len(drawn), count)).argsort(axis=1).argsort(axis=1)
    kept = order < drawn[:, None]
    return np.concatenate([kept, ~kept])


def _asked(scene: Scene, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log-odds with the other stretches away; what lies in no stretch stays."""
    away = np.column_stack([~kept, np.zeros(len(kept), np.bool_)])
    return np.array([scene.log_odds([{name: row[part] for name, part in scene.regions.items()}])[0] for row in away])
