"""Command: restore an archive into an empty database and storage."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ecglens.web.operations.restore import restore

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage restore FILE.tar``."""

    help = "Restore a backup into an empty database and storage, after 'migrate'; its hashes are checked first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the name of the archive."""
        parser.add_argument("file", type=Path, help="An archive that 'ecglens manage backup' wrote.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore the archive, and print what it contained."""
        manifest = restore(options["file"])
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"{options['file']}: {rows} rows, {len(manifest.files)} files restored; all users have to log in again."
        )
        if manifest.missing:
            self.stderr.write(
                f"{len(manifest.missing)} files are missing in the archive, the first is {manifest.missing[0]}."
            )
