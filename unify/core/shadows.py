"""Packages of other people that are called like ours: PyPI has a `segments`, and an `ingest` may come."""

from importlib.util import find_spec
from pathlib import Path

from unify.core.errors import StoreError

ROOMS = ("ingest", "segments")


def refuse_foreign_packages() -> None:
    """Raise StoreError when `ingest` or `segments` would be imported from somewhere else than beside `unify`."""
    home = Path(__file__).resolve().parents[2]
    for room in ROOMS:
        found = find_spec(room)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or origin.parents[1] != home:
            raise StoreError(
                f"another package called {room!r} shadows ours",
                where=str(origin) if origin else f"no package {room!r} beside {home}",
                hint="uninstall the other distribution and reinstall unify-customer-data; pip overwrites such packages "
                "without a word",
            )
