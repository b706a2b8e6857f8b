"""Zeros that are packed a thousand to one, made without packing them all."""

import zlib

__all__ = ["deflate_zeros", "zlib_zeros"]

_BLOCK_BYTES = 1_000_000
_ADLER = 65_521


def deflate_zeros(size: int) -> bytes:
    """Return a raw deflate stream that unpacks to so many zeros, rounded up to a megabyte.

    Each block ends in a full flush, so that the packed block can be repeated.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(_BLOCK_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * -(-size // _BLOCK_BYTES) + b"\3\0"


def zlib_zeros(size: int) -> bytes:
    """Return a zlib stream of zeros with the right sum, as for :func:`deflate_zeros`."""
    whole = -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
    return b"\x78\xda" + deflate_zeros(size) + (whole % _ADLER << 16 | 1).to_bytes(4, "big")
