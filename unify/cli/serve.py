"""unify serve: the query service over a folder of instances."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from unify.core.errors import SpecError

NEEDS = ("fastapi", "uvicorn", "structlog", "uvloop", "httptools")
"""Packages of the extra `service` that nothing starts without."""


def serve(
    root: Annotated[
        Path | None,
        typer.Argument(
            metavar="INSTANCES_DIR",
            help="The folder with the instances; made when it is not there. May stand in the settings as `root`.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings, YAML; docs/service.md.", show_default=False)
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to listen; otherwise 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Otherwise 8330; 0 takes a free one.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that answer; otherwise 1.", show_default=False)
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="open, required, or auto: open on loopback, required elsewhere.", show_default=False
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="PEM; with it, https.", show_default=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="PEM, its private key.", show_default=False)
    ] = None,
    no_jobs: Annotated[bool, typer.Option("--no-jobs", help="Only answer: run no jobs and no schedules.")] = False,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.", show_default=False)
    ] = None,
) -> None:
    """Answer questions about every instance in a folder over HTTP. Ctrl-C ends it; docs/service.md."""
    _check_installed()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread for each worker: workers are the parallelism
    from unify.service.settings import read_settings

    settings = read_settings(
        config, root=root, host=host, port=port, workers=workers, auth=auth, tls_certificate=tls_certificate,
        tls_key=tls_key, jobs=False if no_jobs else None, log_level=log_level,
    )  # fmt: skip
    from unify.service.server import serve as serving
    from unify.service.server import sides_of

    settings.root.mkdir(parents=True, exist_ok=True)

    def announce(url: str) -> None:
        from unify.service.roof import ids_under

        count = len(ids_under(settings.root))
        print(f"{url}  {count} instance{'s' * (count != 1)} in {settings.root}", flush=True)

    if code := serving(settings, sides_of(settings), announce=announce):
        raise typer.Exit(code)


def _check_installed() -> None:
    if missing := [name for name in NEEDS if find_spec(name) is None]:
        message = f"the query service is not installed: {', '.join(missing)} missing"
        raise SpecError(message, hint="pip install 'unify-customer-data[service]'")
