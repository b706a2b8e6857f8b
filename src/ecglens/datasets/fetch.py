"""Download public data sets, with resume and checksums; the command prints the license first.

PhysioNet gives no checksum of its archives but a list of the SHA-256 of every file in them, ``SHA256SUMS.txt``: the
list is downloaded too, and every file of the archive is compared with it.

The download is our own because archives have gigabytes and must resume: pooch checks hashes and unpacks, but its
``HTTPDownloader`` always begins again, without a ``Range`` header, and it checks a hash of the archive, which
PhysioNet does not give.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from types import MappingProxyType
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ecglens.errors import DatasetError

__all__ = ["PUBLIC_SETS", "PublicSet", "check_archive", "download", "fetch"]

_BLOCK = 1 << 18
_SHA256 = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A data set that anyone may download.

    Attributes:
        name: Short name.
        title: Full name with authors.
        license: License of the data.
        page: Address of its description.
        url: Address of the archive, or ``None`` where the site requires a click.
        sha256: Hash of the archive, or ``None`` where the publisher gives none.
        sums_url: The publisher's list of the SHA-256 of each file in the archive, or ``None`` where there is none.
    """

    name: str
    title: str
    license: str
    page: str
    url: str | None = None
    sha256: str | None = None
    sums_url: str | None = None


_PHYSIONET = "https://physionet.org"


def _physionet(name: str, title: str, license: str, project: str) -> PublicSet:
    """Return a set by its place on PhysioNet, such as ``mitdb/1.0.0``."""
    slug, version = project.split("/")
    return PublicSet(
        name,
        title,
        license,
        f"{_PHYSIONET}/content/{project}/",
        f"{_PHYSIONET}/content/{slug}/get-zip/{version}/",
        sums_url=f"{_PHYSIONET}/files/{project}/SHA256SUMS.txt",
    )


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
            _physionet("ptbxl", "PTB-XL 1.0.3, Wagner et al.", "CC BY 4.0", "ptb-xl/1.0.3"),
            _physionet(
                "ludb",
                "Lobachevsky University Electrocardiography Database 1.0.1, Kalyakulina et al.",
                "ODC-By 1.0",
                "ludb/1.0.1",
            ),
            _physionet("mitbih", "MIT-BIH Arrhythmia Database 1.0.0, Moody and Mark", "ODC-By 1.0", "mitdb/1.0.0"),
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
    """Download a public set's archive and check it against the publisher's checksums, where there are any.

    Args:
        name: One of ``sets``.
        folder: Folder for the archive.
        sets: The available sets.
        progress: Called with the number of bytes received and of all.

    Returns:
        The archive.

    Raises:
        DatasetError: There is no such set, its site requires a click, the download fails, or a file in the archive is
            not what the publisher's list says.
    """
    if name not in sets:
        raise DatasetError(f"Expected a data set out of {', '.join(sets)}, got '{name}'.")
    chosen = sets[name]
    if chosen.url is None:
        raise DatasetError(
            f"The site of {name} requires a click: open {chosen.page}, choose Download all, unpack the archive, and "
            "give its folder to ecglens."
        )
    archive = download(chosen.url, Path(folder) / f"{name}.zip", sha256=chosen.sha256, progress=progress)
    if chosen.sums_url is not None:
        check_archive(archive, download(chosen.sums_url, archive.with_suffix(".SHA256SUMS.txt")))
    return archive


def check_archive(archive: Path, sums: Path) -> None:
    """Check every file of an archive against the publisher's list; an archive that fails is removed with the list.

    Args:
        archive: A ZIP file; one folder above all files is left out of their names.
        sums: Lines of a SHA-256 and a name.

    Raises:
        DatasetError: The list cannot be read, or a file is missing, damaged or different from the list.
    """
    expected = _read_sums(sums)
    try:
        with zipfile.ZipFile(archive) as packed:
            members = {entry.filename: entry for entry in packed.infolist() if not entry.is_dir()}
            tops = {name.partition("/")[0] for name in members}
            top = f"{tops.pop()}/" if len(tops) == 1 and not members.keys() & expected.keys() else ""
            for name, sha256 in expected.items():
                if top + name not in members:
                    raise _reject(archive, sums, f"{name} is missing")
                digest = hashlib.sha256()
                with packed.open(members[top + name]) as stream:
                    while block := stream.read(_BLOCK):
                        digest.update(block)
                if digest.hexdigest() != sha256:
                    raise _reject(archive, sums, f"{name} has SHA-256 {digest.hexdigest()} in place of {sha256}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _reject(archive, sums, f"it cannot be unpacked ({error})") from error


def _read_sums(sums: Path) -> dict[str, str]:
    pairs = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8", errors="replace").splitlines() if line]
    if not pairs or any(len(pair) != 2 or not _SHA256.fullmatch(pair[0]) for pair in pairs):
        sums.unlink()
        raise DatasetError(
            f"Expected a list of SHA-256 and names in {sums.name}, but it is something else; run it again, or check "
            "the archive by hand."
        )
    return {name.strip().removeprefix("*").removeprefix("./"): sha256.lower() for sha256, name in pairs}


def _reject(archive: Path, sums: Path, reason: str) -> DatasetError:
    archive.unlink()
    sums.unlink()
    return DatasetError(
        f"Expected {archive.name} to hold what its publisher lists, but {reason}; it was removed, run it again."
    )


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Download a file; a stopped download is resumed.

    Args:
        url: An http or https address.
        target: Path of the file; ``.part`` is added until it is complete.
        sha256: Expected hash.
        progress: Called with the number of bytes received and of all, 0 where the server does not say.

    Raises:
        DatasetError: The server refuses, the download ends early, or the hash is another.
    """
    if not url.startswith(("http://", "https://")):
        raise DatasetError(f"Expected an http or https address, got '{url}'.")
    if target.is_file():
        return _check_hash(target, sha256)
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
            raise DatasetError(f"Expected {url} to send a file, but the server answered {error.code}.") from error
        total = have
    except (URLError, TimeoutError, ConnectionError, IncompleteRead) as error:
        raise DatasetError(f"Expected to download {url}, but it failed ({error}); run it again to resume.") from error
    if total and have != total:
        raise DatasetError(f"Expected {total} bytes from {url}, but {have} came; run it again to resume.")
    _check_hash(part, sha256)
    return part.rename(target)


def _check_hash(path: Path, sha256: str | None) -> Path:
    if sha256 is not None:
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != sha256:
            path.unlink()
            raise DatasetError(f"Expected {path.name} with SHA-256 {sha256}, but it has {actual}; it was removed.")
    return path
