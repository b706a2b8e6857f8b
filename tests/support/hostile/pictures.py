"""Hostile PNG, JPEG, WebP, HEIC and BMP files."""

import io
import struct
import zlib
from functools import cache

import cv2
import numpy as np
import pillow_heif
from hostile_files import large_png
from PIL import Image

from hostile.bombs import zlib_zeros
from hostile.kinds import Kind

__all__ = ["KINDS"]

_END = b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: bytes, *, bits: int = 8, color: int = 2, laced: int = 0, between: bytes = b""):
    """Return a PNG of compressed rows, with more chunks before them."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, laced))
    return _PNG + header + between + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


@cache
def _small_page() -> Image.Image:
    """Return a gray ramp in the size of a small page."""
    return Image.fromarray(np.tile(np.linspace(0, 255, 640).astype(np.uint8), (400, 1))).convert("RGB")


def _encode(kind: str, **options: object) -> bytes:
    with io.BytesIO() as stream:
        _small_page().save(stream, kind, **options)
        return stream.getvalue()


def more_pixels_than_stated(random: np.random.Generator) -> bytes:
    """Return a PNG of 400 px each way with the rows of a picture that is a hundred times as large."""
    return _png(400, 400, zlib_zeros(48_000_000 + int(random.integers(1000))))


def size_without_pixels(random: np.random.Generator) -> bytes:
    """Return a PNG that states 30,000 px each way and has the rows of ten."""
    return _png(int(random.integers(20_000, 2**31 - 1)), 30_000, zlib_zeros(1000))


def one_bit_of_large_size(random: np.random.Generator) -> bytes:
    """Return a PNG of 99 megapixels of one bit, 12 MB that become 297."""
    return _png(9_900, 10_000, zlib_zeros(10_000 * (1 + 1238)), bits=1, color=0)


def one_bit_with_a_palette(random: np.random.Generator) -> bytes:
    """Return a PNG of 99 megapixels of one bit, whose palette is transparent."""
    palette = _chunk(b"PLTE", bytes(6)) + _chunk(b"tRNS", b"\x80\x80")
    return _png(9_900, 10_000, zlib_zeros(10_000 * (1 + 1238)), bits=1, color=3, between=palette)


def sixteen_bits_interlaced(random: np.random.Generator) -> bytes:
    """Return an interlaced PNG of 60 megapixels of 16 bits."""
    return _png(6_000, 10_000, zlib_zeros(500_000), bits=16, color=6, laced=1)


def large_and_transparent(random: np.random.Generator) -> bytes:
    """Return a PNG of many megapixels with transparency."""
    return large_png(3000, int(random.integers(2000, 6000)), alpha=True)


def rows_of_a_wrong_sum(random: np.random.Generator) -> bytes:
    """Return a PNG whose chunks have sums that are wrong."""
    data = bytearray(_encode("PNG"))
    for place in random.integers(20, len(data), 40):
        data[place] ^= 0x55
    return bytes(data)


def lengths_of_chunks_that_lie(random: np.random.Generator) -> bytes:
    """Return a PNG whose chunks state lengths up to four gigabytes."""
    data = _encode("PNG")
    place = data.index(b"IDAT") - 4
    length = (2**32 - 1, 2**31, 2**31 - 1, len(data))[int(random.integers(4))]
    return data[:place] + struct.pack(">I", length) + data[place + 4 :]


def texts_that_unpack_to_90_mb(random: np.random.Generator) -> bytes:
    """Return a PNG with compressed texts of up to 90 MB."""
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib_zeros(int(random.integers(10, 45)) * 1_000_000))
    return _png(400, 400, zlib_zeros(400 * 1201), between=text * 2)


def color_profile_that_unpacks_to_90_mb(random: np.random.Generator) -> bytes:
    """Return a PNG with a compressed color profile of 90 MB."""
    profile = _chunk(b"iCCP", b"profile\0\0" + zlib_zeros(90_000_000))
    return _png(400, 400, zlib_zeros(400 * 1201), between=profile)


def chunks_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a PNG with as many chunks as fit."""
    chunks = _chunk(b"tEXt", b"a\0b") * int(random.integers(6_000, 7_000))
    return _png(400, 400, zlib_zeros(400 * 1201), between=chunks)


def frames_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return an animated PNG that states billions of frames of its whole size."""
    control = _chunk(b"acTL", struct.pack(">II", int(random.integers(10**6, 2**31 - 1)), 0))
    frame = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 400, 400, 0, 0, 1, 100, 2, 1))
    return _png(400, 400, zlib_zeros(400 * 1201), between=control + frame * 1000)


def international_texts_of_noise(random: np.random.Generator) -> bytes:
    """Return a PNG whose text chunks have no ends, wrong methods and letters of no coding."""
    chunks = b"".join(
        _chunk(kind, random.bytes(int(random.integers(0, 200)))) for kind in (b"iTXt", b"zTXt", b"eXIf", b"iCCP") * 20
    )
    return _png(400, 400, zlib_zeros(400 * 1201), between=chunks)


def _jpeg_parts() -> tuple[bytes, bytes]:
    """Return a JPEG's headers up to its scan, and the rest."""
    data = _encode("JPEG", quality=60)
    place = data.index(b"\xff\xda")
    return data[:place], data[place:]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def _with_size(data: bytes, height: int, width: int) -> bytes:
    place = next(data.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2", b"\xff\xc9") if mark in data)
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def size_that_no_jpeg_has(random: np.random.Generator) -> bytes:
    """Return a JPEG of 65,500 px each way."""
    return _with_size(_encode("JPEG"), 65_500, int(random.integers(10_000, 65_500)))


def size_just_below_the_limit(random: np.random.Generator) -> bytes:
    """Return a JPEG that states 99 megapixels and has the data of a small one."""
    return _with_size(_encode("JPEG"), 9_900, 10_000)


def application_segments_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a JPEG with thousands of segments before its scan."""
    head, scan = _jpeg_parts()
    return head + _segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(8)) * int(random.integers(2000, 3500)) + scan


def orientation_of_noise(random: np.random.Generator) -> bytes:
    """Return a JPEG with EXIF blocks whose directories and counts are noise."""
    head, scan = _jpeg_parts()
    blocks = b"".join(
        _segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + random.bytes(int(random.integers(10, 3000))))
        for _ in range(20)
    )
    return head[:2] + blocks + head[2:] + scan


def tables_of_noise(random: np.random.Generator) -> bytes:
    """Return a JPEG whose Huffman and quantization tables are noise."""
    head, scan = _jpeg_parts()
    tables = _segment(0xC4, random.bytes(300)) + _segment(0xDB, random.bytes(131))
    return head + tables + scan


def fill_bytes_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a JPEG whose headers are followed by tens of thousands of fill bytes and markers without a length."""
    head, scan = _jpeg_parts()
    return head + b"\xff" * int(random.integers(20_000, 80_000)) + b"\xff\x01" * 5000 + scan


def segment_that_ends_behind_the_file(random: np.random.Generator) -> bytes:
    """Return a JPEG whose first segment states more bytes than the file has, or fewer than its own length."""
    data = _encode("JPEG")
    length = (0, 1, 65_535)[int(random.integers(3))]
    return data[:4] + struct.pack(">H", length) + data[6:]


def twelve_bits_or_lossless(random: np.random.Generator) -> bytes:
    """Return a JPEG of a process that few decoders know."""
    data = _encode("JPEG")
    place = data.index(b"\xff\xc0")
    frame = (0xC1, 0xC3, 0xC5, 0xC7, 0xCB, 0xCF)[int(random.integers(6))]
    return data[: place + 1] + bytes([frame]) + data[place + 2 : place + 4] + b"\x0c" + data[place + 5 :]


def scans_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a progressive JPEG whose last scan is repeated thousands of times, at 99 megapixels."""
    data = _encode("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    count = min(int(random.integers(1000, 5000)), 95_000 // max(1, len(scan)))
    return _with_size(data[:-2] + scan * count + b"\xff\xd9", 9_900, 10_000)


def scans_below_their_limit(random: np.random.Generator) -> bytes:
    """Return a progressive JPEG of 99 megapixels with as many scans as are allowed."""
    data = _encode("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return _with_size(data[:-2] + data[last:-2] * 85 + b"\xff\xd9", 9_900, 10_000)


def restarts_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a JPEG that restarts at every block, and has thousands of restart markers."""
    head, scan = _jpeg_parts()
    restarts = b"".join(b"\xff" + bytes([0xD0 + number % 8]) for number in range(int(random.integers(10_000, 40_000))))
    return head + _segment(0xDD, b"\0\1") + scan[:20] + restarts + scan[20:]


def cut_scan(random: np.random.Generator) -> bytes:
    """Return a JPEG that ends in the middle."""
    data = _encode("JPEG", progressive=bool(random.integers(2)))
    return data[: int(random.integers(len(data) // 4, len(data) - 2))]


def arithmetic_coding(random: np.random.Generator) -> bytes:
    """Return a JPEG that states arithmetic coding over noise."""
    head, scan = _jpeg_parts()
    return head.replace(b"\xff\xc0", b"\xff\xc9") + scan[:12] + random.bytes(20_000).replace(b"\xff", b"\0") + _END


def components_of_odd_factors(random: np.random.Generator) -> bytes:
    """Return a JPEG whose components have sampling factors that do not fit each other."""
    data = bytearray(_encode("JPEG"))
    place = data.index(b"\xff\xc0") + 11
    for component in range(3):
        data[place + 3 * component] = int(random.integers(256))
    return bytes(data)


def frames_within_frames(random: np.random.Generator) -> bytes:
    """Return a JPEG with several frame headers of other sizes, and pictures within its segments."""
    head, scan = _jpeg_parts()
    frame = head[head.index(b"\xff\xc0") :][:19]
    large = frame[:5] + struct.pack(">HH", 60_000, 60_000) + frame[9:]
    return head + large * 3 + _segment(0xE3, _encode("JPEG")[:30_000]) + scan + b"\xff\xd8" + head[2:] + scan


def noise_as_a_scan(random: np.random.Generator) -> bytes:
    """Return a JPEG whose scan is noise."""
    head, scan = _jpeg_parts()
    return head + scan[:14] + random.bytes(30_000) + b"\xff\xd9"


def _riff(chunks: bytes) -> bytes:
    body = b"WEBP" + chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _canvas(width: int, height: int, flags: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sizes)


@cache
def _webp_picture() -> bytes:
    """Return the chunk of a small lossy picture."""
    return _encode("WEBP", quality=40)[12:]


def canvas_of_the_largest_size(random: np.random.Generator) -> bytes:
    """Return a WebP of 16,383 px each way."""
    return _riff(_canvas(16_383, 16_383, 0) + bytes(64))


def canvas_just_below_the_limit(random: np.random.Generator) -> bytes:
    """Return an animated WebP with a canvas of 99 megapixels and small frames."""
    frame = _riff_chunk(b"ANMF", bytes(6) + b"\x7f\x02\0\x8f\x01\0\x64\0\0\0" + _webp_picture())
    control = _riff_chunk(b"ANIM", bytes(6))
    return _riff(_canvas(9_900, 10_000, 2) + control + frame * int(random.integers(2, 9)))


def animation_of_many_frames(random: np.random.Generator) -> bytes:
    """Return an animated WebP of thousands of small frames."""
    frame = _riff_chunk(b"ANMF", bytes(16) + _riff_chunk(b"VP8L", b"\x2f" + bytes(8)))
    return _riff(_canvas(640, 400, 2) + _riff_chunk(b"ANIM", bytes(6)) + frame * int(random.integers(500, 2000)))


def lossless_of_noise(random: np.random.Generator) -> bytes:
    """Return a lossless WebP of 16,384 px each way whose codes are noise."""
    size = struct.pack("<I", 9_899 | 9_999 << 14)
    return _riff(_riff_chunk(b"VP8L", b"\x2f" + size + random.bytes(5000)))


def lossy_of_noise(random: np.random.Generator) -> bytes:
    """Return a lossy WebP whose partitions are noise."""
    data = bytearray(_riff(_webp_picture()))
    data[40:] = random.bytes(len(data) - 40)
    return bytes(data)


def chunks_that_lie(random: np.random.Generator) -> bytes:
    """Return a WebP whose chunks state more bytes than the file has."""
    data = bytearray(_riff(_canvas(640, 400, 0x2C) + _webp_picture()))
    struct.pack_into("<I", data, data.index(b"VP8 ") + 4, int(random.integers(2**31, 2**32 - 1)))
    return bytes(data)


def cut_picture(random: np.random.Generator) -> bytes:
    """Return a WebP that ends in the middle."""
    data = _riff(_webp_picture())
    return data[: int(random.integers(20, len(data)))]


def two_sizes(random: np.random.Generator) -> bytes:
    """Return a WebP whose canvas states another size than its picture."""
    data = bytearray(_webp_picture())
    struct.pack_into("<HH", data, 14, 16_383, 16_383)
    return _riff(_canvas(400, 400, 0) + bytes(data))


@cache
def _heic() -> bytes:
    with io.BytesIO() as stream:
        pillow_heif.from_pillow(_small_page()).save(stream, quality=40)
        return stream.getvalue()


def _heic_with(kind: bytes, offset: int, value: bytes) -> bytes:
    """Return a HEIC file whose first box of a kind has other bytes at an offset behind its name."""
    data = bytearray(_heic())
    place = data.index(kind) + 4 + offset
    data[place : place + len(value)] = value
    return bytes(data)


def boxes_that_lie(random: np.random.Generator) -> bytes:
    """Return a HEIC whose boxes state sizes up to four gigabytes."""
    kind = (b"meta", b"iloc", b"iprp", b"mdat")[int(random.integers(4))]
    return _heic_with(kind, -8, struct.pack(">I", int(random.integers(2**31, 2**32 - 1))))


def size_of_enormous_width(random: np.random.Generator) -> bytes:
    """Return a HEIC that states pixels of 60,000 each way."""
    return _heic_with(b"ispe", 4, struct.pack(">II", 60_000, int(random.integers(20_000, 2**31))))


def size_below_the_limit(random: np.random.Generator) -> bytes:
    """Return a HEIC that states 99 megapixels for a small picture."""
    return _heic_with(b"ispe", 4, struct.pack(">II", 9_900, 10_000))


def counts_of_items_that_lie(random: np.random.Generator) -> bytes:
    """Return a HEIC whose list of items states 65,535 of them."""
    return _heic_with(b"iloc", 6, b"\xff\xff")


def boxes_within_boxes(random: np.random.Generator) -> bytes:
    """Return a HEIC with boxes nested by the thousand."""
    boxes, head = b"", _heic()[:32]
    for _ in range(int(random.integers(1000, 4000))):
        boxes = struct.pack(">I", len(boxes) + 12) + b"meta" + bytes(4) + boxes
    return head + boxes


def codes_of_noise(random: np.random.Generator) -> bytes:
    """Return a HEIC whose picture data are noise."""
    data = bytearray(_heic())
    start = data.index(b"mdat") + 4
    data[start:] = random.bytes(len(data) - start)
    return bytes(data)


def cut_boxes(random: np.random.Generator) -> bytes:
    """Return a HEIC that ends in the middle."""
    return _heic()[: int(random.integers(30, len(_heic())))]


def item_within_itself(random: np.random.Generator) -> bytes:
    """Return a HEIC whose primary item is another number, and whose properties are in a ring."""
    return _heic_with(b"pitm", 4, random.bytes(2)).replace(b"hvc1", b"grid")


def _bmp(width: int, height: int, bits: int, compression: int, data: bytes, *, colors: int = 0) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colors, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54 + 4 * min(colors, 256)) + info + data


def bitmap_of_enormous_size(random: np.random.Generator) -> bytes:
    """Return a bitmap of two billion px each way."""
    return _bmp(2**31 - 1, int(random.integers(10**6, 2**31 - 1)), 24, 0, bytes(1000))


def bitmap_of_negative_size(random: np.random.Generator) -> bytes:
    """Return a bitmap whose width is negative, or the least number that 32 bits hold."""
    return _bmp((-640, -(2**31))[int(random.integers(2))], -(2**31), 24, 0, bytes(1000))


def bitmap_of_run_lengths(random: np.random.Generator) -> bytes:
    """Return a bitmap of 99 megapixels from run lengths that jump about."""
    runs = random.integers(0, 256, 40_000).astype(np.uint8).tobytes()
    return _bmp(9_900, 10_000, 8, 1, bytes(1024) + b"\xff\0" * 5000 + runs, colors=256)


def bitmap_without_rows(random: np.random.Generator) -> bytes:
    """Return a bitmap of 99 megapixels with the bytes of a small one."""
    return _bmp(9_900, 10_000, 24, 0, random.bytes(30_000))


def bitmap_with_billions_of_colors(random: np.random.Generator) -> bytes:
    """Return a bitmap that states billions of colors."""
    return _bmp(640, 400, 8, 0, random.bytes(30_000), colors=2**32 - 1)


def bitmap_of_odd_masks(random: np.random.Generator) -> bytes:
    """Return a bitmap whose colors lie in bits that overlap."""
    return _bmp(400, 400, 32, 3, random.bytes(12) + bytes(90_000))


def bitmap_with_a_header_of_any_size(random: np.random.Generator) -> bytes:
    """Return a bitmap whose header states its own size as noise."""
    data = bytearray(_bmp(640, 400, 24, 0, bytes(3000)))
    struct.pack_into("<I", data, 14, int(random.integers(0, 2**32 - 1)))
    return bytes(data)


def bitmap_with_pixels_before_itself(random: np.random.Generator) -> bytes:
    """Return a bitmap whose pixels begin behind the file."""
    data = bytearray(_bmp(640, 400, 24, 0, bytes(3000)))
    struct.pack_into("<I", data, 10, int(random.integers(10**6, 2**32 - 1)))
    return bytes(data)


def _pattern(gray: np.ndarray) -> bytes:
    """Return a JPEG of a gray picture."""
    with io.BytesIO() as stream:
        Image.fromarray(np.asarray(gray, np.uint8)).convert("RGB").save(stream, "JPEG", quality=90)
        return stream.getvalue()


def _ruled_paper() -> np.ndarray:
    """Return a page of 2200 x 1700 px with a line each 20 px."""
    paper = np.full((1700, 2200), 255, np.uint8)
    paper[::20] = paper[:, ::20] = 200
    return paper


def waves_in_both_directions(random: np.random.Generator) -> bytes:
    """Return a page of sine waves, whose tops look like lines of traces at any scale."""
    down, across = random.uniform(5, 12, 2)
    y, x = np.mgrid[:1700, :2200]
    return _pattern(127 + 127 * np.sin(x / across) * np.sin(y / down))


def waves_of_48_megapixels(random: np.random.Generator) -> bytes:
    """Return the same page as a large photograph."""
    with Image.open(io.BytesIO(waves_in_both_directions(random))) as page:
        return _pattern(np.asarray(page.convert("L").resize((8000, 6000))))


def rings_of_all_pitches(random: np.random.Generator) -> bytes:
    """Return a page of rings, which have the pitch of some grid at each distance."""
    y, x = np.mgrid[:1700, :2200] - random.uniform(700, 1000)
    return _pattern(127 + 127 * np.sin((x**2 + y**2) / 4000))


def three_grids_over_each_other(random: np.random.Generator) -> bytes:
    """Return paper with three grids, each turned by another angle."""
    paper = np.full((1700, 2200), 255, np.uint8)
    for angle in np.cumsum(random.uniform(10, 25, 3)):
        turn = cv2.getRotationMatrix2D((1100, 850), angle, 1.6)
        paper = np.minimum(paper, cv2.warpAffine(_ruled_paper(), turn, (2200, 1700), borderValue=255))
    return _pattern(paper)


def traces_across_each_other(random: np.random.Generator) -> bytes:
    """Return paper with 60 traces, 28 px below each other."""
    paper = _ruled_paper()
    x = np.arange(2200)
    for row in range(60):
        y = row * 28 + 15 * np.sin(x / random.uniform(8, 13))
        paper[np.clip(y.astype(int) + np.arange(3)[:, None], 0, 1699), x] = 0
    return _pattern(paper)


def thousands_of_lead_names(random: np.random.Generator) -> bytes:
    """Return paper with 2,400 lead names."""
    paper = _ruled_paper()
    names = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    for row in range(60):
        for column in range(40):
            place = (column * 55 + 5, row * 28 + 20)
            cv2.putText(paper, names[int(random.integers(12))], place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0)
    return _pattern(paper)


def thousands_of_pulses(random: np.random.Generator) -> bytes:
    """Return a page of rectangles that look like calibration pulses of a random height."""
    paper = np.full((1700, 2200), 255, np.uint8)
    high = int(random.integers(20, 36))
    for row in range(40):
        for column in range(60):
            corner = (column * 36 + 4, row * 42 + 4)
            cv2.rectangle(paper, corner, (corner[0] + 12, corner[1] + high), 0)
    return _pattern(paper)


def strokes_in_all_directions(random: np.random.Generator) -> bytes:
    """Return paper with 1,500 straight strokes across it."""
    paper = _ruled_paper()
    for x1, y1, x2, y2 in random.integers(0, (2200, 1700, 2200, 1700), (1500, 4)).tolist():
        cv2.line(paper, (x1, y1), (x2, y2), 0)
    return _pattern(paper)


KINDS = (
    Kind(
        "Patterns",
        "page",
        "page.jpg",
        (
            waves_in_both_directions,
            waves_of_48_megapixels,
            rings_of_all_pitches,
            three_grids_over_each_other,
            traces_across_each_other,
            thousands_of_lead_names,
            thousands_of_pulses,
            strokes_in_all_directions,
        ),
    ),
    Kind(
        "PNG pixels",
        "page",
        "page.png",
        (
            more_pixels_than_stated,
            size_without_pixels,
            one_bit_of_large_size,
            one_bit_with_a_palette,
            sixteen_bits_interlaced,
            large_and_transparent,
            rows_of_a_wrong_sum,
        ),
    ),
    Kind(
        "PNG chunks",
        "page",
        "page.png",
        (
            texts_that_unpack_to_90_mb,
            color_profile_that_unpacks_to_90_mb,
            chunks_by_the_thousand,
            frames_by_the_thousand,
            lengths_of_chunks_that_lie,
            international_texts_of_noise,
        ),
    ),
    Kind(
        "JPEG headers",
        "page",
        "page.jpg",
        (
            size_that_no_jpeg_has,
            size_just_below_the_limit,
            application_segments_by_the_thousand,
            orientation_of_noise,
            tables_of_noise,
            fill_bytes_by_the_thousand,
            segment_that_ends_behind_the_file,
            twelve_bits_or_lossless,
        ),
    ),
    Kind(
        "JPEG scans",
        "page",
        "page.jpg",
        (
            scans_by_the_thousand,
            scans_below_their_limit,
            restarts_by_the_thousand,
            cut_scan,
            arithmetic_coding,
            components_of_odd_factors,
            frames_within_frames,
            noise_as_a_scan,
        ),
    ),
    Kind(
        "WebP",
        "page",
        "page.webp",
        (
            canvas_of_the_largest_size,
            canvas_just_below_the_limit,
            animation_of_many_frames,
            lossless_of_noise,
            lossy_of_noise,
            chunks_that_lie,
            cut_picture,
            two_sizes,
        ),
    ),
    Kind(
        "HEIC",
        "page",
        "page.heic",
        (
            boxes_that_lie,
            size_of_enormous_width,
            size_below_the_limit,
            counts_of_items_that_lie,
            boxes_within_boxes,
            codes_of_noise,
            cut_boxes,
            item_within_itself,
        ),
    ),
    Kind(
        "BMP",
        "page",
        "page.bmp",
        (
            bitmap_of_enormous_size,
            bitmap_of_negative_size,
            bitmap_of_run_lengths,
            bitmap_without_rows,
            bitmap_with_billions_of_colors,
            bitmap_of_odd_masks,
            bitmap_with_a_header_of_any_size,
            bitmap_with_pixels_before_itself,
        ),
    ),
)
