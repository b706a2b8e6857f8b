"""The files of a folder that are read: all but hidden ones, by one rule for every command."""

from pathlib import Path, PurePath

__all__ = ["is_hidden", "list_visible"]


def is_hidden(path: str | PurePath) -> bool:
    """Return whether a file is hidden: one that macOS puts beside a page, a thumbnail or one in a hidden folder.

    Args:
        path: Path below the folder that was named, which may be hidden itself.

    >>> is_hidden("._page.jpg"), is_hidden(".cache/page.jpg"), is_hidden("../page.jpg"), is_hidden("page.1.jpg")
    (True, True, False, False)
    """
    return any(part.startswith(".") and part.strip(".") for part in PurePath(path).parts)


def list_visible(folder: Path, pattern: str = "*") -> list[Path]:
    """List what is below a folder and matches a pattern, in order and without hidden files."""
    return [path for path in sorted(folder.rglob(pattern)) if not is_hidden(path.relative_to(folder))]
