"""Definitions that verbs made: versions in the catalog. Those of the project file are not touched from here.

A version is `{"segment": …}`, or `{"deleted": true}`: a name that is deleted and made again goes on counting. Whether a
segment is active is part of its definition, so `activate` and `deactivate` make a version as `update` does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segments.membership.declared import Declared
from unify.core.errors import NotFoundError, did_you_mean
from unify.spec.segment import Segment
from unify.store import Definition, Store

KIND = "segment"


@dataclass(frozen=True)
class SegmentVersion:
    """One version of a definition; `segment` is None where it was deleted. `problem`: of a draft, when it was saved."""

    name: str
    version: int
    saved: datetime
    segment: Segment | None
    problem: dict[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "version": self.version,
            "saved": self.saved.isoformat(),
            "deleted": self.segment is None,
            "active": self.segment.active if self.segment is not None else False,
            "problem": self.problem,
            "definition": definition_of(self.segment) if self.segment is not None else None,
        }


def definition_of(segment: Segment) -> dict[str, Any]:
    """A definition as it is written: nothing that is left out by default."""
    body: dict[str, Any] = segment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return body


class SegmentCatalog:
    """The definitions in an instance's catalog. Needs no lease: definitions may change while a batch runs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self) -> dict[str, SegmentVersion]:
        """The newest version of everything that is not deleted, by name."""
        found = (_version(d) for d in self._store.definitions(KIND))
        return {v.name: v for v in found if v.segment is not None}

    def declared(self) -> dict[str, Declared]:
        """The same as membership sees it."""
        return {
            v.name: Declared(v.name, v.segment, "catalog", v.version, v.saved)
            for v in self.newest().values()
            if v.segment is not None
        }

    def versions(self, name: str) -> list[SegmentVersion]:
        """Every version, oldest first, deletions included; NotFoundError when the name was never used."""
        found = [_version(d) for d in self._store.versions(KIND, name)]
        if not found:
            known = {d.name for d in self._store.definitions(KIND)}
            raise NotFoundError(f"no segment {name!r} was ever made by hand", hint=did_you_mean(name, known))
        return found

    def made_after(self, name: str) -> int:
        """The version of the last deletion; 0 when there was none. Members of older versions are another segment's."""
        versions = [_version(d) for d in self._store.versions(KIND, name)]
        return max((v.version for v in versions if v.segment is None), default=0)

    def save(
        self, name: str, segment: Segment, *, problem: dict[str, str] | None = None, after: int | None = None
    ) -> int:
        """Keep a definition; its version. `after`: the version that the caller saw; StoreError when it is another."""
        body: dict[str, Any] = {"segment": segment.model_dump(mode="json", by_alias=True, exclude_unset=True)}
        body |= {"problem": problem} if problem else {}
        return self._store.save_definition(KIND, name, body, after=after)

    def delete(self, name: str, *, after: int | None = None) -> int:
        """Note that it is gone; the version that says so."""
        return self._store.save_definition(KIND, name, {"deleted": True}, after=after)


def _version(d: Definition) -> SegmentVersion:
    body = d.body
    segment = None if body.get("deleted") else Segment.model_validate(body["segment"])
    return SegmentVersion(d.name, d.version, d.saved, segment, body.get("problem"))
