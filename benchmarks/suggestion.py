"""How ours gets its plan from a project without one."""

from pathlib import Path
from typing import Any

import duckdb

from unify.spec import Project


def suggested(acme: Any, project: Project, base: Path) -> Project:
    """The proposal, unread. Without `suggest`: one scored rule over the columns that all entities share."""
    if hasattr(acme, "suggest"):
        return Project.model_validate(acme.suggest(project, base=base).project)
    return _stand_in(project, base)


def _stand_in(project: Project, base: Path) -> Project:
    names = list(project.entities)
    per_entity = {n: _columns(base / project.entities[n].files[0]) for n in names}
    shared = [
        c
        for c in per_entity[names[0]]
        if all(c in per_entity[n] for n in names) and all(c != project.entities[n].key for n in names)
    ]
    if not shared:
        raise ValueError(f"{', '.join(names)} share no column by name: this needs `suggest`")
    rules = [{"name": "evidence", "score": shared[:20]}]
    said = project.model_dump(mode="json", exclude_defaults=True)
    if len(names) == 1:
        said["conflation"] = {"order": names, "dedupe": {names[0]: rules}}
    else:
        apart = {n: {"rules": [], "default_rule": False} for n in names}
        pairs = {f"{low} -> {high}": rules for i, high in enumerate(names) for low in names[i + 1 :]}
        said["conflation"] = {"order": names, "dedupe": apart, "match": pairs}
    for n in names:
        source, table = n.split(".")
        said["sources"][source][table]["columns"] = dict.fromkeys(shared, "string")
    return Project.model_validate(said)


def _columns(file: Path) -> list[str]:
    read = f"'{file}'" if file.suffix in (".parquet", ".jsonl") else f"read_csv('{file}', all_varchar = true)"
    return [row[0] for row in duckdb.sql(f"DESCRIBE FROM {read}").fetchall()]
