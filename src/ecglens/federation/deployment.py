"""A federation of real sites: Flower's SuperLink at the server and a SuperNode at each site, over TLS.

The server runs ``flower-superlink`` with a certificate, registers the public key of each site, and starts the run; a
site runs ``flower-supernode`` with its private key. Both commands come with Flower, and no port is opened at a site
except on the loopback interface.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import MappingProxyType

import tomli_w

from ecglens.datasets.audit import audit
from ecglens.datasets.recordings import Recordings
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation.apps import CHECKED, TABLE
from ecglens.federation.plan import FederationPlan
from ecglens.models.cards import sha256_of
from ecglens.models.train.checkpoint import write_whole
from ecglens.models.train.folder import table_hash
from ecglens.models.train.loop import LAST
from ecglens.models.train.recipe import Recipe
from ecglens.models.train.run import FINAL

__all__ = ["ServerAddress", "check_site_data", "run_site", "serve_federation"]

_log = logging.getLogger(__name__)
_CONNECTION = "ecglens"
_READY_S = 60.0
_RETRIES = 8
"""Attempts of Flower to reach a server that is away, some minutes; then the site starts Flower again."""
_APP = '''"""Apps of a federated training of ecglens; the code is in the package that is installed at the site."""

from ecglens.federation.apps import make_site_app, server_app

client_app = make_site_app(secure={secure}, noise={noise})

__all__ = ["client_app", "server_app"]
'''


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Address and certificates of the server.

    Attributes:
        host: Host name or address to listen on.
        port: Port.
        ca: Certificate of the authority that signed the server's certificate.
        certificate: The server's certificate.
        key: The server's private key.
        name: Name or address in the certificate, by which the server reaches itself.
    """

    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    name: str = "localhost"


def serve_federation(
    recipe: Recipe,
    plan: FederationPlan,
    out: Path,
    address: ServerAddress,
    sites: Mapping[str, Path],
    *,
    seed: int = 0,
) -> None:
    """Run a federated training with real sites; a run that was stopped goes on at the round.

    Args:
        recipe: Recipe to train.
        plan: Settings of the federated training; its way to divide a table is not used.
        out: Run folder.
        address: Address and certificates of the server.
        sites: Public key of each site by its name; no other site may join.
        seed: Random seed.

    Raises:
        TrainingError: A file is missing, Flower cannot be started, or the training fails.
    """
    plan.check()
    if plan.tune_epochs or plan.shared:
        raise TrainingError("Expected a plan without fine-tuning and shared recordings, which are only simulated.")
    _check_files([address.ca, address.certificate, address.key, *sites.values()])
    if (out / FINAL / LAST).exists():
        raise TrainingError(f"'{out}' already has the weights of a finished run; choose another folder.")
    home = out / "flower"
    _write_app(home / "app", recipe, plan, out.resolve(), seed=seed, sites=len(sites))
    connection = {
        "default": _CONNECTION,
        _CONNECTION: {
            "address": f"{address.name}:{address.port}",
            "root-certificates": str(address.ca.resolve()),
        },
    }
    write_whole(home / "config.toml", tomli_w.dumps({"superlink": connection}).encode())
    write_whole(out / "recipe.json", recipe.model_dump_json(indent=1).encode())
    write_whole(out / "federation.json", json.dumps(plan.to_dict(), indent=1, sort_keys=True).encode())
    command = [
        *("--ssl-ca-certfile", str(address.ca), "--ssl-certfile", str(address.certificate)),
        *("--ssl-keyfile", str(address.key), "--enable-supernode-auth", "--disable-runtime-dependency-installation"),
        *("--host", address.host, "--port", str(address.port), "--database", str(home / "superlink.db")),
    ]
    with _running("flower-superlink", command, home, out / "superlink.log") as link:
        _register(sites, home, link, out / "superlink.log")
        _log.info("The server is ready and waits for %d sites.", plan.strategy.min_sites)
        _run("flwr", ["run", str(home / "app"), _CONNECTION, "--stream"], home, log=out / "server.log")
    if not (out / FINAL / LAST).exists():
        raise TrainingError(f"The training has not finished; '{out / 'server.log'}' has the reason.")


def check_site_data(data: Recordings, folder: Path, *, workers: int = 1) -> str:
    """Audit a site's pages before it joins, and store the table that it trains on.

    Args:
        data: Table with one row per file.
        folder: Folder of what stays at the site.
        workers: Number of processes that read pages.

    Returns:
        The verdict of the audit.

    Raises:
        TrainingError: A recording has two labels, or a page cannot be read.
        DatasetError: No file can be read as an ECG page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    findings = audit(data, store=folder / "audit.db", workers=workers)
    findings.write(folder / "audit")
    if findings.two_labels:
        raise TrainingError(
            f"Expected one label for each recording, but {len(findings.two_labels)} have two, such as "
            f"'{findings.two_labels[0]}'; correct the table. {folder / 'audit' / 'audit.md'} lists them."
        )
    rows = (
        replace(row, path=row.path.resolve(), extra=MappingProxyType(dict(row.extra))) for row in findings.recordings
    )
    checked = Recordings(tuple(rows))
    checked.to_csv(folder / TABLE)
    write_whole(folder / CHECKED, json.dumps({"hash": table_hash(Recordings.from_csv(folder / TABLE))}).encode())
    return findings.verdict()


def run_site(
    folder: Path,
    server: str,
    ca: Path,
    key: Path,
    *,
    port: int = 9094,
    fingerprint_key: Path | None = None,
    attempts: int | None = None,
    pause_s: float = 5.0,
) -> None:
    """Run a site until it is stopped.

    Args:
        folder: Folder of what stays at the site, with the audited table.
        server: Host and port of the server.
        ca: Certificate of the authority that signed the server's certificate.
        key: Private key of the site.
        port: Port on the loopback interface by which the processes of this site talk to each other.
        fingerprint_key: File with the key of the sites, to find pages that several sites have.
        attempts: Number of times that the site tries to reach the server; ``None`` tries until it is stopped.
        pause_s: Time in s between two attempts.

    Raises:
        TrainingError: A file is missing, or the last attempt failed.
    """
    _check_files([ca, key, *([] if fingerprint_key is None else [fingerprint_key])])
    settings = {"folder": str(folder.resolve())}
    if fingerprint_key is not None:
        settings["key"] = str(fingerprint_key.resolve())
    command = [
        *("--superlink", server, "--root-certificates", str(ca), "--auth-supernode-private-key", str(key)),
        *("--node-config", " ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())),
        *("--host", "127.0.0.1", "--port", str(port), "--max-retries", str(_RETRIES)),
    ]
    for attempt in count(1):
        with _running("flower-supernode", command, folder / "flower", folder / "site.log") as node:
            code = node.wait()
        if code == 0:
            return
        if attempts is not None and attempt >= attempts:
            raise TrainingError(
                f"Flower's SuperNode stopped with exit code {code}; '{folder / 'site.log'}' has the reason."
            )
        _log.warning("The server cannot be reached or does not know this site; trying again in %g s.", pause_s)
        time.sleep(pause_s)


def _write_app(folder: Path, recipe: Recipe, plan: FederationPlan, out: Path, *, seed: int, sites: int) -> None:
    """Write the bundle that Flower sends to the sites: settings, and an import of the installed package."""
    project = {
        "build-system": {"requires": ["hatchling"], "build-backend": "hatchling.build"},
        "project": {
            "name": "ecglens-federation",
            "version": "1.0.0",
            "description": "Federated training of ecglens",
            "license": "Apache-2.0",
            "dependencies": [],
        },
        "tool": {
            "flwr": {
                "app": {
                    "publisher": "ecglens",
                    "components": {
                        "serverapp": "federated_app:server_app",
                        "clientapp": "federated_app:client_app",
                    },
                    "config": {
                        "recipe": recipe.model_dump_json(),
                        "plan": json.dumps(plan.to_dict()),
                        "out": str(out),
                        "name": out.name,
                        "seed": seed,
                        "sites": sites,
                    },
                }
            }
        },
    }
    write_whole(folder / "pyproject.toml", tomli_w.dumps(project).encode())
    code = _APP.format(secure=plan.secure, noise=plan.strategy.noise > 0)
    write_whole(folder / "federated_app.py", code.encode())


def _register(sites: Mapping[str, Path], home: Path, link: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the server answers, and register the public keys of sites that it does not know yet."""
    begun, path = time.monotonic(), home / "registered.json"
    while _run("flwr", ["supernode", "list", _CONNECTION], home) != 0:
        if link.poll() is not None or time.monotonic() - begun > _READY_S:
            raise TrainingError(f"Flower's SuperLink does not answer; '{log}' has the reason.")
        time.sleep(1.0)
    registered = dict(parse_json(path.read_bytes())) if path.exists() else {}
    for name, key in sites.items():
        digest = sha256_of(key)
        if registered.get(name) == digest:
            continue
        if _run("flwr", ["supernode", "register", str(key), _CONNECTION, "--name", name], home) != 0:
            raise TrainingError(
                f"The key '{key}' of the site '{name}' could not be registered; expected a public key of ssh-keygen "
                f"-t ecdsa -b 384 that no other site has. '{log}' has the reason."
            )
        registered[name] = digest
        write_whole(path, json.dumps(registered).encode())


def _check_files(paths: Sequence[Path]) -> None:
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise TrainingError(f"Expected a certificate or key in '{missing}', but there is no such file.")


def _environment(home: Path) -> dict[str, str]:
    """Return the variables of Flower's processes: nothing is reported, downloaded or installed."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(home.resolve()),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    }


def _find_program(name: str) -> str:
    program = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise TrainingError(f"Expected Flower's program '{name}'; install it with: pip install 'ecglens[federate]'")
    return program


def _run(name: str, arguments: Sequence[str], home: Path, *, log: Path | None = None) -> int:
    """Run one of Flower's programs to its end, and return its exit code."""
    command = [_find_program(name), *arguments]
    if log is None:
        return subprocess.run(command, env=_environment(home), capture_output=True, check=False).returncode
    with log.open("ab") as stream:
        return subprocess.run(command, env=_environment(home), stdout=stream, stderr=stream, check=False).returncode


@contextmanager
def _running(name: str, arguments: Sequence[str], home: Path, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run one of Flower's programs in the background, and end it with its own processes."""
    home.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [_find_program(name), *arguments], env=_environment(home), stdout=stream, stderr=stream
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
