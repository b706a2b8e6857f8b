"""Files that cost their reader far more than their size, or that no reader expects: drawn here by kind."""

from collections.abc import Iterator

import numpy as np

from hostile import archives, models, pdfs, pictures, records, texts, tiffs
from hostile.kinds import HostileFile, Kind

__all__ = ["KINDS", "HostileFile", "hostile_files"]

KINDS: tuple[Kind, ...] = (
    *pdfs.KINDS,
    *pictures.KINDS,
    *tiffs.KINDS,
    *archives.KINDS,
    *records.KINDS,
    *models.KINDS,
    *texts.KINDS,
)


def hostile_files(random: np.random.Generator, per_kind: int = 8) -> Iterator[HostileFile]:
    """Draw files of all kinds in turn, so that the first ``len(KINDS)`` are one of each.

    Args:
        random: Random generator of sizes and damage.
        per_kind: Number of files of a kind.
    """
    for number in range(per_kind):
        for kind in KINDS:
            yield kind.draw(number, random)
