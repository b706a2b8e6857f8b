"""Text of files in the encodings of other programs."""

import codecs
import re

__all__ = ["decode_text"]

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
"""Characters that no text has, but nearly every other file."""


def decode_text(content: bytes, *, is_whole: bool = True) -> str:
    """Return a text in UTF-8, in UTF-16 with its mark, or in the code page of Windows in Western Europe.

    Args:
        content: Content of a file, or its beginning.
        is_whole: Whether the last character cannot be cut off.

    Raises:
        ValueError: The content is no text.

    >>> decode_text("I [µV]".encode("cp1252"))
    'I [µV]'
    """
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8-sig")().decode(content, is_whole)
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    if _CONTROL.search(text):
        raise ValueError("control characters are no text")
    return text
