"""SQL as the official client sends it, into the nouns of FetchXML: one SELECT over tables of Dataverse, by their names.

    SELECT [DISTINCT] [TOP n] columns FROM table [a] [INNER | LEFT JOIN table b ON a.x = b.y] [WHERE …]
    [GROUP BY columns] [ORDER BY columns] [OFFSET n ROWS FETCH NEXT m ROWS ONLY]

Nothing of the text reaches SQLite: names are looked up in the model, literals are bound. What is read here is all there
is: functions, subqueries, UNION, WITH, HAVING, CASE and writes have no place in the grammar.
"""

from dataclasses import replace
from typing import Final, NamedTuple, NoReturn

from unify.core.errors import did_you_mean
from unify.dataverse.model import Model, TableModel
from unify.dataverse.query.fetch_nouns import Attribute, Condition, Fetch, Filter, Link, Order, Source
from unify.dataverse.query.fetch_reading import LONGEST, wrong
from unify.dataverse.query.operators import BY_FETCH, SQL_NOT_LIKE, SQL_UNEQUAL, Operator
from unify.dataverse.query.scope import table_of
from unify.dataverse.query.sql_tokens import Token, syntax, tokens

AGGREGATES: Final = {"COUNT": "count", "SUM": "sum", "AVG": "avg", "MIN": "min", "MAX": "max"}
SIGNS: Final = {"=": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "<>": "ne", "!=": "ne"}
FLIP: Final = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
NEGATED: Final = {"eq": "ne", "ne": "eq", "lt": "ge", "le": "gt", "gt": "le", "ge": "lt"}
DEEPEST: Final = 50
SOFT: Final = frozenset({"ROWS", "ROW", "NEXT", "FIRST", "ONLY"})
"""Keywords behind OFFSET and FETCH alone; else they are names."""


class Named(NamedTuple):
    """A column: the alias of its table, and its name."""

    table: str
    name: str


class Item(NamedTuple):
    """One thing that is selected. `function`: COUNT and the like, or empty; `column` None: COUNT(*)."""

    column: Named | None
    function: str
    distinct: bool
    alias: str


def read_sql(text: str, model: Model) -> Fetch:
    """What the text asks; DataverseError."""
    if len(text) > LONGEST:
        raise wrong(f"The SQL has {len(text):,} characters, and {LONGEST:,} are taken.")
    return _Reader(tokens(text), model).select()


class _Reader:
    def __init__(self, tokens: list[Token], model: Model) -> None:
        self.tokens, self.model = tokens, model
        self.at = self.depth = 0
        self.tables: dict[str, TableModel] = {}
        self.parents: dict[str, tuple[str, str, str, str, list[Condition]]] = {}
        """Of a joined table: parent, its column, the table's own, kind, conditions of the join."""

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self) -> NoReturn:
        raise syntax(self.token.value or "the end", self.token.at)

    def word(self, *words: str) -> bool:
        """Step over the keywords if they stand here."""
        for i, word in enumerate(words):
            token = self.tokens[min(self.at + i, len(self.tokens) - 1)]
            if token.value.upper() != word or not (token.kind == "keyword" or word in SOFT):
                return False
        self.at += len(words)
        return True

    def sign(self, sign: str) -> bool:
        if (self.token.kind, self.token.value) == ("sign", sign):
            self.at += 1
            return True
        return False

    def need(self, *words: str) -> None:
        if not self.word(*words):
            self.fail()

    def needs(self, sign: str) -> None:
        if not self.sign(sign):
            self.fail()

    def name(self) -> str:
        if self.token.kind != "name":
            self.fail()
        self.at += 1
        return self.tokens[self.at - 1].value

    def number(self) -> int:
        if self.token.kind != "number" or not self.token.value.isdecimal() or len(self.token.value) > 9:
            self.fail()
        self.at += 1
        return int(self.tokens[self.at - 1].value)

    # ── the statement ────────────────────────────────────────────────────────────────────────────────────────────────

    def select(self) -> Fetch:
        self.need("SELECT")
        distinct = self.word("DISTINCT")
        top = self._top()
        start = self.at
        self._skip_to_from()
        root = self._from()
        end, self.at = self.at, start
        items = self._items()
        self.at = end
        where = [self._any()] if self.word("WHERE") else []
        grouped = self._columns() if self.word("GROUP", "BY") else []
        orders = self._orders(items) if self.word("ORDER", "BY") else ()
        skip, count = self._offset()
        if self.token.kind != "end":
            self.fail()
        if count is not None and top is not None:
            raise wrong("TOP and FETCH cannot stand in one query.")
        aggregate = bool(grouped) or any(item.function for item in items)
        attributes = self._grouped(items, grouped) if aggregate else self._plain(items, root)
        source = Source(
            self.tables[root].name,
            "",
            tuple(attributes),
            filters=tuple(where),
            orders=tuple(orders),
            links=self._links(root),
        )
        limit = count if count is not None else top
        return Fetch(source, aggregate, distinct and not aggregate, limit, skip=skip, by_number=True)

    def _top(self) -> int | None:
        if not self.word("TOP"):
            return None
        if self.sign("("):
            number = self.number()
            self.needs(")")
            return number
        return self.number()

    def _skip_to_from(self) -> None:
        while not (self.token.kind == "keyword" and self.token.value == "FROM"):
            if self.token.kind == "end" or (
                self.token.kind == "keyword" and self.token.value not in {"AS", "DISTINCT"}
            ):
                self.fail()
            self.at += 1

    def _from(self) -> str:
        self.need("FROM")
        root = self._table()
        while True:
            if self.word("LEFT", "OUTER", "JOIN") or self.word("LEFT", "JOIN"):
                self._join("outer")
            elif self.word("INNER", "JOIN") or self.word("JOIN"):
                self._join("inner")
            else:
                return root

    def _table(self) -> str:
        table = table_of(self.model, self.name())
        alias = self.name() if self.word("AS") or self.token.kind == "name" else table.name
        if alias in self.tables:
            raise wrong(f"The name or alias '{alias}' stands twice: give each table an alias of its own.")
        self.tables[alias] = table
        return alias

    def _join(self, kind: str) -> None:
        alias = self._table()
        self.need("ON")
        bracket = self.sign("(")
        left = self._column()
        self.needs("=")
        right = self._column()
        if bracket:
            self.needs(")")
        if (left.table == alias) == (right.table == alias):
            raise wrong(f"JOIN … ON compares a column of '{alias}' with one of a table before it.")
        own, other = (left, right) if left.table == alias else (right, left)
        conditions: list[Condition] = []
        while self.word("AND"):
            found = self._not(negative=False)
            if not isinstance(found, Condition) or found.other or found.entity != alias:
                raise wrong(f"Further conditions of ON compare columns of '{alias}' with values; others go to WHERE.")
            conditions.append(replace(found, entity=""))
        self.parents[alias] = other.table, other.name, own.name, kind, conditions

    def _links(self, parent: str) -> tuple[Link, ...]:
        made = []
        for alias, (above, to, start, kind, conditions) in self.parents.items():
            if above == parent:
                filters = (Filter(every=True, items=tuple(conditions)),) if conditions else ()
                source = Source(self.tables[alias].name, alias, filters=filters, links=self._links(alias))
                made.append(Link(source, start, to, kind))
        return tuple(made)

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _column(self) -> Named:
        """`name` or `alias.name`: the one table that has it."""
        first = self.name()
        if self.sign("."):
            name = self.name()
            if first not in self.tables:
                raise wrong(f"There is no table or alias '{first[:60]}'.", hint=did_you_mean(first, self.tables))
            return Named(first, name)
        having = [alias for alias, table in self.tables.items() if first in table.attributes]
        if len(having) > 1:
            raise wrong(f"Ambiguous column name '{first}'.", hint=f"write {having[0]}.{first}")
        return Named(having[0] if having else next(iter(self.tables)), first)

    def _columns(self) -> list[Named]:
        found = [self._column()]
        while self.sign(","):
            found.append(self._column())
        return found

    def _items(self) -> list[Item]:
        items = [self._item()]
        while self.sign(","):
            items.append(self._item())
        if not (self.token.kind == "keyword" and self.token.value == "FROM"):
            self.fail()
        return items

    def _item(self) -> Item:
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        function = self.token.value.upper() if self.token.kind == "name" and after.value == "(" else ""
        column: Named | None
        distinct = False
        if function:
            if function not in AGGREGATES:
                raise wrong(f"The function {function[:60]} is not supported.", hint=f"{', '.join(AGGREGATES)} are")
            self.at += 2
            distinct = self.word("DISTINCT")
            column = None if self.sign("*") else self._column()
            if column is None and (function != "COUNT" or distinct):
                self.fail()
            self.needs(")")
        else:
            column = self._column()
        alias = self.name() if self.word("AS") or self.token.kind == "name" else ""
        return Item(column, function, distinct, alias)

    def _plain(self, items: list[Item], root: str) -> list[Attribute]:
        made = []
        for item in items:
            assert item.column is not None
            alias = item.alias
            if not alias and item.column.table != root:
                same = sum(i.column is not None and i.column.name == item.column.name and not i.alias for i in items)
                alias = item.column.name if same == 1 else f"{item.column.table}.{item.column.name}"
            made.append(Attribute(item.column.name, alias, source=self._at(item.column)))
        return made

    def _grouped(self, items: list[Item], grouped: list[Named]) -> list[Attribute]:
        made = []
        for item in items:
            if not item.function:
                assert item.column is not None
                if item.column not in grouped:
                    raise wrong(f"The column '{item.column.name}' is neither in GROUP BY nor in an aggregate.")
                name = item.alias or self._called(item.column)
                made.append(Attribute(item.column.name, name, grouped=True, source=self._at(item.column)))
                continue
            column = item.column or Named(next(iter(self.tables)), next(iter(self.tables.values())).id_attribute)
            kind = "countcolumn" if item.function == "COUNT" and item.column else AGGREGATES[item.function]
            if item.distinct and kind != "countcolumn":
                raise wrong(f"{item.function}(DISTINCT …) is not supported; COUNT(DISTINCT …) is.")
            alias = item.alias or (AGGREGATES[item.function] + (f"_{column.name}" if item.column else ""))
            made.append(Attribute(column.name, alias, kind, distinct=item.distinct, source=self._at(column)))
        chosen = {item.column for item in items if not item.function}
        missing = next((column for column in grouped if column not in chosen), None)
        if missing is not None:
            raise wrong(f"The column '{missing.name}' of GROUP BY is to be selected too.")
        return made

    def _at(self, column: Named) -> str:
        return "" if column.table == next(iter(self.tables)) else column.table

    def _called(self, column: Named) -> str:
        attribute = self.tables[column.table].attributes.get(column.name)
        return attribute.wire_name if attribute is not None and not self._at(column) else column.name

    # ── WHERE ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _any(self, *, negative: bool = False) -> Filter:
        """Terms with OR between. NOT goes down to the comparisons, where a null fails either way."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise wrong(f"The SQL is nested more than {DEEPEST} levels deep.")
        terms = [self._all(negative=negative)]
        while self.word("OR"):
            terms.append(self._all(negative=negative))
        self.depth -= 1
        return Filter(negative, tuple(terms))

    def _all(self, *, negative: bool) -> Filter:
        terms = [self._not(negative=negative)]
        while self.word("AND"):
            terms.append(self._not(negative=negative))
        return Filter(not negative, tuple(terms))

    def _not(self, *, negative: bool) -> Condition | Filter:
        while self.word("NOT"):
            negative = not negative
        if self.sign("("):
            if self.token.value == "SELECT":
                self.fail()
            inner = self._any(negative=negative)
            self.needs(")")
            return inner
        return self._condition(negative=negative)

    def _condition(self, *, negative: bool) -> Condition:
        if self.token.kind != "name":
            value = self._literal()
            operator = FLIP[self._operator()]
            return self._made(self._column(), NEGATED[operator] if negative else operator, (value,))
        column = self._column()
        if self.word("IS"):
            negative ^= self.word("NOT")
            self.need("NULL")
            return self._made(column, "not-null" if negative else "null", ())
        negative ^= self.word("NOT")
        if self.word("LIKE"):
            found = SQL_NOT_LIKE if negative else BY_FETCH["like"]
            return Condition(column.name, found, (self._literal(),), self._at(column))
        if self.word("IN"):
            return self._made(column, "not-in" if negative else "in", self._list())
        if self.word("BETWEEN"):
            low = self._literal()
            self.need("AND")
            return self._made(column, "not-between" if negative else "between", (low, self._literal()))
        operator = self._operator()
        operator = NEGATED[operator] if negative else operator
        if self.token.kind == "name":
            other = self._column()
            name = f"{self._at(other)}.{other.name}" if self._at(other) else other.name
            return Condition(column.name, self._of(operator), (), self._at(column), name)
        return self._made(column, operator, (self._literal(),))

    def _made(self, column: Named, operator: str, values: tuple[str, ...]) -> Condition:
        return Condition(column.name, self._of(operator), values, self._at(column))

    @staticmethod
    def _of(operator: str) -> Operator:
        return SQL_UNEQUAL if operator == "ne" else BY_FETCH[operator]

    def _operator(self) -> str:
        if self.token.kind != "sign" or self.token.value not in SIGNS:
            self.fail()
        self.at += 1
        return SIGNS[self.tokens[self.at - 1].value]

    def _literal(self) -> str:
        if self.word("NULL"):
            raise wrong("A comparison with NULL holds for no row.", hint="write IS NULL or IS NOT NULL")
        minus = self.sign("-")
        if self.token.kind not in ({"number"} if minus else {"number", "text"}):
            self.fail()
        self.at += 1
        return ("-" if minus else "") + self.tokens[self.at - 1].value

    def _list(self) -> tuple[str, ...]:
        self.needs("(")
        values = [self._literal()]
        while self.sign(","):
            values.append(self._literal())
        self.needs(")")
        return tuple(values)

    # ── ORDER BY, OFFSET ─────────────────────────────────────────────────────────────────────────────────────────────

    def _orders(self, items: list[Item]) -> tuple[Order, ...]:
        found = [self._order(items)]
        while self.sign(","):
            found.append(self._order(items))
        return tuple(found)

    def _order(self, items: list[Item]) -> Order:
        aliases = {item.alias for item in items if item.alias}
        aggregate = any(item.function for item in items)
        if self.token.kind == "name" and self.token.value in aliases and self.tokens[self.at + 1].value != ".":
            alias = self.name()
            return Order(alias=alias, descending=self._descending())
        column = self._column()
        if aggregate:
            item = next((i for i in items if i.column == column and not i.function), None)
            if item is None:
                raise wrong(f"ORDER BY '{column.name}': order by a grouped column or the alias of an aggregate.")
            return Order(alias=item.alias or self._called(column), descending=self._descending())
        return Order(column.name, descending=self._descending(), entity=self._at(column))

    def _descending(self) -> bool:
        if self.word("DESC"):
            return True
        self.word("ASC")
        return False

    def _offset(self) -> tuple[int, int | None]:
        if not self.word("OFFSET"):
            return 0, None
        skip = self.number()
        if not (self.word("ROWS") or self.word("ROW")):
            self.fail()
        if not self.word("FETCH"):
            return skip, None
        if not (self.word("NEXT") or self.word("FIRST")):
            self.fail()
        count = self.number()
        if not (self.word("ROWS") or self.word("ROW")):
            self.fail()
        self.need("ONLY")
        return skip, count
