"""``ecglens evaluate``: evaluate the predictions of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ecglens.cli.choices import complete_models
from ecglens.cli.names import table_name
from ecglens.cli.sources import Rules, Scheme, load_pages, load_training
from ecglens.documents import dump_document
from ecglens.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np

    from ecglens.evaluation.predictions import Predictions
    from ecglens.evaluation.sections import Section
    from ecglens.external_validation import Answers

__all__ = ["command"]


def command(
    source: Annotated[
        Path, typer.Argument(help="Table of predictions, run of ecglens train, or with --model, labeled pages.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the report: HTML, plots, Markdown and JSON.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name or folder of a model to read the pages of SOURCE with.", autocompletion=complete_models
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Table or folder that a run was trained from.")] = None,
    labels: Rules = None,
    scheme: Scheme = None,
    control: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Predictions of a control model on the same pages; repeatable."),
    ] = None,
    damage: Annotated[int, typer.Option(min=0, help="With --model: number of pages to damage in every way.")] = 0,
    explain: Annotated[int, typer.Option(min=0, help="With --model: number of pages to check explanations on.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of a run, and random seed.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the model in the report.")] = None,
    draws: Annotated[int, typer.Option(min=20, help="Number of bootstrap samples over groups.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
) -> None:
    """Evaluate predictions on labeled pages: metrics with intervals, next to those of control models.

    With --model, the pages are read first, and the report says which of them the model was trained on.
    """
    import numpy as np

    from ecglens.cli.progress import bar
    from ecglens.evaluation.evaluate import evaluate
    from ecglens.evaluation.predictions import read_predictions
    from ecglens.evaluation.report import to_markdown, write_report

    if not source.exists():
        raise DatasetError(
            f"Expected a table of predictions, a run of ecglens train or, with --model, labeled pages at {source}, got "
            "nothing there; check the path."
        )
    _refuse_unused(
        model,
        run=source.is_dir(),
        options={"--damage": damage, "--explain": explain, "--data": data, "--labels": labels, "--scheme": scheme},
    )
    files: int | None = None
    notes: tuple[str, ...] = ()
    sections: list[Section] = []
    rng = np.random.default_rng(seed)
    if model is not None:
        answered, sections = _predict_pages(
            source, model, labels, rng=rng, pictures=out is not None, damage=damage, explain=explain
        )
        files, predictions, notes = answered.requested, answered.predictions, answered.notes()
    elif source.is_dir():
        files, predictions, sections = _load_run(source, data, labels, scheme, seed=seed, pictures=out is not None)
    else:
        predictions = read_predictions(source, named=bool(control))
    references = dict(map(_control, control or ()))
    with bar("Resampling groups") as progress:
        evaluation = evaluate(
            predictions,
            name=name or model or table_name(source),
            files=files,
            rng=rng,
            draws=draws,
            references=references,
            notes=notes,
            progress=progress,
        )
    if out is not None:
        write_report(evaluation, out, sections)
    print(
        dump_document("ecglens-evaluation", evaluation.to_dict(), indent=1)
        if as_json
        else to_markdown(evaluation, sections)
    )
    if out is not None:
        Console(stderr=True, highlight=False).print(f"The report is {out / 'index.html'}.", soft_wrap=True)


def _refuse_unused(model: str | None, *, run: bool, options: dict[str, object]) -> None:
    """Refuse options that have no effect."""
    used = {"--damage", "--explain", "--labels"} if model else {"--data", "--labels", "--scheme"} if run else set()
    unused = [name for name, value in options.items() if value and name not in used]
    if unused:
        kind = "labeled pages and --model" if model else "a run" if run else "a table of predictions"
        raise typer.BadParameter(f"has no effect with {kind}; leave it out", param_hint=unused[0])


def _predict_pages(
    source: Path,
    model: str,
    labels: Path | None,
    *,
    rng: "np.random.Generator",
    pictures: bool,
    damage: int,
    explain: int,
) -> "tuple[Answers, list[Section]]":
    """Return a model's own predictions on labeled pages, and sections about them."""
    from ecglens.cli.progress import bar
    from ecglens.evaluation.explained import explained_sections
    from ecglens.explanation_checks import check_explanations
    from ecglens.external_validation import answer_pages, damage_pages, damage_section, gallery
    from ecglens.models.explain.stored import load_checks
    from ecglens.pages.read import read_page
    from ecglens.reading import load_runtime

    recordings, runtime = load_pages(source, labels), load_runtime(model)
    with bar("Reading pages") as progress:
        answered = answer_pages(recordings, runtime, progress=progress)
    sections = [answered.section()]
    if answered.refused:
        sections.append(answered.refusals(recordings))
    paths = [recordings[int(row)].path for row in answered.rows]
    if damage:
        with bar("Damaging pages") as progress:
            damaged = damage_pages(recordings.subset(answered.rows), runtime, pages=damage, rng=rng, progress=progress)
        sections.append(damage_section(damaged))
    sampled = rng.permutation(len(paths))[:explain].tolist()
    checks = check_explanations((read_page(paths[row]) for row in sampled), runtime) if explain else None
    available = checks or load_checks(runtime.card)
    if available is not None:
        sections += explained_sections(available, stored=checks is None)
    if pictures:
        sections += gallery(answered.predictions, paths, rng=rng, runtime=runtime)
    return answered, sections


def _load_run(
    run: Path, data: Path | None, labels: Path | None, scheme: str | None, *, seed: int, pictures: bool
) -> "tuple[int, Predictions, list[Section]]":
    """Return the number of recordings, the predictions of a run on held-out pages, and sections about it."""
    import numpy as np

    from ecglens.extras import require

    if data is None:
        raise DatasetError(
            f"Expected --data with the table that the run '{run}' was trained from, or --model with the name of a "
            "model to read the pages with."
        )
    require("torch", extra="train")
    from ecglens.external_validation import gallery
    from ecglens.models.export import collect_predictions
    from ecglens.models.train.report import describe_training

    recordings = load_training(data, labels, scheme, signals=True)
    predictions = collect_predictions(recordings, run, seed=seed)
    sections = [describe_training(recordings, run, seed=seed)]
    if pictures:
        by_key = {key: row.path for key, row in zip(recordings.keys(), recordings, strict=True)}
        by_recording = {row.recording: row.path for row in recordings.canonical()}
        paths = [by_key.get(page) or by_recording[page] for page in predictions.pages]
        sections += gallery(predictions, paths, rng=np.random.default_rng(seed))
    return len(recordings), predictions, sections


def _control(text: str) -> "tuple[str, Predictions]":
    from ecglens.evaluation.predictions import read_predictions

    name, sign, file = text.partition("=")
    if not sign or not name or not file:
        raise typer.BadParameter(f"expected NAME=FILE, got '{text}'", param_hint="--control")
    return name, read_predictions(file, named=True)
