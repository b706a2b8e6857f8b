"""``ecglens explain``: explain the prediction for a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecglens.cli.answers import DISCLAIMER, make_note, print_page_error
from ecglens.cli.choices import complete_from, complete_models
from ecglens.cli.inputs import PageNumber, open_inputs, read_pages, read_record_as_page
from ecglens.cli.lines import print_table
from ecglens.cli.names import printable
from ecglens.documents import dump_document
from ecglens.errors import EcgLensError
from ecglens.explanations import WORDS, passed_all
from ecglens.labels import TITLES, format_probability
from ecglens.records import Explanation, Page

if TYPE_CHECKING:
    from ecglens.models.runtime import Runtime

__all__ = ["command"]

_BAR_CELLS = 20


def command(
    pages: Annotated[
        list[str],
        typer.Argument(
            help="Photos, scans, PDFs or digital ECGs, which are drawn first, folders of them, or - for stdin.",
            show_default=False,
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="class_map (the default where the model has one), occlusion_lead, occlusion_patch, lime, kernel_shap; "
            "with the extra 'explain' also grad_cam, grad_cam_pp, integrated_gradients.",
            show_default=False,
            autocompletion=complete_from("ecglens.models.explain:METHODS"),
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label to explain; the top label by default.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Name or folder of a model.", show_default=False, autocompletion=complete_models)
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run folder of ecglens train, instead of a model.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png (the page with its heat map) or FILE.json; for several pages, -NAME is added."),
    ] = None,
    page: PageNumber = None,
    no_checks: Annotated[bool, typer.Option("--no-checks", help="Explain without checking the explanation.")] = False,
) -> None:
    """Explain predictions: which places, leads and segments they depend on, and how reliable that is."""
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    from ecglens.explaining import answer_page, explain_page
    from ecglens.reading import examine_page

    if out is not None and out.suffix.lower() not in {".png", ".json"}:
        raise EcgLensError(f"--out: expected a file that ends in .png or .json, got {printable(out.name)}.")
    chosen = _model(model, run, method)

    def explain(decoded: Page, stem: str) -> Explanation:
        if chosen is None:
            (reading, runtime), module = answer_page(decoded, model), None
        else:
            runtime, module = chosen
            reading = examine_page(decoded, runtime)
        explanation = explain_page(reading, runtime, method=method, label=label, module=module, checks=not no_checks)
        if out is not None:
            is_only_one = len(inputs) == 1 and (page is not None or decoded.count == 1)
            _write(explanation, reading.page, out if is_only_one else out.with_stem(f"{out.stem}-{stem}"))
        return explanation

    note = make_note(err, quiet=False)
    bad = done = 0
    with open_inputs(pages, note) as inputs:
        for source in inputs:
            rendered = [read_record_as_page(source, explain)] if source.is_record else None
            for result in rendered or read_pages(source, page, explain, note):
                if result.value is None:
                    bad += 1
                    print_page_error(err, source, result, as_json=False)
                else:
                    done += 1
                    _print(console, result.name, result.value)
    if done:
        console.print(DISCLAIMER, style="dim")
    if bad:
        raise typer.Exit(2)


def _model(model: str | None, run: Path | None, method: str | None) -> tuple["Runtime", Any] | None:
    """Return the model of a run or for gradients, and its torch module; ``None`` where the page decides."""
    from ecglens.models.explain import METHODS
    from ecglens.reading import load_runtime

    if run is not None and model is not None:
        raise EcgLensError("Expected --model or --run, got both; leave one out.")
    gradients = method is not None and method in METHODS and METHODS[method].gradients
    if run is None and not gradients:
        load_runtime(model)  # what is wrong with it is said once, not for each page
        return None
    from ecglens.extras import require

    for module in ("torch", "onnx", "captum.attr") if gradients else ("torch", "onnx"):
        require(module, extra="explain")
    from ecglens.models.train.modules import load_module, load_run_model

    if run is not None:
        of_run = load_run_model(run)
        return of_run, of_run.module
    runtime = load_runtime(model)
    return runtime, load_module(runtime.card)


def _write(explanation: Explanation, page: Page, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".json":
            path.write_text(dump_document("ecglens-explanation", explanation.to_dict()) + "\n", encoding="utf-8")
            return
        from PIL import Image

        Image.fromarray(explanation.plot(page.pixels)).save(path)
    except OSError as error:
        raise EcgLensError(f"--out: expected a file that can be written, got {printable(path.name)}.") from error


def _print(console: Console, name: str, explanation: Explanation) -> None:
    console.print(Text(name, style="bold"), soft_wrap=True)
    title = TITLES.get(explanation.label, explanation.label)
    probability = format_probability(explanation.probability)
    console.print(Text(f"  {title} {probability}, by {explanation.model} {explanation.model_version}"), soft_wrap=True)
    console.print(Text(f"  {explanation.done}"), soft_wrap=True)
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=1)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for lead, share in sorted(explanation.shares.items(), key=lambda item: -item[1]):
        bar = Text("█" * round(abs(share) * _BAR_CELLS * 2), style="blue" if share < 0 else "yellow")
        table.add_row("", lead, f"{share:+.1%}", bar)
    print_table(console, table)
    if explanation.segments:
        segments = ", ".join(
            f"{one.lead} {one.start_s:.1f} to {one.end_s:.1f} s ({one.share:+.1%})" for one in explanation.segments[:4]
        )
        console.print(Text(f"  Most: {segments}"), soft_wrap=True)
    for check in explanation.checks:
        style = "" if check.passed else "bold"
        console.print(Text(f"  {check.name}: {WORDS[check.passed]}. {check.text}", style=style), soft_wrap=True)
    if explanation.on_model:
        failed = ", ".join(check.name for check in explanation.on_model if check.passed is False)
        text = (
            f"  This method on this model: {WORDS[passed_all(explanation.on_model)]}{f' ({failed})' if failed else ''}."
        )
        console.print(Text(text, style="bold" if failed else ""), soft_wrap=True)
    for warning in explanation.warnings:
        console.print(Text(f"  Warning  {warning}"), soft_wrap=True)
    console.print()
