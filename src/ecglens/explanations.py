"""Why a model answered as it did, laid back on the page, with what was measured of the explanation itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["WORDS", "Check", "Explanation", "ModelChecks", "Segment", "passed_all"]

WORDS: Mapping[bool | None, str] = {True: "passed", False: "failed", None: "not checked"}
"""How a check went, for people."""
_FOR = (213, 94, 0)
_AGAINST = (0, 114, 178)
"""Vermilion and blue of Okabe and Ito's palette (2008), which colour-blind people tell apart."""
_STRONGEST = 0.75
_BLUR_CELLS = 1.0
_FULL_FROM = 0.995
"""Share of cells with less than the full colour."""
_GRAY = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a lead that matters.

    Attributes:
        lead: Name; ``II-rhythm`` for a rhythm strip.
        start_s: From the beginning of the lead's trace on the page.
        end_s: The same.
        share: As for :attr:`Explanation.shares`.
    """

    lead: str
    start_s: float
    end_s: float
    share: float

    def to_dict(self) -> dict[str, Any]:
        """The segment in plain types."""
        return {
            "lead": self.lead,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A test that an explanation has to pass, on this page.

    Attributes:
        name: ``"deletion"``, ``"insertion"``, ``"repeatability"``, ...
        passed: Whether it did; ``None`` where it could not be made.
        text: One sentence for a person.
        figures: What was measured.
    """

    name: str
    passed: bool | None
    text: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The check in plain types."""
        figures = {name: round(float(value), 4) for name, value in self.figures.items()}
        return {"name": self.name, "passed": self.passed, "text": self.text, "figures": figures}


def passed_all(checks: Sequence[Check]) -> bool | None:
    """Whether all checks that could be made were passed; ``None`` where none was made."""
    made = [check.passed for check in checks if check.passed is not None]
    return all(made) if made else None


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """How methods of explaining did on a model over many pages.

    Attributes:
        model: Name of the model.
        model_version: Its version.
        graph_sha256: Of the graph that was asked; another graph needs other checks.
        pages: How many pages.
        methods: Checks by method.
        changes: What the likeliest label does when the page changes: by change, the shares ``stays``, ``another`` and
            ``refused``.
        agreement: By method, then method, the median rank correlation of the leads' shares.
    """

    model: str
    model_version: str
    graph_sha256: str
    pages: int
    methods: Mapping[str, tuple[Check, ...]]
    changes: Mapping[str, Mapping[str, float]]
    agreement: Mapping[str, Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """The checks in plain types."""
        return {
            "model": self.model,
            "model_version": self.model_version,
            "graph_sha256": self.graph_sha256,
            "pages": self.pages,
            "methods": {name: [check.to_dict() for check in checks] for name, checks in self.methods.items()},
            "changes": {name: _rounded(row) for name, row in self.changes.items()},
            "agreement": {name: _rounded(row) for name, row in self.agreement.items()},
        }

    @classmethod
    def of_dict(cls, told: Mapping[str, Any]) -> "ModelChecks":
        """The inverse of :meth:`to_dict`.

        Raises:
            KeyError: A field is missing.
            TypeError: A field is of another kind.
        """
        methods = {name: tuple(Check(**check) for check in checks) for name, checks in told["methods"].items()}
        return cls(**{**told, "methods": methods})

    def tables(self) -> Iterator[tuple[str, list[list[str]]]]:
        """Titles and tables for a report, the first row of each its head."""
        names = list(dict.fromkeys(check.name for checks in self.methods.values() for check in checks))
        rows = [["method", "on this model", *names]]
        for method, checks in self.methods.items():
            by_name = {check.name: check for check in checks}
            cells = [_cell(by_name[name]) if name in by_name else "-" for name in names]
            rows.append([method, WORDS[passed_all(checks)], *cells])
        yield f"Explanations, checked on {self.pages} pages", rows
        parts = ("stays", "another", "refused")
        changes = [[name, *(f"{row[part]:.1%}" for part in parts)] for name, row in self.changes.items()]
        yield "What the likeliest label does", [["change", "stays", "becomes another", "refused"], *changes]
        if len(self.methods) > 1:
            agreed = [[name, *(f"{row[other]:.2f}" for other in self.methods)] for name, row in self.agreement.items()]
            yield "Agreement of the leads' shares", [["", *self.methods], *agreed]

    def to_markdown(self) -> list[str]:
        """The tables as lines of Markdown."""
        lines: list[str] = []
        for title, rows in self.tables():
            head, *rest = (f"| {' | '.join(row)} |" for row in rows)
            lines += [f"{title}:", "", head, "|" + "---|" * len(rows[0]), *rest, ""]
        return lines[:-1]


def _rounded(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in row.items()}


def _cell(check: Check) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in check.figures.items())
    return f"{WORDS[check.passed]}: {told}" if told else WORDS[check.passed]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where on a page a model's answer comes from.

    Every method explains one quantity: the log-odds of ``label``, log p - log(1 - p), with calibrated p. What speaks
    for the label is positive, what speaks against it negative.

    Attributes:
        method: ``"class_map"``, ``"occlusion_lead"``, ...
        label: The label that is explained, whether or not it is the answer.
        probability: Its calibrated probability.
        model: Name of the model.
        model_version: Its version.
        heat: ``(rows, columns)`` float32 in log-odds for each cell. The cells cover the whole page *as it came*, all of
            one size: ``page_size_px`` divided by the shape. Their sum is what the method hands out.
        page_size_px: ``(height, width)`` of the page as it came.
        shares: By lead, in the layout's order, the lead's part of all heat without signs; negative where the lead
            speaks against the label. A rhythm strip is ``II-rhythm``.
        elsewhere: The part of the heat that lies on no lead: what is missing for the shares without signs to sum to 1.
        segments: The stretches with the largest shares, largest first.
        done: One sentence on what the method did.
        lead_probabilities: By lead, then label, where the model answers for each lead.
        checks: What was measured of this explanation on this page.
        on_model: What was measured of the method on this model over many pages; empty where nobody did.
        warnings: What a reader must know, one sentence each.
    """

    method: str
    label: str
    probability: float
    model: str
    model_version: str
    heat: NDArray[np.float32] = field(repr=False)
    page_size_px: tuple[int, int]
    shares: Mapping[str, float]
    elsewhere: float
    segments: tuple[Segment, ...]
    done: str
    lead_probabilities: Mapping[str, Mapping[str, float]] | None = None
    checks: tuple[Check, ...] = ()
    on_model: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool | None:
        """Whether all checks on this page that could be made were passed; ``None`` where none was made."""
        return passed_all(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The explanation in plain types, heat included."""
        probabilities = self.lead_probabilities
        return {
            "method": self.method,
            "done": self.done,
            "label": self.label,
            "probability": round(self.probability, 6),
            "model": {"name": self.model, "version": self.model_version},
            "shares": {lead: round(share, 4) for lead, share in self.shares.items()},
            "elsewhere": round(self.elsewhere, 4),
            "segments": [segment.to_dict() for segment in self.segments],
            "lead_probabilities": None
            if probabilities is None
            else {lead: {name: round(p, 6) for name, p in by.items()} for lead, by in probabilities.items()},
            "passed": self.passed,
            "checks": [check.to_dict() for check in self.checks],
            "on_model": [check.to_dict() for check in self.on_model],
            "warnings": list(self.warnings),
            "heat": {
                "page_size_px": list(self.page_size_px),
                "rows": int(self.heat.shape[0]),
                "columns": int(self.heat.shape[1]),
                "unit": "log-odds",
                "values": [[float(f"{value:.4g}") for value in row] for row in self.heat.tolist()],
            },
        }

    def layer(self) -> NDArray[np.uint8]:
        """The heat as a picture to lay over the page: vermilion speaks for the label, blue against it.

        It is blurred by one cell, so that heat on a stroke shows beside the black, and the strongest places have the
        full colour.

        Returns:
            ``(rows, columns, 4)`` uint8 RGBA, one pixel a cell; clear where there is no heat.
        """
        import cv2  # ``import ecglens`` should not wait for it

        drawn = cv2.GaussianBlur(np.asarray(self.heat, np.float32), (0, 0), _BLUR_CELLS)
        strength = np.abs(drawn)
        full = float(np.quantile(strength, _FULL_FROM)) or float(strength.max()) or 1.0
        picture = np.empty((*drawn.shape, 4), np.uint8)
        picture[..., :3] = np.where(drawn[..., None] >= 0, _FOR, _AGAINST)
        picture[..., 3] = np.rint(255 * _STRONGEST * np.minimum(1.0, strength / full))
        return picture

    def plot(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The page in gray with the heat multiplied onto it, so that black traces stay black.

        Args:
            pixels: ``(height, width, 3)`` uint8 RGB, the page as it came.

        Returns:
            ``(height, width, 3)`` uint8 RGB.
        """
        import cv2

        size, layer = (pixels.shape[1], pixels.shape[0]), self.layer().astype(np.float32)
        light = (255 - layer[..., :3]) * layer[..., 3:] / 255**2
        taken = cv2.resize(light, size, interpolation=cv2.INTER_LINEAR)
        gray = pixels.astype(np.float32) @ np.array(_GRAY, np.float32)
        return np.asarray(np.rint(gray[..., None] * (1.0 - taken)), dtype=np.uint8)
