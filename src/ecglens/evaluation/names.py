"""Names of the figures and the controls of an evaluation."""

from collections.abc import Mapping

__all__ = ["CONTROLS", "FIGURES", "LOSSES"]

FIGURES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_specificity": "macro specificity",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "macro_average_precision": "macro average precision",
    "matthews": "Matthews coefficient",
    "cohen_kappa": "Cohen's kappa",
    "log_loss": "log loss",
    "brier": "Brier score",
    "expected_calibration_error": "expected calibration error",
    "right_at_coverage": "right among the 72 % most confident",
}
"""Single figures in the order of every table, with their names for people."""

LOSSES = frozenset({"log loss", "Brier score", "expected calibration error"})
"""Names of the figures of which less is better."""

CONTROLS = (
    "majority label",
    "printed rate alone",
    "header alone",
    "footer alone",
    "page with its traces blurred away",
)
"""Controls that any model has to beat: two are fitted to other pages, ``recipes/control_*.toml`` train the others."""
