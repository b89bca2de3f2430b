"""Data projects, as rows."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from unify.core.errors import did_you_mean
from unify.packages.database import PackageDatabase
from unify.packages.errors import NoSuchProjectError, ProjectError
from unify.packages.kept import dumped, project_entity_of
from unify.packages.nouns import Operation, Project, ProjectEntity


def define(db: sqlite3.Connection, project: Project) -> Project:
    """Make a project, or replace it, in a transaction of the caller's. ProjectError."""
    check_name(project.name)
    names = [entity.entity.casefold() for entity in project.entities]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ProjectError(f"the project names {doubled[0]!r} twice", where=project.name)
    before = {entity.entity.casefold(): entity for entity in entities_of(db, project.name)}
    db.execute(
        "INSERT INTO projects (name, operation, description, category) VALUES ($name, $operation, $description,"
        " $category) ON CONFLICT (name) DO UPDATE SET operation = $operation, description = $description,"
        " category = $category",
        {"name": project.name, "operation": project.operation.value, "description": project.description,
         "category": project.category},
    )  # fmt: skip
    db.execute("DELETE FROM project_entities WHERE project = $name", {"name": project.name})
    kept = tuple(_with_version(entity, before.get(entity.entity.casefold())) for entity in project.entities)
    for place, entity in enumerate(kept):
        db.execute(
            "INSERT INTO project_entities (project, entity, place, body, exported_version)"
            " VALUES ($project, $entity, $place, $body, $version)",
            {"project": project.name, "entity": entity.entity, "place": place,
             "body": dumped(entity), "version": entity.exported_version},
        )  # fmt: skip
    return replace(project, entities=kept)


def _with_version(entity: ProjectEntity, before: ProjectEntity | None) -> ProjectEntity:
    return replace(entity, exported_version=before.exported_version if before is not None else None)


def check_name(name: str) -> None:
    """ProjectError for what cannot name a project."""
    if not name.strip() or len(name) > 200 or any(ord(sign) < 32 for sign in name):
        raise ProjectError("the name of a data project is a line of 1 to 200 characters", where="definitionGroupId")


def entities_of(db: sqlite3.Connection, project: str) -> list[ProjectEntity]:
    """Of one project, in order."""
    rows = db.execute("SELECT * FROM project_entities WHERE project = $name ORDER BY place", {"name": project})
    return [project_entity_of(json.loads(row["body"]), row["exported_version"]) for row in rows.fetchall()]


def every(database: PackageDatabase) -> list[Project]:
    """All, by name."""
    if not database.path.exists():
        return []
    with database.write() as db:
        return [_project(db, row) for row in db.execute("SELECT * FROM projects ORDER BY name").fetchall()]


def find(db: sqlite3.Connection, name: str) -> Project | None:
    """By name, ignoring case."""
    row = db.execute("SELECT * FROM projects WHERE name = $name", {"name": name}).fetchone()
    return _project(db, row) if row is not None else None


def missing(name: str, known: Iterable[str]) -> NoSuchProjectError:
    """The error for a project that is not there."""
    hint = f"make it first; {did_you_mean(name, known)}"
    return NoSuchProjectError(f"there is no data project {name[:200]!r}", where="definitionGroupId", hint=hint)


def _project(db: sqlite3.Connection, row: sqlite3.Row) -> Project:
    return Project(
        row["name"], Operation(row["operation"]), row["description"], row["category"],
        tuple(entities_of(db, row["name"])),
    )  # fmt: skip
