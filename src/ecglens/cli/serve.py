"""``ecglens serve``, ``ecglens worker`` and ``ecglens manage``: the web application."""

from typing import Annotated

import typer

from ecglens.extras import require

__all__ = ["command", "manage_command", "worker_command"]

_MODULES = ("django", "allauth", "whitenoise", "gunicorn.app.base", "uvicorn_worker", "reportlab")


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Number of web processes; one or two by default.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=64,
            help="Number of processes that measure and explain; as in the settings by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the web application, with workers that measure and explain in the background."""
    _require_web()
    from ecglens.web.serving.server import serve

    serve(
        host,
        port,
        ready=lambda: print(f"ecglens is ready at http://{host}:{port}/  Ctrl+C stops it.", flush=True),
        processes=processes,
        workers=workers,
    )


def worker_command() -> None:
    """Run a worker that measures and explains pages of the web application, on this or another machine."""
    _require_web()
    from ecglens.web.serving.server import run_worker

    run_worker()


def manage_command(context: typer.Context) -> None:
    """Run one of the web application's own commands, such as migrate, createsuperuser, backup or restore."""
    _require_web()
    from ecglens.web.serving.server import run_command

    run_command(context.args or ["help"])


def _require_web() -> None:
    for module in _MODULES:
        require(module, extra="web")
