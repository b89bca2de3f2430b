"""Before a run: what the generation before was made from, what is the same now, and whether its file is taken over.

The file of the generation before is copied (240 MB: 0.2 s) and altered when the plan is the same; table by table
through SQL it would take eleven seconds. With another plan the run begins with an empty file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingest.report import ColumnReport, FileReport, LoadReport
from unify.core.reports import IncrementalReport, SourceChange, StageChange
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.incremental import inputs, state
from unify.records import RecordStore
from unify.spec import Project

CONFLATION = "conflation"
SOURCE = "source "
"""Stages of sources are called after their entity: `source crm.Contacts`."""
READ = "read"
CARRIED, UPDATED, ANEW = "carried", "updated", "anew"

Made = dict[str, tuple[Any, Any]]
"""Stage to what it was made from and what it said."""


@dataclass
class Course:
    """What a run knows of the generation before, and what it does with it.

    known        stages of the generation before
    previous     its number; None: there is none
    sources      entity to what it is loaded from now; None: only reading it can tell
    plan         hash of everything that decides who is one customer, but data and lists
    takes_over   the file begins as a copy of the generation before
    why          why not, if not
    made         what this run will have made its stages from
    """

    known: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    previous: int | None = None
    sources: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    plan: str = ""
    takes_over: bool = False
    why: str = ""
    made: Made = field(default_factory=dict)
    report: IncrementalReport = field(default_factory=IncrementalReport)

    def loaded(self, entity: str, load: Callable[[], LoadReport], carry: Callable[[], None]) -> LoadReport:
        """The report of an entity: the old one if it would be loaded just so, after `carry`; else that of `load`."""
        now, stage = self.sources.get(entity), SOURCE + entity
        before = self.known.get(stage)
        if before is not None and inputs.same_source(before[0], now):
            if not self.takes_over:
                carry()
            self.made[stage] = (now, before[1])
            report = load_report(before[1])
            self._source(SourceChange(entity=entity, state=CARRIED, unchanged=report.rows_kept))
            return report
        report = load()
        self.made[stage] = (now, asdict(report))
        return report

    def since(self, entity: str) -> int:
        """The clock of the record store when an entity was taken in; 0: not by an equal declaration, read it all."""
        before, now = self.known.get(SOURCE + entity), self.sources.get(entity)
        if before is None or before[1]["rows_quarantined"]:  # those lie in no table that could be gone on from
            return 0
        return inputs.since(before[0], now)

    def keep_source(self, entity: str) -> None:
        """An entity that this run does not read."""
        if (before := self.known.get(SOURCE + entity)) is not None:
            self.made[SOURCE + entity] = before
        self._source(SourceChange(entity=entity, state=CARRIED))

    def _source(self, change: SourceChange) -> None:
        self.report = self.report.model_copy(update={"entities": [*self.report.entities, change]})

    def read(self, change: SourceChange) -> None:
        """Note what reading a source found."""
        self._source(change)

    def settle(self, order: Iterable[str]) -> None:
        """Everything is known of the sources: list them in this order, those that nobody compared too."""
        noted = {change.entity for change in self.report.entities}
        for name in order:
            if name not in noted:
                self.read(not_compared(name))
        place = {name: at for at, name in enumerate(order)}
        entities = sorted(self.report.entities, key=lambda change: place[change.entity])
        self.report = self.report.model_copy(update={"entities": entities})

    def stage(self, name: str, how: str, why: str = "") -> None:
        """Note what became of a stage."""
        said = StageChange(stage=name, state=how, why=why)
        self.report = self.report.model_copy(update={"stages": [*self.report.stages, said]})


def plan_inputs(project: Project) -> str:
    """Hash of everything but data and lists that decides who is one customer and what Customer looks like."""
    said = project.model_dump(mode="json", include={"conflation", "resolution", "customer", "clusters", "lists"})
    said["lists"] = {name: body["kind"] for name, body in said["lists"].items()}
    said["entities"] = {name: entity.model_dump(mode="json") for name, entity in project.entities.items()}
    return inputs.digest([said, inputs.code()])


def set_course(
    project: Project,
    frames: Mapping[str, object],
    base: Path,
    now: datetime,
    before: tuple[int, Path] | None,
    *,
    reads: bool,
    full: bool = False,
    written: Mapping[str, str] = MappingProxyType({}),
    records: RecordStore | None = None,
) -> Course:
    """Look at the files and at the generation before (number and file).

    reads   the run ingests; otherwise the sources are those of the generation before
    full    nothing is taken over, whatever there is
    written  entity → digest of the rows that were written one by one
    records  where the record tables of the project lie
    """
    known = {} if before is None or full else _known(before[1])
    course = Course(known=known, previous=before[0] if before else None, plan=plan_inputs(project))
    course.report = IncrementalReport(previous=course.previous)
    for name, entity in project.entities.items():
        stage = known.get(SOURCE + name)
        if reads:
            data = frames.get(name)
            last = stage[0] if stage else None
            found = inputs.source_inputs(name, entity, data, base, now, last, records)
            if found is not None and name in written:
                found["written"] = written[name]
            course.sources[name] = found
        else:
            course.sources[name] = stage[0] if stage else None
    conflation = known.get(CONFLATION)
    if before is None:
        course.why = "it is the first run"
    elif full:
        course.why = "asked for"
    elif conflation is None:
        course.why = "the customers there are were not made from the sources there are, or by another release"
    elif conflation[0]["plan"] != course.plan:
        course.why = "the plan, or what else decides who is one customer, changed"
    else:
        course.takes_over = True
    return course


def _known(path: Path) -> Mapping[str, tuple[Any, Any]]:
    with DuckDBEngine() as engine:
        engine.attach(path, "previous")
        return state.stages(engine, "previous")


def not_compared(entity: str) -> SourceChange:
    """An entity that was read, and that nobody held against what it was."""
    return SourceChange(entity=entity, state=READ, inserted=None, updated=None, deleted=None, unchanged=None)


def table_hash(engine: DuckDBEngine, table: str) -> str:
    """A hash of a small table's rows, whatever their order."""
    return inputs.digest(engine.fetch(Query(f"FROM {table} ORDER BY ALL")).to_pylist())


def load_report(said: Mapping[str, Any]) -> LoadReport:
    """What `asdict` made of a report, as a report. Nothing was loaded, so it took no time."""
    return LoadReport(
        **{
            **said,
            "seconds": 0.0,
            "columns": tuple(ColumnReport(**c) for c in said["columns"]),
            "files": tuple(FileReport(**f) for f in said["files"]),
            "warnings": tuple(said["warnings"]),
        }
    )
