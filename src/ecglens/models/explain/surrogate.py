"""LIME and KernelSHAP over the stretches of the leads: a linear model fitted to log-odds with some stretches removed.

They are implemented here because captum's versions need torch; so they work with every model folder. The tests compare
KernelSHAP with captum's and LIME's regression with scikit-learn's.
"""

import numpy as np
from numpy.typing import NDArray

from ecglens.models.explain.scene import Planes, Scene

__all__ = ["kernel_shap", "lime", "linear_weights", "shapley_values"]

SAMPLES = 512
_WIDTH = 0.25
"""Width of LIME's kernel in cosine distance; the default of the authors' package for images."""
_RIDGE = 1.0


def lime(scene: Scene, rng: np.random.Generator, *, samples: int = SAMPLES) -> Planes:
    """Compute the heat of LIME (Ribeiro et al., DOI 10.1145/2939672.2939778), with half of the stretches at a time.

    Args:
        scene: The page and its model.
        rng: Random generator that selects the stretches.
        samples: Number of times that the model is run.
    """
    present = rng.random((samples, len(scene.stretches))) < 0.5
    present[0] = True
    return scene.spread(linear_weights(present, _compute_log_odds(scene, present)))


def kernel_shap(scene: Scene, rng: np.random.Generator, *, samples: int = SAMPLES) -> Planes:
    """Compute the heat of KernelSHAP (Lundberg and Lee, arXiv 1705.07874): estimated Shapley values of the stretches.

    Their sum is the log-odds of the page minus those without any stretch.

    Args:
        scene: The page and its model.
        rng: Random generator that selects the stretches; each selection is paired with its complement (Covert and Lee,
            arXiv 2012.01536).
        samples: Number of times that the model is run.
    """
    count = len(scene.stretches)
    ends = _compute_log_odds(scene, np.array([[False] * count, [True] * count]))
    present = _coalitions(count, samples, rng)
    return scene.spread(shapley_values(present, _compute_log_odds(scene, present), (float(ends[0]), float(ends[1]))))


def linear_weights(present: NDArray[np.bool_], log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit LIME's ridge regression of log-odds on the parts that are present; samples with more parts weigh more.

    Args:
        present: ``(samples, parts)``, whether a part is present.
        log_odds: ``(samples,)``.

    Returns:
        Weights of the parts, ``(parts,)``.
    """
    distance = 1.0 - np.sqrt(present.mean(axis=1))
    weights = np.exp(-((distance / _WIDTH) ** 2))
    share = weights / weights.sum()
    x = present - share @ present
    y = log_odds - share @ log_odds
    square = (x * weights[:, None]).T @ x + _RIDGE * np.eye(present.shape[1])
    return np.asarray(np.linalg.solve(square, (x * weights[:, None]).T @ y))


def shapley_values(
    present: NDArray[np.bool_], log_odds: NDArray[np.float64], ends: tuple[float, float]
) -> NDArray[np.float64]:
    """Fit Shapley values by least squares over coalitions sampled by Shapley's kernel; their sum is constrained.

    Args:
        present: ``(samples, parts)``, whether a part is present; no sample is empty or complete.
        log_odds: ``(samples,)``.
        ends: Log-odds without any part and with all parts.

    Returns:
        Shapley values, ``(parts,)``; their sum is the difference of ``ends``.
    """
    nothing, everything = ends
    whole = everything - nothing
    x = present[:, :-1].astype(np.float64) - present[:, -1:]
    y = log_odds - nothing - whole * present[:, -1]
    first = np.linalg.lstsq(x, y, rcond=None)[0]
    return np.append(first, whole - first.sum())


def _coalitions(count: int, samples: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    sizes = np.arange(1, count)
    chance = 1.0 / (sizes * (count - sizes))
    sampled_sizes = rng.choice(sizes, size=samples // 2, p=chance / chance.sum())
    order = rng.random((len(sampled_sizes), count)).argsort(axis=1).argsort(axis=1)
    present = order < sampled_sizes[:, None]
    return np.concatenate([present, ~present])


def _compute_log_odds(scene: Scene, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute log-odds without the other stretches; places outside all stretches do not change."""
    removed = np.column_stack([~present, np.zeros(len(present), np.bool_)])
    return np.array([scene.log_odds([{name: row[part] for name, part in scene.regions.items()}])[0] for row in removed])
