"""Small files that cost their reader far more than their size: drawn here, one for each kind."""

import struct
import zlib


def make_pdf(objects: list[bytes]) -> bytes:
    """Return a PDF of these objects, the first of which is the catalog."""
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def page_objects(content: bytes, resources: bytes) -> list[bytes]:
    """Return catalog, pages, page and content; further objects have numbers from 5."""
    return [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 800 600] /Contents 4 0 R /Resources << %s >> >>" % resources,
        stream(content),
    ]


def nested_forms(depth: int = 7, times: int = 14) -> bytes:
    """Return a PDF whose forms draw the next form several times each: ``times ** depth`` squares."""
    objects = page_objects(b"/F5 Do", b"/XObject << /F5 5 0 R >>")
    for level in range(depth):
        number = 5 + level
        is_last = level == depth - 1
        content = b"0 0 700 500 re f" if is_last else b"/F%d Do " % (number + 1) * times
        resources = b"" if is_last else b"/XObject << /F%d %d 0 R >>" % (number + 1, number + 1)
        entries = b"/Type /XObject /Subtype /Form /BBox [0 0 800 600] /Resources << %s >>" % resources
        objects.append(stream(content, entries))
    return make_pdf(objects)


def costly_shading() -> bytes:
    """Return a PDF that fills the page many times with a shading whose color a function computes for each pixel."""
    program = b"{ " + b"dup mul sin cos exch dup mul sin exch " * 200 + b"2 copy add abs 1 exch sub 3 1 roll pop abs }"
    function = stream(program, b"/FunctionType 4 /Domain [0 1 0 1] /Range [0 1 0 1 0 1]")
    shading = b"<< /ShadingType 1 /ColorSpace /DeviceRGB /Function 6 0 R /Domain [0 1 0 1] /Matrix [800 0 0 600 0 0] >>"
    return make_pdf([*page_objects(b"/S5 sh " * 400, b"/Shading << /S5 5 0 R >>"), shading, function])


def many_transparency_groups(count: int = 4000) -> bytes:
    """Return a PDF that draws a transparent group over the whole page many times."""
    resources = b"/XObject << /F5 5 0 R >> /ExtGState << /G << /ca 0.01 /BM /Luminosity >> >>"
    group = b"/Type /XObject /Subtype /Form /BBox [0 0 800 600] /Group << /S /Transparency /I true /K true >>"
    return make_pdf([*page_objects(b"/G gs /F5 Do " * count, resources), stream(b"0 0 800 600 re f", group)])


def large_png(width: int, height: int, *, alpha: bool) -> bytes:
    """Return a PNG of one color, whose pixels take far more room than the file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    channels = 4 if alpha else 3
    compressor = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (channels * width)
    rows = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6 if alpha else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
