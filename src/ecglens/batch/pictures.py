"""Small pictures of pages, for people who look at a summary."""

from collections.abc import Sequence
from dataclasses import replace

from ecglens.batch.entries import Entry
from ecglens.batch.job import Job
from ecglens.batch.readers import PageReader
from ecglens.batch.sources import with_data
from ecglens.errors import EcgLensError

__all__ = ["pictures"]

_ANSWER = "ecglens.batch.pages:picture"


def pictures(wanted: Sequence[tuple[Entry, int]], job: Job) -> list[bytes | None]:
    """JPEGs of some pages, ``None`` for those that are no longer there.

    Args:
        wanted: Files and the number of a page in each.
        job: Its limits hold here too.
    """
    reader = PageReader(replace(job, what=(), model="", answer=_ANSWER))
    found: list[bytes | None] = [None] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda each: (wanted[each][0].address, wanted[each][0].place))
    try:
        for each, entry, data in with_data(((each, wanted[each][0]) for each in order), max_bytes=job.max_file_bytes):
            number = wanted[each][1]
            found[each] = reader.read(entry, data, first=number, last=number).files.get("picture")
    except EcgLensError:  # an archive that was moved or changed; a picture is no reason to fail
        pass
    finally:
        reader.close()
    return found
