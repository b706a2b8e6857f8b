"""Functions that replace the reading of pages, for tests and benchmarks of batches."""

import os
import signal
import struct
import time

from ecglens.batch.job import Job, PageResult
from ecglens.errors import EcgReadError

NO_MODEL = Job((), "", "", "", "", (), "parquet", 600, 120.0, 100.0)

THREE_PAGES = b"II*\0" + struct.pack("<IHIHIHI", 8, 0, 14, 0, 20, 0, 0)
"""A TIFF of three empty directories."""


def by_content(data: bytes, number: int, stem: str, job: Job) -> PageResult:
    """Perform what the first word of the file says: return a result, fail, end the process, or take a while."""
    word, _, argument = data.partition(b" ")
    if word == b"refuse":
        raise EcgReadError(code="unreadable", source="bytes", detail="expected a page, got a word; scan it.")
    if word == b"fault":
        raise ZeroDivisionError("of a stub")
    if word == b"die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == b"die-once" and not os.path.exists(argument):
        open(argument, "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"hang":
        time.sleep(60)
    if word == b"fill":
        return PageResult({"layout": str(len(bytearray(2_000_000_000)))})
    if word == b"print":
        os.write(1, b"a library talks\n")
    if word == b"slow":
        time.sleep(float(argument.split()[0]))
    if data == THREE_PAGES:
        if number == 1:
            raise EcgReadError(code="empty", source="bytes", detail="expected a page, got an empty one.")
        if number == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return PageResult({"layout": f"{number}"})
    return PageResult({"layout": data[:20].decode(errors="replace"), "width_px": len(data)})
