"""Download public data sets: with resume, checksum and the licence said first."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ecglens.errors import DatasetError

__all__ = ["PUBLIC_SETS", "PublicSet", "download", "fetch"]

_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A data set that anyone may download.

    Attributes:
        name: Short name.
        title: Full name with authors.
        licence: Its licence.
        page: Where it is described.
        url: The archive, or ``None`` where the site asks for a click.
        sha256: Of the archive, or ``None`` where the publisher gives none.
    """

    name: str
    title: str
    licence: str
    page: str
    url: str | None = None
    sha256: str | None = None


_PHYSIONET = "https://physionet.org"

PUBLIC_SETS: Mapping[str, PublicSet] = MappingProxyType(
    {
        item.name: item
        for item in (
            PublicSet(
                "mendeley",
                "ECG Images dataset of Cardiac Patients, Khan and Hussain, DOI 10.17632/gwbz3fsgp8.2",
                "CC BY 4.0",
                "https://data.mendeley.com/datasets/gwbz3fsgp8/2",
            ),
            PublicSet(
                "ptbxl",
                "PTB-XL 1.0.3, Wagner et al.",
                "CC BY 4.0",
                f"{_PHYSIONET}/content/ptb-xl/1.0.3/",
                f"{_PHYSIONET}/content/ptb-xl/get-zip/1.0.3/",
            ),
            PublicSet(
                "ludb",
                "Lobachevsky University Electrocardiography Database 1.0.1, Kalyakulina et al.",
                "ODC-By 1.0",
                f"{_PHYSIONET}/content/ludb/1.0.1/",
                f"{_PHYSIONET}/content/ludb/get-zip/1.0.1/",
            ),
            PublicSet(
                "mitbih",
                "MIT-BIH Arrhythmia Database 1.0.0, Moody and Mark",
                "ODC-By 1.0",
                f"{_PHYSIONET}/content/mitdb/1.0.0/",
                f"{_PHYSIONET}/content/mitdb/get-zip/1.0.0/",
            ),
        )
    }
)
"""The public sets by name."""


def fetch(
    name: str,
    folder: str | Path,
    *,
    sets: Mapping[str, PublicSet] = PUBLIC_SETS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Download a public set's archive.

    Args:
        name: One of ``sets``.
        folder: Where to put it.
        sets: The sets that are known.
        progress: Called with the bytes there and the bytes of all.

    Returns:
        The archive.

    Raises:
        DatasetError: There is no such set, its site asks for a click, or the download fails.
    """
    if name not in sets:
        raise DatasetError(f"Expected a data set out of {', '.join(sets)}, but got '{name}'.")
    chosen = sets[name]
    if chosen.url is None:
        raise DatasetError(
            f"The site of {name} asks for a click: open {chosen.page}, choose Download all, unpack the archive, and "
            "give its folder to ecglens."
        )
    return download(chosen.url, Path(folder) / f"{name}.zip", sha256=chosen.sha256, progress=progress)


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Download a file; what a stopped download left is taken up again.

    Args:
        url: An http or https address.
        target: Where to put it; ``.part`` is added until it is whole.
        sha256: What it must hash to.
        progress: Called with the bytes there and the bytes of all, 0 where the server does not say.

    Raises:
        DatasetError: The server refuses, the download ends early, or the hash is another.
    """
    if not url.startswith(("http://", "https://")):
        raise DatasetError(f"Expected an http or https address, but got '{url}'.")
    if target.is_file():
        return _checked(target, sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.is_file() else 0
    try:
        with urlopen(Request(url, headers={"Range": f"bytes={have}-"} if have else {}), timeout=60) as answer:
            if answer.status != 206:
                have = 0
            size = int(answer.headers.get("Content-Length") or 0)
            total = have + size if size else 0
            with part.open("ab" if have else "wb") as stream:
                while block := answer.read(_BLOCK):
                    stream.write(block)
                    have += len(block)
                    progress(have, total)
    except HTTPError as error:
        if error.code != 416:  # 416: the part is already whole
            raise DatasetError(f"Expected {url} to send a file, but the server said {error.code}.") from error
        total = have
    except (URLError, TimeoutError, ConnectionError) as error:
        raise DatasetError(f"Expected to download {url}, but it failed ({error}); run it again to go on.") from error
    if total and have != total:
        raise DatasetError(f"Expected {total} bytes from {url}, but {have} came; run it again to go on.")
    _checked(part, sha256)
    return part.rename(target)


def _checked(path: Path, sha256: str | None) -> Path:
    if sha256 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            path.unlink()
            raise DatasetError(f"Expected {path.name} with SHA-256 {sha256}, but it has {found}; it was removed.")
    return path
