"""A model folder's cards: what the model is worth and what it learnt from, in the format of the Hugging Face hub."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from ecglens.models.cards import ModelCard

__all__ = ["data_card", "model_card"]

_TASK = "image-classification"
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "macro_auroc": "roc_auc",
    "expected_calibration_error": "expected_calibration_error",
}
"""Of the headlines, by what the hub calls them."""

_BY_LABEL = {"precision": "precision", "recall": "recall", "f1": "F1", "auroc": "AUROC"}
_LICENCES = frozenset({"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"})
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def model_card(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """The card for people, and for hubs that read its head, from the same figures as ``evaluation.json``.

    Args:
        card: Of the model.
        evaluation: From ``ecglens.models.export.evaluate_run``, with ``calibration``.
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
            f"- Licence of the weights: {card.licence}",
            f"- Temperature {card.temperature:.3f}; below a probability of {card.abstain_below:.3f} it cannot tell",
            *(f"- {warning}" for warning in card.warnings),
            "",
            "## Honest evaluation",
            "",
            f"`{evaluation['command']}` on {data['recordings']} recordings of {data['groups']} groups, out of fold, "
            f"{_seeds(evaluation)}. Intervals are of 95 % by bootstrap over groups; draws repeat pages, "
            "so that of the calibration error lies high.",
            "",
            f"| figure | mean | range over seeds | interval, first seed | {' | '.join(evaluation['references'])} |",
            f"|---|---|---|---|{'---|' * len(evaluation['references'])}",
            *rows,
            "",
            f"`right at coverage` is the share of right answers among the {first['coverage']:.0%} of pages that it is "
            f"surest about. At the shipped threshold it {_answering(calibration)}; the threshold was chosen "
            "on these very answers. By label, first seed:",
            "",
            f"| label | pages | {' | '.join(_BY_LABEL.values())} |",
            f"|---|---|{'---|' * len(_BY_LABEL)}",
            *by_label,
            "",
            "How it does on pages of other recorders and hospitals is not known.",
            "",
        ]
    )


def data_card(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """What the model was trained on and scored with, as far as the table of recordings tells."""
    data = evaluation["data"]
    size = next((name for most, name in _SIZES if data["files"] < most), "n>1M")
    head = DatasetCardData(
        pretty_name=f"Pages that {card.name} {card.version} learnt from",
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
            f"# What {card.name} {card.version} learnt from",
            "",
            f"- Source: {card.trained_on}",
            f"- {data['files']} files of {data['recordings']} recordings in {data['groups']} groups. A group is what "
            "must stay on one side of a split: a patient, or a printed exam number where nobody knows the patients.",
            "- Used once each: copies of a recording were left out before training and scoring.",
            "- Scored out of fold: each recording by a model that has seen none of its group, "
            f"{_seeds(evaluation)}. The model that ships learnt from all of them.",
            "- Fingerprints of the pages are in `training_pages.npz`, so that `ecglens evaluate` knows them again. "
            "They cannot be turned back into pages.",
            "",
            "| label | recordings | share |",
            "|---|---|---|",
            *rows,
            "",
            f"The fewest recordings are of {rarest}: {data['labels'][rarest]}. What rests on that label is uncertain.",
            "",
            "Who set the labels and by which reference, how patients were chosen, and their age, sex and history are "
            "not in the table of recordings. Whether the pages stand for other places is not known.",
            "",
        ]
    )


def _head(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    """What hubs read: licence, labels, and the honest figures as ``model-index``."""
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
    slug = card.licence.lower().replace(" ", "-")
    told = ModelCardData(
        license=slug if slug in _LICENCES else "other",
        license_name=None if slug in _LICENCES else card.licence,
        library_name="ecglens",
        pipeline_tag=_TASK,
        tags=["ecg", "medical", *card.labels],
        metrics=list(_METRICS.values()),
        model_name=card.name,
        eval_results=results,
    )
    return f"---\n{told.to_yaml()}\n---\n"


def _answering(calibration: Mapping[str, float]) -> str:
    """How many pages a model answers at its threshold, and how many of these rightly."""
    if not calibration["answered"]:
        return "answers no page"
    return (
        f"answers {calibration['answered']:.0%} of pages and is right in {calibration['right_when_answered']:.1%} of "
        "them"
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
