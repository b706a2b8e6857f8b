"""Keyed fingerprints of pages, by which a server finds pages that several sites have, without learning about a page.

A fingerprint is the HMAC-SHA-256 of a page's decoded pixels under a key that the sites share and the server does not
have. Equal pixels give equal fingerprints, whatever the file's name or compression without loss; without the key,
nobody can test whether a given page is at a site.

A page that was cropped, resized or compressed again is not found. Finding such copies takes a distance between
signatures of traces (:mod:`ecglens.datasets.duplicates`), and whoever can compute the distance to a signature can also
search for the traces that fit it best: the rates and waves of a patient would leave the site. A keyed hash destroys
distances by design.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ecglens.errors import EcgReadError, TrainingError
from ecglens.pages.read import read_page

__all__ = ["compute_fingerprints", "match_fingerprints"]

_SHORTEST = 16


def compute_fingerprints(paths: Sequence[Path], key: Path) -> tuple[bytes, ...]:
    """Compute the fingerprints of pages, in an order that does not tell which page is which.

    Args:
        paths: Files; those that are no pages are left out.
        key: File with the key of the sites.

    Raises:
        TrainingError: The key cannot be read or is too short.
    """
    try:
        secret = key.read_bytes().strip()
    except OSError as error:
        raise TrainingError(f"Expected the key of the sites in '{key}', but it cannot be read.") from error
    if len(secret) < _SHORTEST:
        raise TrainingError(f"Expected a key of at least {_SHORTEST} bytes in '{key}', got {len(secret)}.")
    prints = set()
    for path in paths:
        try:
            pixels = read_page(path).pixels
        except EcgReadError:
            continue
        content = str(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()
        prints.add(hmac.new(secret, content, hashlib.sha256).digest())
    return tuple(sorted(prints))


def match_fingerprints(prints: Mapping[int, Sequence[bytes]]) -> list[dict[str, object]]:
    """Find the fingerprints that several sites have.

    Args:
        prints: Fingerprints by the number of each site's node.

    Returns:
        One entry for each page at several sites: its fingerprint in hexadecimal, and the nodes.
    """
    nodes_of: dict[bytes, list[int]] = {}
    for node in sorted(prints):
        for value in prints[node]:
            nodes_of.setdefault(value, []).append(node)
    return [{"fingerprint": value.hex(), "nodes": nodes} for value, nodes in nodes_of.items() if len(nodes) > 1]
