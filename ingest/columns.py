"""What each column becomes: its type, the SQL that reads it from the staging table, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.arrow_types import NOTHING
from ingest.dates import names_of, read_families
from ingest.infer import Inferred, families_of, holds_codes, infer
from ingest.rows import Source, slot
from ingest.types import DATE, DATETIME, DOUBLE, GUID, STRING, ColumnType, Reading, declared_type
from unify.core.engine import Engine
from unify.core.errors import SourceError, SpecError, did_you_mean
from unify.core.names import literal, quote
from unify.core.steps import Query
from unify.spec import Column, Entity

KEY_TYPES = ("string", "integer", "guid")
NO_KEY = "primary key is null"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of an entity.

    value    SQL over the staging table: the typed value
    problem  SQL condition under which the row is refused because of this column; empty = no row is
    reason   SQL: what is wrong then
    """

    index: int
    name: str
    type: ColumnType
    value: str
    declared: bool = False
    format: str = ""
    problem: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """SQL: the value as it was read, as text."""
        return f"CAST({slot(self.index)} AS VARCHAR)"


def check_names(entity: Entity, columns: Sequence[str], where: str) -> None:
    """Every column that the project names is there. Raises SourceError for the key, SpecError for the rest."""
    if entity.key not in columns:
        hint = did_you_mean(entity.key, columns)
        raise SourceError(f"there is no column {entity.key!r} for the primary key", where=where, hint=hint)
    said = (("columns", entity.columns), ("labels", entity.labels), ("pii", entity.pii))
    named = [(option, name) for option, names in said for name in names]
    named += [("timestamp", entity.timestamp)] if entity.timestamp else []
    named += [("incremental.updated", entity.incremental.updated)] if entity.incremental else []
    missing = [(option, name) for option, name in named if name not in columns]
    if missing:
        lines = [f"`{option}` names {name!r}, which is no column" for option, name in missing]
        raise SpecError("\n".join(lines), where=where, hint=did_you_mean(missing[0][1], columns))


def plan_columns(
    engine: Engine,
    table: str,
    entity: Entity,
    source: Source,
    where: str,
    given: Mapping[str, ColumnType] | None = None,
) -> tuple[list[Field], list[str]]:
    """The fields of an entity whose rows are staged in `table`, and warnings.

    `given` are types decided elsewhere (delete files take those of the rows). Raises SpecError, SourceError.
    """
    declared = {n: declared_type(entity.columns.get(n), f"{where}.columns.{n}") for n in source.columns}
    declared |= dict(given or {})
    unknown = {i: n for i, n in enumerate(source.columns) if source.natives[i] is None and declared[n] is None}
    inferred = infer(
        engine,
        table,
        unknown,
        codes=[i for i, n in unknown.items() if holds_codes(n, entity.labels.get(n, ""))],
        quoted=[i for i in unknown if source.quoted[i]],
        dates=entity.dates,
        decimal=source.decimal,
    )
    fields, warnings = [], []
    for i, name in enumerate(source.columns):
        native, wanted = source.natives[i], declared[name]
        if wanted is not None:
            fields.append(_declared(engine, table, entity, i, name, wanted, source, where))
        elif native is not None:
            fields.append(_native(i, name, native))
        else:
            found = inferred[i]
            if found.warning:
                warnings.append(f"{where}: {found.warning}")
            if found.strays:
                stray = _declared(engine, table, entity, i, name, found.type, source, where)
                fields.append(replace(stray, declared=False))
            else:
                fields.append(_inferred(entity, i, name, found, source.decimal))
    _check_timestamp(entity, fields, warnings, where)
    fields = _only_what_fails(engine, table, fields)
    return [_as_key(f, where) if f.name == entity.key else f for f in fields], warnings


def _declared(
    engine: Engine, table: str, entity: Entity, i: int, name: str, wanted: ColumnType, source: Source, where: str
) -> Field:
    native = source.natives[i]
    column = entity.columns.get(name, Column())
    if native == wanted and wanted != GUID:
        return Field(i, name, wanted, slot(i), declared=True)
    is_text = native in (None, STRING, NOTHING, GUID)
    value = slot(i) if is_text else f"CAST({slot(i)} AS VARCHAR)"
    if wanted.kind == "string":
        return Field(i, name, wanted, value, declared=True)
    formats = column.format if is_text else ()
    decimal = source.decimal if native is None else "."
    reading = Reading(wanted, formats, entity.dates, decimal, f"{where}.columns.{name}")
    sql = reading.sql(value)
    spelling = ", ".join(formats)
    if not formats and is_text and wanted.kind in ("date", "datetime"):
        spelling = names_of(families_of(engine, table, i, entity.dates))
    problem = f"({slot(i)} IS NOT NULL AND ({sql}) IS NULL)"
    return Field(i, name, wanted, sql, True, spelling, problem, literal(reading.reason))


def _native(i: int, name: str, native: ColumnType) -> Field:
    if native == NOTHING:
        return Field(i, name, STRING, slot(i))
    return Field(i, name, native, f"CAST({slot(i)} AS UUID)" if native == GUID else slot(i))


def _inferred(entity: Entity, i: int, name: str, found: Inferred, decimal: str) -> Field:
    """Every value was seen to fit: nothing can be refused, and the plain conversion will do."""
    kind, value = found.type, slot(i)
    if name == entity.key and kind.kind not in KEY_TYPES:
        return Field(i, name, STRING, value)
    if kind in (DATE, DATETIME):
        instant = read_families(value, found.families, sure=True)
        return Field(i, name, kind, f"CAST({instant} AS {kind.sql})", format=names_of(found.families))
    if kind == DOUBLE and decimal != ".":
        value = f"replace({value}, {literal(decimal)}, '.')"
    return Field(i, name, kind, value if kind == STRING else f"TRY_CAST({value} AS {kind.sql})")


def _only_what_fails(engine: Engine, table: str, fields: list[Field]) -> list[Field]:
    """One scan over all declared columns; those without a failure need no check later."""
    checked = [f for f in fields if f.problem]
    if not checked:
        return fields
    counts = ", ".join(f"count_if({f.problem}) AS n{f.index}" for f in checked)
    row = engine.fetch(Query(f"SELECT {counts} FROM {quote(table)}"))
    clean = {f.index for j, f in enumerate(checked) if not row.column(j)[0].as_py()}
    return [replace(f, problem="") if f.index in clean else f for f in fields]


def _check_timestamp(entity: Entity, fields: Sequence[Field], warnings: Sequence[str], where: str) -> None:
    """The timestamp column says when: a date, a datetime, or an integer (seconds or the like)."""
    field = next((f for f in fields if f.name == entity.timestamp), None)
    if field is not None and field.type.kind not in ("date", "datetime", "integer"):
        near = next((w for w in warnings if repr(field.name) in w), "")
        hint = near or f"declare it: `columns: {{{field.name}: datetime}}`, with its format if it is unusual"
        raise SpecError(f"the timestamp {field.name!r} is of type {field.type.name}", where=where, hint=hint)


def _as_key(field: Field, where: str) -> Field:
    """The key's field: a row without a key is refused."""
    kind = field.type
    if kind.kind not in KEY_TYPES and not (kind.kind == "decimal" and kind.scale == 0):
        hint = f"keys are string, integer or guid: declare `columns: {{{field.name}: string}}`"
        raise SpecError(f"the primary key {field.name!r} is of type {kind.name}", where=where, hint=hint)
    missing = f"{slot(field.index)} IS NULL"
    if kind == STRING:
        missing = f"({missing} OR trim({field.value}) = '')"
    if not field.problem:
        return replace(field, problem=missing, reason=literal(NO_KEY))
    reason = f"CASE WHEN {missing} THEN {literal(NO_KEY)} ELSE {field.reason} END"
    return replace(field, problem=f"({field.problem} OR {missing})", reason=reason)
