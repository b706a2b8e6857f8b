"""``ecglens serve``, ``ecglens worker`` and ``ecglens manage``: the web application."""

from typing import Annotated

import typer

from ecglens.extras import require

__all__ = ["command", "manage_command", "worker_command"]

_MODULES = ("django", "allauth", "whitenoise", "gunicorn.app.base", "reportlab")


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that answer; up to two otherwise.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, max=64, help="Processes that measure and explain; as the setting says otherwise.", show_default=False
        ),
    ] = None,
) -> None:
    """Serve the web application, with workers that measure and explain beside it."""
    _need()
    from ecglens.web.operations.server import serve

    serve(
        host,
        port,
        ready=lambda: print(f"ecglens is ready at http://{host}:{port}/  Ctrl+C stops it.", flush=True),
        processes=processes,
        workers=workers,
    )


def worker_command() -> None:
    """Measure and explain what the web application has taken; as many as you like, on as many machines."""
    _need()
    from ecglens.web.operations.server import run_worker

    run_worker()


def manage_command(context: typer.Context) -> None:
    """Run one of the web application's own commands, such as migrate, createsuperuser, backup or restore."""
    _need()
    from ecglens.web.operations.server import run_command

    run_command(context.args or ["help"])


def _need() -> None:
    for module in _MODULES:
        require(module, extra="web")
