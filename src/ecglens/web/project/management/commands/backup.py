"""Command: write everything that the site keeps into one archive."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ecglens.web.project.archives import back_up

__all__ = ["Command"]


class Command(BaseCommand):
    """``ecglens manage backup FILE.tar``."""

    help = "Write accounts, readings, the audit log and all files into one TAR, which only you can read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One file."""
        parser.add_argument("file", type=Path, help="A new file, such as ecglens-2026-11-21.tar.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it, and tell what it holds."""
        manifest = back_up(options["file"])
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(f"{options['file']}: {rows} rows, {len(manifest.files)} files")
        if manifest.missing:
            self.stderr.write(f"{len(manifest.missing)} files were not there, the first {manifest.missing[0]}.")
