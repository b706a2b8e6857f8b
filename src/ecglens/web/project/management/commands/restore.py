"""Command: put an archive of everything into an empty database and storage."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ecglens.web.project.restoring import restore

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage restore FILE.tar``."""

    help = "Put a backup into an empty database and storage, after 'migrate'; its hashes are checked first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One file."""
        parser.add_argument("file", type=Path, help="As 'ecglens manage backup' wrote it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore it, and tell what it held."""
        manifest = restore(options["file"])
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(f"{options['file']}: {rows} rows, {len(manifest.files)} files restored; all log in again.")
        if manifest.missing:
            self.stderr.write(f"{len(manifest.missing)} files were not in it, the first {manifest.missing[0]}.")
