"""Streams where the extra is not installed: each part that needs it says what to install."""

import asyncio
import subprocess
import sys
import textwrap

import pytest
from streams_help import collect

from ecglens import extras
from ecglens.errors import MissingExtraError
from ecglens.streams import open_source
from ecglens.streams.outputs import open_output
from ecglens.streams.workers import connect_broker


@pytest.fixture
def _without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: str) -> None:
        raise ModuleNotFoundError(name=module.partition(".")[0])

    monkeypatch.setattr(extras, "import_module", refuse)


@pytest.mark.usefixtures("_without_extras")
@pytest.mark.parametrize(
    ("address", "package"),
    [
        ("ble:AA:BB", "bleak"),
        ("lsl:x", "pylsl"),
        ("mqtt://127.0.0.1/x", "aiomqtt"),
        ("ws://127.0.0.1:1", "websockets"),
        ("serial:/dev/null", "serial"),
    ],
)
def test_a_source_names_the_package_and_the_extra(address: str, package: str) -> None:
    with pytest.raises(MissingExtraError, match=rf"This needs {package}.*pip install 'ecglens\[stream\]'"):
        asyncio.run(collect(open_source(address)))


@pytest.mark.usefixtures("_without_extras")
def test_outputs_and_the_broker_name_theirs_too() -> None:
    for address in ("mqtt://127.0.0.1/x", "lsl:x"):
        with pytest.raises(MissingExtraError, match=r"ecglens\[stream\]"):
            open_output(address)
    with pytest.raises(MissingExtraError, match="This needs redis"):
        connect_broker("redis://127.0.0.1:1")


def test_importing_streams_loads_no_extra_and_no_training_framework() -> None:
    code = """
        import sys
        import ecglens.streams
        import ecglens.streams.workers, ecglens.streams.site, ecglens.streams.outputs
        extras = {"bleak", "pylsl", "aiomqtt", "websockets", "serial", "redis", "pyedflib", "torch", "wfdb", "django"}
        print(sorted(extras & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
