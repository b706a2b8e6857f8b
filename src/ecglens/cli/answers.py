"""A reading as text for a person."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecglens.labels import TITLES
from ecglens.records import Layout, Prediction, Reading

__all__ = ["DISCLAIMER", "error_line", "print_reading"]

DISCLAIMER = "For research and teaching; not a diagnosis."

_BAR_CELLS = 24


def error_line(console: Console, message: str) -> None:
    """Print one error on its own line, whatever the width of the terminal."""
    console.print(Text(f"ecglens: {message}", style="red"), soft_wrap=True)


def print_reading(console: Console, name: str, reading: Reading) -> None:
    """Print the answer for one page.

    Args:
        console: Where to.
        name: File name without its folder.
        reading: What was read from it.
    """
    prediction = reading.prediction
    console.print(Text(name, style="bold"), soft_wrap=True)
    console.print(Text("  ") + _answer(prediction), soft_wrap=True)
    if prediction.probabilities:
        console.print(_bars(prediction))
    for title, fact in _facts(reading):
        console.print(Text(f"  {title:<9}{fact}"), soft_wrap=True)
    console.print()


def _answer(prediction: Prediction) -> Text:
    if prediction.label is not None:
        return Text(TITLES.get(prediction.label, prediction.label), style="bold green")
    reason = prediction.abstention.reason if prediction.abstention else "no reason was given."
    return Text.assemble(("Cannot tell: ", "bold yellow"), reason)


def _bars(prediction: Prediction) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=1)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])
    for label, probability in ranked:
        bar = "█" * round(probability * _BAR_CELLS)
        table.add_row("", TITLES.get(label, label), f"{probability:.1%}", Text(bar, style="cyan"))
    return table


def _facts(reading: Reading) -> list[tuple[str, str]]:
    facts = []
    if isinstance(reading.layout, Layout):
        layout = reading.layout
        vertical, horizontal = layout.px_per_mm
        pulse = "no pulse found" if layout.pulse_mm is None else f"pulse {layout.pulse_mm:.1f} mm"
        rhythm = ", ".join(layout.rhythm_leads) or "none"
        facts.append(
            (
                "Layout",
                f"{layout.name}, rhythm lead {rhythm}, {horizontal:.2f} x {vertical:.2f} px/mm by the "
                f"{layout.px_per_mm_source}, {pulse}, turned by {layout.rotation_deg:.1f}°",
            )
        )
    facts.append(("Model", f"{reading.prediction.model} {reading.prediction.model_version}"))
    facts += [("Warning", warning) for warning in reading.prediction.warnings]
    return facts
