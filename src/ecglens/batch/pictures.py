"""Small pictures of pages, for people who look at a summary."""

from collections.abc import Sequence
from dataclasses import replace

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.batch.readers import PageReader
from ecglens.batch.sources import add_data
from ecglens.errors import EcgLensError

__all__ = ["load_pictures"]

_ANSWER = "ecglens.batch.pages:picture"


def load_pictures(pages: Sequence[tuple[Entry, int]], job: Job) -> list[bytes | None]:
    """Load small pictures of some pages.

    Args:
        pages: Files, each with the number of a page in it, from 1.
        job: Job whose limits on time and memory hold here too.

    Returns:
        A JPEG for each page, or ``None`` if it can no longer be read.
    """
    reader = PageReader(replace(job, parts=(), model="", answer=_ANSWER))
    jpegs: list[bytes | None] = [None] * len(pages)
    order = sorted(range(len(pages)), key=lambda index: (pages[index][0].address, pages[index][0].place))
    try:
        entries = ((index, pages[index][0]) for index in order)
        for index, entry, data in add_data(entries, max_bytes=job.max_file_bytes):
            number = pages[index][1]
            jpegs[index] = reader.read(entry, data, first=number, last=number).files.get("picture")
    except EcgLensError:  # an archive was moved or changed; a missing picture is no reason to fail
        pass
    finally:
        reader.close()
    return jpegs
