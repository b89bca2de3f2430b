"""The draft as routes of the management API read and change it, and the columns that were ingested. Blocking."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from unify.core.documents import project_of
from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.instance import Instance
from unify.service.errors import ServiceError, not_found
from unify.service.hosted import Hosted
from unify.service.management.fence import Fence
from unify.spec import Project
from unify.verbs.draft import Document, DraftVersion

Schemas = dict[str, dict[str, str]]
"""Entity → {column: SQL type}, of entities that have been ingested."""
NEEDS_SOURCES: Final = "POST …/manage/datasources declares one"


def project_in(hosted: Hosted) -> Project | None:
    """The draft; None while it has no sources."""
    document = hosted.draft.now().document
    return project_of(json.loads(json.dumps(document)), where="draft") if document.get("sources") else None


def required_project(hosted: Hosted) -> Project:
    """The draft; ServiceError 404 while it has no sources: nothing that a path could name is there."""
    project = project_in(hosted)
    if project is None:
        raise not_found("this instance has no data sources yet", hint=NEEDS_SOURCES)
    return project


def whole(document: Document) -> Document:
    """With every default, so that a change finds each thing in one place and one spelling."""
    if not document.get("sources"):
        return document
    read = project_of(json.loads(json.dumps(document)), where="draft")
    return dict(read.model_dump(mode="json", by_alias=True))


def edit(hosted: Hosted, change: Callable[[Document], Any]) -> DraftVersion:
    """Change the draft, written out whole; what the change raises comes through, and nothing is kept.

    Files may only lie in the instance: see Fence. ServiceError 403 for others, SpecError for what is no project.
    """
    fence = Fence(hosted.store, hosted.draft.now())

    def changed(document: Document) -> None:
        full = whole(document)
        document.clear()
        document.update(full)
        change(document)
        fence.check(document)

    return hosted.draft.edit(changed)


def schemas_on(acme: Instance) -> Schemas:
    """Of the published generation; none before the first."""
    if acme.store.published() is None:
        return {}
    engine = acme.engine()
    return {entity: dict(engine.columns(table_of(entity))) for entity in acme.entities()}


def require_data(acme: Instance) -> None:
    """ServiceError 404 before the first run: what is asked for is not there. (503 would be tried again by clients.)"""
    if acme.store.published() is None:
        raise not_found("nothing has been ingested yet", hint="declare a data source, upload its files, submit a job")


def entity_named(known: Iterable[str], name: str, source: str | None = None) -> str:
    """The entity that a name on the wire means, `crm.Contacts`: qualified either way, or `Contacts` alone where one
    source only has it, or `source` is said. ServiceError 404, 400 when several are meant."""
    candidates = [e for e in known if source is None or e.startswith(f"{source}.")]
    by_table = {table_of(e): e for e in candidates}
    if name in candidates:
        return name
    if name in by_table:
        return by_table[name]
    alone = [e for e in candidates if e.split(".", 1)[1] == name]
    if len(alone) > 1:
        raise ServiceError(400, f"{name} is an entity of several sources", hint=f"write {' or '.join(alone)}")
    if not alone:
        place = f" in the data source {source}" if source else ""
        raise not_found(
            f"there is no entity {name[:200]!r}{place}",
            where="entityName",
            hint=did_you_mean(name, candidates),
            key="entityNotFound",
        )
    return alone[0]


def users_of(document: Document, names: list[str]) -> list[str]:
    """Places of a draft, beside the sources, that name one of these entities: what stands in the way of removing it.

    Entities are named `crm.Contacts`, in OData and SQL `crm_Contacts`; what must go first comes first.
    """
    words = [re.escape(n) for n in names] + [re.escape(table_of(n)) for n in names]
    if not words:
        return []
    pattern = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(words)})(?![A-Za-z0-9_])")
    found: list[str] = []
    for section in ("segments", "measures", "activities", "relationships", "clusters", "resolution", "lists"):
        for name, body in (document.get(section) or {}).items():
            if pattern.search(json.dumps(body, ensure_ascii=False)):
                found.append(f"{section}.{name}")
    if pattern.search(json.dumps(document.get("conflation") or {}, ensure_ascii=False)):
        found.append("conflation")
    return found
