"""The command line, with a module for each command that declares options, calls one function and prints."""

import sys
import warnings

from ecglens.cli.app import app
from ecglens.cli.streams import OUTPUT_CLOSED, discard_output, show_warning, use_replacements
from ecglens.errors import ArgumentError, EcgLensError

__all__ = ["main"]


def main() -> None:
    """Run ``ecglens``; print errors that a user can cause as one line on stderr, with exit code 2."""
    use_replacements()
    try:
        _run()
    except EcgLensError as error:
        print(f"ecglens: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        discard_output()
        sys.exit(OUTPUT_CLOSED)
    except OSError as error:
        name = f" '{error.filename}'" if error.filename else ""
        print(f"ecglens: the file or folder{name} cannot be used: {error.strerror or error}.", file=sys.stderr)
        sys.exit(2)


def _run() -> None:
    """Run the command that was named.

    Raises:
        BrokenPipeError: Nobody reads the output any more; Click and Rich would end with the exit code 1, of results
            that say no.
        ArgumentError: An argument is empty; as a path it would mean the working folder.
    """
    if "" in sys.argv[1:]:
        raise ArgumentError("Expected a value, got an empty argument, as of a variable that is not set; leave it out.")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
