"""Readers of hostile files: the parts of the program that people reach with them."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from ecglens.batch.entries import fetch
from ecglens.batch.sources import add_data, list_entries
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.sources import from_path, read_rules
from ecglens.errors import BatchError, EcgLensError
from ecglens.formats.files import read_record
from ecglens.pages.decoding import decode_for_sender
from ecglens.pages.read import count_pages, read_page
from ecglens.reading import examine_page, load_runtime
from ecglens.settings import load_settings

__all__ = ["READERS", "prepare_reader", "read_hostile"]

_MEMBERS_READ = 3
"""Number of members of an archive that are read as pages; the site reads each in a task of its own."""
_PAGE = Path(__file__).resolve().parents[2] / "data" / "Normal_1.jpg"
_LABELS = ("normal", "mi")
_LIBRARIES = {
    "keras": ("ecglens.models.keras", "keras"),
    "record": ("wfdb", "pydicom"),
    "recipe": ("ecglens.models.train.recipe",),
    "search space": ("ecglens.models.train.search",),
}
"""Modules that are loaded late."""


def read_hostile(entry: str, path: Path) -> str:
    """Read a file as the program does, and return what comes out.

    Args:
        entry: Part of the program, as in ``HostileFile``.
        path: The file or folder.

    Raises:
        EcgLensError: It is refused.
    """
    return READERS[entry](path)


def prepare_reader(entry: str) -> None:
    """Load the libraries that reading takes, so that their start does not count."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    if entry in {"page", "archive", "model"}:
        examine_page(read_page(_PAGE, decode=decode_for_sender), load_runtime())
    for name in _LIBRARIES.get(entry, ()):
        import_module(name)


def _read_page(path: Path) -> str:
    return _read_bytes(path.read_bytes())


def _read_bytes(data: bytes) -> str:
    """Read a page as the site does for visitors and accounts."""
    pages = count_pages(data)
    page = read_page(data, max_megapixels=load_settings().max_megapixels, decode=decode_for_sender)
    reading = examine_page(page, load_runtime(), source=data)
    answer = reading.prediction.label or "no label"
    return f"{answer}, page of {page.width} x {page.height} px, 1 of {pages}"


def _read_archive(path: Path) -> str:
    """List an archive as the site does, fetch its members, and read the first ones."""
    settings, skipped = load_settings(), list[str]()
    limit = int(settings.max_upload_mb * 1024**2)
    entries = list(islice(list_entries(str(path), on_skip=skipped.append), settings.max_batch_pages + 1))
    if len(entries) > settings.max_batch_pages:
        raise BatchError(f"Expected at most {settings.max_batch_pages} pages, got more; upload them in parts.")
    results: list[str] = []
    for number, entry, data in add_data(enumerate(entries), max_bytes=limit):
        try:
            content = fetch(entry, max_bytes=limit) if data is None else data
            results.append(_read_bytes(content) if number < _MEMBERS_READ else "fetched")
        except EcgLensError as error:
            results.append(type(error).__name__)
    first = f", first: {results[0]}" if results else ""
    return f"{len(entries)} members{first}; {len(skipped)} skipped"


def _read_model(path: Path) -> str:
    reading = examine_page(read_page(_PAGE), load_runtime(path))
    return f"a model that answers {reading.prediction.label or 'no label'}"


def _read_keras(path: Path) -> str:
    from ecglens.models.keras import import_keras

    card = import_keras(
        path, path.parent / "imported", labels=_LABELS, title="t", license="l", recipe={"kind": "page_image"}
    )
    return f"a model of {card.parameters} weights"


def _read_recipe(path: Path) -> str:
    from ecglens.models.train.recipe import load_recipe

    return f"a recipe of {len(load_recipe(path).labels)} labels"


def _read_space(path: Path) -> str:
    from ecglens.models.train.search import load_space

    return f"a search space of {len(load_space(path))} keys"


def _read_rules(path: Path) -> str:
    return f"{len(read_rules(path))} rules"


def _read_recordings(path: Path) -> str:
    rows = Recordings.from_csv(path) if path.is_file() else from_path(path)
    return f"{len(rows)} recordings"


def _read_record(path: Path) -> str:
    record = read_record(path)
    return f"{len(record.leads)} leads of {record.signals_mv.shape[1]} samples"


READERS: Mapping[str, Callable[[Path], str]] = MappingProxyType(
    {
        "page": _read_page,
        "archive": _read_archive,
        "model": _read_model,
        "keras": _read_keras,
        "recipe": _read_recipe,
        "search space": _read_space,
        "label rules": _read_rules,
        "recordings": _read_recordings,
        "record": _read_record,
    }
)
