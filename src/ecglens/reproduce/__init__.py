"""The five student works, trained and scored again: as they did it, and honestly.

A row is one model of one work; a result is its predictions under one protocol with one seed, stored as a small table
with a note of its origin. The table of results is written from these alone, so that rows can be computed on different
days and machines.
"""

from ecglens.reproduce.grid import PROTOCOLS, Job, check_protocols, jobs_of, reproduce
from ecglens.reproduce.results import Result, load_result
from ecglens.reproduce.table import write_tables
from ecglens.reproduce.works import ROWS, Row, find_rows

__all__ = [
    "PROTOCOLS",
    "ROWS",
    "Job",
    "Result",
    "Row",
    "check_protocols",
    "find_rows",
    "jobs_of",
    "load_result",
    "reproduce",
    "write_tables",
]
