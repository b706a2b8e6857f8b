"""Names of files, safe to show and to write."""

__all__ = ["own_stem", "printable"]


def printable(text: str) -> str:
    """Replace what is no text, or could steer a terminal, in a file's name."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in decoded)


def own_stem(stem: str, taken: set[str]) -> str:
    """Keep two pages of one name in different folders apart, and names that a format writes as one, such as WFDB."""
    from ecglens.formats.files import plain_name

    own, number = stem, 1
    while plain_name(own).casefold() in taken:
        number += 1
        own = f"{stem}-{number}"
    taken.add(plain_name(own).casefold())
    return own
