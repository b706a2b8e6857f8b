"""Items of reporting guidelines that an evaluation report can cover, and the sections that cover them."""

__all__ = ["EXPLAINED", "ITEMS", "NEW_PAGES", "PAGES"]

_FIGURES, _LABELS, _SUBGROUPS = "Figures", "By label", "Subgroups"
_BARE_FIGURES, _BARE_LABELS = f"{_FIGURES} without intervals", f"{_LABELS} without intervals"
_DAMAGED, _WRONG, _LEARNING = "Damaged pages", "Wrong pages", "Training"
EXPLAINED, PAGES, NEW_PAGES = "explanations", "pages", "pages that the model was not trained on"
"""Topics of sections whose titles differ from report to report."""

ITEMS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("TRIPOD+AI", "12a", "how data were divided between making and scoring the model", (_LEARNING, PAGES, NEW_PAGES)),
    ("TRIPOD+AI", "12e", "measures and plots of performance, with how models are compared", (_FIGURES, _BARE_FIGURES)),
    ("TRIPOD+AI", "14", "fairness: performance in groups of people", (_SUBGROUPS,)),
    ("TRIPOD+AI", "16", "differences between the data of training and of evaluation", (PAGES, NEW_PAGES)),
    (
        "TRIPOD+AI",
        "20a",
        "participants with and without the outcome",
        (_LABELS, _BARE_LABELS, PAGES, NEW_PAGES),
    ),
    ("TRIPOD+AI", "23a", "estimates with confidence intervals, in key subgroups too", (_FIGURES, _LABELS, _SUBGROUPS)),
    ("CLAIM", "20", "how data were assigned to partitions", (_LEARNING,)),
    ("CLAIM", "28", "metrics of performance", (_FIGURES, _LABELS, _BARE_FIGURES, _BARE_LABELS)),
    ("CLAIM", "29", "uncertainty of the metrics", (_FIGURES, _LABELS)),
    ("CLAIM", "30", "robustness or sensitivity", (_DAMAGED,)),
    ("CLAIM", "31", "methods of explaining, and how they were checked", (EXPLAINED,)),
    ("CLAIM", "32", "validation on data from elsewhere", (NEW_PAGES,)),
    ("CLAIM", "33", "flow of cases: requested, answered, refused", (PAGES, NEW_PAGES)),
    ("CLAIM", "36", "estimates of accuracy with their precision", (_FIGURES, _LABELS)),
    ("CLAIM", "37", "analysis of wrong cases", (_WRONG,)),
)
"""Guideline, item, what it asks for in our words, and titles or topics of the sections that cover it."""
