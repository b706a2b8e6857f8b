"""Metadata of a package: addresses of the project, and a README that is read without the files beside it."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
hatch_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hatch_build)
ADDRESS = "https://example.org/someone/ecglens"


def test_links_to_files_become_absolute():
    text = "See [data](docs/data.md#sources), ![a page](docs/page.png) and [NumPy](https://numpy.org)."
    assert hatch_build.link_readme(text, ADDRESS) == (
        f"See [data]({ADDRESS}/blob/main/docs/data.md#sources), ![a page]({ADDRESS}/raw/main/docs/page.png) and "
        "[NumPy](https://numpy.org)."
    )


def test_without_an_address_links_become_words():
    text = "See [data](docs/data.md), ![a page](docs/page.png) and [NumPy](https://numpy.org)."
    assert hatch_build.link_readme(text, "") == "See data,  and [NumPy](https://numpy.org)."


@pytest.mark.parametrize("address", ["", f"{ADDRESS}/"])
def test_the_readme_of_the_package_has_no_relative_link(address, monkeypatch):
    monkeypatch.setenv("ECGLENS_PROJECT_URL", address)
    metadata = {}
    hatch_build.ProjectAddress(str(ROOT), {}).update(metadata)
    assert not hatch_build._LINK.search(metadata["readme"]["text"])
    assert metadata["urls"].get("Homepage") == (ADDRESS if address else None)


def test_every_file_that_the_readme_links_exists():
    targets = [match[3].partition("#")[0] for match in hatch_build._LINK.finditer((ROOT / "README.md").read_text())]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
