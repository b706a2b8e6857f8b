"""Answers in the place of a model's, for tests and benchmarks of what reads many pages."""

import os
import signal
import struct
import time

from ecglens.batch.job import Job, PageAnswer
from ecglens.errors import EcgReadError

NO_MODEL = Job((), "", "", "", "", (), "parquet", 600, 120.0, 100.0)

THREE_PAGES = b"II*\0" + struct.pack("<IHIHIHI", 8, 0, 14, 0, 20, 0, 0)
"""A TIFF of three directories with nothing in them."""


def by_content(data: bytes, number: int, stem: str, job: Job) -> PageAnswer:
    """What the file's first word says: an answer, a refusal, an end of the process, a while; or one of three pages."""
    word, _, rest = data.partition(b" ")
    if word == b"refuse":
        raise EcgReadError(code="unreadable", source="bytes", detail="expected a page, found a word; scan it.")
    if word == b"fault":
        raise ZeroDivisionError("of a stub")
    if word == b"die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == b"die-once" and not os.path.exists(rest):
        open(rest, "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"hang":
        time.sleep(60)
    if word == b"fill":
        return PageAnswer({"layout": str(len(bytearray(2_000_000_000)))})
    if word == b"print":
        os.write(1, b"a library talks\n")
    if word == b"slow":
        time.sleep(float(rest.split()[0]))
    if data == THREE_PAGES:
        if number == 1:
            raise EcgReadError(code="empty", source="bytes", detail="expected a page, found an empty one.")
        if number == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return PageAnswer({"layout": f"{number}"})
    return PageAnswer({"layout": data[:20].decode(errors="replace"), "width_px": len(data)})
