"""Command: write everything that the site stores into one archive."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ecglens.web.operations.backup import back_up

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage backup FILE.tar``."""

    help = "Write accounts, readings, the audit log and all files into one TAR that only you can read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the name of the archive."""
        parser.add_argument("file", type=Path, help="A new file, such as ecglens-2026-11-21.tar.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the archive, and print what it contains."""
        manifest = back_up(options["file"])
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(f"{options['file']}: {rows} rows, {len(manifest.files)} files")
        if manifest.missing:
            self.stderr.write(f"{len(manifest.missing)} files are missing, the first is {manifest.missing[0]}.")
