"""Unify: export files in, one master customer dataset out.

    import unify

    acme = unify.open("acme", create=True)
    report = acme.run("project.yaml")
    acme.customers().df()

The nouns of a project, the errors and `open` are here; nothing heavy is imported before `open` is called.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from unify.core.suggestions import Suggestion
    from unify.instance import Instance
    from unify.validation import ValidationReport

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
    "suggest",
    "validate",
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


def validate(
    project: Project | Mapping[str, Any] | str | Path,
    *,
    frames: Mapping[str, Any] | None = None,
    base: str | Path | None = None,
) -> "ValidationReport":
    """Everything wrong with a project, and its rules as sentences; needs no instance and writes nothing.

    frames  {"crm.Contacts": a pandas, polars or Arrow table, ...} for entities without files
    base    folder that paths in the project are relative to; default: the project file's, else the current
    Problems are in the report; SpecError only when there is no such file.
    """
    from unify.validation import validate as examined

    return examined(project, frames=frames, base=base)


def suggest(
    project: Project | Mapping[str, Any] | str | Path, *, base: str | Path | None = None, **options: Any
) -> "Suggestion":
    """A conflation plan worked out from a project's data, without an instance and without labels.

    project   a project, or the path of its file, that says which entities there are; its own plan is not looked at
    base      folder that paths in the project are relative to; default: the project file's, else the current
    Options: frames, labels, splink, memory_limit, threads, progress as for `Instance.suggest`.
    Raises SpecError, SourceError.
    """
    from unify.building import suggest_plan

    return suggest_plan(project, base=base, **options)
