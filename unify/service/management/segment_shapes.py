"""A segment as the vendor's client reads it: what it is, what its last runs gave, who changed it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import Field, ValidationError

from segments.vendor.segment_metadata import metadata_of
from unify.core.errors import SpecError
from unify.service.access.definitions import NOTE
from unify.service.management.authors import Author
from unify.spec.segment import Segment
from unify.spec.segment_metadata import SegmentMetadata
from unify.store import Membership, Store
from unify.verbs.segment_answers import SegmentInfo
from unify.verbs.segment_catalog import definition_of


class SegmentBody(SegmentMetadata):
    """The vendor's SegmentMetadata. What runs gave and the audit tail are told, not chosen: sent back they say nothing.

    `ownDefinition` (ours): the segment as a project file has it, instead of `segmentQueryExpression`, for what the
    vendor's queries cannot say. `declaredIn` (ours): `project` or `api`.
    """

    own_definition: dict[str, Any] | None = Field(default=None, description="docs/segments.md")
    declared_in: str | None = None


@dataclass
class Told:
    """What is said of one segment.

    definition  None: a part of the waterfall `part_of`
    info        as the published generation knows it; None: no run has seen it
    row         the members in force; `history`: of runs, oldest first
    count       False: how many there are is not for the caller to know
    shown       False: nor is what it says, so neither counts of its rules nor words of its errors
    """

    name: str
    definition: Segment | None
    declared_in: str
    info: SegmentInfo | None = None
    row: Membership | None = None
    history: Iterable[Membership] | None = None
    author: Author | None = None
    version: int | None = None
    saved: datetime | None = None
    problem: Mapping[str, str] | None = None
    count: bool = True
    shown: bool = True
    runs: "RunIds | None" = None

    def metadata(self, instance: str) -> SegmentBody:
        """The document."""
        said = self._defined() | self._state() | self._evaluated() | self._tail(instance)
        return SegmentBody.model_validate(
            {**said, "name": self.name, "kind": "default", "declaredIn": self.declared_in}
        )

    def _defined(self) -> dict[str, Any]:
        if self.definition is not None and not self.shown:
            title, ends = self.definition.title, self.definition.ends
            return {"friendlyName": title, "description": NOTE, "endDate": ends}
        if self.definition is None:
            part_of = self.info.part_of if self.info is not None else None
            return {"description": f"made by the waterfall {part_of}"}
        try:
            return metadata_of(self.name, self.definition).wire()
        except SpecError:  # the vendor has no words for it
            segment = self.definition
            said = {"friendlyName": segment.title, "description": segment.description, "endDate": segment.ends}
            return {**said, "ownDefinition": own_definition(segment)}

    def _state(self) -> dict[str, Any]:
        error = (self.info.error if self.info is not None else None) or self.problem
        said: dict[str, Any]
        if error:
            said = {"state": "invalid", "errorDescription": self._sentence(error)}
        else:
            said = {"state": "active" if self._active else "inactive"}
        if self.definition is not None and (self.definition.sql or _is_manual(self.definition)):
            said["sqlValidationStats"] = {
                "validationDate": self.saved,
                "error": self._sentence(error) if error else None,
            }
        return said

    @property
    def _active(self) -> bool:
        """As it is saved: one of the project that was switched off or on since the last run says so already."""
        if self.definition is None:
            return self.info is not None and self.info.state == "active"
        over = self.definition.ends is not None and self.definition.ends <= datetime.now(UTC)
        return self.definition.active and not over

    def _evaluated(self) -> dict[str, Any]:
        said: dict[str, Any] = {"evaluationStatus": self._status(self.row)}
        if self.row is not None and self.count and self.shown and (rules := self.row.facts.get("rules")):
            stats = [{"rowsetId": str(rule), "rowsetCount": count} for rule, count in rules]
            said["segmentQueryStats"] = {"rowsetStat": stats}
        if self.history is not None:
            said["evaluationStatusHistory"] = [self._past(row) for row in self.history]
        return said

    def _status(self, row: Membership | None) -> dict[str, Any]:
        if row is None:
            return {"jobStatus": "None"}
        last = self.runs.of(row.as_of) if self.runs is not None and row.as_of is not None else None
        return {**self._past(row), "lastSuccessfulRunId": last}

    def _past(self, row: Membership) -> dict[str, Any]:
        error = row.facts.get("error")
        return {
            "evaluationDate": evaluated(row),
            "entityCount": row.members if self.count else None,
            "jobStatus": "CompletedFailure" if row.state == "failed" else "CompletedSuccess",
            "error": {"key": error.get("error"), "value": self._sentence(error)} if error else None,
        }

    def _sentence(self, error: Mapping[str, str]) -> str:
        return _sentence(error) if self.shown else NOTE

    def _tail(self, instance: str) -> dict[str, Any]:
        if self.author is not None:
            tail = self.author.tail(instance)
            return tail if self.version is None else {**tail, "version": self.version}
        return {"version": self.version, "updatedUtc": self.saved, "instanceId": instance}


def own_definition(segment: Segment) -> dict[str, Any]:
    """A definition as a project file has it, short: without defaults, wherever that reads back as the same."""
    short: dict[str, Any] = segment.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    try:
        same = Segment.model_validate(short) == segment
    except ValidationError:
        same = False
    return short if same else definition_of(segment)


@dataclass
class RunIds:
    """Number of a run → its id."""

    store: Store

    def of(self, number: int) -> str:
        """StoreError when there is none."""
        if number not in self._recent:
            self._recent[number] = self.store.run(number).run_id
        return self._recent[number]

    @cached_property
    def _recent(self) -> dict[int, str]:
        return {run.number: run.run_id for run in self.store.runs(20)}


def evaluated(row: Membership) -> str | None:
    """The moment at which a run looked at a segment."""
    at: str | None = row.facts.get("at") or row.facts.get("clock")
    return at


def _is_manual(segment: Segment) -> bool:
    return segment.query is not None and (segment.query.type or "").casefold() == "manual"


def _sentence(error: Mapping[str, str]) -> str:
    where, message = error.get("where", ""), error.get("message", "")
    return f"{where}: {message}" if where else message
