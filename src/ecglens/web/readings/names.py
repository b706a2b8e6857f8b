"""Names of uploaded files, made safe to show."""

from pathlib import PurePosixPath

__all__ = ["NAME_CHARS", "clean_name", "clean_path"]

NAME_CHARS = 200


def clean_name(name: str | None) -> str:
    r"""Return a file's name for display: without folders and without characters that cannot be printed.

    >>> clean_name("C:\\scans\\page 1.jpg")
    'page 1.jpg'
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:NAME_CHARS] or "page"


def clean_path(path: str) -> str:
    r"""Return a file's name for display with its folders in front, as an archive has them; it is no path any more.

    >>> clean_path("ward/2025/../page 1.jpg"), clean_path("page.jpg")
    ('ward › 2025 › page 1.jpg', 'page.jpg')
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    names = [clean_name(part) for part in parts if part not in ("/", ".", "..")]
    joined = " › ".join(names or ["page"])
    return joined if len(joined) <= NAME_CHARS else "… " + joined[2 - NAME_CHARS :]
