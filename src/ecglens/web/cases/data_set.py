"""The reviewed readings as a data set that ``ecglens train`` takes: pages, and a table of them."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from django.core.serializers.json import DjangoJSONEncoder

from ecglens.datasets.recordings import COLUMNS
from ecglens.tables import write_rows
from ecglens.web.accounts.models import User
from ecglens.web.cases.models import Review

__all__ = ["TABLE", "pack_data_set"]

TABLE = "pages.csv"
_IN_MEMORY_BYTES = 1 << 24
_EXTRA = ("statements", "comment", "model_label", "model_statements", "reviewed_at")
_README = """Pages that were reviewed on a site of ecglens, with the reviewer's labels.

pages.csv       path, label, recording, group, split, source and what the reviewer and the model said
pages/          the pages as they were stored, by default without the print around the traces
reviews.json    every review, also of readings without a label or without a stored page

Train on it with:  ecglens train RECIPE --data pages.csv
Pages of one case have the same group, so that they stay on one side of a split.

For research and teaching; not a medical device.
"""


def pack_data_set(reviewer: User) -> tuple[IO[bytes], int]:
    """Pack the reviewed readings of a user into a ZIP, and return it with the number of pages in the table.

    A reading is in the table where it has a label and its page is stored.
    """
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # its reader closes it
    rows, plain = [], []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for review in _iterate_reviews(reviewer):
            plain.append({**review.to_dict(), "name": review.reading.name})
            path = _add_page(archive, review) if review.label else None
            if path is not None:
                rows.append(_list_cells(review, path))
        table = io.StringIO(newline="")
        write_rows(table, [[*COLUMNS, *_EXTRA], *rows])
        archive.writestr(TABLE, table.getvalue())
        archive.writestr("reviews.json", json.dumps(plain, indent=1, cls=DjangoJSONEncoder))
        archive.writestr("README.txt", _README)
    file.seek(0)
    return file, len(rows)


def _iterate_reviews(reviewer: User) -> Iterator[Review]:
    reviews = Review.objects.filter(reviewer=reviewer, reading__owner=reviewer)
    return reviews.select_related("reading__membership").order_by("reviewed_at", "id").iterator(chunk_size=100)


def _add_page(archive: zipfile.ZipFile, review: Review) -> str | None:
    """Add the page of a review, and return its path; ``None`` where no page is stored."""
    page = review.reading.page
    if not page:
        return None
    path = f"pages/{review.reading_id}{PurePosixPath(str(page.name)).suffix}"
    try:
        with page.open("rb") as source:
            archive.writestr(zipfile.ZipInfo(path), source.read())
    except FileNotFoundError:
        return None
    return path


def _list_cells(review: Review, path: str) -> list[object]:
    recording = str(review.reading_id)
    membership = getattr(review.reading, "membership", None)
    return [
        path,
        review.label,
        recording,
        recording if membership is None else str(membership.case_id),
        "",
        "ecglens review",
        " ".join(review.statements),
        review.text,
        review.model_label,
        " ".join(review.model_statements),
        review.reviewed_at.isoformat(),
    ]
