"""A measure as the vendor's client reads it: what it is, what its last runs gave, who changed it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import Field

from segments.measures.wire import MeasureDefinition, MeasureMetadata, read_metadata
from segments.measures.wire_measures import measure_of_wire, wire_of_measure
from unify.core.errors import SpecError, UnifyError
from unify.core.reports import MeasureReport, RunReport
from unify.service.access.definitions import NOTE
from unify.service.management.authors import Author
from unify.spec import Measure
from unify.spec.wire import Wire
from unify.store import Run, Store

RUNS_READ = 100
"""Latest runs that are looked at for what became of measures."""
MEASURING = ("run", "conflate", "refresh")
"""Purposes of runs that work measures out."""


class EntityDependency(Wire):
    """What a measure is made of, as the client models it. Here it follows from what the measure names."""

    qualified_entity_name: str | None = None
    type: str | None = None
    attribute_names: tuple[str, ...] | None = None
    relationship_names: tuple[str, ...] | None = None
    activity_details: tuple[dict[str, Any], ...] | None = None


class DefinitionBody(MeasureDefinition):
    """What a measure is."""

    dependencies: tuple[EntityDependency | str, ...] | None = None  # type: ignore[assignment]


class MeasureBody(MeasureMetadata):
    """The vendor's MeasureMetadata. What runs gave and the audit tail are told, not chosen: sent back they say nothing.

    `ownDefinition` (ours): the measure as a project file has it, instead of `definition`, for what the vendor's cannot
    say.
    """

    definition: DefinitionBody | None = None  # type: ignore[assignment]
    own_definition: dict[str, Any] | None = Field(default=None, description="docs/measures.md")


def noun_of(name: str, title: str | None, description: str | None, definition: DefinitionBody) -> Measure:
    """The measure that a definition says. SpecError.

    The client says `isIncluded: false` of every aggregate that does not say true: where none is included, all are.
    """
    said = definition.wire()
    said.pop("dependencies", None)
    aggregates = said.get("aggregates") or []
    if not any(aggregate.get("isIncluded") for aggregate in aggregates):
        for aggregate in aggregates:
            aggregate.pop("isIncluded", None)
    whole = {"name": name, "displayName": title, "description": description, "definition": said}
    return measure_of_wire(read_metadata(whole)).measure


class SourceLocation(Wire):
    """Where a problem is; both count from 1."""

    line: int | None = None
    column: int | None = None


class LogMessage(Wire):
    """One problem."""

    location: SourceLocation | None = None
    message: str | None = None


class ParsingError(Wire):
    """Why a measure cannot be taken."""

    code: str
    messages: tuple[LogMessage, ...] = ()


def parsing_error(error: UnifyError) -> ParsingError:
    """A refusal of a measure in the vendor's shape: a message per problem, places and next moves in the text."""
    lines = [line for line in error.message.split("\n") if line.strip()] or [error.message]
    where = f"{error.where}: " if error.where else ""
    told = [line if line.startswith(where) else f"{where}{line}" for line in lines]
    if error.hint:
        told[-1] += f" ({error.hint})"
    return ParsingError(code=_code(error), messages=tuple(LogMessage(location=_location(t), message=t) for t in told))


def _location(text: str) -> SourceLocation | None:
    """Where in an expression it is, when that is said: expressions are one line."""
    found = re.search(r"\bcharacter (\d+)", text)
    return SourceLocation(line=1, column=int(found[1])) if found else None


def _code(error: UnifyError) -> str:
    """The vendor's word for what is wrong, by what was said of it."""
    text = f"{error.where} {error.message}".casefold()
    for words, code in (
        (("no entity", "not an entity", "no rows called"), "entityNotFound"),
        (("no attribute", "no column", "has no "), "attributeNotFound"),
        (("expected", "syntax", "parse"), "parsingFailed"),
        (("is not understood", "no kind of expression"), "unsupportedSyntax"),
        (("argument",), "incorrectArgumentCount"),
    ):
        if any(word in text for word in words):
            return code
    return "invalidArgument"


@dataclass
class Evaluations:
    """What the latest runs made of measures, newest first.

    runs     that ended; `reports`: of those that worked measures out, by measure
    """

    runs: Sequence[Run]
    reports: Mapping[int, Mapping[str, Sequence[MeasureReport]]] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> "Evaluations":
        """Of an instance."""
        runs = [r for r in store.runs(RUNS_READ) if r.purpose in MEASURING and r.state in ("published", "failed")]
        reports: dict[int, dict[str, list[MeasureReport]]] = {}
        for run in runs:
            if run.report:
                for one in RunReport.model_validate(run.report).measures:
                    reports.setdefault(run.number, {}).setdefault(one.measure, []).append(one)
        return cls(runs, reports)

    def told(self, name: str, measure: Measure, *, since: datetime | None, values: bool) -> dict[str, Any]:
        """Keys of the metadata about evaluations.

        since    the history from this moment on; None: no history
        values   whether the caller may see the value of a measure that has one only
        """
        good = [run for run in self.runs if name in self.reports.get(run.number, {})]
        last = good[0] if good else None
        failed = [run for run in self.runs if run.state == "failed" and (last is None or run.number > last.number)]
        said: dict[str, Any] = {
            "latestEvaluation": self._evaluation(failed[0] if failed else last, last),
            "evaluationStats": {
                "lastSuccessful": last.finished if last is not None else None,
                "consecutiveFailureCount": len(failed),
            },
        }
        scalar = measure.scalar and values
        if scalar and last is not None:
            said["output"] = self._output(name, last)
        if since is not None:
            past = [
                r
                for r in self.runs
                if r.finished is not None and r.finished >= since and (r in good or r.state == "failed")
            ]
            said["evaluationHistory"] = [self._evaluation(run, run if run in good else None) for run in past]
            said["outputHistory"] = [self._output(name, run) for run in past if scalar and run in good]
        return said

    def _evaluation(self, run: Run | None, good: Run | None) -> dict[str, Any]:
        if run is None:
            return {"state": "none"}
        error = {"key": (run.error or {}).get("error", "")} if run.state == "failed" else None
        return {
            "lastSuccessfulRunId": good.run_id if good is not None else None,
            "state": "failed" if run.state == "failed" else "completed",
            "endTime": run.finished,
            "error": error,
        }

    def _output(self, name: str, run: Run) -> dict[str, Any]:
        values = {report.column: report.min for report in self.reports[run.number][name]}
        return {"values": values, "measureName": name, "evaluationTime": run.finished}


def metadata(
    name: str,
    measure: Measure,
    author: Author | None,
    told: Mapping[str, Any],
    instance: str,
    *,
    templates: bool,
    shown: bool = True,
) -> MeasureBody:
    """The document. `templates`: whether it says of which template it is; `shown` False: without what it says."""
    defined = _defined(name, measure, author) if shown else {"displayName": measure.title, "description": NOTE}
    said = {**defined, **told, "name": name}
    if templates:
        said |= {"isTemplate": False, "templateId": measure.template}
    said["isCreatedFromTemplate"] = measure.template is not None
    said |= author.tail(instance) if author is not None else {"instanceId": instance}
    return MeasureBody.model_validate(said)


def _defined(name: str, measure: Measure, author: Author | None) -> dict[str, Any]:
    """The definition: as the client sent it while it still is that, else in the vendor's words, else in ours."""
    around = {"displayName": measure.title, "description": measure.description}
    if author is not None and author.said is not None:
        sent = DefinitionBody.model_validate(author.said)
        if noun_of(name, measure.title, measure.description, sent) == measure:
            return {**around, "definition": author.said}
    try:
        return {**around, "definition": wire_of_measure(name, measure).definition.wire()}
    except SpecError:
        return {**around, "ownDefinition": own_definition(measure)}


def own_definition(measure: Measure) -> dict[str, Any]:
    """A definition as a project file has it, short: without defaults, wherever that reads back as the same."""
    short: dict[str, Any] = measure.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    whole: dict[str, Any] = measure.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return short if Measure.model_validate(short) == measure else whole
