"""Rows that are written one by one: checked against the entity as it was published, kept until a run takes them.

write_row(acme, "crm_Contacts", {"ContactId": "C-9", "FullName": "…"}, …)      a new row
change_row(acme, "crm_Contacts", "C-9", {"City": "Bern"}, …)                   columns of a row that is there
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from unify.core.engine import Engine
from unify.core.errors import NotFoundError, QueryError, SpecError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.opened import Opened
from unify.spec import Project
from unify.store.written import WrittenRow, WrittenRows

TAKES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,), "boolean": (bool,), "integer": (int, str), "decimal": (int, float, str),
    "double": (int, float, str), "date": (str,), "datetime": (str,), "guid": (str,),
}  # fmt: skip
"""What JSON may hold for a column of each kind; numbers as text too, for clients whose numbers are doubles."""


class RowExistsError(QueryError):
    """A new row has the key of one that is there. `number`: which of those that were to be kept together, from 0."""

    number: int = 0


class Together:
    """Writes that are kept together: each is checked when it is added, and `keep` keeps all of them or none.

    A change may be of a row that was added before it.
    """

    def __init__(self, acme: Opened) -> None:
        self._acme = acme
        self._kept = WrittenRows(acme.store.path)
        self._rows: list[WrittenRow] = []
        self._added: set[tuple[str, str]] = set()
        self._now = datetime.now(UTC)

    def add_row(
        self, entity: str, values: Mapping[str, Any], *, until: datetime | None = None, caller: str = ""
    ) -> tuple[str, str]:
        """A new row; as `write_row`."""
        name, key_column, engine = _entity(self._acme, entity)
        texts = _texts(engine, table_of(name), values)
        key = texts.get(key_column)
        if key is None:
            raise SpecError(f"a row of {name} needs its key", where=key_column, hint=f"give {key_column} a value")
        if self._is_written(name, key) or _is_there(engine, table_of(name), key_column, key):
            raise _exists(name, key, key_column)
        self._add(WrittenRow(name, key, texts, True, until, caller))
        return name, key

    def add_change(
        self, entity: str, key: str, values: Mapping[str, Any], *, until: datetime | None = None, caller: str = ""
    ) -> tuple[str, str]:
        """A change; as `change_row`."""
        name, key_column, engine = _entity(self._acme, entity)
        try:
            wanted = _texts(engine, table_of(name), {key_column: key}, any_text=True)[key_column] or ""
        except SpecError:
            raise _no_row(name, key) from None  # what is no key is nobody's
        if not (self._is_written(name, wanted) or _is_there(engine, table_of(name), key_column, wanted)):
            raise _no_row(name, key)
        texts = _texts(engine, table_of(name), values)
        if texts.get(key_column, wanted) != wanted:
            hint = "a row keeps its key: leave it out, or write a new row"
            raise SpecError(f"the row is {wanted!r}, not {texts[key_column]!r}", where=key_column, hint=hint)
        self._add(WrittenRow(name, wanted, texts, False, until, caller))
        return name, wanted

    def keep(self) -> None:
        """All that was added, in one transaction; RowExistsError when somebody wrote one of the new rows meanwhile."""
        taken = self._kept.write_all(self._rows, datetime.now(UTC))
        if taken is not None:
            error = _exists(self._rows[taken].entity, self._rows[taken].key, "")
            error.number = taken
            raise error

    def _is_written(self, name: str, key: str) -> bool:
        return (name, key) in self._added or self._kept.find(name, key, self._now) is not None

    def _add(self, row: WrittenRow) -> None:
        self._rows.append(row)
        self._added.add((row.entity, row.key))


def write_row(
    acme: Opened, entity: str, values: Mapping[str, Any], *, until: datetime | None = None, caller: str = ""
) -> tuple[str, str]:
    """Keep a new row; its entity and its key as text.

    NotFoundError for an unknown entity, RowExistsError for a key that is there, SpecError (`where` is the column) for a
    column or a value that the entity cannot have.
    """
    writes = Together(acme)
    made = writes.add_row(entity, values, until=until, caller=caller)
    writes.keep()
    return made


def change_row(
    acme: Opened,
    entity: str,
    key: str,
    values: Mapping[str, Any],
    *,
    until: datetime | None = None,
    caller: str = "",
) -> tuple[str, str]:
    """Keep a change of a row that is there, or was written; its entity and its key as text.

    NotFoundError for an unknown entity or row, SpecError as of `write_row` and for another key in the values.
    """
    writes = Together(acme)
    changed = writes.add_change(entity, key, values, until=until, caller=caller)
    writes.keep()
    return changed


def _exists(name: str, key: str, where: str) -> RowExistsError:
    return RowExistsError(f"{name} has a row {key!r} already", where=where, hint="change it with PATCH")


def _no_row(name: str, key: str) -> NotFoundError:
    return NotFoundError(f"{name} has no row {key[:80]!r}", where="entityId", hint="POST writes a new one")


def _entity(acme: Opened, entity: str) -> tuple[str, str, Engine]:
    """The qualified name, its key and the engine."""
    project: Project = acme.project()
    names = {table_of(name): name for name in project.entities} | {name: name for name in project.entities}
    name = names.get(entity)
    if name is None:
        known = acme.tables()
        if entity in known:
            message = f"{entity} is made by runs, from the rows of {', '.join(sorted(project.entities))}"
            raise SpecError(message, where="entityName", hint="write to the entity that the value comes from")
        raise NotFoundError(f"there is no entity {entity[:80]!r}", where="entityName", hint=did_you_mean(entity, names))
    return name, project.entity(name).key, acme.engine()


def _texts(engine: Engine, table: str, values: Mapping[str, Any], *, any_text: bool = False) -> dict[str, str | None]:
    """Values as text that their columns read, as the columns would write it."""
    from ingest.kinds import kind_of

    columns = engine.columns(table)
    asked: dict[str, str] = {}
    for name, value in values.items():
        if name not in columns:
            raise SpecError(f"there is no column {name[:80]!r}", where=name[:80], hint=did_you_mean(name, columns))
        kind = kind_of(columns[name])
        if value is None:
            continue
        allowed = TAKES.get(kind)
        if allowed is None:
            raise SpecError(
                f"{name} holds {columns[name]}, which files alone can bring", where=name, hint="leave it out"
            )
        fits = isinstance(value, allowed) and (kind == "boolean" or not isinstance(value, bool))
        if not (any_text or (fits and _whole(kind, value))):
            raise SpecError(f"{value!r:.80} is no {kind}", where=name, hint=f"{name} is {columns[name]}")
        asked[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return dict.fromkeys(values) | _read(engine, columns, asked)


def _whole(kind: str, value: Any) -> bool:
    """Whether text is a value of the kind with nothing lost: SQL would read 1.7 as an integer, and a time as a date."""
    if not isinstance(value, str) or kind not in ISO:
        return True
    try:
        ISO[kind](value)
    except ValueError:
        return False
    return True


ISO: Final[Mapping[str, Callable[[str], object]]] = {
    "integer": int, "date": date.fromisoformat, "datetime": datetime.fromisoformat,
}  # fmt: skip


def _read(engine: Engine, columns: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    if not asked:
        return {}
    casts = ", ".join(f"CAST(TRY_CAST($v{i} AS {columns[name]}) AS VARCHAR) AS c{i}" for i, name in enumerate(asked))
    params = {f"v{i}": text for i, text in enumerate(asked.values())}
    found = engine.fetch(Query(f"SELECT {casts}", params))
    read: dict[str, str] = {}
    for i, (name, text) in enumerate(asked.items()):
        said = found.column(i)[0].as_py()
        if said is None:
            raise SpecError(f"{text[:80]!r} is no {columns[name]}", where=name, hint=f"{name} is {columns[name]}")
        read[name] = said
    return read


def _is_there(engine: Engine, table: str, key: str, value: str) -> bool:
    sql = f"SELECT count(*) FROM {quote(table)} WHERE CAST({quote(key)} AS VARCHAR) = $key"
    return bool(engine.fetch(Query(sql, {"key": value})).column(0)[0].as_py())
