"""``ecglens serve``: the web page."""

from typing import Annotated

import typer

from ecglens.extras import require

__all__ = ["command"]


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the web page where a page can be uploaded and read."""
    for module in ("django", "whitenoise", "gunicorn.app.base"):
        require(module, extra="web")
    from ecglens.web.project.server import serve

    serve(host, port, ready=lambda: print(f"ecglens is ready at http://{host}:{port}/  Ctrl+C stops it.", flush=True))
