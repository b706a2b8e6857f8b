"""Names of uploaded files, made safe to show."""

from pathlib import PurePosixPath

__all__ = ["NAME_CHARS", "clean_name"]

NAME_CHARS = 200


def clean_name(name: str | None) -> str:
    r"""Return a file's name for display: without folders and without characters that cannot be printed.

    >>> clean_name("C:\\scans\\page 1.jpg")
    'page 1.jpg'
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:NAME_CHARS] or "page"
