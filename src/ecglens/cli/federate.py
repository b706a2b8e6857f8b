"""``ecglens federate``: train one model at many sites, whose pages stay where they are."""

import logging
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ecglens.cli.choices import complete_from
from ecglens.cli.sources import Rules, Scheme, load_pages, load_training
from ecglens.cli.train import Cache, Changes, parse_seeds
from ecglens.settings import load_settings

if TYPE_CHECKING:
    from ecglens.federation.strategies import StrategySettings

__all__ = ["app"]

app = typer.Typer(help="Train one model at many sites, whose pages stay where they are.", no_args_is_help=True)

Strategy = Annotated[
    str,
    typer.Option(
        help="fedavg, fedprox, fedadam, fedyogi, fedbn, trimmed-mean or krum.",
        metavar="NAME",
        autocompletion=complete_from("ecglens.federation.strategies:STRATEGIES"),
    ),
]
Rounds = Annotated[
    int | None, typer.Option(min=1, help="Number of rounds; as many as give the epochs of the recipe by default.")
]
Epochs = Annotated[int, typer.Option(min=1, help="Epochs at each site in each round.")]
MinSites = Annotated[int, typer.Option(min=1, help="Number of sites that have to reply in a round.")]
Timeout = Annotated[float, typer.Option(min=1, help="Time in s after which the server goes on without a site.")]
Proximal = Annotated[
    float | None, typer.Option(min=0, help="Weight of the distance from the server's weights, for fedprox.")
]
ServerRate = Annotated[float | None, typer.Option(min=0, help="Learning rate of the server, for fedadam and fedyogi.")]
Trim = Annotated[float | None, typer.Option(help="Share of sites to leave out at each end, for trimmed-mean.")]
Poisoned = Annotated[int | None, typer.Option(min=0, help="Number of poisoned sites to resist, for krum.")]
Secure = Annotated[
    bool, typer.Option("--secure", help="Mask the updates, so that the server learns their sum only (SecAgg+).")
]
Noise = Annotated[
    float, typer.Option(min=0, help="Noise of differential privacy, in clipping norms; needs fedbn. 0 adds none.")
]
Clip = Annotated[float, typer.Option(min=0, help="Largest norm of a site's update, with noise.")]
Start = Annotated[Path | None, typer.Option(help="Run folder whose final weights are the initial ones.")]


@app.command("simulate")
def simulate_sites(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file.")],
    data: Annotated[Path, typer.Option(help="CSV of recordings, such as ecglens audit writes, or folder by label.")],
    out: Annotated[Path, typer.Option(help="Run folder.")],
    sites: Annotated[
        str, typer.Option(help="Column of the table, or label-skew:ALPHA, or label-skew:ALPHA:SITES.", metavar="NAME")
    ] = "batch",
    strategy: Strategy = "fedavg",
    rounds: Rounds = None,
    epochs: Epochs = 1,
    tune: Annotated[int, typer.Option(min=0, help="Epochs in which each site fits its own last layers.")] = 0,
    shared: Annotated[
        float, typer.Option(min=0, help="Share of the training recordings that all sites have, to train on first.")
    ] = 0.0,
    start: Start = None,
    changes: Changes = None,
    labels: Rules = None,
    scheme: Scheme = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="honest, leave-one-out:COLUMN to leave a site out, or a file with a split.",
            autocompletion=complete_from(("honest", "leave-one-out:")),
        ),
    ] = "honest",
    seeds: Annotated[str, typer.Option(help="Seeds of sites, folds and weights, separated by commas.")] = "0",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of the honest protocol.")] = 5,
    fit: Annotated[bool, typer.Option("--fit", help="Also train one model on all recordings.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, at the round.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that run sites.")] = 1,
    min_sites: MinSites = 2,
    timeout: Timeout = 3600.0,
    proximal: Proximal = None,
    server_rate: ServerRate = None,
    trim: Trim = None,
    poisoned: Poisoned = None,
    secure: Secure = False,
    noise: Noise = 0.0,
    clip: Clip = 1.0,
    cache: Cache = None,
) -> None:
    """Train a recipe at simulated sites on this machine, fold by fold."""
    _prepare()
    from ecglens.cli.training import show_training
    from ecglens.federation.plan import FederationPlan
    from ecglens.federation.simulate import calibrate_run, check_federation, simulate
    from ecglens.federation.sites import parse_site_plan
    from ecglens.models.train import run
    from ecglens.models.train.devices import ALONE
    from ecglens.models.train.folder import Plan, lock_run, start_run
    from ecglens.models.train.recipe import load_recipe

    loaded = load_recipe(recipe, changes=changes or ())
    plan = FederationPlan(
        sites=parse_site_plan(sites),
        strategy=_settings(strategy, min_sites, proximal, server_rate, trim, poisoned, noise, clip),
        rounds=rounds,
        epochs=epochs,
        tune_epochs=tune,
        shared=shared,
        start=None if start is None else str(start),
        secure=secure,
        timeout_s=timeout,
    )
    whole, numbers, command_line = Plan(protocol, folds), parse_seeds(seeds), "ecglens " + shlex.join(sys.argv[1:])
    run.check_recipe(loaded)
    recordings = load_training(data, labels, scheme, signals=set(loaded.input.shapes) == {"signal"})
    run.check_data(recordings, loaded, whole, numbers)
    check_federation(recordings, loaded, whole, plan)
    with lock_run(out):
        start_run(recordings, loaded, out, whole, command=command_line, resume=resume)
        with show_training(True, resume_hint="The same command with --resume continues.") as listener:
            context = run.RunContext(ALONE, cache or load_settings().cache_dir, listener, os.cpu_count() or 1)
            simulate(recordings, loaded, out, whole, plan, seeds=numbers, context=context, workers=workers, fit=fit)
    for seed in numbers:
        for site in calibrate_run(recordings, loaded, out, plan, seed=seed):
            typer.echo(f"seed {seed}, {site.describe()}")
    _print_end(out)


@app.command("simulate-signals")
def simulate_signal_sites(
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders of PTB-XL: the official one first, then any with its records as arrays."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder; finished folds and rounds in it are not trained again.")],
    sites: Annotated[str, typer.Option(help="Column of PTB-XL's tables, such as device or site.")] = "device",
    strategy: Strategy = "fedavg",
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 20,
    epochs: Epochs = 1,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds; patients stay together.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, weights and cuts.")] = 0,
    min_sites: MinSites = 2,
    proximal: Proximal = None,
    server_rate: ServerRate = None,
    trim: Trim = None,
    poisoned: Poisoned = None,
    secure: Secure = False,
    noise: Noise = 0.0,
    clip: Clip = 1.0,
) -> None:
    """Train the model of signals at simulated sites on this machine, on records whose site is known."""
    _prepare()
    from itertools import chain

    from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays, read_ptbxl_column
    from ecglens.evaluation.several_labels import macro_auroc
    from ecglens.federation.plan import FederationPlan
    from ecglens.federation.simulate_signals import place_groups, simulate_signals
    from ecglens.models.train.signal_set import make_signal_set

    official, *arrays = data
    place_of = read_ptbxl_column(data, sites)
    records = chain(read_ptbxl(official), *(read_ptbxl_arrays(folder, official) for folder in arrays))
    signals = make_signal_set(record for record in records if place_of.get(record.ecg_id))
    places = place_groups([place_of[number] for number in signals.ecg_ids.tolist()], signals.groups.tolist())
    settings = _settings(strategy, min_sites, proximal, server_rate, trim, poisoned, noise, clip)
    plan = FederationPlan(strategy=settings, epochs=epochs, secure=secure)
    answers = simulate_signals(signals, places, out, plan, rounds=rounds, folds=folds, seed=seed, report=typer.echo)
    macro = macro_auroc(signals.targets[answers.rows] > 0, answers.logits)
    figure = "not defined" if macro is None else f"{macro:.3f}"
    typer.echo(f"{len(answers.rows)} whole recordings out of fold, {len(set(places))} sites: macro AUROC {figure}")
    _print_end(out)


@app.command("server")
def serve_sites(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Run folder; a run in it that was stopped goes on at the round.")],
    ca: Annotated[Path, typer.Option(help="Certificate of the authority that signed the server's certificate.")],
    certificate: Annotated[Path, typer.Option(help="The server's certificate.")],
    key: Annotated[Path, typer.Option(help="The server's private key.")],
    site: Annotated[list[str], typer.Option(metavar="NAME=FILE", help="Public key of a site; repeat for each.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 9092,
    name: Annotated[str, typer.Option(help="Name of the server in its certificate.")] = "localhost",
    strategy: Strategy = "fedavg",
    rounds: Rounds = None,
    epochs: Epochs = 1,
    start: Start = None,
    changes: Changes = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    min_sites: MinSites = 2,
    timeout: Timeout = 3600.0,
    proximal: Proximal = None,
    server_rate: ServerRate = None,
    trim: Trim = None,
    poisoned: Poisoned = None,
    secure: Secure = False,
    noise: Noise = 0.0,
    clip: Clip = 1.0,
    compare_pages: Annotated[
        bool, typer.Option("--compare-pages", help="Stop if several sites have the same page, by keyed fingerprints.")
    ] = False,
) -> None:
    """Serve a federated training for real sites over TLS, until the last round is finished."""
    _prepare()
    from ecglens.federation.deployment import ServerAddress, serve_federation
    from ecglens.federation.plan import FederationPlan
    from ecglens.models.train.folder import lock_run
    from ecglens.models.train.recipe import load_recipe
    from ecglens.models.train.run import check_recipe

    loaded = load_recipe(recipe, changes=changes or ())
    check_recipe(loaded)
    plan = FederationPlan(
        strategy=_settings(strategy, min_sites, proximal, server_rate, trim, poisoned, noise, clip),
        rounds=rounds,
        epochs=epochs,
        start=None if start is None else str(start.resolve()),
        secure=secure,
        timeout_s=timeout,
        compare_pages=compare_pages,
    )
    address = ServerAddress(host, port, ca, certificate, key, name)
    with lock_run(out):
        serve_federation(loaded, plan, out, address, _parse_sites(site), seed=seed)
    _print_end(out)


@app.command("site")
def join_server(
    data: Annotated[Path, typer.Option(help="CSV of recordings, or folder by label.")],
    folder: Annotated[Path, typer.Option(help="Folder of what stays at the site: audit, prepared pages, weights.")],
    server: Annotated[str, typer.Option(help="Host and port of the server.")],
    ca: Annotated[Path, typer.Option(help="Certificate of the authority that signed the server's certificate.")],
    key: Annotated[Path, typer.Option(help="Private key of this site.")],
    labels: Rules = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on the loopback interface for this site's own processes.")
    ] = 9094,
    fingerprint_key: Annotated[
        Path | None, typer.Option(help="File with the key of the sites, to find pages that several sites have.")
    ] = None,
) -> None:
    """Audit the pages of this site, then train on them whenever the server requests it, until stopped."""
    _prepare()
    from ecglens.federation.deployment import check_site_data, run_site

    console = Console(stderr=True, highlight=False)
    console.print(check_site_data(load_pages(data, labels), folder, workers=os.cpu_count() or 1), soft_wrap=True)
    run_site(folder, server, ca, key, port=port, fingerprint_key=fingerprint_key)


def _prepare() -> None:
    """Check that the optional packages are installed, and let nothing be reported to anybody."""
    from ecglens.extras import require

    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    require("torch", extra="federate").set_num_threads(1)
    require("flwr", extra="federate")
    logging.getLogger("flwr").setLevel(logging.WARNING)


def _settings(
    name: str,
    min_sites: int,
    proximal: float | None,
    server_rate: float | None,
    trim: float | None,
    poisoned: int | None,
    noise: float,
    clip: float,
) -> "StrategySettings":
    from ecglens.federation.strategies import StrategyLimits, StrategySettings

    changed = {"proximal": proximal, "server_rate": server_rate, "trim": trim, "poisoned": poisoned}
    limits = StrategyLimits(**{key: value for key, value in changed.items() if value is not None})  # type: ignore[arg-type]  # each has its type
    return StrategySettings(name, min_sites, limits, noise, clip)


def _parse_sites(texts: list[str]) -> dict[str, Path]:
    sites = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise typer.BadParameter(f"expected a site as NAME=FILE, got '{text}'")
        sites[name] = Path(file)
    return sites


def _print_end(out: Path) -> None:
    Console(stderr=True, highlight=False).print(f"The run is complete in {out}.", soft_wrap=True)
