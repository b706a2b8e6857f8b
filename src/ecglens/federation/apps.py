"""Flower apps of a deployment: the server's, and that of a site.

Flower loads ``server_app`` and ``client_app`` in processes of their own, by the small bundle that
:mod:`ecglens.federation.deployment` writes. Settings of the run come from the server, those of a site from the site.
"""

import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from ecglens.datasets import splits
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Fold
from ecglens.documents import parse_json
from ecglens.errors import DatasetError, TrainingError
from ecglens.federation.client import OpenSite, make_client_app
from ecglens.federation.copies import compute_fingerprints
from ecglens.federation.local import PageTask
from ecglens.federation.plan import make_orders, parse_plan
from ecglens.federation.privacy import client_mods, make_secure_combination
from ecglens.federation.rounds import RoundPlan, ask_sites, find_copies, run_rounds
from ecglens.federation.strategies import make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared, load_tensors
from ecglens.models.train.checkpoint import save_weights, write_whole
from ecglens.models.train.devices import ALONE
from ecglens.models.train.folder import table_hash
from ecglens.models.train.loop import LAST
from ecglens.models.train.recipe import Recipe
from ecglens.models.train.run import FINAL, Listener, RunContext, build_model, load_final, prepare_rows

__all__ = ["ANSWERS", "CHECKED", "TABLE", "make_site_app", "open_site", "run_server", "server_app"]

CHECKED, TABLE = "checked.json", "recordings.csv"
"""Files of the audit in the folder of a site: the hash of the table that was checked, and the table."""

ANSWERS = "answers.json"
"""File of the server with the counts that sites sent of their test rows."""

_TEST_FRACTION = 0.2
_log = logging.getLogger(__name__)

server_app = ServerApp()


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds of a deployment."""
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    run_server(grid, context.run_config)


def run_server(grid: Grid, config: Any) -> None:
    """Run the rounds, store the weights, and let the sites answer their test rows.

    Args:
        grid: Flower grid to the sites.
        config: Settings of the run: ``out``, the run folder; ``recipe`` and ``plan``, JSON; ``seed``; ``sites``, the
            number of sites that may join, for all of which the server waits as long as for a reply.

    Raises:
        TrainingError: Too few sites reply.
    """
    out, recipe = Path(str(config["out"])), Recipe.model_validate_json(str(config["recipe"]))
    plan, seed = parse_plan(str(config["plan"])), int(config["seed"])
    network = build_model(recipe, seed=seed) if plan.start is None else load_final(recipe, Path(plan.start))
    names = list_shared(network, local_norms=plan.strategy.local_norms)
    own = tuple(name for name in list_shared(network) if name not in names)
    strategy = make_strategy(plan.strategy, list_parameters(network), sites=plan.strategy.min_sites)
    orders = make_orders(recipe, plan, seed=seed)
    _wait_for_sites(grid, int(config["sites"]), plan.timeout_s)
    copies = find_copies(grid, timeout_s=plan.timeout_s) if plan.compare_pages else []
    if copies:
        write_whole(out / "copies.json", json.dumps(copies, indent=1).encode())
        raise TrainingError(
            f"Expected every page at one site, but {len(copies)} are at several; copies.json names the sites, which "
            "have to agree who keeps them."
        )
    weights, figures = run_rounds(
        grid,
        strategy,
        get_arrays(network, names),
        RoundPlan(orders, min_sites=plan.strategy.min_sites, timeout_s=plan.timeout_s),
        out,
        start=get_arrays(network, own) if own else None,
        combine=make_secure_combination(plan.timeout_s) if plan.secure else None,
        on_round=lambda each: _log.info("Round %d of %d: %d sites.", each.round, len(orders), each.sites),
    )
    write_whole(out / "rounds.json", json.dumps([each.to_dict() for each in figures], indent=1).encode())
    counts = ask_sites(grid, strategy, weights, orders[-1], timeout_s=plan.timeout_s, labels=len(recipe.labels))
    write_whole(out / ANSWERS, json.dumps({str(node): each.tolist() for node, each in counts.items()}).encode())
    load_tensors(network, weights)
    save_weights(out / FINAL / LAST, network)


def _wait_for_sites(grid: Grid, count: int, timeout_s: float, *, pause_s: float = 1.0) -> None:
    """Wait until all sites are connected, but no longer than for a reply."""
    begun = time.monotonic()
    while len(list(grid.get_node_ids())) < count and time.monotonic() - begun < timeout_s:
        time.sleep(pause_s)


def make_site_app(secure: bool, noise: bool) -> Any:
    """Make the ClientApp of a site of a deployment, with the requested protection."""
    mods = client_mods(secure=secure, clips=noise)
    return make_client_app(open_site, mods=mods, secure=secure)


def open_site(context: Context) -> OpenSite:
    """Open the site of a Flower context.

    The node's settings are ``folder``, the folder of what stays at the site with the audited table, and perhaps
    ``key``, a file with the key of the fingerprints.

    Raises:
        TrainingError: The table was not audited or has changed, or it has a label that the recipe lacks.
    """
    torch.set_num_threads(1)
    folder, recipe = (
        Path(str(context.node_config["folder"])),
        Recipe.model_validate_json(str(context.run_config["recipe"])),
    )
    recordings = _read_checked(folder)
    unknown = sorted(set(recordings.labels) - set(recipe.labels))
    if unknown:
        raise TrainingError(f"Expected labels of the recipe, got '{unknown[0]}'; correct the table of this site.")
    learn, test = _hold_out(recordings)
    prepared = prepare_rows(
        recordings, recipe, recordings.canonical_indices(), RunContext(ALONE, folder / "cache", Listener())
    )
    key = context.node_config.get("key")
    prints = None if key is None else compute_fingerprints([row.path for row in recordings], Path(str(key)))
    number = int(context.node_id) % 2**32
    place = folder / f"run-{context.run_config['name']}"
    return OpenSite(PageTask(prepared, learn, test), place, number, prints)


def _read_checked(folder: Path) -> Recordings:
    """Read the audited table, unless its pages have changed since the audit."""
    if not (folder / CHECKED).exists():
        raise TrainingError(f"Expected an audited table in '{folder}'; start the site with ecglens federate site.")
    recordings = Recordings.from_csv(folder / TABLE)
    if parse_json((folder / CHECKED).read_bytes())["hash"] != table_hash(recordings):
        raise TrainingError(f"The pages have changed since the audit in '{folder}'; start the site again.")
    return recordings


def _hold_out(recordings: Recordings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out a fifth of the groups as test rows; none where some label has too few groups."""
    rows = recordings.canonical_indices()
    try:
        return splits.inner(recordings, Fold(rows, np.empty(0, dtype=np.intp), "site"), seed=0, fraction=_TEST_FRACTION)
    except DatasetError as error:
        _log.warning("No test rows are held out at this site. %s", error)
        return rows, np.empty(0, dtype=np.intp)
