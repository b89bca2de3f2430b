"""Validate a project without an instance: its files are sniffed, its plan is tried on empty tables of their columns.

    project file ─▶ nouns ─▶ header and first rows of every entity ─▶ labels, filters, lists ─▶ plan ─▶ resolution
                                                                    ─▶ the whole conflation on empty tables

Everything that is wrong is collected, so that a user mends a project in one round.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import computed_field

from ingest.columns import check_names
from ingest.customer_lists import load_customer_lists
from ingest.filters import filter_predicate
from ingest.labels import check_labels
from ingest.lists import load_lists
from ingest.load import load
from ingest.record_tables import key_of, keyed, types_of
from ingest.sniff import sniff
from ingest.types import parse_type
from segments.activities import make_activities
from segments.measures.checks import measure_problems
from segments.measures.run import make_measures
from segments.membership.check import segment_problems
from segments.model import model_of
from segments.relation_checks import relation_problems, relation_warnings
from unify.conflation.checks import Schemas, plan_problems
from unify.conflation.columns import resolution_problems
from unify.conflation.normalize_lists import lists_of
from unify.conflation.run import ThisRun, conflate
from unify.core.documents import parse_project, read_text
from unify.core.errors import SpecError, UnifyError
from unify.core.names import quote, table_of
from unify.core.reports import Report
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.records import RecordStore, Table
from unify.spec import Project


class RuleSentence(Report):
    """A rule of the plan in plain English, in order of strength."""

    kind: str
    left: str
    right: str
    name: str
    sentence: str


class ValidationReport(Report):
    """What `validate` found. `columns`: entity to {column: type}; types that are not declared are a guess."""

    project: str
    problems: list[str] = []
    warnings: list[str] = []
    columns: dict[str, dict[str, str]] = {}
    rules: list[RuleSentence] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether a run would take this project and find its segments."""
        return not self.problems

    def lines(self) -> Iterator[str]:
        """Plain text."""
        for problem in self.problems:
            yield f"✗ {problem}"
        for warning in self.warnings:
            yield f"! {warning}"
        for entity, columns in self.columns.items():
            yield f"{entity}: {', '.join(f'{name} {kind}' for name, kind in columns.items())}"
        for number, rule in enumerate(self.rules, 1):
            pair = rule.left if rule.left == rule.right else f"{rule.left} -> {rule.right}"
            yield f"{number}. {rule.kind} {pair}, {rule.name!r}: {rule.sentence}"
        verdict = "fine" if self.ok else f"{len(self.problems)} problems" if len(self.problems) > 1 else "1 problem"
        yield f"{self.project}: {verdict}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


def validate_project(
    project: Project,
    base: Path,
    frames: Mapping[str, Any] | None = None,
    *,
    where: str = "",
    records: RecordStore | None = None,
) -> ValidationReport:
    """Everything wrong with a project, and its rules as sentences.

    base    the folder that its paths are relative to
    frames  entity to a pandas, polars or Arrow table, for entities that have no files
    where   how the report calls the project; default: its name
    records where the project's record tables lie; None: only those are known that every instance has
    """
    tables = _record_tables(project, records)
    keyed_project = keyed(project, {name: key_of(table) for name, table in tables.items()})
    with DuckDBEngine(threads=1) as engine:
        return _Validation(engine, keyed_project, base, frames or {}, tables).report(where or project.name)


def _record_tables(project: Project, records: RecordStore | None) -> dict[str, Table]:
    """The record table of every entity that has one, where it is known."""
    from unify.dataverse.model import shipped_record_tables

    known = dict(shipped_record_tables())
    if records is not None:
        with records.read() as reading:
            known |= reading.tables()
    named = {name: entity.records for name, entity in project.entities.items() if entity.records}
    return {name: known[table] for name, table in named.items() if table in known}


class _Validation:
    """One validation in a scratch database."""

    def __init__(
        self,
        engine: DuckDBEngine,
        project: Project,
        base: Path,
        frames: Mapping[str, Any],
        tables: Mapping[str, Table],
    ) -> None:
        self.tables = tables
        self.engine, self.project, self.base, self.frames = engine, project, base, frames
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.types: dict[str, dict[str, str]] = {}
        self.schemas: dict[str, dict[str, str]] = {}

    def report(self, where: str) -> ValidationReport:
        for name in self.project.entities:
            self._entity(name)
        self.problems += [str(p) for p in measure_problems(self.project)]
        lists_load = self._attempt(lambda: load_lists(self.engine, self.project, self.base))
        rules: list[RuleSentence] = []
        if len(self.schemas) == len(self.project.entities):
            self.problems += [str(p) for p in relation_problems(self.project, self.schemas)]
            self.warnings += relation_warnings(self.project)
        if self.project.conflation is None:
            self.warnings.append(
                "there is no conflation plan: `unify ingest` works, `unify conflate` has nothing to do"
            )
        else:
            unseen = [e for e in self.project.entities if e not in self.schemas]
            self.problems += dict.fromkeys(self._plan_problems(unseen))
            if not unseen:
                self.problems += resolution_problems(self.project, self.schemas)
            if not self.problems and not unseen and lists_load:
                rules = self._dry_run()
        return ValidationReport(
            project=where,
            problems=list(dict.fromkeys(self.problems)),
            warnings=list(dict.fromkeys(self.warnings)),
            columns=self.types,
            rules=rules,
        )

    def _attempt(self, step: Callable[[], object]) -> bool:
        """Do it; what it raises becomes problems. True: nothing was raised."""
        try:
            step()
        except UnifyError as error:
            self.problems += _problems(error)
            return False
        return True

    def _entity(self, name: str) -> None:
        entity = self.project.entity(name)
        if entity.records and name not in self.tables and name not in self.frames:
            said = f"{name}: {entity.records!r} is no record table that every instance has, and was not looked at"
            self.warnings.append(f"{said}; a run on its instance sees it")
            return
        if not entity.files and not entity.records and name not in self.frames:
            self.warnings.append(f"{name} has no files: its data comes from Python and was not looked at")
            return
        if not self._attempt(lambda: self._look(name)):
            return
        have = self.schemas[name]
        self._attempt(lambda: filter_predicate(entity, have, where=f"{name}.where"))
        self._attempt(lambda: self.warnings.extend(check_labels(name, entity, have)))

    def _look(self, name: str) -> None:
        entity = self.project.entity(name)
        if name in self.frames:
            loaded = load(self.engine, name, entity, self.frames[name], base=self.base)
            types = {c.name: c.type for c in loaded.columns}
        elif entity.records:
            types = types_of(self.tables[name])
            check_names(entity, list(types), name)
        else:
            types = sniff(entity, self.base, where=name, engine=self.engine)
        self.types[name] = types
        self.schemas[name] = {column: parse_type(spelled, name).sql for column, spelled in types.items()}

    def _plan_problems(self, unseen: list[str]) -> Iterator[str]:
        """Of the plan; that an entity was not looked at is said elsewhere."""
        schemas: Schemas = self.schemas
        plan = self.project.conflation
        if plan is None:
            return
        for problem in plan_problems(self.project, plan, schemas):
            if problem.place == "order" and any(problem.message.startswith(f"{e} has not been") for e in unseen):
                continue
            if problem.place.startswith("limit ") and unseen and "no entity has a column" in problem.message:
                continue
            yield str(problem)

    def _dry_run(self) -> list[RuleSentence]:
        """Conflate empty tables: whatever a rule, a normaliser or a household cannot do is refused as in a run."""
        for name, columns in self.schemas.items():
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {quote(column)}" for column, kind in columns.items())
            self.engine.build(Step(table_of(name), Query(f"SELECT {nothing} WHERE false"), "no rows", keep=True))
        rules: list[RuleSentence] = []

        def go() -> None:
            found = conflate(
                self.engine, self.project, lists_of(self.engine, self.project), this=ThisRun(1, datetime.now(UTC))
            )
            rules.extend(RuleSentence(kind=r.kind, left=r.left, right=r.right, name=r.name, sentence=r.sentence)
                         for r in found.rules)  # fmt: skip
            make_activities(self.engine, self.project)
            model = model_of(self.engine, self.project)
            make_measures(self.engine, self.project, model, clock=datetime.now(UTC), dry=True)
            load_customer_lists(self.engine, self.project, self.base)
            model = model_of(self.engine, self.project)  # with the measures
            for problem in segment_problems(self.engine, model, self.project.segments, datetime.now(UTC)):
                self.problems += _problems(problem)

        self._attempt(go)
        return rules


def _problems(error: UnifyError) -> list[str]:
    """One sentence per problem that an error carries."""
    lines = [f"{error.where}: {line}" if error.where else line for line in error.message.split("\n")]
    if error.hint:
        lines[-1] += f" ({error.hint})"
    return lines


def validate(
    project: "Project | Mapping[str, Any] | str | Path",
    *,
    frames: Mapping[str, Any] | None = None,
    base: str | Path | None = None,
) -> ValidationReport:
    """The same for a project, a dict, or the path of a project file; mistakes in the file are problems too.

    Raises SpecError when there is no such file.
    """
    if isinstance(project, Project):
        return validate_project(project, Path(base or Path.cwd()), frames)
    if isinstance(project, Mapping):
        where, folder = "project", Path.cwd()
        text, is_json = json.dumps(project, default=str), True
    else:
        path = Path(project)
        where, folder, is_json = str(path), path.resolve().parent, path.suffix == ".json"
        text = read_text(path)
    try:
        read = parse_project(text, where="", is_json=is_json)
    except SpecError as error:
        return ValidationReport(project=where, problems=_problems(error))
    return validate_project(read, Path(base or folder), frames, where=where)
