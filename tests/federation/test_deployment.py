"""Real sites: processes of their own in folders of their own, over TLS on the loopback interface."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from federation_keys import write_authority, write_site_key
from safetensors.torch import load_file
from tiny_runs import RECIPE, write_recordings

from ecglens.datasets.recordings import Recordings
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation.deployment import ServerAddress, check_site_data, run_site, serve_federation
from ecglens.federation.plan import FederationPlan
from ecglens.federation.strategies import StrategySettings
from ecglens.models.train.folder import table_hash

SITES = ("north", "south", "west")


def find_ports(count):
    """Return free ports of the loopback interface."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_site(folder, name, server, port):
    """Start a site with a folder of its own: its pages, its key, and the certificate of the authority."""
    home = folder / name
    home.mkdir()
    key = write_site_key(home, "key")
    write_recordings(home / "pages").to_csv(home / "recordings.csv")
    command = [
        *(sys.executable, "-m", "ecglens", "federate", "site", "--data", str(home / "recordings.csv")),
        *("--folder", str(home / "stays"), "--server", server, "--ca", str(folder / "ca.crt")),
        *("--key", str(key), "--port", str(port)),
    ]
    with (home / "out.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=home)


def stop(process, kind=signal.SIGTERM):
    """Stop a site with its own processes."""
    if process.poll() is None:
        os.killpg(process.pid, kind)
        process.wait(timeout=30)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_three_sites_train_over_tls_and_go_on_when_one_dies(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    write_authority(tmp_path)
    port, *own_ports = find_ports(5)
    out, server = tmp_path / "server", f"localhost:{port}"
    processes = {}
    try:
        for name, own in zip((*SITES, "stranger"), own_ports, strict=True):
            processes[name] = start_site(tmp_path, name, server, own)
        watcher = threading.Thread(target=_kill_after_first_round, args=(out, processes["west"]))
        watcher.start()
        address = ServerAddress("127.0.0.1", port, *(tmp_path / f for f in ("ca.crt", "server.crt", "server.key")))
        plan = FederationPlan(strategy=StrategySettings(min_sites=2), rounds=2, timeout_s=75)
        serve_federation(RECIPE, plan, out, address, {name: tmp_path / name / "key.pub" for name in SITES})
        watcher.join()
    finally:
        for process in processes.values():
            stop(process)
    first, second = parse_json((out / "rounds.json").read_bytes())
    assert (first["sites"], first["left_out"]) == (3, [])
    assert second["sites"] == 2
    assert [reason.endswith(": no reply") for reason in second["left_out"]] == [True]
    weights = load_file(out / "final" / "last.safetensors")
    assert all(value.isfinite().all() for value in weights.values())
    counts = parse_json((out / "answers.json").read_bytes())
    assert len(counts) == 2
    assert "Failed to activate SuperNode" in (tmp_path / "stranger" / "stays" / "site.log").read_text()
    assert not [path for path in out.rglob("*") if path.suffix == ".png"]
    assert "pages" not in (out / "server.log").read_text()


def _kill_after_first_round(out, process):
    for _ in range(1500):
        if (out / "rounds.safetensors").exists():
            stop(process, signal.SIGKILL)
            return
        time.sleep(0.2)


def test_a_site_is_audited_and_trains_on_the_table_of_the_audit(tmp_path):
    table = write_recordings(tmp_path / "pages")
    verdict = check_site_data(table, tmp_path / "site")
    assert "1 are surplus copies" in verdict
    stored = Recordings.from_csv(tmp_path / "site" / "recordings.csv")
    assert len(stored.canonical()) == 8
    assert parse_json((tmp_path / "site" / "checked.json").read_bytes())["hash"] == table_hash(stored)
    assert (tmp_path / "site" / "audit" / "audit.md").exists()


def test_a_recording_with_two_labels_is_refused(tmp_path):
    table = write_recordings(tmp_path / "pages")
    rows = [*table.rows[:-1], replace(table.rows[-1], label="normal")]
    with pytest.raises(TrainingError, match="one label for each recording, but 1 have two"):
        check_site_data(Recordings(tuple(rows)), tmp_path / "site")
    assert not (tmp_path / "site" / "checked.json").exists()


def test_missing_certificates_are_named(tmp_path):
    address = ServerAddress("127.0.0.1", 1, *(tmp_path / name for name in ("ca.crt", "server.crt", "server.key")))
    with pytest.raises(TrainingError, match=r"ca\.crt', but there is no such file"):
        serve_federation(RECIPE, FederationPlan(), tmp_path / "run", address, {})
    with pytest.raises(TrainingError, match=r"ca\.crt', but there is no such file"):
        run_site(tmp_path, "localhost:1", tmp_path / "ca.crt", tmp_path / "key")


def test_a_simulated_feature_is_refused_by_a_server(tmp_path):
    address = ServerAddress("127.0.0.1", 1, *(tmp_path / name for name in ("ca.crt", "server.crt", "server.key")))
    with pytest.raises(TrainingError, match="which are only simulated"):
        serve_federation(RECIPE, FederationPlan(tune_epochs=1), tmp_path / "run", address, {})
