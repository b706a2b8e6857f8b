"""Hostile PDFs: content that takes minutes to draw, damaged structure, and pictures that are larger than they look."""

import zlib

import numpy as np
from hostile_files import costly_shading, make_pdf, many_transparency_groups, nested_forms, page_objects, stream

from hostile.bombs import zlib_zeros
from hostile.kinds import Kind

__all__ = ["KINDS"]

_FORM = b"/Type /XObject /Subtype /Form /BBox [0 0 800 600] "


def _picture(entries: bytes, data: bytes) -> bytes:
    """Return a PDF that draws one picture."""
    content = b"q 800 0 0 600 0 0 cm /P5 Do Q"
    picture = stream(data, b"/Type /XObject /Subtype /Image " + entries)
    return make_pdf([*page_objects(content, b"/XObject << /P5 5 0 R >>"), picture])


def forms_within_forms(random: np.random.Generator) -> bytes:
    """Return forms that draw the next form many times each."""
    return nested_forms(int(random.integers(5, 9)), int(random.integers(10, 20)))


def shading_many_times(random: np.random.Generator) -> bytes:
    """Return a page that is filled with a computed shading again and again."""
    return costly_shading()


def transparency_groups(random: np.random.Generator) -> bytes:
    """Return transparent groups over the whole page."""
    return many_transparency_groups(int(random.integers(2000, 5000)))


def tiny_tiling_pattern(random: np.random.Generator) -> bytes:
    """Return a page filled with a pattern whose steps are a thousandth of a point."""
    step = float(random.uniform(0.001, 0.01))
    pattern = stream(
        b"0 0 0.5 0.5 re f",
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep %f /YStep %f "
        b"/Resources << >>" % (step, step),
    )
    content = b"/Pattern cs /P5 scn 0 0 800 600 re f " * 20
    return make_pdf([*page_objects(content, b"/Pattern << /P5 5 0 R >>"), pattern])


def pattern_that_draws_itself(random: np.random.Generator) -> bytes:
    """Return a pattern whose content is filled with the pattern."""
    pattern = stream(
        b"/Pattern cs /P5 scn 0 0 10 10 re f",
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10 "
        b"/Resources << /Pattern << /P5 5 0 R >> >>",
    )
    return make_pdf([*page_objects(b"/Pattern cs /P5 scn 0 0 800 600 re f", b"/Pattern << /P5 5 0 R >>"), pattern])


def type3_font_that_writes_itself(random: np.random.Generator) -> bytes:
    """Return a font whose glyph writes letters of the font."""
    resources = b"/Font << /F5 5 0 R >>"
    content = b"BT /F5 40 Tf 100 300 Td (%s) Tj ET" % (b"a" * int(random.integers(20, 200)))
    font = (
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 10 10] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 97 "
        b"/LastChar 97 /Widths [10] /Encoding << /Differences [97 /a] >> /CharProcs << /a 6 0 R >> "
        b"/Resources << /Font << /F5 5 0 R >> >> >>"
    )
    glyph = stream(b"10 0 d0 BT /F5 1 Tf (aaaaaaaaaa) Tj ET 0 0 5 5 re f")
    return make_pdf([*page_objects(content, resources), font, glyph])


def soft_masks_within_soft_masks(random: np.random.Generator) -> bytes:
    """Return groups each of which is masked by the next group."""
    objects = page_objects(b"/G gs 0 0 800 600 re f " * 20, b"/ExtGState << /G 5 0 R >>")
    depth = int(random.integers(8, 14))
    for level in range(depth):
        number = 5 + 2 * level
        objects.append(b"<< /Type /ExtGState /SMask << /S /Luminosity /G %d 0 R >> >>" % (number + 1))
        following = b"/ExtGState << /G %d 0 R >>" % (number + 2 if level < depth - 1 else 5)
        entries = _FORM + b"/Group << /S /Transparency /CS /DeviceGray >> /Resources << %s >>" % following
        objects.append(stream(b"/G gs 0 0 800 600 re f " * 4, entries))
    return make_pdf(objects)


def dashes_by_the_million(random: np.random.Generator) -> bytes:
    """Return a long curve in dashes of a thousandth of a point."""
    line = b"[0.001 0.001] 0 d 0.01 w 0 0 m 900 900 200 -900 800 600 c S "
    return make_pdf(page_objects(line * int(random.integers(20, 100)), b""))


def page_tree_that_never_ends(random: np.random.Generator) -> bytes:
    """Return a page tree whose node is among its own children."""
    return make_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count %d >>" % int(random.integers(2, 2**31 - 1)),
            b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Parent 2 0 R /Count 2147483647 >>",
        ]
    )


def page_tree_of_great_depth(random: np.random.Generator) -> bytes:
    """Return a page below thousands of nodes of the page tree."""
    depth = int(random.integers(1000, 3000))
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(depth)]
    page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 800 600] >>" % (depth + 1)
    return make_pdf([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, page])


def deep_arrays(random: np.random.Generator) -> bytes:
    """Return a page with arrays within arrays, and dictionaries within dictionaries."""
    depth = int(random.integers(5_000, 10_000))
    nested = b"[" * depth + b"]" * depth
    named = b"<< /A " * depth + b"1" + b" >>" * depth
    return make_pdf([*page_objects(b"0 0 10 10 re f", b"/A 5 0 R /B 6 0 R"), nested, named])


def object_stream_bomb(random: np.random.Generator) -> bytes:
    """Return a page whose content is a bomb of zlib within zlib."""
    inner = zlib.compress(b"0 0 1 1 re f " * 3_000_000, 9)
    entries = b"/Filter [/FlateDecode /FlateDecode]"
    objects = page_objects(b"", b"")
    objects[3] = stream(zlib.compress(inner, 9), entries)
    return make_pdf(objects)


def table_of_objects_that_refers_to_itself(random: np.random.Generator) -> bytes:
    """Return a table of objects whose previous table is the table itself, and that counts billions of objects."""
    whole = make_pdf(page_objects(b"0 0 10 10 re f", b""))
    start = whole.rindex(b"xref\n", 0, whole.rindex(b"startxref"))
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d /XRefStm %d" % (start, start)).replace(
        b"/Size 5", b"/Size %d" % int(random.integers(10**8, 2**31 - 1))
    )


def content_that_is_the_page(random: np.random.Generator) -> bytes:
    """Return a page whose content, length and resources refer to each other."""
    return make_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 800 600] /Contents [4 0 R 3 0 R 4 0 R] /Resources 3 0 R >>",
            b"<< /Length 4 0 R >>\nstream\n0 0 10 10 re f\nendstream",
        ]
    )


def annotations_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a page whose list of annotations has one annotation with an appearance, a hundred thousand times."""
    count = int(random.integers(5_000, 12_000))
    objects = page_objects(b"0 0 10 10 re f", b"")
    objects[2] = objects[2][:-2] + b"/Annots [%s] >>" % (b"5 0 R " * count)
    objects.append(b"<< /Type /Annot /Subtype /Stamp /Rect [0 0 800 600] /F 4 /AP << /N 6 0 R >> >>")
    objects.append(stream(b"/G gs 0 0 800 600 re f", _FORM + b"/Resources << /ExtGState << /G << /ca 0.1 >> >> >>"))
    return make_pdf(objects)


def page_of_many_kilometers(random: np.random.Generator) -> bytes:
    """Return a page whose size is no number that a page can have."""
    size = (b"1e30", b"-800", b"99999999999999999999", b"nan")[int(random.integers(4))]
    return make_pdf(page_objects(b"0 0 10 10 re f", b"")).replace(b"0 0 800 600", b"0 0 %s 600" % size)


def picture_of_enormous_size(random: np.random.Generator) -> bytes:
    """Return a picture of 30,000 px each way from a few KB of zeros."""
    side = int(random.integers(20_000, 60_000))
    entries = b"/Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode" % (side, side)
    return _picture(entries, zlib_zeros(10_000_000))


def picture_mask_of_one_bit(random: np.random.Generator) -> bytes:
    """Return a picture just below the limit of pixels, with a mask of its own that is as large."""
    side = 9_900
    mask = stream(
        zlib_zeros(side * side // 8),
        b"/Type /XObject /Subtype /Image /ImageMask true /BitsPerComponent 1 /Filter /FlateDecode "
        b"/Width %d /Height %d" % (side, side),
    )
    content = b"q 800 0 0 600 0 0 cm /P5 Do Q " * int(random.integers(2, 30))
    return make_pdf([*page_objects(content, b"/XObject << /P5 5 0 R >>"), mask])


def _apply_filter(name: bytes, head: bytes, random: np.random.Generator) -> bytes:
    entries = b"/Width 4000 /Height 3000 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /%s" % name
    return _picture(entries, head + random.bytes(4000))


def jbig2_of_noise(random: np.random.Generator) -> bytes:
    """Return a picture in JBIG2 whose segments are noise behind a valid header."""
    page = b"\0\0\0\0\x30\0\1\0\0\0\x13" + b"\xff\xff\xff\xff" * 2 + bytes(11)
    return _apply_filter(b"JBIG2Decode", page, random)


def jpeg_2000_of_noise(random: np.random.Generator) -> bytes:
    """Return a picture in JPEG 2000 that states billions of pixels in tiles of one pixel."""
    sizes = np.array([2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0], ">u4").tobytes()
    head = b"\xff\x4f\xff\x51\0\x29\0\0" + sizes + b"\0\1\7\1\1"
    return _apply_filter(b"JPXDecode", head, random)


def filters_within_filters(random: np.random.Generator) -> bytes:
    """Return a picture that passes through a thousand filters."""
    count = int(random.integers(200, 2000))
    data = zlib_zeros(81_000_000)
    entries = b"/Width 9000 /Height 9000 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter [%s /FlateDecode]" % (
        b"/ASCIIHexDecode " * count
    )
    return _picture(entries, data[:80_000])


def pictures_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a picture of ten megapixels that is drawn a thousand times in the size of a point."""
    content = b"q 800 0 0 600 0 0 cm /P5 Do Q q 1 0 0 1 9 9 cm /P5 Do Q " * int(random.integers(200, 1000))
    data = zlib_zeros(10_000_000)
    picture = stream(
        data,
        b"/Type /XObject /Subtype /Image /Width 2500 /Height 4000 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Interpolate true /Filter /FlateDecode",
    )
    return make_pdf([*page_objects(content, b"/XObject << /P5 5 0 R >>"), picture])


def text_by_the_hundred_thousand(random: np.random.Generator) -> bytes:
    """Return a page with more letters than a book."""
    line = b"1 0 0 1 50 500 Tm (%s) Tj " % (b"I II aVR V1 25 mm/s " * 20)
    content = zlib.compress(b"BT /F5 8 Tf " + line * int(random.integers(300, 1200)) + b"ET", 9)
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [*page_objects(b"", b"/Font << /F5 5 0 R >>"), font]
    objects[3] = stream(content, b"/Filter /FlateDecode")
    return make_pdf(objects)


def paths_by_the_million(random: np.random.Generator) -> bytes:
    """Return a page of a few million short lines, as a vector ECG has thousands."""
    points = b"".join(b"%d %d l " % (x % 800, 300 + x * x % 97) for x in range(2000))
    content = zlib.compress((b"0 300 m " + points + b"S ") * int(random.integers(200, 600)), 9)
    objects = page_objects(b"", b"")
    objects[3] = stream(content, b"/Filter /FlateDecode")
    return make_pdf(objects)


KINDS = (
    Kind(
        "PDF content",
        "page",
        "page.pdf",
        (
            forms_within_forms,
            tiny_tiling_pattern,
            transparency_groups,
            type3_font_that_writes_itself,
            soft_masks_within_soft_masks,
            dashes_by_the_million,
            pattern_that_draws_itself,
            shading_many_times,
        ),
    ),
    Kind(
        "PDF structure",
        "page",
        "page.pdf",
        (
            page_tree_that_never_ends,
            deep_arrays,
            object_stream_bomb,
            table_of_objects_that_refers_to_itself,
            content_that_is_the_page,
            annotations_by_the_thousand,
            page_of_many_kilometers,
            page_tree_of_great_depth,
        ),
    ),
    Kind(
        "PDF pictures and text",
        "page",
        "page.pdf",
        (
            picture_of_enormous_size,
            jbig2_of_noise,
            jpeg_2000_of_noise,
            filters_within_filters,
            text_by_the_hundred_thousand,
            paths_by_the_million,
            pictures_by_the_thousand,
            picture_mask_of_one_bit,
        ),
    ),
)
