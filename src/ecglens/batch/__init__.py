"""Read many pages from folders, archives and object stores, on all cores or a cluster, each exactly once.

``run`` reads an archive into a table and writes a summary; the command line calls it. The web application stores each
page as a reading of its own and uses only the listing of archives. ``import ecglens.batch`` is cheap: the modules are
loaded when a name is used for the first time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecglens.batch.comparison import compare
    from ecglens.batch.entries import Entry
    from ecglens.batch.features import compute_feature_rows, list_files
    from ecglens.batch.job import Options
    from ecglens.batch.runs import Progress, Result, report, run

__all__ = ["Entry", "Options", "Progress", "Result", "compare", "compute_feature_rows", "list_files", "report", "run"]

_MODULES = {
    "Entry": "entries",
    "Options": "job",
    "Progress": "runs",
    "Result": "runs",
    "compare": "comparison",
    "compute_feature_rows": "features",
    "list_files": "features",
    "report": "runs",
    "run": "runs",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"ecglens.batch.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'ecglens.batch' has no attribute {name!r}")
