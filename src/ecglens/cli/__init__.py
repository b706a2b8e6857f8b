"""The command line: one module a command, each declares its options, calls one function and prints."""

import sys

from ecglens.cli.app import app
from ecglens.errors import EcgLensError

__all__ = ["main"]


def main() -> None:
    """Run ``ecglens``; an error that a user can cause is one line on stderr and exit code 2."""
    try:
        app()
    except EcgLensError as error:
        print(f"ecglens: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = f" '{error.filename}'" if error.filename else ""
        print(f"ecglens: the file or folder{where} cannot be used: {error.strerror or error}.", file=sys.stderr)
        sys.exit(2)
