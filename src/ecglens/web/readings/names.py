"""Names of files as people gave them."""

from pathlib import PurePosixPath

__all__ = ["NAME_CHARS", "plain_name"]

NAME_CHARS = 200


def plain_name(name: str | None) -> str:
    r"""A file's name for showing: without folders and without what cannot be printed.

    >>> plain_name("C:\\scans\\page 1.jpg")
    'page 1.jpg'
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:NAME_CHARS] or "page"
