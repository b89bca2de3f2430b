"""Which files a caller of the API may make an entity of: those that were uploaded to the instance, and no other.

A project that the command line ran may read whatever its user can read: that user has the machine. A caller of the API
has not, so that what the API adds to a draft must lie under `<instance>/incoming/`. Entries that stand in the draft
already may stay where they are. On the wire such a path is relative to the instance, `incoming/crm/Contacts`.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from unify.service.errors import ServiceError
from unify.store import Store
from unify.verbs.draft import Document, DraftVersion

INCOMING: Final = "incoming"


class Fence:
    """Around one instance, as its draft was before a change."""

    def __init__(self, store: Store, before: DraftVersion) -> None:
        self._home, self._base = store.path, before.base
        self.known = {path for _, _, _, path in _paths(before.document)}

    def check(self, document: Document, shown: Mapping[str, str] | None = None) -> None:
        """Turn paths relative to the instance into what a run reads; ServiceError 403 for one that leads elsewhere.

        shown   how the wire had a path of the draft → that path
        """
        for holder, key, index, said in _paths(document):
            path = (shown or {}).get(said, said)
            _put(holder, key, index, path if path in self.known else self._kept(path))

    def show(self, document: Document) -> None:
        """Turn paths of a draft into how the wire has them."""
        for holder, key, index, path in _paths(document):
            _put(holder, key, index, self.shown(path))

    def kept(self, below: str) -> str:
        """How the draft has what lies at a path below `incoming/`."""
        return self._kept(f"{INCOMING}/{below}")

    def shown(self, path: str) -> str:
        """How the wire has a path of the draft."""
        return path.removeprefix(f"{self._home}/")

    def _kept(self, said: str) -> str:
        below = os.path.normpath(self._home / said) if "\x00" not in said else ""
        inside = str(self._home / INCOMING)
        if not below.startswith(f"{inside}{os.sep}") or "\\" in said or not _stays(Path(below), Path(inside)):
            raise ServiceError(
                403,
                f"{said[:200]!r} does not lie in the instance",
                where="files",
                hint=f"upload it; what was uploaded is called {INCOMING}/<source>/<entity>",
                key="fileOutsideInstance",
            )
        return os.path.relpath(below, self._home) if self._base == self._home else below


def _stays(path: Path, inside: Path) -> bool:
    """Whether no link on the way leads out. A pattern is judged by the folder before its first sign."""
    fixed = Path(*_until_pattern(path.parts))
    return fixed.resolve().is_relative_to(inside.resolve())


def _until_pattern(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if any(sign in part for sign in "*?["):
            return
        yield part


def _places(document: Document) -> Iterator[tuple[Any, Any, int | None]]:
    """Every place of a draft that names a file: (holder, key, index in a list or None)."""
    holders = [e for source in (document.get("sources") or {}).values() for e in _values(source)]
    holders += _values(document.get("lists"))
    for holder in holders:
        if isinstance(holder, dict):
            files = holder.get("files")
            if isinstance(files, str):
                yield holder, "files", None
            elif isinstance(files, list):
                yield from ((holder, "files", i) for i in range(len(files)))
    for segment in _values(document.get("segments")):
        members = segment.get("members") if isinstance(segment, dict) else None
        if isinstance(members, dict) and isinstance(members.get("file"), str):
            yield members, "file", None


def _paths(document: Document) -> Iterator[tuple[Any, Any, int | None, str]]:
    for holder, key, index in _places(document):
        said = holder[key] if index is None else holder[key][index]
        if isinstance(said, str):
            yield holder, key, index, said


def _put(holder: Any, key: Any, index: int | None, path: str) -> None:
    if index is None:
        holder[key] = path
    else:
        holder[key][index] = path


def _values(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else []
