"""A first project file that runs: files are sniffed; keys, labels and a simple plan are proposed and explained.

files ─▶ seen (columns, types, a sample) ─▶ key · labels · profile or not ─▶ rules on alike labels ─▶ commented YAML

What is a guess is said to be one in a comment. The labels stand as comments: the user confirms them.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from anyascii import anyascii

from ingest.files import resolve_files
from ingest.labels import Suggestion, suggest
from ingest.load import open_source
from ingest.profiler import KEY_WORDS
from ingest.rows import slot
from ingest.sniff import sniff
from ingest.types import parse_type
from ingest.words import words
from unify.core.documents import parse_project
from unify.core.errors import SpecError, StoreError
from unify.core.names import table_of
from unify.core.reports import Report
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity
from unify.starter_plan import Person, plan_lines

PROJECT_FILE = "project.yaml"
SAMPLE = 10_000
"""Rows of each first file that are looked at for keys and labels; sniffing reads some thousand anyway."""
SURE = 0.6
"""How confident a label must be to become part of a rule; below it stays a comment."""
NEARLY_UNIQUE = 0.95
"""Real exports have some rows twice; a key is still a key."""
IDENTITY = ("Person.FullName", "Person.FirstName", "Person.LastName", "Person.BirthDate", "Identity.Service.Email",
            "Identity.Service.Phone")  # fmt: skip
PERSON_LABELS = 2
"""Labels of IDENTITY that make an entity one of people; a review with a name in it has one."""


class StarterReport(Report):
    """What was written. `notes`: what the user should look at first."""

    path: str
    entities: list[str] = []
    order: list[str] = []
    rules: int = 0
    notes: list[str] = []

    def __str__(self) -> str:
        what = f"{len(self.entities)} entities, {self.rules} rules" if self.entities else "a template to fill in"
        return "\n".join([f"{self.path}: {what}", *(f"! {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)


@dataclass(slots=True)
class _Seen:
    """One entity as its files show it."""

    name: str
    files: str
    columns: dict[str, str]
    key: str
    unique: float
    """Share of the rows looked at that have a key of their own."""
    labels: dict[str, Suggestion] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    """Types to declare, where a guess from a sample would be dangerous."""

    @property
    def is_person(self) -> bool:
        return len({s.label for s in self.labels.values() if s.confidence >= SURE and s.label in IDENTITY}) >= (
            PERSON_LABELS
        )

    @property
    def person(self) -> Person:
        best: dict[str, tuple[float, str]] = {}
        for column, suggestion in self.labels.items():
            if suggestion.confidence >= SURE and suggestion.confidence > best.get(suggestion.label, (0.0, ""))[0]:
                best[suggestion.label] = (suggestion.confidence, column)
        types = {**self.columns, **self.types}
        return Person(self.name, {label: column for label, (_, column) in best.items()}, types)


def write_starter(folder: Path, files: Sequence[str] = (), *, force: bool = False) -> StarterReport:
    """Write `project.yaml` into `folder`, which is made when it is not there.

    files   paths, folders or quoted globs, each becomes one entity; none: a template to fill in
    force   replace an existing project file
    Raises StoreError when there is one already, SourceError for files that cannot be read.
    """
    target = folder / PROJECT_FILE
    if target.exists() and not force:
        raise StoreError("there is a project file already", where=str(target), hint="--force replaces it")
    seen = _look(files, folder) if files else []
    text, report = _project(seen, folder) if seen else (TEMPLATE, StarterReport(path=str(target)))
    parse_project(text, where=str(target))  # what we write, we can read
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}", where=str(target), hint="choose another folder"
        ) from None
    return report.model_copy(update={"path": str(target)})


def _look(files: Sequence[str], folder: Path) -> list[_Seen]:
    found: list[_Seen] = []
    with DuckDBEngine(threads=1) as engine:
        for path in files:
            name = _name_of(path, folder, {table_of(s.name).casefold() for s in found})
            found.append(_look_at(engine, name, path, folder))
    return found


def _look_at(engine: DuckDBEngine, name: str, path: str, folder: Path) -> _Seen:
    probe = Entity(files=(str(Path(path).absolute()),), key="?")
    source = open_source(probe, resolve_files(probe, Path.cwd()), sample_only=True)
    if not source.columns:
        raise SpecError("the file has no columns", where=path, hint="is it empty?")
    entity = probe.model_copy(update={"key": source.columns[0]})
    columns = sniff(entity, Path.cwd(), where=name, engine=engine)
    values = {column: _values(engine, slot(i)) for i, column in enumerate(columns)}
    key, unique = _key(name, columns, values)
    kinds = {column: parse_type(kind, name).sql for column, kind in columns.items()}
    typed = {column: _typed(columns[column], some) for column, some in values.items()}
    labels = suggest(kinds, typed, today=datetime.now(UTC).date())
    seen = _Seen(name, os.path.relpath(Path(path).absolute(), folder.absolute()), columns, key, unique, labels)
    for column, suggestion in labels.items():
        digits = suggestion.label in ("Identity.Service.Phone", "Location.PostalCode")
        if digits and columns[column] != "string":  # 06328 and +49 are no numbers
            seen.types[column] = "string"
    return seen


def _values(engine: DuckDBEngine, column: str) -> list[Any]:
    rows = engine.fetch(Query(f"SELECT {column} FROM sniffed_rows LIMIT {SAMPLE}"))
    return list(rows.column(0).to_pylist())


def _typed(kind: str, values: list[Any]) -> list[Any]:
    """Dates as dates where they are written in ISO; label tests judge other spellings by the column's name."""
    if kind not in ("date", "datetime"):
        return [v if not isinstance(v, str) else v.strip() for v in values if v is not None]
    found = []
    for value in values:
        if not isinstance(value, str):
            found.append(value)
            continue
        try:
            found.append(datetime.fromisoformat(value.strip()))
        except ValueError:
            continue
    return [v for v in found if v is not None]


def _key(name: str, columns: dict[str, str], values: dict[str, list[Any]]) -> tuple[str, float]:
    """The column that looks most like the key, and the share of the rows looked at that have a value of their own."""
    entity = {word.removesuffix("s") for word in words(name.partition(".")[2])}
    shares = {column: _share_unique(values[column]) for column in columns}

    def rank(place: int, column: str) -> tuple[bool, bool, bool, int]:
        parts = words(column)
        named = bool(KEY_WORDS.intersection(parts))
        return shares[column] < NEARLY_UNIQUE, not named, not entity.intersection(parts), place

    candidates = [(i, c) for i, c in enumerate(columns) if columns[c] in ("string", "integer", "guid")]
    column = min(candidates or list(enumerate(columns)), key=lambda pair: rank(*pair))[1]
    return column, shares[column]


def _share_unique(values: list[Any]) -> float:
    filled = {v for v in values if v not in (None, "")}
    return len(filled) / len(values) if values else 0.0


def _name_of(path: str, folder: Path, taken: set[str]) -> str:
    """`exports/crm/contacts-2024.csv` becomes `crm.Contacts`; a file beside the project becomes `files.Contacts`."""
    place = Path(path).absolute()
    stem = place.name.split(".", maxsplit=1)[0]
    parent = place.parent.name if place.parent != folder.absolute() else "files"
    source = "_".join(w for w in words(parent) if not w.isdigit()) or "files"
    entity = "".join(w.capitalize() for w in words(anyascii(stem)) if not w.isdigit()) or "Rows"
    name, number = f"{source}.{entity}", 1
    while table_of(name).casefold() in taken:
        number += 1
        name = f"{source}.{entity}{number}"
    return name


def _project(seen: list[_Seen], folder: Path) -> tuple[str, StarterReport]:
    people = [s for s in seen if s.is_person]
    rules, plan = plan_lines([s.person for s in people])
    notes = [f"{s.name}: {s.key} was taken as the key, but {_repeats(s)}" for s in seen if s.unique < 1]
    if not rules:
        notes.append("no rule could be proposed: name your columns under conflation (docs/project-file.md)")
        plan = PLAN_TEMPLATE.splitlines()
    name = "_".join(words(folder.absolute().name)) or "customers"
    name = name if name[0].isalpha() else f"p_{name}"
    lines = [
        "# Written by `unify init` from the first rows of each file. Guesses are marked: read them once.",
        "#   unify validate project.yaml     says what is wrong, and every rule as a sentence",
        "#   unify run project.yaml          makes the customers",
        f"name: {name}",
        "",
        "sources:",
        *_sources(seen),
        "",
        *plan,
    ]
    report = StarterReport(
        path="", entities=[s.name for s in seen], order=[s.name for s in people] if rules else [], rules=rules,
        notes=notes,
    )  # fmt: skip
    return "\n".join(lines) + "\n", report


def _sources(seen: list[_Seen]) -> Iterator[str]:
    for source in dict.fromkeys(s.name.partition(".")[0] for s in seen):
        yield f"  {source}:"
        for one in seen:
            if one.name.partition(".")[0] == source:
                yield from (f"    {line}" for line in _entity(one))


def _entity(one: _Seen) -> Iterator[str]:
    yield f"{one.name.partition('.')[2]}:"
    yield f"  files: {scalar(one.files)}"
    why = "unique in the rows looked at" if one.unique == 1 else f"{_repeats(one)}: they are set aside and counted"
    yield f"  key: {scalar(one.key)}    # {why}"
    if not one.is_person:
        yield "  type: unspecified    # not about people, by its columns; or `type: activity` and `timestamp: …`"
    if one.types:
        yield "  columns:    # digits that are no numbers"
        yield from (f"    {scalar(column)}: {kind}" for column, kind in one.types.items())
    if one.labels:
        yield "  # labels:    # what the columns seem to mean; remove the # of those that are right"
        for column, suggestion in one.labels.items():
            reason = " ".join(suggestion.reason.split())
            yield f"  #   {scalar(column)}: {suggestion.label}    # {suggestion.confidence:.0%}: {reason}"


def _repeats(one: _Seen) -> str:
    return f"{max(1 - one.unique, 0.001):.1%} of the rows looked at repeat it or lack it"


def scalar(text: str) -> str:
    """A string as YAML writes it on one line."""
    dumped = str(yaml.safe_dump(text, default_flow_style=True, width=10_000, allow_unicode=True))
    return dumped.removesuffix("\n").removesuffix("\n...")


PLAN_TEMPLATE = """\
# conflation:
#   order: [crm.Contacts, loyalty.Members]
#   match:
#     loyalty.Members -> crm.Contacts:
#       - {name: e-mail, when: [{field: EMail, normalize: [lower, whitespace]}]}
"""

TEMPLATE = """\
# A first project: put your own files, keys and columns in place of these, then
#   unify validate project.yaml     says what is wrong, and every rule as a sentence
#   unify run project.yaml          makes the customers
# `unify init --from FILE …` writes one from your files. Every key: docs/project-file.md
name: customers

sources:
  crm:
    Contacts:
      files: exports/crm/contacts*.csv      # a path, glob or folder; CSV, Parquet or JSON lines; .gz and .zst too
      key: ContactId                        # the column that identifies a row
      # columns: {DateOfBirth: date, PostCode: string}      types are inferred unless you say them
      # labels: {EMail: Identity.Service.Email}             `unify labels` suggests them
  loyalty:
    Members:
      files: exports/loyalty/members.csv
      key: LoyaltyId

conflation:
  order: [crm.Contacts, loyalty.Members]    # the first is the primary entity
  match:                                    # lower -> upper; a rule is tried where the rules before it found nothing
    loyalty.Members -> crm.Contacts:
      - name: e-mail
        when:
          - {field: EMail, normalize: [lower, whitespace]}
      - name: phone and name
        when:
          - {field: Telephone, normalize: [{phone: US}]}
          - {field: FullName, normalize: [ascii, lower, symbols, name], precision: high}
  # dedupe:                                 # rules inside one entity
  #   crm.Contacts:
  #     - {name: e-mail and name, when: [{field: EMail, normalize: [lower]}, {field: FullName, precision: high}]}
  # limits: [{never_two: DateOfBirth}, {at_most_one: loyalty.Members}]

# resolution:                               # which value wins; default: the one of the entity that comes first
#   EMail: most recent by ModifiedOn
#   Address: {group: [Street, City, PostCode], by: most filled}
"""
