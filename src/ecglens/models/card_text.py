"""Text of a model folder's cards: the evaluation and the training data, in the format of the Hugging Face hub."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from ecglens.models.cards import ModelCard

__all__ = ["data_card", "model_card", "signal_card"]

_TASK = "image-classification"
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "macro_auroc": "roc_auc",
    "expected_calibration_error": "expected_calibration_error",
}
"""The hub's names of our headline metrics."""

_BY_LABEL = {"precision": "precision", "recall": "recall", "f1": "F1", "auroc": "AUROC"}
_LICENSES = frozenset({"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"})
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def model_card(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """Write the model card, with a header that hubs can read, from the figures in ``evaluation.json``.

    Args:
        card: The model's card.
        evaluation: Result of ``ecglens.models.export.evaluate_run``, with ``calibration`` added.

    Returns:
        Markdown with a YAML header.
    """
    data, calibration = evaluation["data"], evaluation["calibration"]
    first = next(iter(evaluation["seeds"].values()))
    ends = first["intervals"]
    rows = [
        f"| {name.replace('_', ' ')} | {value['mean']:.3f} | {value['least']:.3f} to {value['most']:.3f} "
        f"| {_interval(ends.get(name))} | "
        + " | ".join(_share(reference[name]) for reference in evaluation["references"].values())
        + " |"
        for name, value in evaluation["summary"].items()
    ]
    by_label = [
        f"| {name} | {value['pages']} | "
        + " | ".join(_with_interval(value[figure], ends.get(f"{name}/{figure}")) for figure in _BY_LABEL)
        + " |"
        for name, value in first["by_label"].items()
    ]
    return "\n".join(
        [
            _head(card, evaluation),
            f"# {card.name} {card.version}",
            "",
            f"{card.title}; {card.parameters:,} weights. For research and teaching; not a medical device.",
            "",
            f"- Trained on: {card.trained_on}",
            f"- Labels, in the order of the outputs: {', '.join(card.labels)}",
            f"- License of the weights: {card.license}",
            f"- Temperature {card.temperature:.3f}; the model abstains below a probability of {card.abstain_below:.3f}",
            *(f"- {warning}" for warning in card.warnings),
            "",
            "## Honest evaluation",
            "",
            f"`{evaluation['command']}` on {data['recordings']} recordings of {data['groups']} groups, out of fold, "
            f"{_seeds(evaluation)}. Intervals are 95 % intervals by bootstrap over groups. Resampling repeats pages, "
            "which biases the interval of the calibration error upward.",
            "",
            f"| figure | mean | range over seeds | interval, first seed | {' | '.join(evaluation['references'])} |",
            f"|---|---|---|---|{'---|' * len(evaluation['references'])}",
            *rows,
            "",
            f"`right at coverage` is the share of correct predictions among the {first['coverage']:.0%} of pages with "
            f"the highest confidence. At the shipped threshold the model {_answering(calibration)}; the threshold was "
            "chosen on the same predictions. By label, first seed:",
            "",
            f"| label | pages | {' | '.join(_BY_LABEL.values())} |",
            f"|---|---|{'---|' * len(_BY_LABEL)}",
            *by_label,
            "",
            "The performance on pages of other recorders and hospitals is not known.",
            "",
        ]
    )


def signal_card(card: ModelCard, figures: Sequence[str], command: str) -> str:
    """Write the card of a model of signals with several labels.

    Args:
        card: The model's card.
        figures: Sentences with the figures out of fold.
        command: Command that trained the model and computed the figures.

    Returns:
        Markdown.
    """
    rows = [
        f"| {name} | {temperature:.3f} | {limits.yes_from:.3f} | {limits.no_to:.3f} |"
        for name, temperature, limits in zip(card.labels, card.label_temperatures, card.set_limits, strict=True)
    ]
    return "\n".join(
        [
            f"# {card.name} {card.version}",
            "",
            f"{card.title}; {card.parameters:,} weights. For research and teaching; not a medical device.",
            "",
            f"- Trained on: {card.trained_on} (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6).",
            f"- Labels, several of which may hold: {', '.join(card.labels)}, PTB-XL's diagnostic superclasses.",
            f"- License of the weights: {card.license}",
            *(f"- {warning}" for warning in card.warnings),
            "",
            "## Out of fold",
            "",
            f"`{command}` printed:",
            "",
            *(f"- {figure}" for figure in figures),
            "",
            "Figures by layout, sex and age, on two other recorders and beside controls: `benchmarks/any_recorder.md`.",
            "",
            "## Calibration",
            "",
            "A label's set has 'yes' from the first limit on and 'no' up to the second; both were fitted for 90 % of "
            "the recordings with the label, and without it, on the answers out of fold.",
            "",
            "| label | temperature | yes from | no up to |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def data_card(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """Write the card of the training data, as far as the table of recordings describes it.

    Args:
        card: The model's card.
        evaluation: As for :func:`model_card`.

    Returns:
        Markdown with a YAML header.
    """
    data = evaluation["data"]
    size = next((name for most, name in _SIZES if data["files"] < most), "n>1M")
    head = DatasetCardData(
        pretty_name=f"Training pages of {card.name} {card.version}",
        task_categories=[_TASK],
        size_categories=size,
        tags=["ecg", "medical"],
    )
    total = sum(data["labels"].values())
    rows = [f"| {name} | {count} | {count / total:.1%} |" for name, count in data["labels"].items()]
    rarest = min(data["labels"], key=lambda name: data["labels"][name])
    return "\n".join(
        [
            "---",
            head.to_yaml(),
            "---",
            "",
            f"# Training data of {card.name} {card.version}",
            "",
            f"- Source: {card.trained_on}",
            f"- {data['files']} files of {data['recordings']} recordings in {data['groups']} groups. A group must "
            "stay on one side of a split: a patient, or a printed exam number where the patients are not known.",
            "- Each recording is used once: copies were left out before training and evaluation.",
            "- Each recording was evaluated out of fold, by a model that was not trained on its group, "
            f"{_seeds(evaluation)}. The shipped model was trained on all recordings.",
            "- Fingerprints of the pages are in `training_pages.npz`, so that `ecglens evaluate` recognizes them. "
            "The pages cannot be reconstructed from them.",
            "",
            "| label | recordings | share |",
            "|---|---|---|",
            *rows,
            "",
            f"The rarest label is {rarest} ({data['labels'][rarest]} recordings). Its figures are the least certain.",
            "",
            "The table of recordings does not say who assigned the labels and by which reference, how patients were "
            "selected, or their age, sex and history. Whether the pages represent other hospitals is not known.",
            "",
        ]
    )


def _head(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """Write the YAML header that hubs read: license, labels and the honest figures as ``model-index``."""
    source = card.trained_on.split(" (")[0]
    results = [
        EvalResult(
            task_type=_TASK,
            dataset_type="ecg-pages",
            dataset_name=source,
            dataset_args={"protocol": evaluation["protocol"], "recordings": evaluation["data"]["recordings"]},
            metric_type=kind,
            metric_name=f"{name.replace('_', ' ')}, mean of {_seeds(evaluation)} out of fold",
            metric_value=round(evaluation["summary"][name]["mean"], 4),
        )
        for name, kind in _METRICS.items()
        if name in evaluation["summary"]
    ]
    slug = card.license.lower().replace(" ", "-")
    metadata = ModelCardData(
        license=slug if slug in _LICENSES else "other",
        license_name=None if slug in _LICENSES else card.license,
        library_name="ecglens",
        pipeline_tag=_TASK,
        tags=["ecg", "medical", *card.labels],
        metrics=list(_METRICS.values()),
        model_name=card.name,
        eval_results=results,
    )
    return f"---\n{metadata.to_yaml()}\n---\n"


def _answering(calibration: Mapping[str, float]) -> str:
    """Describe how many pages a model labels at its threshold, and how many of them correctly."""
    if not calibration["answered"]:
        return "labels no page"
    return (
        f"labels {calibration['answered']:.0%} of pages, and {calibration['right_when_answered']:.1%} of these labels "
        "are correct"
    )


def _seeds(evaluation: Mapping[str, Any]) -> str:
    count = len(evaluation["seeds"])
    return f"{count} seed{'s' * (count != 1)}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _with_interval(value: float | None, ends: Sequence[float] | None) -> str:
    return _share(value) if value is None or ends is None else f"{value:.3f} ({_interval(ends)})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
