"""The project as it is being edited, before a run makes it the published one.

    draft = Draft(store)
    draft.project()                                   what the next run will use
    draft.edit(lambda project: project["segments"].pop("vip"))

A project file is edited in an editor; the management API edits here, a change at a time. Every change is a version in
the catalog of the instance. Whoever publishes another project (`unify run project.yaml`) thereby replaces the draft:
its versions stay in the catalog, and editing goes on from what was published.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from unify.core.documents import project_of
from unify.core.errors import StoreError
from unify.spec import Project
from unify.store import Store

KIND: Final = "draft"
NAME: Final = "project"
TRIES: Final = 20
"""Of an edit that somebody else's was faster than."""
REMEMBERED: Final = 32
"""Documents of a process whose whole form is known."""

Document = dict[str, Any]
"""A project as its file has it: what was written, nothing that is left out by default."""


@dataclass(frozen=True)
class DraftVersion:
    """One moment of the draft.

    document   of a project; without `sources` (which a Project needs) while none is declared yet
    version    counts up with every edit; 0 where the draft is what was published
    base       folder that paths of its files are relative to
    """

    document: Document
    version: int
    base: Path


class Draft:
    """Needs no lease: a draft may change while a run is at work. Safe for many threads and processes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> DraftVersion:
        """The newest version, or what was published since."""
        saved = next((d for d in self._store.definitions(KIND) if d.name == NAME), None)
        published = self._published()
        if saved is not None:
            body = saved.body
            mine = (body["before"], _digest(_whole(body["project"])))
            if published is None or _digest(published) in mine:
                return DraftVersion(body["project"], saved.version, Path(body["base"]))
        return DraftVersion(published or {}, saved.version if saved else 0, self._base())

    def project(self) -> Project:
        """What the next run will use; SpecError when it is no whole project yet, e.g. for want of sources."""
        return project_of(self.now().document, where="draft")

    def edit(self, change: Callable[[Document], Any], *, check: bool = True) -> DraftVersion:
        """Change a copy in place and keep it; tried again when somebody else was faster.

        check   SpecError for a document that is no valid project, unless it has no sources
        """
        for _ in range(TRIES):
            before = self.now()
            document: Document = json.loads(json.dumps(before.document))
            change(document)
            if check and document.get("sources"):
                project_of(json.loads(json.dumps(document)), where="draft")
            published = self._published()
            body = {"project": document, "base": str(before.base), "before": _digest(published) if published else ""}
            try:
                version = self._store.save_definition(KIND, NAME, body, after=before.version)
            except StoreError as error:
                if "version" not in error.message:
                    raise
                continue
            return DraftVersion(document, version, before.base)
        raise StoreError("too many edit this project at once", where=str(self._store.path), hint="try again")

    def _published(self) -> Document | None:
        """The project of the last run, as it was written down; None before the first."""
        newest = max(self._store.definitions("project"), key=lambda d: d.saved, default=None)
        return None if newest is None else _whole(newest.body)

    def _base(self) -> Path:
        """The folder of the last run; uploads lie in the instance, so before one it is that."""
        newest = max(self._store.definitions("base"), key=lambda d: d.saved, default=None)
        return self._store.path if newest is None else Path(newest.body["base"])


def _whole(document: Document) -> Document:
    """With every default, so that two spellings of one project are equal."""
    whole: Document = json.loads(_whole_text(json.dumps(document)))
    return whole


@lru_cache(REMEMBERED)
def _whole_text(text: str) -> str:
    """Remembered, since nearly every request asks for the same one and a large project takes 10 ms."""
    try:
        return json.dumps(project_of(json.loads(text)).model_dump(mode="json", by_alias=True))
    except Exception:  # a document of an older version: it is equal to itself only
        return text


def _digest(document: Document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
