"""Give every record its rid and normalise, once, the columns that rules need.

makes  records                one row per record: rid (dense, by conflation order then key), entity, entity_no, key
       prepared_<n>           one row per record of the n-th entity: rid, v0, v1, ... (null: no value)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from unify.conflation import compare
from unify.conflation.letters import LETTERS, letters_of
from unify.conflation.normalize import Lists, define, normalized, unchecked, unless_blank
from unify.conflation.normalize_text import WHITE_SPACE
from unify.core.engine import Engine, scalar
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan, Criterion, Joined, NormalizeStep, Project, SourceColumn, parts

TEXT = "VARCHAR"


WORDY = ("name", "address", "organization")
"""Normalisers that look at words; 1 M values take Python about 0.6 s, a join on 20,000 distinct ones 0.1 s."""
NO_ROWS = (
    "SELECT CAST(0 AS INTEGER) AS rid, CAST(0 AS UTINYINT) AS entity_no, CAST(0 AS BIGINT) AS source_row WHERE false"
)
OFTEN = 3
"""A value must stand on that many rows for the detour over distinct values to pay."""


@dataclass
class Prepared:
    """The prepared values of one entity: which expression became which column."""

    entity: str
    number: int
    types: dict[str, str]
    """Column name to SQL type of the source table."""
    lists: Lists
    values: dict[str, str] = field(default_factory=dict)
    """SQL expression over the source table to column name (v0, v1, ...)."""
    rows: str = ""
    """SQL of the source rows as `source`, joined with their rids as `record_rows`; default: all of the entity's.
    Columns are always written `source."Name"`: a source may call its own columns rid or value."""
    by_word: set[str] = field(default_factory=set)
    """The columns (v0, v1, ...) that look at words, so in Python."""
    origins: dict[str, SourceColumn] = field(default_factory=dict)
    """v0, v1, ... to the source column each is made of, or the several that are joined."""
    lettered: dict[str, None] = field(default_factory=dict)
    """Those of v0, v1, ... that have a column of letters beside them (letters.py)."""
    recipes: dict[str, tuple[SourceColumn, tuple[NormalizeStep, ...], Criterion | None]] = field(default_factory=dict)
    """v0, v1, ... to what was asked of `value` when it was registered."""
    chains: set[tuple[NormalizeStep, ...]] = field(default_factory=set)
    """Every chain of normalisers in use; their functions must be defined before the values are made."""

    @property
    def table(self) -> str:
        """The scratch table of this entity."""
        return f"prepared_{self.number}"

    @property
    def source(self) -> str:
        """SQL of the source rows as `source` with their rids as `record_rows`: what follows FROM."""
        return self.rows or _numbered_rows(self.entity, self.number)

    def expression(
        self, column: SourceColumn, normalize: tuple[NormalizeStep, ...], criterion: Criterion | None
    ) -> str:
        """The SQL over the source table for one normalised value, or its join key when the criterion is exact.

        Raises SpecError for a column that is not there.
        """
        for part in parts(column):
            if part not in self.types:
                raise SpecError(
                    f"{self.entity} has no column {part!r}", where="conflation", hint=did_you_mean(part, self.types)
                )
        value = normalized(_of_source(column), self.type_of(column), normalize, self.lists)
        return _keyed(criterion, value)

    def type_of(self, column: SourceColumn) -> str:
        """The SQL type of a source column; several that are joined make a text."""
        return TEXT if isinstance(column, Joined) else self.types[column]

    def value(
        self,
        column: SourceColumn,
        normalize: tuple[NormalizeStep, ...],
        criterion: Criterion | None = None,
        letters: bool = False,
    ) -> str:
        """The prepared column that holds this value; registers it when it is new, its letters too if asked for."""
        expression = self.expression(column, normalize, criterion)
        name = self.values.setdefault(expression, f"v{len(self.values)}")
        self.origins[name] = column
        self.recipes.setdefault(name, (column, normalize, criterion))
        self.chains.add(normalize)
        phonetic = criterion is not None and criterion.compare == "phonetic"
        if phonetic or any(step.kind in WORDY for step in normalize):
            self.by_word.add(name)
        if letters:
            self.lettered[name] = None
        return name

    def steps(self, engine: Engine) -> list[Step]:
        """Make the table of all values registered so far.

        What Python does to words it does once per distinct value, where a column repeats its values often enough.
        Every other value is worked out below, as a column of its own, before anything is asked of it.
        """
        source = self.source
        repeating = self._repeating(engine, source)
        once = {
            name: f"once_{self.number}_{name}"
            for name in self.values.values()
            if name in self.by_word and self.origins[name] in repeating
        }
        steps = [self._once(name, table, source) for name, table in once.items()]
        texts: dict[str, str] = {}  # the SQL of a value before it is checked, to its name (n0, n1, ...)
        cells: dict[str, str] = {}
        for name in self.values.values():
            raw = _of_source(self.origins[name])
            text = f"{once[name]}.value" if name in once else self._text(name, raw)
            text = texts.setdefault(text, f"n{len(texts)}")
            cells[name] = text if name in once else self._cell(name, text)
            if name in self.lettered:
                cells[letters_of(name)] = f"{LETTERS.name}(CAST({text} AS VARCHAR))"
        below = "".join(f",\n         {text} AS {name}" for text, name in texts.items())
        above = "".join(f",\n       {cell} AS {name}" for name, cell in cells.items())
        joined = "".join(
            f"\n  LEFT JOIN {table} ON {table}.raw = {_of_source(self.origins[name])}" for name, table in once.items()
        )
        whole = Step(
            makes=self.table,
            reads=(table_of(self.entity), "record_rows"),
            query=Query(f"SELECT rid{above}\nFROM (\n  SELECT record_rows.rid{below}\n  FROM {source}{joined}\n)"),
            why=f"normalise what the rules compare in {self.entity}",
            releases=tuple(once.values()),
        )
        return [*steps, whole]

    def _text(self, name: str, raw: str) -> str:
        """SQL of a value before it is checked, over SQL of the value as it is."""
        return unchecked(raw, self.type_of(self.origins[name]), self.recipes[name][1], self.lists)

    def _cell(self, name: str, text: str) -> str:
        """SQL of a value over the name of what `_text` made."""
        _, normalize, criterion = self.recipes[name]
        return _keyed(criterion, unless_blank(text, self.type_of(self.origins[name]), normalize))

    def _once(self, name: str, table: str, source: str) -> Step:
        """One row per distinct value: raw, value."""
        column = self.origins[name]
        raw = _of_source(column)
        distinct = f"SELECT DISTINCT {raw} AS raw FROM {source} WHERE {raw} IS NOT NULL"
        text = f"SELECT raw, {self._text(name, 'raw')} AS text FROM ({distinct})"
        sql = f"SELECT raw, {self._cell(name, 'text')} AS value FROM ({text})"
        return Step(table, Query(sql), f"normalise every {column} once")

    def _repeating(self, engine: Engine, source: str) -> set[SourceColumn]:
        """Columns whose values stand on OFTEN rows each, or more, on average (estimated)."""
        columns = list(dict.fromkeys(self.origins[name] for name in self.values.values() if name in self.by_word))
        if not columns:
            return set()
        counts = ", ".join(f"approx_count_distinct({_of_source(c)})" for c in columns)
        [row] = engine.fetch(Query(f"SELECT count(*), {counts} FROM {source}")).to_pylist()
        rows, *distinct = row.values()
        return {c for c, n in zip(columns, distinct, strict=True) if rows >= 2048 and rows > OFTEN * n}


def _keyed(criterion: Criterion | None, value: str) -> str:
    """A value, or its join key when the criterion is exact."""
    return compare.join_key(criterion, value) if criterion is not None and criterion.is_exact else value


def _of_source(column: SourceColumn) -> str:
    """SQL: the value as it is; of several columns, those that hold more than white space, with one blank between."""
    if not isinstance(column, Joined):
        return f"source.{quote(column)}"
    texts = [f"CAST(source.{quote(part)} AS VARCHAR)" for part in column.join]
    seen = (f"{t} BETWEEN '!' AND '~' OR regexp_matches({t}, '[^{WHITE_SPACE.regex}]')" for t in texts)
    cells = ", ".join(f"CASE WHEN {test} THEN trim({t}) END" for test, t in zip(seen, texts, strict=True))
    return f"concat_ws(' ', {cells})"


def _numbered_rows(entity: str, number: int) -> str:
    return (
        f"{quote(table_of(entity))} AS source\n"
        f"JOIN record_rows ON record_rows.source_row = source.rowid AND record_rows.entity_no = {number}"
    )


def hides_rowid(columns: Iterable[str]) -> bool:
    """Whether a column of the source's own hides DuckDB's rowid, so that rows must be found by their key."""
    return "rowid" in {column.casefold() for column in columns}


def rows_by_key(entity: str, number: int, key: str) -> str:
    """Rows with their rids for `Prepared.rows`, found by key: slower than by rowid, and always possible."""
    return (
        f"{quote(table_of(entity))} AS source\n"
        f"JOIN records AS record_rows ON record_rows.key = CAST(source.{quote(key)} AS VARCHAR) "
        f"AND record_rows.entity_no = {number}"
    )


def records_steps(engine: Engine, project: Project, plan: ConflationPlan) -> list[Step]:
    """Steps that make `record_rows` (scratch: rid, entity_no, source_row) and `records`.

    The rid is dense from 0: entities in conflation order, inside an entity by key in the key's own type. The smaller
    rid is the more important record; ties anywhere are broken by it, so row order in files decides nothing.
    """
    selects, rows, offset = [], [NO_ROWS], 0
    for number, ordered in enumerate(plan.order):
        name = ordered.entity
        table, key = quote(table_of(name)), quote(project.entity(name).key)
        numbered = (
            f"SELECT CAST(row_number() OVER (ORDER BY source.{key}) - 1 + {offset} AS INTEGER) AS rid, "
            f"CAST({number} AS UTINYINT) AS entity_no, {{}} FROM {table} AS source"
        )
        if hides_rowid(engine.columns(table_of(name))):
            found = f"({numbered.format(f'source.{key} AS source_key')})"
            selects.append(f"SELECT rid, $entity_{number}, entity_no, CAST(source_key AS VARCHAR) FROM {found}")
        else:
            selects.append(
                f"SELECT record_rows.rid, $entity_{number}, record_rows.entity_no, CAST(source.{key} AS VARCHAR)\n"
                f"FROM {_numbered_rows(name, number)}"
            )
            rows.append(numbered.format("source.rowid AS source_row"))
        offset += int(scalar(engine, Query(f"SELECT count(*) FROM {table}")))
    sources = tuple(table_of(o.entity) for o in plan.order)
    union = "\nUNION ALL\n"
    return [
        Step("record_rows", Query(union.join(rows)), "number the records", reads=sources),
        Step(
            "records",
            Query(
                f"FROM (\n{union.join(selects)}\n) AS each_one(rid, entity, entity_no, key) ORDER BY rid",
                {f"entity_{n}": o.entity for n, o in enumerate(plan.order)},
            ),
            "list every record that takes part",
            reads=(*sources, "record_rows"),
            keep=True,
            plain=("key",),
        ),
    ]


def prepare(engine: Engine, project: Project, plan: ConflationPlan, prepared: Mapping[str, Prepared]) -> int:
    """Make `records` and every prepared table; returns the number of records."""
    for step in records_steps(engine, project, plan):
        rows = engine.build(step)
    make_values(engine, prepared.values())
    return rows


def make_values(engine: Engine, prepared: Iterable[Prepared]) -> None:
    """Define the functions that the values need and make every prepared table."""
    engine.define(compare.functions())
    for one in prepared:
        define(engine, one.chains, one.lists)
        for step in one.steps(engine):
            engine.build(step)
