"""Unify: export files in, one master customer dataset out.

    import unify

    acme = unify.open("acme", create=True)
    report = acme.run("project.yaml")
    acme.customers().df()

The nouns of a project, the errors and `open` are here; nothing heavy is imported before `open` is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from unify.core.errors import (
    DamagedFileError,
    InstanceNotFoundError,
    LeaseHeldError,
    OverloadError,
    QueryError,
    SchemaDriftError,
    SourceError,
    SpecError,
    StoreError,
    UnifyError,
)
from unify.spec import Project

if TYPE_CHECKING:
    from unify.instance import Instance

__version__ = "0.1.0"

__all__ = [
    "DamagedFileError",
    "InstanceNotFoundError",
    "LeaseHeldError",
    "OverloadError",
    "Project",
    "QueryError",
    "SchemaDriftError",
    "SourceError",
    "SpecError",
    "StoreError",
    "UnifyError",
    "__version__",
    "open",
]


def open(path: str | Path, *, create: bool = False) -> "Instance":  # noqa: A001 - `unify.open` reads as it should
    """The instance at `path`; with `create`, a new one when there is none.

    Raises InstanceNotFoundError when there is none and `create` is false, and StoreError when another package called
    `ingest` or `segments` shadows ours.
    """
    from unify.core.shadows import refuse_foreign_packages
    from unify.instance import Instance
    from unify.store import Store

    refuse_foreign_packages()
    return Instance(Store.open_or_create(path) if create else Store.open(path))
