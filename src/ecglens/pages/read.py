"""Reading the file of a page: its format is recognized by its bytes, never by its name.

The decoders behind it (OpenCV, Pillow, libheif, PDFium) answer damage with whatever exception it leads them to. All of
them end here as ``EcgReadError``.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard, Union

from ecglens.arguments import describe_value, is_number_in
from ecglens.errors import EcgReadError, MissingFileError
from ecglens.pages.ifd import directories
from ecglens.pages.source import Decoded, SourceFile
from ecglens.records import Page
from ecglens.settings import load_settings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = [
    "MAX_FILE_BYTES",
    "Decode",
    "Source",
    "count_pages",
    "decode_here",
    "is_page",
    "iterate_pages",
    "load_file",
    "name_choice",
    "read_chosen_page",
    "read_page",
]

Decode: TypeAlias = Callable[[SourceFile, str], Decoded]
"""Decodes a file of a format."""

Source = Union[str, os.PathLike[str], bytes, BinaryIO, "np.ndarray[Any, Any]", "Image", Page]
"""A file by its path, its bytes or a binary stream; a picture in memory as an array or an image of Pillow; a page."""

MAX_FILE_BYTES = 512 * 1024**2
"""Files above this are refused unread: a page of 100 megapixels needs less in every format."""

_EXPECTED = "JPEG, PNG, TIFF, BMP, WebP, HEIC or PDF"
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "BMP": (b"BM",),
}
_PDF_SEARCH_BYTES = 1024
_RECORD_SEARCH_BYTES = 4096
_RECORD_MARKS = (b"<RestingECG", b"<AnnotatedECG", b"<restingecgdata", b"ISHNE1.0", b"SCPECG", b"ALIVE\0")
_EDF_START = b"0       "
"""Beginnings of digital ECGs, which are no pages."""
_ANIMATION_BYTES = 1024
"""Part of a file in which WebP and PNG say that they are animations."""
_ANIMATION = "The file is an animation, of which the first picture was read; save others as files of their own."
_WFDB_HEADER = re.compile(rb"[\w-]+(/\d+)? \d+ [\d.]+[^\n]*\n[\w-]+\.dat ")
_DECODED_APART = ("PDF", "TIFF")
_ZIP_START = b"PK\x03\x04"
_OFFICE_MARKS = (b"[Content_Types].xml", b"mimetypeapplication/")
"""Names of the first files in the ZIP of a document of Microsoft Office or LibreOffice."""
_OTHER_FORMATS = {
    _ZIP_START: "an Office file",
    b"GIF8": "a GIF",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"%!PS": "a PostScript file",
    b"<": "an HTML, SVG or XML file",
    b"{": "a JSON file",
    b"\x1f\x8b": "a gzip file",
}


def read_chosen_page(source: Source, *, page: int = 1, max_megapixels: float | None = None) -> Page:
    """Read one page as :func:`read_page` does; of a file with several, a warning says which one it is.

    Args:
        source: As for :func:`read_page`.
        page: Likewise.
        max_megapixels: Likewise.

    Raises:
        EcgReadError: As for :func:`read_page`.
    """
    chosen = read_page(source, page=page, max_megapixels=max_megapixels)
    return chosen if isinstance(source, Page) else name_choice(chosen)


def name_choice(chosen: Page) -> Page:
    """Return a page with a warning that says which one it is, where its file has several."""
    if chosen.count == 1:
        return chosen
    words = f"The file has {chosen.count} pages, of which this is page {chosen.number}; choose others by their number."
    return replace(chosen, warnings=(*chosen.warnings, words))


def read_page(
    source: Source, *, page: int = 1, max_megapixels: float | None = None, decode: Decode | None = None
) -> Page:
    """Read one page of an ECG from a photo, a scan or a PDF.

    Reads JPEG, PNG, TIFF, BMP, WebP, HEIC and PDF (rendered at 200 dpi). The page is turned upright by its EXIF
    orientation; 16-bit, CMYK and palette pixels become 8-bit RGB, and what is transparent becomes white paper.

    Args:
        source: Path, bytes, a file object opened in binary mode, an array (``(height, width)`` gray or
            ``(height, width, 3)`` RGB, uint8), an image of Pillow, or a page that was read before, such as one of
            :func:`iterate_pages`.
        page: Which page of a TIFF or PDF, from 1; a page that was read before is only read as its own number.
        max_megapixels: Pages above this are refused before they are decoded; the limit of the settings when ``None``.
        decode: Decodes the file: :func:`decode_here` or a function of :mod:`ecglens.pages.decoding`, in a process that
            is ended when the file takes too long; by default, PDFs and TIFFs are decoded there and all others here.

    Returns:
        The page; its ``warnings`` say what the file lacks.

    Raises:
        EcgReadError: The file is missing, empty, damaged, encrypted, too small, too large, not an image, or has no
            such page; or an argument is out of range.
        SettingsError: As for :func:`ecglens.settings.load_settings`.
    """
    if not isinstance(page, int):
        raise EcgReadError(
            f"Expected a whole number as the page, found {type(page).__name__}; count pages from 1.",
            code="invalid_argument",
        )
    if isinstance(source, Page):
        _check_number(source, page)
        return source
    data, name = load_file(source)
    file = SourceFile(data, name, page, _choose_limit(max_megapixels))
    kind = _file_kind(file)
    decoded = (decode or _decode_by_kind)(file, kind)
    warnings = (*decoded.warnings, *((_ANIMATION,) if _is_animation(data, kind) else ()))
    return Page(decoded.pixels, name, page, decoded.pages, warnings, decoded.curves, texts=decoded.texts)


def _check_number(source: Page, page: int) -> None:
    """Refuse the number of another page beside one that was read before; 1 is what callers have who give none.

    Raises:
        EcgReadError: It is another.
    """
    if page not in (1, source.number):
        raise EcgReadError(
            code="no_such_page",
            source=source.source,
            detail=f"expected the file to read page {page}, got its page {source.number}, which was read before; give "
            "the file, or leave the number out.",
        )


def _choose_limit(max_megapixels: float | None) -> float:
    """Return the largest size of a page in megapixels.

    Raises:
        EcgReadError: It is no number of 0 or more.
    """
    if max_megapixels is None:
        return load_settings().max_megapixels
    if not is_number_in(max_megapixels, 0):
        raise EcgReadError(
            f"Expected max_megapixels of 0 or more, got {describe_value(max_megapixels)}; correct it.",
            code="invalid_argument",
        )
    return max_megapixels


def decode_here(file: SourceFile, kind: str) -> Decoded:
    """Decode a file in this process.

    Args:
        file: The file.
        kind: Its format.

    Raises:
        EcgReadError: As for :func:`read_page`.
    """
    try:
        return _load_decoder(kind)(file)
    except EcgReadError:
        raise
    except MemoryError as error:
        raise EcgReadError(
            code="too_large",
            source=file.name,
            detail="expected a page that fits into memory, found one that does not; scan it at a lower resolution.",
        ) from error
    # Decoders raise OSError, SyntaxError, ValueError, struct.error, RuntimeError and more for damaged bytes.
    except Exception as error:
        raise file.damage_error(kind) from error


def _decode_by_kind(file: SourceFile, kind: str) -> Decoded:
    """Decode a file apart where it may take any time, or its library writes to stderr, and others in this process."""
    if kind not in _DECODED_APART:
        return decode_here(file, kind)
    from ecglens.pages.decoding import decode_apart

    return decode_apart(file, kind)


def count_pages(data: bytes, *, apart: bool = True) -> int:
    """Count the pages of a file, whether or not they can be read; 1 where its bytes do not say.

    Args:
        data: The whole file.
        apart: Whether a PDF is counted in another process, which is ended when that takes too long.
    """
    try:
        kind = _file_kind(SourceFile(data, "bytes", 1, 1.0))
        if kind == "PDF":
            if apart:
                from ecglens.pages.decoding import count_pages_apart

                return count_pages_apart(data)
            from ecglens.pages.pdf import count_pdf_pages

            return max(1, count_pdf_pages(data))
        return max(1, len(list(directories(data)))) if kind == "TIFF" else 1
    except MemoryError:
        raise
    # As in read_page; what is wrong with the file is said when its first page is read.
    except Exception:
        return 1


def is_page(data: bytes) -> bool:
    """Return whether a file begins as one of the formats of pages, readable or not."""
    try:
        _file_kind(SourceFile(data, "bytes", 1, 1.0))
    except EcgReadError:
        return False
    return True


def load_file(source: Source) -> tuple[bytes, str]:
    """Return the bytes of a file and its name without folders.

    Raises:
        EcgReadError: The file is missing, empty or too large, or the source is none, such as a page without its file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _check_bytes(bytes(source), "bytes")
    if isinstance(source, str | os.PathLike):
        return _from_path(source)
    if not _is_stream(source):
        return _from_picture(source)
    name = getattr(source, "name", None)
    name = Path(name).name if isinstance(name, str) and name else "bytes"
    try:
        data = source.read(MAX_FILE_BYTES + 1)
    except UnicodeDecodeError as error:
        detail = "expected a file of bytes, found one of text; open it in binary mode."
        raise EcgReadError(code="unreadable", source=name, detail=detail) from error
    except (OSError, ValueError) as error:
        raise EcgReadError(
            code="unreadable",
            source=name,
            detail="expected an open file, found one that cannot be read; open it again.",
        ) from error
    if not isinstance(data, bytes):
        raise EcgReadError(
            code="invalid_argument",
            source=name,
            detail="expected a file of bytes, found one of text; open it in binary mode.",
        )
    if not data and _position(source) > 0:
        raise EcgReadError(
            code="empty",
            source=name,
            detail="expected a file that was not read, found one at its end; call seek(0) before it is read again.",
        )
    return _check_bytes(data, name)


def _is_stream(source: object) -> TypeGuard[BinaryIO]:
    return hasattr(source, "read")


def _from_picture(source: object) -> tuple[bytes, str]:
    """Return the file of a picture in memory.

    Raises:
        EcgReadError: It is no picture.
    """
    import numpy as np  # a path needs neither of these
    from PIL.Image import Image

    from ecglens.pages.arrays import encode_array, encode_image

    if isinstance(source, np.ndarray):
        return _check_bytes(encode_array(source), "array")
    if isinstance(source, Image):
        return _check_bytes(*encode_image(source))
    raise EcgReadError(
        f"Expected a path, bytes, an open file, an array or an image, found {type(source).__name__}; give one of them.",
        code="invalid_argument",
    )


def iterate_pages(source: Source, *, max_megapixels: float | None = None) -> Iterator[Page]:
    """Iterate over the pages of a file, one in memory at a time.

    Args:
        source: As for :func:`read_page`; a stream is read once.
        max_megapixels: As for :func:`read_page`.

    Yields:
        Each page, which :func:`ecglens.read`, :func:`ecglens.examine` and :func:`ecglens.digitize` take as it is.

    Raises:
        EcgReadError: As for :func:`read_page`, when the page is reached.
    """
    if isinstance(source, Page):
        yield source
        return
    data, name = load_file(source)
    for number in range(1, count_pages(data) + 1):
        try:
            yield replace(read_page(data, page=number, max_megapixels=max_megapixels), source=name)
        except EcgReadError as error:
            raise EcgReadError(code=error.code, source=name, detail=error.detail) from error


def _position(stream: BinaryIO) -> int:
    """Position in a stream; 0 where it has none."""
    try:
        return stream.tell()
    except (AttributeError, OSError, ValueError):
        return 0


def _from_path(source: str | os.PathLike[str]) -> tuple[bytes, str]:
    name = os.path.basename(os.fspath(source)) or str(source)
    try:
        status = os.stat(source)
        if stat.S_ISDIR(status.st_mode):
            raise EcgReadError(
                code="unsupported", source=name, detail="expected a file, found a folder; name the files in it."
            )
        if not stat.S_ISREG(status.st_mode):
            raise EcgReadError(
                code="unsupported",
                source=name,
                detail="expected a file, found a device or pipe; save its content to a file first.",
            )
        with open(source, "rb") as stream:
            return _check_bytes(stream.read(MAX_FILE_BYTES + 1), name)
    except FileNotFoundError as error:
        raise MissingFileError(
            code="missing", source=name, detail="expected a file, found nothing at that path; check the path."
        ) from error
    except PermissionError as error:
        raise EcgReadError(
            code="unreadable", source=name, detail="expected a file that may be read, found one that may not; allow it."
        ) from error
    except (OSError, ValueError) as error:
        raise EcgReadError(
            code="unreadable",
            source=ascii(name),
            detail="expected a path to a file, found one that cannot be opened; check it.",
        ) from error


def _check_bytes(data: bytes, name: str) -> tuple[bytes, str]:
    if not data:
        raise EcgReadError(
            code="empty", source=name, detail="expected a page, found an empty file; export or scan it again."
        )
    if len(data) > MAX_FILE_BYTES:
        raise EcgReadError(
            code="too_large",
            source=name,
            detail=f"expected a file of at most {MAX_FILE_BYTES // 1024**2} MB, found a larger one; "
            "scan it at a lower resolution.",
        )
    return data, name


def _file_kind(file: SourceFile) -> str:
    """Name of the file's format, by its first bytes."""
    head = file.data[:_PDF_SEARCH_BYTES]
    for kind, starts in _STARTS.items():
        if head.startswith(starts):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return "HEIC"
    if b"%PDF-" in head:
        return "PDF"
    if head.startswith(_ZIP_START) and not any(mark in head for mark in _OFFICE_MARKS):
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected {_EXPECTED}, found a ZIP; unpack it, or read the pages and ECGs in it with ecglens "
            "batch.",
        )
    if any(mark in file.data[:_RECORD_SEARCH_BYTES] for mark in _RECORD_MARKS) or head.startswith(_EDF_START):
        raise EcgReadError(
            code="unsupported",
            source=file.name,
            detail=f"expected {_EXPECTED}, found a digital ECG; read it with ecglens.read_record, or on the command "
            "line with ecglens read or ecglens convert.",
        )
    raise EcgReadError(
        code="unsupported",
        source=file.name,
        detail=f"expected {_EXPECTED}, found {_describe_bytes(file.data)}; save the page as one of these.",
    )


def _is_animation(data: bytes, kind: str) -> bool:
    """Return whether a file shows several pictures one after another."""
    if kind == "WebP":
        return b"ANIM" in data[:_ANIMATION_BYTES]
    return kind == "PNG" and b"acTL" in data[:_ANIMATION_BYTES].partition(b"IDAT")[0]


def _load_decoder(kind: str) -> Callable[[SourceFile], Decoded]:
    """Import the decoder of a format: each brings a library that files of other formats do not need."""
    if kind == "JPEG":
        from ecglens.pages.jpeg import decode_jpeg

        return decode_jpeg
    if kind == "PDF":
        from ecglens.pages.pdf import decode_pdf

        return decode_pdf
    if kind == "HEIC":
        from ecglens.pages.heic import decode_heic

        return decode_heic
    from ecglens.pages import raster

    return {
        "BMP": raster.decode_bmp,
        "PNG": raster.decode_png,
        "TIFF": raster.decode_tiff,
        "WebP": raster.decode_webp,
    }[kind]


def _describe_bytes(data: bytes) -> str:
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data[128:132] == b"DICM":
        return "a DICOM file"
    for mark, kind in _OTHER_FORMATS.items():
        if start.startswith(mark):
            return kind
    if _WFDB_HEADER.match(start):
        return "the header of a WFDB record, which is read with its signals in a ZIP"
    printable = start.isascii() and not set(start) - set(range(32, 127)) - {9, 10, 13}
    return "text" if start and printable else "bytes of another kind"
