"""Robustness of a model's predictions to the damage that paper and cameras do to pages."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecglens.datasets.recordings import Recordings
from ecglens.errors import EcgReadError
from ecglens.evaluation.bootstrap import share_interval
from ecglens.evaluation.sections import Section
from ecglens.extras import require
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page
from ecglens.records import Layout, Page
from ecglens.render.damage import DAMAGES, damage_page

__all__ = ["DamageResult", "damage_pages", "damage_section"]

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
_MM_PER_INCH = 25.4
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class DamageResult:
    """Counts of predictions for pages with one damage at one strength.

    Attributes:
        kind: One of ``ecglens.render.DAMAGES``.
        strength: Strength from 0, no damage, to 1.
        pages: Number of pages.
        right: Pages answered with the true label, at any confidence.
        wrong: Pages answered with another.
        interval: 95 % interval of the share right, by bootstrap over groups; ``None`` with one group.
    """

    kind: str
    strength: float
    pages: int
    right: int
    wrong: int
    interval: tuple[float, float] | None

    @property
    def refused(self) -> int:
        """Number of pages without probabilities."""
        return self.pages - self.right - self.wrong


def damage_pages(
    recordings: Recordings,
    runtime: Runtime,
    *,
    pages: int,
    rng: np.random.Generator,
    kinds: Sequence[str] = tuple(DAMAGES),
    strengths: Sequence[float] = STRENGTHS,
    draws: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[DamageResult, ...]:
    """Damage some pages in every way and predict them.

    Args:
        recordings: One row a page; pages that the model refuses undamaged are skipped.
        runtime: The model.
        pages: Number of pages to sample; all where there are fewer.
        rng: Random generator of the pages, the damage and the bootstrap.
        kinds: Kinds of damage.
        strengths: Strengths besides 0, which is always included.
        draws: Resamples of the bootstrap over groups.
        progress: Called with the number of pages done and of all.
    """
    count = min(pages, len(recordings))
    answers: dict[tuple[str, float], list[str | None]] = {
        (kind, strength): [] for kind in kinds for strength in (0.0, *strengths)
    }
    used: list[int] = []
    for row in rng.permutation(len(recordings)).tolist():
        if len(used) == count:
            break
        recording = recordings[row]
        plain = _page(recording.path, runtime)
        if plain is None:
            continue
        page, dpi, answer = plain
        used.append(row)
        for (kind, strength), predicted in answers.items():
            changed: str | None = answer
            if strength > 0:
                changed = _answer(damage_page(page, kind, strength, int(rng.integers(2**31)), dpi=dpi), runtime)
            predicted.append(changed)
        if progress is not None:
            progress(len(used), count)
    if not used:
        return ()
    sample = recordings.subset(np.array(used, dtype=np.intp))
    true = sample.column("label")
    right = {key: np.array([a == b for a, b in zip(own, true, strict=True)]) for key, own in answers.items()}
    groups = sample.codes("group")
    ends = {key: share_interval(groups, hit, rng=rng, draws=draws) for key, hit in right.items()}
    return tuple(
        DamageResult(
            kind,
            strength,
            pages=len(used),
            right=int(right[kind, strength].sum()),
            wrong=sum(answer is not None for answer in predicted) - int(right[kind, strength].sum()),
            interval=ends[kind, strength],
        )
        for (kind, strength), predicted in answers.items()
    )


def damage_section(results: Sequence[DamageResult]) -> Section:
    """Return a section with the table, and a plot with one panel for each kind.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    strengths = sorted({one.strength for one in results})
    head = ("damage", *(f"{strength:g}" for strength in strengths))
    rows = [head]
    for kind in dict.fromkeys(one.kind for one in results):
        by = {one.strength: one for one in results if one.kind == kind}
        rows.append((kind.replace("_", " "), *(_cell(by[strength]) for strength in strengths)))
    text = (
        f"{results[0].pages if results else 0} pages, each damaged in every way at each strength, from none (0) to the "
        "most (1): the share answered with the true label at any confidence, in brackets its interval of 95 %, and "
        "the share refused. The others are answered wrongly."
    )
    return Section("Damaged pages", text, tuple(rows), pictures={"damage": _picture(results)})


def _page(path: Path, runtime: Runtime) -> tuple[Page, float, str] | None:
    """Return a page with its dots per inch and its top label, or ``None`` where the model gives none."""
    try:
        page = read_page(path)
        reading = examine_page(page, runtime)
    except EcgReadError:
        return None
    label = _top_label(reading.prediction.probabilities)
    if label is None or not isinstance(reading.layout, Layout):
        return None
    return page, float(np.mean(reading.layout.px_per_mm)) * _MM_PER_INCH, label


def _answer(page: Page, runtime: Runtime) -> str | None:
    try:
        return _top_label(examine_page(page, runtime).prediction.probabilities)
    except EcgReadError:
        return None


def _top_label(probabilities: Mapping[str, float] | None) -> str | None:
    return None if probabilities is None else max(probabilities, key=lambda name: probabilities[name])


def _cell(one: DamageResult) -> str:
    ends = "-" if one.interval is None else f"{one.interval[0]:.2f} to {one.interval[1]:.2f}"
    return f"{one.right / one.pages:.2f} ({ends}), {one.refused / one.pages:.2f}"


def _picture(results: Sequence[DamageResult]) -> bytes:
    kinds = list(dict.fromkeys(one.kind for one in results))
    lines = -(-len(kinds) // _COLUMNS)
    figure = require("matplotlib.figure", extra="plot").Figure(figsize=(9, 1.9 * lines), layout="constrained")
    fields = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    for place, axes in zip(np.ndindex(lines, _COLUMNS), fields.flat, strict=True):
        number = place[0] * _COLUMNS + place[1]
        if number >= len(kinds):
            axes.set_axis_off()
            continue
        here = sorted((one for one in results if one.kind == kinds[number]), key=lambda one: one.strength)
        at = [one.strength for one in here]
        right = [one.right / one.pages for one in here]
        answered = [1 - one.refused / one.pages for one in here]
        axes.fill_between(at, answered, 1, color="#dddddd", label="refused")
        axes.fill_between(at, right, answered, color="#d55e00", alpha=0.75, label="wrong")
        axes.plot(at, right, color="#0072b2", marker="o", markersize=3, label="right, and its 95 % interval")
        for one in here:
            if one.interval is not None:
                axes.vlines(one.strength, *one.interval, color="#0072b2", linewidth=0.8)
        axes.set(title=kinds[number].replace("_", " "), ylim=(0, 1), xlim=(0, 1))
    figure.legend(
        *fields[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        title="share of pages over the strength of the damage",
    )
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    return stream.getvalue()
