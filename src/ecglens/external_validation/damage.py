"""How a model's answers hold when its pages are damaged as paper and cameras damage them."""

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

__all__ = ["Damaged", "damage_pages", "damage_section"]

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
_MM_PER_INCH = 25.4
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Damaged:
    """What was answered for pages with one damage at one strength.

    Attributes:
        kind: One of ``ecglens.render.DAMAGES``.
        strength: From 0, no damage, to 1.
        pages: That were asked.
        right: Answered with the true label, however sure.
        wrong: Answered with another.
        interval: Of the share answered with the true label, 95 % by bootstrap over groups; ``None`` with one group.
    """

    kind: str
    strength: float
    pages: int
    right: int
    wrong: int
    interval: tuple[float, float] | None

    @property
    def refused(self) -> int:
        """Pages without probabilities."""
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
    told: Callable[[int, int], None] | None = None,
) -> tuple[Damaged, ...]:
    """Damage some pages in every way and ask the model for them.

    Args:
        recordings: One row a page; pages that the model refuses undamaged are passed over.
        runtime: The model.
        pages: How many to draw; all where there are fewer.
        rng: Draws the pages, the damage and the bootstrap.
        kinds: Of damage.
        strengths: Beside 0, which is always asked.
        draws: Of the bootstrap over groups.
        told: Hears of the progress, in pages.
    """
    wanted = min(pages, len(recordings))
    answers: dict[tuple[str, float], list[str | None]] = {
        (kind, strength): [] for kind in kinds for strength in (0.0, *strengths)
    }
    used: list[int] = []
    for row in rng.permutation(len(recordings)).tolist():
        if len(used) == wanted:
            break
        recording = recordings[row]
        plain = _page(recording.path, runtime)
        if plain is None:
            continue
        page, dpi, answer = plain
        used.append(row)
        for (kind, strength), given in answers.items():
            changed: str | None = answer
            if strength > 0:
                changed = _answer(damage_page(page, kind, strength, int(rng.integers(2**31)), dpi=dpi), runtime)
            given.append(changed)
        if told is not None:
            told(len(used), wanted)
    if not used:
        return ()
    asked = recordings.subset(np.array(used, dtype=np.intp))
    true = asked.column("label")
    right = {key: np.array([a == b for a, b in zip(given, true, strict=True)]) for key, given in answers.items()}
    groups = asked.codes("group")
    ends = {key: share_interval(groups, hit, rng=rng, draws=draws) for key, hit in right.items()}
    return tuple(
        Damaged(
            kind,
            strength,
            pages=len(used),
            right=int(right[kind, strength].sum()),
            wrong=sum(answer is not None for answer in given) - int(right[kind, strength].sum()),
            interval=ends[kind, strength],
        )
        for (kind, strength), given in answers.items()
    )


def damage_section(found: Sequence[Damaged]) -> Section:
    """The table, and a picture with one field for each kind.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    strengths = sorted({one.strength for one in found})
    head = ("damage", *(f"{strength:g}" for strength in strengths))
    rows = [head]
    for kind in dict.fromkeys(one.kind for one in found):
        by = {one.strength: one for one in found if one.kind == kind}
        rows.append((kind.replace("_", " "), *(_cell(by[strength]) for strength in strengths)))
    text = (
        f"{found[0].pages if found else 0} pages, each damaged in every way at each strength, from none (0) to the "
        "most (1): the share answered with the true label, however sure, in brackets its interval of 95 %, and the "
        "share refused. The rest is answered wrongly."
    )
    return Section("Damaged pages", text, tuple(rows), pictures={"damage": _picture(found)})


def _page(path: Path, runtime: Runtime) -> tuple[Page, float, str] | None:
    """A page with its dots per inch and its answer, or ``None`` where the model has none."""
    try:
        page = read_page(path)
        reading = examine_page(page, runtime)
    except EcgReadError:
        return None
    label = _likeliest(reading.prediction.probabilities)
    if label is None or not isinstance(reading.layout, Layout):
        return None
    return page, float(np.mean(reading.layout.px_per_mm)) * _MM_PER_INCH, label


def _answer(page: Page, runtime: Runtime) -> str | None:
    try:
        return _likeliest(examine_page(page, runtime).prediction.probabilities)
    except EcgReadError:
        return None


def _likeliest(probabilities: Mapping[str, float] | None) -> str | None:
    return None if probabilities is None else max(probabilities, key=lambda name: probabilities[name])


def _cell(one: Damaged) -> str:
    ends = "-" if one.interval is None else f"{one.interval[0]:.2f} to {one.interval[1]:.2f}"
    return f"{one.right / one.pages:.2f} ({ends}), {one.refused / one.pages:.2f}"


def _picture(found: Sequence[Damaged]) -> bytes:
    kinds = list(dict.fromkeys(one.kind for one in found))
    lines = -(-len(kinds) // _COLUMNS)
    figure = require("matplotlib.figure", extra="plot").Figure(figsize=(9, 1.9 * lines), layout="constrained")
    fields = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    for place, axes in zip(np.ndindex(lines, _COLUMNS), fields.flat, strict=True):
        number = place[0] * _COLUMNS + place[1]
        if number >= len(kinds):
            axes.set_axis_off()
            continue
        here = sorted((one for one in found if one.kind == kinds[number]), key=lambda one: one.strength)
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
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    return drawn.getvalue()
