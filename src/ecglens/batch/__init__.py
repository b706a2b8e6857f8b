"""Many pages: found wherever they lie, read on all cores or a cluster, answered exactly once, told in a summary.

``run`` reads an archive into a table; the command line calls it. The web application keeps each page as a reading of
its own, and takes the listing of archives from here. ``import ecglens.batch`` is cheap: what a name needs is loaded
when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecglens.batch.comparison import compare
    from ecglens.batch.entries import Entry
    from ecglens.batch.features import feature_row, files_below
    from ecglens.batch.job import Options
    from ecglens.batch.runs import Progress, Result, report, run

__all__ = ["Entry", "Options", "Progress", "Result", "compare", "feature_row", "files_below", "report", "run"]

_HOMES = {
    "Entry": "entries",
    "Options": "job",
    "Progress": "runs",
    "Result": "runs",
    "compare": "comparison",
    "feature_row": "features",
    "files_below": "features",
    "report": "runs",
    "run": "runs",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"ecglens.batch.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ecglens.batch' has no attribute {name!r}")
