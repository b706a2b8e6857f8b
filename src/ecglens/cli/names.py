"""Names of files, safe to show and to write."""

import re

__all__ = ["own_stem", "printable"]


def printable(text: str) -> str:
    """Replace what is no text, or could steer a terminal, in a file's name."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in decoded)


def own_stem(stem: str, taken: set[str]) -> str:
    """Keep two pages of one name in different folders apart, and names that a format writes as one, such as WFDB."""
    own, number = stem, 1
    while _plain(own) in taken:
        number += 1
        own = f"{stem}-{number}"
    taken.add(_plain(own))
    return own


def _plain(stem: str) -> str:
    return re.sub(r"[^\w-]", "_", stem, flags=re.ASCII).casefold()
