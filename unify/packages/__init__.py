"""Runs of data packages on an instance, with or without a server.

    import   package.zip ─▶ staging (typed, per execution) ─▶ record tables           rows that fall out at either arrow
                                 └ rows that cannot be read      └ rows refused       have a file each; good rows stay
    export   record tables, entities, Customer … ─▶ package.zip                       change-tracked: what is new

    <instance>/packages.sqlite     projects, definitions, executions, staging: what a write has acknowledged is on disk
    <instance>/packages/<id>/      the package of an execution and its error files, kept for seven days
    <instance>/records.sqlite      the targets; the target step's progress too, in the transaction that makes it

    packages = Packages(opened)                       # or unify.open(…).packages
    packages.define(EntityDefinition("Customer groups", "customergroups", columns, key))
    packages.import_package("groups.zip")             → Execution: status, rows in and out of every entity
    packages.define_project(Project("Groups out", Operation.EXPORT, entities=(ProjectEntity("Customer groups"),)))
    packages.export_package("Groups out", "out.zip")  → Execution

docs/service-packages.md
"""

from unify.packages.errors import (
    ExecutionStateError,
    NoSuchEntityError,
    NoSuchExecutionError,
    NoSuchProjectError,
    ProjectError,
)
from unify.packages.nouns import (
    CompositePart,
    EntityDefinition,
    EntityRun,
    Execution,
    ExportOptions,
    ImportOptions,
    Operation,
    Project,
    ProjectEntity,
    RowError,
    Status,
)
from unify.packages.packages import Packages

__all__ = [
    "CompositePart",
    "EntityDefinition",
    "EntityRun",
    "Execution",
    "ExecutionStateError",
    "ExportOptions",
    "ImportOptions",
    "NoSuchEntityError",
    "NoSuchExecutionError",
    "NoSuchProjectError",
    "Operation",
    "Packages",
    "Project",
    "ProjectEntity",
    "ProjectError",
    "RowError",
    "Status",
]
