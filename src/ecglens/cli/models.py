"""``ecglens models``: which models can be used."""

from rich.console import Console
from rich.table import Table

__all__ = ["command"]


def command() -> None:
    """List the models that can be used by name."""
    from ecglens.models.registry import list_models

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Name", "Version", "Title", "Labels", "Licence"):
        table.add_column(column, overflow="fold")
    table.add_column("Parameters", justify="right")
    for card in list_models():
        labels = ", ".join(card.labels)
        table.add_row(card.name, card.version, card.title, labels, card.licence, f"{card.parameters:,}")
    Console(highlight=False).print(table)
