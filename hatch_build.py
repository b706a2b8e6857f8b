"""What a package's metadata says of the place where the project is published, which is a setting of the build.

``ECGLENS_PROJECT_URL``, such as ``https://example.org/someone/ecglens``, is the address of a repository whose pages
have addresses as on GitHub and Forgejo. Links of the README are absolute then, since a package index shows it without
the files beside it. Without the setting, such links become plain words, and no address is named.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_SETTING = "ECGLENS_PROJECT_URL"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)")
"""Link or picture of Markdown whose target is a file of the repository."""


class ProjectAddress(MetadataHookInterface):
    """Hook of hatchling that completes the README and the addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme`` and ``urls``."""
        address = os.environ.get(_SETTING, "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": link_readme(text, address)}
        metadata["urls"] = list_addresses(address)


def list_addresses(address: str) -> dict[str, str]:
    """Return the project's addresses by their names; none where the project has no address."""
    if not address:
        return {}
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/main/docs/start.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def link_readme(text: str, address: str) -> str:
    """Return a README that can be read without the files beside it.

    Args:
        text: Markdown.
        address: Address of the project; empty where it has none.
    """

    def replace(match: re.Match[str]) -> str:
        is_picture, words, target = match[1] == "!", match[2], match[3]
        if not address:
            return "" if is_picture else words
        return f"{match[1]}[{words}]({address}/{'raw' if is_picture else 'blob'}/main/{target})"

    return _LINK.sub(replace, text)
