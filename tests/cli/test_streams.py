import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from ecglens.cli import main
from ecglens.cli.streams import OUTPUT_CLOSED
from ecglens.errors import ModelError, SettingsWarning

DATA = Path(__file__).resolve().parents[1] / "data"
ENVIRONMENTS = (
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)


def run_main(monkeypatch, encoding, command):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr("ecglens.cli.app", command)
    with pytest.raises(SystemExit, match="2"):
        main()
    for stream in streams.values():
        stream.flush()
    return [stream.buffer.getvalue().decode(encoding) for stream in streams.values()]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "█ −45 ± 4 ° ♥ \udcff"), ("latin-1", "# -45 ± 4 ° ? ?"), ("ascii", "# -45 +- 4  deg ? ?")],
)
def test_what_an_encoding_lacks_is_replaced_and_a_figure_keeps_its_sign(monkeypatch, encoding, expected):
    text = "█ −45 ± 4 ° ♥ \udcff"

    def command():
        sys.stdout.write(f"{text}\n")
        raise ModelError(text)

    out, err = run_main(monkeypatch, encoding, command)
    expected = expected.replace("\udcff", "?")
    assert out == f"{expected}\n"
    assert err == f"ecglens: {expected}\n"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=("latin-1", "ascii"))
def test_a_page_is_read_whatever_the_encoding_of_the_terminal(environment):
    command = [sys.executable, "-m", "ecglens", "read", str(DATA / "HB_1.jpg"), "n\udcff.jpg"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, timeout=300, check=False)

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"98.1 % ####" in done.stdout
    assert b"V5       -0.07" in done.stdout
    assert done.stderr.count(b"\n") == 1


def test_a_warning_of_the_settings_is_one_line_without_a_place_in_our_code(monkeypatch):
    def command():
        warnings.warn("ECGLENS_X has no effect.", SettingsWarning, stacklevel=1)
        warnings.warn("of another kind", UserWarning, stacklevel=1)
        raise ModelError("The end.")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        _, err = run_main(monkeypatch, "utf-8", command)
    lines = err.splitlines()
    assert lines[0] == "ecglens: ECGLENS_X has no effect."
    assert "UserWarning: of another kind" in lines[1]
    assert lines[-1] == "ecglens: The end."


@pytest.mark.skipif(os.name == "nt", reason="has no SIGPIPE")
@pytest.mark.parametrize("form", [["--json"], []], ids=("lines", "text"))
def test_a_command_ends_quietly_when_nobody_reads_its_output(form, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes((DATA / "HB_1.jpg").read_bytes())
    command = [sys.executable, "-m", "ecglens", "read", str(tmp_path), "--no-measure", *form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (OUTPUT_CLOSED, b"")
