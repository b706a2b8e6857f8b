"""Fine-tuning (extra ``train``): a model of pages learns the labels of a site's own pages, and is evaluated on them."""

import os
import shlex
from pathlib import Path

from ecglens.datasets.duplicates.fingerprints import TrainingPages
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.sources import pages_from_path
from ecglens.errors import ModelError, TrainingError
from ecglens.model import Model, load_model
from ecglens.models.cards import FINGERPRINTS_FILE, sha256_of
from ecglens.models.export import evaluate_run, export
from ecglens.models.inputs import parse_recipe
from ecglens.models.registry import find_model
from ecglens.models.train.devices import training_world
from ecglens.models.train.folder import Plan, list_digests, lock_run, start_run
from ecglens.models.train.recipe import Optimization, Phase, Recipe, change_recipe
from ecglens.models.train.run import Listener, RunContext, check_data, check_recipe, cross_validate, fit_all
from ecglens.models.train.start import is_run, read_run_recipe
from ecglens.settings import load_settings

__all__ = ["fine_tune", "make_recipe"]

_EPOCHS = 20
_LEARNING_RATE = 1e-3
"""Half the rate at which the shipped model was trained from scratch."""
_LAST_LAYERS_EPOCHS = 3
"""Epochs for which the last layers alone are trained, before all are: random ones would spoil the others."""


def fine_tune(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str] | Recordings,
    out: str | os.PathLike[str],
    *,
    all_layers: bool = False,
    epochs: int = _EPOCHS,
    folds: int = 5,
    seed: int = 0,
    device: str = "auto",
    version: str = "1",
    trained_on: str = "",
    license: str = "not stated",
    listener: Listener | None = None,
) -> Model:
    """Train a model further on pages of one's own, with their own labels, and write a model folder.

    The figures on its card are of held-out pages: folds keep pages of one group, such as a patient, together where the
    data names groups. A call that was interrupted resumes with the same arguments.

    Args:
        model: Name or folder of a model with the network ``compact_cnn``, or the folder of a run of ``ecglens train``.
        data: Folder with a folder of pages for each label, table of recordings, or recordings.
        out: Folder to write, whose name is the model's: ``run`` with the training, and ``model`` with the model folder.
        all_layers: Train all layers and not only the last ones; needs a run, because the graph of a model folder has
            no normalizations any more.
        epochs: Passes over the pages.
        folds: Number of folds.
        seed: Seed of folds and weights.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        version: Version of the new model.
        trained_on: Sentence on the data, for the card.
        license: License of the new weights.
        listener: Listener to the progress.

    Returns:
        The new model, calibrated on the held-out answers.

    Raises:
        DatasetError: The data cannot be read or split.
        ModelError: There is no such model, or it has another network.
        TrainingError: A page cannot be used, or the training fails.
    """
    if epochs < 1 or folds < 2:
        raise TrainingError(
            f"Expected at least 1 epoch and 2 folds, got {epochs} and {folds}; train longer, or in more folds."
        )
    recordings = data if isinstance(data, Recordings) else pages_from_path(Path(data))
    labels = tuple(dict.fromkeys(recordings.column("label")))
    if len(labels) < 2:
        raise TrainingError(f"Expected pages with at least two labels, got {len(labels)}; add pages with another one.")
    recipe = make_recipe(os.fspath(model), labels, all_layers=all_layers, epochs=epochs)
    run, plan = Path(out) / "run", Plan("honest", folds)
    check_recipe(recipe)
    check_data(recordings, recipe, plan, [seed])
    command = f"ecglens fine-tune {shlex.join([os.fspath(model), '--out', os.fspath(out)])}"
    with training_world(device) as world, lock_run(run):
        start_run(recordings, recipe, run, plan, command=command)
        context = RunContext(world, load_settings().cache_dir, listener or Listener(), os.cpu_count() or 1)
        cross_validate(recordings, recipe, run, plan, seeds=[seed], context=context)
        fit_all(recordings, recipe, run, seed=seed, context=context)
    folder = Path(out) / "model"
    export(
        recordings,
        run,
        folder,
        version=version,
        trained_on=_describe_data(os.fspath(model), recordings, trained_on),
        license=license,
        evaluation=evaluate_run(recordings, run, seeds=[seed], command=command),
        seeds=[seed],
        name=Path(out).resolve().name,
    )
    return load_model(folder)


def make_recipe(model: str, labels: tuple[str, ...], *, all_layers: bool = False, epochs: int = _EPOCHS) -> Recipe:
    """Make the recipe of a fine-tuning.

    Args:
        model: As for :func:`fine_tune`.
        labels: Labels of the pages.
        all_layers: As for :func:`fine_tune`.
        epochs: As for :func:`fine_tune`.

    Raises:
        ModelError: There is no such model, or it has another network.
        TrainingError: The run cannot be read, has no trunk, or ``all_layers`` is set without one.
    """
    last = Phase(epochs=epochs, trunk=0.0, learning_rate=_LEARNING_RATE)
    phases: tuple[Phase, ...] = (last,)
    if all_layers:
        last = last.model_copy(update={"epochs": _LAST_LAYERS_EPOCHS})
        phases = (last, Phase(epochs=epochs, trunk=1.0, learning_rate=_LEARNING_RATE / 4))
    title = f"Fine-tuned from {Path(model).name}"
    if is_run(model):
        recipe = read_run_recipe(Path(model))
        options = {name: value for name, value in recipe.options.items() if name != "weights"}
        changes = {"input.known_print": False, "labels": labels, "start": model, "title": title, "options": options}
        return change_recipe(recipe, changes).model_copy(update={"phases": phases})
    if all_layers:
        raise TrainingError("Expected the run that trained the model, to train all of its layers, got a model folder.")
    card = find_model(model)
    if set(card.input) and card.input.get("kind") != "trace_canvas":
        raise ModelError(f"Expected a model with the network compact_cnn, got '{card.name}'; give the run of another.")
    return Recipe(
        model="compact_cnn",
        title=title,
        labels=labels,
        start=model,
        input=parse_recipe({**card.input, "known_print": False}),  # the site's recorder is another
        optimization=Optimization(learning_rate=_LEARNING_RATE),
        phases=phases,
    )


def _describe_data(model: str, recordings: Recordings, sentence: str) -> str:
    """Return the card's sentence on the data, which says how many of the pages had trained the first model too."""
    text = sentence or f"{len(recordings)} files of one site, from the weights of {Path(model).name}"
    if repeated := _count_training_pages(model, recordings):
        return f"{text}. {repeated} of the files had trained {Path(model).name} too, so all figures are too good"
    return text


def _count_training_pages(model: str, recordings: Recordings) -> int:
    """Count the files that a model, or the model of a run, was trained on."""
    paths = [row.path for row in recordings]
    if is_run(model):
        digests = list_digests(Path(model))
        return sum(sha256_of(path) in digests for path in paths)
    fingerprints = find_model(model).folder / FINGERPRINTS_FILE
    return len(TrainingPages.load(fingerprints).copies_in(paths)) if fingerprints.is_file() else 0
