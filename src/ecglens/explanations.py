"""Explanations of predictions as maps on the page, with the results of the checks of the explanation itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["WORDS", "Check", "Explanation", "ModelChecks", "Segment", "passed_all"]

WORDS: Mapping[bool | None, str] = {True: "passed", False: "failed", None: "not checked"}
"""Results of a check, as people read them."""
_FOR = (213, 94, 0)
_AGAINST = (0, 114, 178)
"""Vermilion and blue of Okabe and Ito's palette (2008), which color-blind people tell apart."""
_STRONGEST = 0.75
_BLUR_CELLS = 1.0
_FULL_FROM = 0.995
"""Share of cells with less than the full color."""
_GRAY = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a lead that contributes to a prediction.

    Attributes:
        lead: Name; ``II-rhythm`` for a rhythm strip.
        start_s: Start in s from the beginning of the lead's trace on the page.
        end_s: End in s, likewise.
        share: Share of the heat, as for :attr:`Explanation.shares`.
    """

    lead: str
    start_s: float
    end_s: float
    share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the segment as plain types."""
        return {
            "lead": self.lead,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check of an explanation.

    Attributes:
        name: ``"deletion"``, ``"insertion"``, ``"repeatability"``, ...
        passed: Whether the explanation passed; ``None`` where it could not be checked.
        text: One sentence for a person.
        figures: Measured values by name.
    """

    name: str
    passed: bool | None
    text: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain types."""
        figures = {name: round(float(value), 4) for name, value in self.figures.items()}
        return {"name": self.name, "passed": self.passed, "text": self.text, "figures": figures}


def passed_all(checks: Sequence[Check]) -> bool | None:
    """Return whether all checks with a result were passed; ``None`` where no check has one."""
    results = [check.passed for check in checks if check.passed is not None]
    return all(results) if results else None


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """The results of checking explanation methods with a model on many pages.

    Attributes:
        model: Name of the model.
        model_version: Its version.
        graph_sha256: Hash of the model's graph; results hold for this graph only.
        pages: Number of pages.
        methods: Checks by method.
        changes: Effect of changing the page on the most probable label: by change, the shares ``stays``, ``another``
            and ``refused``.
        agreement: Median rank correlation of the leads' shares, by method, then method.
    """

    model: str
    model_version: str
    graph_sha256: str
    pages: int
    methods: Mapping[str, tuple[Check, ...]]
    changes: Mapping[str, Mapping[str, float]]
    agreement: Mapping[str, Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the checks as plain types."""
        return {
            "model": self.model,
            "model_version": self.model_version,
            "graph_sha256": self.graph_sha256,
            "pages": self.pages,
            "methods": {name: [check.to_dict() for check in checks] for name, checks in self.methods.items()},
            "changes": {name: _round_values(row) for name, row in self.changes.items()},
            "agreement": {name: _round_values(row) for name, row in self.agreement.items()},
        }

    @classmethod
    def of_dict(cls, data: Mapping[str, Any]) -> "ModelChecks":
        """Create the checks from what :meth:`to_dict` returned.

        Raises:
            KeyError: A field is missing.
            TypeError: A field is of another kind.
        """
        methods = {name: tuple(Check(**check) for check in checks) for name, checks in data["methods"].items()}
        return cls(**{**data, "methods": methods})

    def tables(self) -> Iterator[tuple[str, list[list[str]]]]:
        """Yield titles and tables for a report; the first row of a table is its header."""
        names = list(dict.fromkeys(check.name for checks in self.methods.values() for check in checks))
        rows = [["method", "on this model", *names]]
        for method, checks in self.methods.items():
            by_name = {check.name: check for check in checks}
            cells = [_cell(by_name[name]) if name in by_name else "-" for name in names]
            rows.append([method, WORDS[passed_all(checks)], *cells])
        yield f"Explanations, checked on {self.pages} pages", rows
        parts = ("stays", "another", "refused")
        changes = [[name, *(f"{row[part]:.1%}" for part in parts)] for name, row in self.changes.items()]
        yield (
            "Effect of changes on the most probable label",
            [["change", "stays", "becomes another", "refused"], *changes],
        )
        if len(self.methods) > 1:
            agreed = [[name, *(f"{row[other]:.2f}" for other in self.methods)] for name, row in self.agreement.items()]
            yield "Agreement of the leads' shares", [["", *self.methods], *agreed]

    def to_markdown(self) -> list[str]:
        """Return the tables as lines of Markdown."""
        lines: list[str] = []
        for title, rows in self.tables():
            header, *body = (f"| {' | '.join(row)} |" for row in rows)
            lines += [f"{title}:", "", header, "|" + "---|" * len(rows[0]), *body, ""]
        return lines[:-1]


def _round_values(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in row.items()}


def _cell(check: Check) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in check.figures.items())
    return f"{WORDS[check.passed]}: {figures}" if figures else WORDS[check.passed]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explanation:
    """A map of the places on a page that a prediction depends on.

    Every method explains one quantity: the log-odds of ``label``, log p - log(1 - p), with calibrated p. Places
    that speak for the label are positive, places that speak against it negative.

    Attributes:
        method: ``"class_map"``, ``"occlusion_lead"``, ...
        label: The label that is explained; it need not be the predicted one.
        probability: Calibrated probability of that label.
        model: Name of the model.
        model_version: Its version.
        heat: ``(rows, columns)`` float32 in log-odds for each cell. The cells cover the whole page *as it came*, all of
            one size: ``page_size_px`` divided by the shape. Their sum is the total that the method distributes.
        page_size_px: ``(height, width)`` of the page as it came.
        shares: Each lead's part of the sum of absolute heat, in the layout's order; negative where the lead
            speaks against the label. A rhythm strip is ``II-rhythm``.
        elsewhere: Part of the heat outside of the leads; with the absolute shares it sums to 1.
        segments: Stretches with the largest shares, largest first.
        done: Description of the method, one sentence.
        lead_probabilities: Probabilities by lead, then label, where the model predicts for each lead.
        checks: Results of checking this explanation on this page.
        on_model: Results of checking the method with this model on many pages; empty where that was not done.
        warnings: Limitations of the explanation, one sentence each.
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

    def __repr__(self) -> str:
        leads = sorted(self.shares, key=lambda lead: -abs(self.shares[lead]))[:3]
        return f"Explanation({self.label} by {self.method}, most of it in {', '.join(leads) or 'no lead'})"

    def _repr_html_(self) -> str:
        return str(import_module("ecglens.notebooks.html").show_explanation(self))

    @property
    def passed(self) -> bool | None:
        """Whether all checks on this page were passed; ``None`` where no check has a result."""
        return passed_all(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain types, heat included."""
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
        """Return the heat as a picture to lay over the page: vermilion speaks for the label, blue against it.

        It is blurred by one cell, so that heat on a trace is visible beside it, and the strongest places have the
        full color.

        Returns:
            ``(rows, columns, 4)`` uint8 RGBA, one pixel a cell; clear where there is no heat.
        """
        import cv2  # ``import ecglens`` should not wait for it

        blurred = cv2.GaussianBlur(np.asarray(self.heat, np.float32), (0, 0), _BLUR_CELLS)
        strength = np.abs(blurred)
        full = float(np.quantile(strength, _FULL_FROM)) or float(strength.max()) or 1.0
        picture = np.empty((*blurred.shape, 4), np.uint8)
        picture[..., :3] = np.where(blurred[..., None] >= 0, _FOR, _AGAINST)
        picture[..., 3] = np.rint(255 * _STRONGEST * np.minimum(1.0, strength / full))
        return picture

    def plot(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the heat onto the page in gray; black traces stay black.

        Args:
            pixels: ``(height, width, 3)`` uint8 RGB, the page as it came.

        Returns:
            ``(height, width, 3)`` uint8 RGB.
        """
        import cv2

        size, layer = (pixels.shape[1], pixels.shape[0]), self.layer().astype(np.float32)
        light = (255 - layer[..., :3]) * layer[..., 3:] / 255**2
        absorbed = cv2.resize(light, size, interpolation=cv2.INTER_LINEAR)
        gray = pixels.astype(np.float32) @ np.array(_GRAY, np.float32)
        return np.asarray(np.rint(gray[..., None] * (1.0 - absorbed)), dtype=np.uint8)
