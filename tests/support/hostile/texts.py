"""Hostile recipes, and files of formats that pages never have.

The program reads no XML, SVG, GIF or Office file: they are uploaded as pages, which it must refuse by their first
bytes.
"""

import io
import zipfile
import zlib

import numpy as np

from hostile.kinds import Kind, draw_depth

__all__ = ["KINDS"]


def entities_that_expand(random: np.random.Generator) -> bytes:
    """Return XML whose entities expand to gigabytes."""
    lines = [b"<?xml version='1.0'?>\n<!DOCTYPE l [\n<!ENTITY a0 'lol'>"]
    lines += [b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12)]
    return b"\n".join([*lines, b"]>\n<svg xmlns='http://www.w3.org/2000/svg'>&a11;</svg>"])


def entity_of_a_file(random: np.random.Generator) -> bytes:
    """Return XML with an entity that is a file of the machine."""
    return b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><l>&x;</l>"


def elements_within_elements(random: np.random.Generator) -> bytes:
    """Return XML nested tens of thousands of times."""
    depth = int(random.integers(5_000, 10_000))
    return b"<a>" * depth + b"</a>" * depth


def compressed_drawing(random: np.random.Generator) -> bytes:
    """Return an SVG in gzip that unpacks to 100 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b"<svg>" + bytes(90_000_000)) + packer.flush()


def moving_picture(random: np.random.Generator) -> bytes:
    """Return a GIF of 65,535 px each way with frames of noise."""
    return (
        b"GIF89a\xff\xff\xff\xff\xf7\0\0"
        + bytes(768)
        + b"\x2c"
        + bytes(4)
        + b"\xff\xff\xff\xff\0\x08"
        + random.bytes(3000)
    )


def office_file(random: np.random.Generator) -> bytes:
    """Return an Office file whose parts unpack to 100 MB."""
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", bytes(90_000_000))
        return stream.getvalue()


def postscript_that_loops(random: np.random.Generator) -> bytes:
    """Return a PostScript file that never ends."""
    return b"%!PS-Adobe-3.0\n{ } loop\nshowpage\n"


def one_of_two_formats(random: np.random.Generator) -> bytes:
    """Return bytes that are an XML file, a PDF and a ZIP at once."""
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a.png", b"%PDF-1.7")
        return b"<svg>%PDF-1.7\n" + random.bytes(500) + stream.getvalue()


def _recipe(text: str) -> bytes:
    return ('labels = ["normal", "mi"]\n' + text).encode()


def keys_within_keys(random: np.random.Generator) -> bytes:
    """Return a recipe of a key of thousands of parts."""
    return _recipe(".".join(["a"] * draw_depth(random)) + " = 1\n")


def numbers_beyond_numbers(random: np.random.Generator) -> bytes:
    """Return a recipe of numbers that no field can hold."""
    odd = ("inf", "nan", "-1", "1e400", "9" * 4000, "0x" + "f" * 3000, "1979-05-27T07:32:00Z", "[1]", '"many"', "{}")
    value = odd[int(random.integers(len(odd)))]
    keys = ("optimization.epochs", "optimization.batch_size", "optimization.learning_rate", "damage.copies")
    return _recipe("".join(f"{key} = {value}\n" for key in keys))


def tables_of_other_types(random: np.random.Generator) -> bytes:
    """Return a recipe whose sections are lists, texts and numbers."""
    odd = ("5", "[]", '"x"', "[[1]]", "true", "{ kind = [] }", "{ kind = {} }", '{ kind = "page_image", width = [] }')
    value = odd[int(random.integers(len(odd)))]
    return _recipe("".join(f"{key} = {value}\n" for key in ("input", "optimization", "phases", "selection", "model")))


def keys_by_the_hundred_thousand(random: np.random.Generator) -> bytes:
    """Return a recipe of as many keys as fit, none of which exists."""
    return _recipe("".join(f"k{number} = 1\n" for number in range(int(random.integers(5_000, 12_000)))))


def tables_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a recipe of thousands of phases, or of labels."""
    if random.integers(2):
        return _recipe("[[phases]]\nepochs = 1\n" * int(random.integers(2000, 5000)))
    labels = ", ".join(f'"l{number}"' for number in range(int(random.integers(5_000, 10_000))))
    return f"labels = [{labels}]\n".encode()


def letters_that_are_none(random: np.random.Generator) -> bytes:
    """Return a recipe that is no text, or of control characters."""
    return (random.bytes(500), b"\xff\xfe" + _recipe(""), _recipe('title = "\\u0000\\u001b[2J"\n'))[
        int(random.integers(3))
    ]


def quotes_without_end(random: np.random.Generator) -> bytes:
    """Return a recipe of a text that is never closed."""
    return _recipe('title = """' + "\\\n" * int(random.integers(5_000, 40_000)))


def lists_within_lists(random: np.random.Generator) -> bytes:
    """Return a recipe whose labels are nested up to thousands of times."""
    depth = draw_depth(random)
    return b"labels = " + b"[" * depth + b"]" * depth + b"\n"


def patterns_that_never_end(random: np.random.Generator) -> bytes:
    """Return rules whose pattern takes exponential time, or is none."""
    return (b'[labels]\n"(a+)+$" = "x"\n', b'[labels]\n"(((" = "x"\n', b'[labels]\n"a{1,99999999}" = "x"\n')[
        int(random.integers(3))
    ]


KINDS = (
    Kind(
        "XML and others",
        "page",
        "page.png",
        (
            entities_that_expand,
            entity_of_a_file,
            elements_within_elements,
            compressed_drawing,
            moving_picture,
            office_file,
            postscript_that_loops,
            one_of_two_formats,
        ),
    ),
    Kind(
        "Training recipe",
        "recipe",
        "recipe.toml",
        (
            numbers_beyond_numbers,
            tables_of_other_types,
            keys_within_keys,
            keys_by_the_hundred_thousand,
            tables_by_the_thousand,
            letters_that_are_none,
            quotes_without_end,
            lists_within_lists,
        ),
    ),
    Kind("Search space", "search space", "space.toml", (numbers_beyond_numbers, keys_within_keys, lists_within_lists)),
    Kind("Label rules", "label rules", "rules.toml", (patterns_that_never_end, keys_by_the_hundred_thousand)),
)
