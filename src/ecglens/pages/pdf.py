"""PDF: one page rendered by PDFium at 200 dpi.

PDFium is not safe to call from two threads, so one lock stands around every call. Its objects are closed while the
lock is held, not whenever the garbage collector gets to them.
"""

import threading
from dataclasses import replace

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ecglens.errors import EcgReadError
from ecglens.pages.pdf_curves import find_curves
from ecglens.pages.pdf_text import find_texts
from ecglens.pages.source import Decoded, SourceFile

__all__ = ["RENDER_DPI", "count_pdf_pages", "decode_pdf"]

RENDER_DPI = 200
"""7.87 px/mm, the resolution of the pages that the models know."""

_POINTS_PER_INCH = 72
_SINGLE_PRECISION = 1 - 1e-6
_MAX_NESTING = 8
_LOCK = threading.Lock()
_TOO_MUCH_TEXT = (
    "The page holds more text than an ECG page, and none of it was read; give the paper speed if it is not 25 mm/s."
)


def decode_pdf(file: SourceFile) -> Decoded:
    """Draw the wanted page of a PDF.

    Raises:
        EcgReadError: It is encrypted, has no such page, or the page or a picture in it is too small or too large.
    """
    with _LOCK:
        try:
            document = pdfium.PdfDocument(file.data)
        except pdfium.PdfiumError as error:
            if error.err_code in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY):
                raise _is_encrypted(file) from error
            raise file.damage_error("PDF") from error
        try:
            if pdfium_c.FPDF_GetSecurityHandlerRevision(document) >= 0:
                raise _is_encrypted(file)
            file.check_page(len(document))
            return replace(_render_page(document, file), pages=len(document))
        finally:
            document.close()


def count_pdf_pages(data: bytes) -> int:
    """Count the pages of a PDF.

    Raises:
        pypdfium2.PdfiumError: It is damaged or encrypted.
    """
    with _LOCK:
        document = pdfium.PdfDocument(data)
        try:
            return len(document)
        finally:
            document.close()


def _render_page(document: pdfium.PdfDocument, file: SourceFile) -> Decoded:
    # PDFium's sizes are single precision and the picture's are rounded up: without this 480 px become 481.
    scale = RENDER_DPI / _POINTS_PER_INCH * _SINGLE_PRECISION
    width, height = document.get_page_size(file.page - 1)
    file.check_size(width * scale, height * scale)
    page = document[file.page - 1]
    try:
        for picture in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=_MAX_NESTING):
            columns, rows = picture.get_px_size()
            if columns * rows > file.max_pixels:
                file.check_size(columns, rows, of="a picture")
        bitmap = page.render(scale=scale, rev_byteorder=True)
        try:
            pixels = np.array(bitmap.to_numpy()[:, :, :3])
        finally:
            bitmap.close()
        texts = find_texts(page, pixels)
        warnings = (_TOO_MUCH_TEXT,) if texts is None else ()
        return Decoded(pixels, warnings=warnings, curves=find_curves(page, pixels, scale), texts=texts or ())
    finally:
        page.close()


def _is_encrypted(file: SourceFile) -> EcgReadError:
    return EcgReadError(
        code="encrypted",
        source=file.name,
        detail="expected a PDF without protection, found an encrypted one; save a copy without a password.",
    )
