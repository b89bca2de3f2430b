"""Groups and what is worked out over them: count, sum, average, least and most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Type
from unify.dataverse.query.applying import Applied
from unify.dataverse.query.fetch_lowering import Lowering, attribute
from unify.dataverse.query.fetch_nouns import Attribute, Fetch
from unify.dataverse.query.fetch_reading import wrong
from unify.dataverse.query.fragments import Sql, bound, listed, sql
from unify.dataverse.query.levels import Columns, Field, field_of
from unify.dataverse.query.nouns import FORMATTED, Row
from unify.dataverse.query.ordering import Key, key_of
from unify.dataverse.query.rows import Shaping, target_of
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Ref, Setting
from unify.dataverse.query.shown import decimal, formatted, money

NUMBERS: Final = frozenset({"number", "double"})
_DAY: Final = "CAST(substr({0}, 9, 2) AS INTEGER)"
_MONTH: Final = "CAST(substr({0}, 6, 2) AS INTEGER)"
_YEAR: Final = "CAST(substr({0}, 1, 4) AS INTEGER)"
_QUARTER: Final = f"(({_MONTH} + 2) / 3)"
PARTS: Final[Mapping[str, str]] = {
    "day": _DAY, "month": _MONTH, "year": _YEAR, "quarter": _QUARTER, "fiscal-year": _YEAR,
    # The week that holds 1 January is week 1, and weeks begin on Sunday.
    "week": "((CAST(strftime('%j', substr({0}, 1, 10)) AS INTEGER)"
            " + CAST(strftime('%w', substr({0}, 1, 4) || '-01-01') AS INTEGER) + 6) / 7)",
    "fiscal-period": f"({_YEAR} * 10 + {_QUARTER})",
}  # fmt: skip
PART_SHOWN: Final[Mapping[str, Callable[[int], str]]] = {
    "fiscal-year": lambda value: f"FY{value}",
    "fiscal-period": lambda value: f"Quarter {value % 10} FY{value // 10}",
}


def check_size(running: Running, lowering: Lowering | Applied, fetch: Fetch) -> None:
    """DataverseError when the aggregate goes over more rows than it may: 50,000, or what the query says."""
    rows = running.number(
        sql("SELECT count(*) FROM (SELECT 1 {} WHERE {} LIMIT {})", lowering.tables, lowering.where,
            bound("?", fetch.most + 1))
    )  # fmt: skip
    if rows > fetch.most:
        raise DataverseError(
            "AggregateQueryRecordLimit exceeded. Cannot perform this operation.",
            code="0x8004E023",
            hint=f"at most {fetch.most:,} rows: narrow it with a filter, and add up the answers",
        )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a group. `value`: from what SQLite gives to what JSON says."""

    name: str
    ref: Ref
    at: int
    value: Callable[[Any], Any]
    shown: Callable[[Any], str | None] | None
    field: Field | None = None


class Groups:
    """The SELECT of groups: columns, GROUP BY, order, and how its rows are shown."""

    def __init__(self, setting: Setting, lowering: Lowering | Applied, fetch: Fetch) -> None:
        self._setting, self._lowering, self._fetch = setting, lowering, fetch
        self._columns, self._made, self._keys = Columns(), dict[str, Column](), dict[str, Key]()
        self._grouped: list[Sql] = []
        for joined in lowering.joined:
            for each in joined.source.attributes:
                scope = lowering.scope(each.source, joined.scope)
                self._add(attribute(scope, each.name), each)
            if joined.source.every and joined.source.attributes:
                raise wrong("all-attributes cannot be used with aggregates.")
        if not self._made:
            raise wrong("An aggregate query has at least one attribute with an aggregate or groupby.")

    @property
    def columns(self) -> Sql:
        """What is selected."""
        return self._columns.sql

    @property
    def group(self) -> Sql:
        """GROUP BY …; nothing when everything is one group."""
        return sql("GROUP BY {}", listed(self._grouped)) if self._grouped else Sql("")

    @property
    def keys(self) -> list[Key]:
        """The order that was asked for, then by group, so that it is always the same."""
        found = []
        for joined in self._lowering.joined:
            for order in joined.source.orders:
                name = order.alias or order.attribute
                key = self._keys.get(name)
                if key is None:
                    raise wrong(
                        f"An aggregate query is ordered by the alias of a column: '{name[:60]}' is none.",
                        hint=f"known: {', '.join(sorted(self._keys))}",
                    )
                found.append(Key(key.value, key.name, key.folded, order.descending))
        return [*found, *(Key(part, "group") for part in self._grouped or [Sql("1")])]

    def _add(self, ref: Ref, each: Attribute) -> None:
        if not each.alias:
            raise wrong(f"The attribute '{each.name}' of an aggregate query needs an alias.")
        if each.alias in self._made:
            raise wrong(f"The alias '{each.alias[:60]}' stands twice.")
        if bool(each.aggregate) == each.grouped:
            raise wrong(f"The attribute '{each.name}' needs an aggregate or groupby, and not both.")
        self._made[each.alias] = self._group(ref, each) if each.grouped else self._aggregate(ref, each)

    # ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _group(self, ref: Ref, each: Attribute) -> Column:
        if each.grouping:
            return self._part(ref, each)
        sort = f"dv_fold({ref.sql})" if ref.kind == "text" else ref.sql
        self._grouped.append(Sql(sort))
        field = field_of(ref, Columns(), each.alias)
        at = self._columns.add(f"min({ref.sql})")
        kind = ref.attribute.type_column
        kind_at = None
        if kind is not None:
            other = Ref(ref.alias, ref.table, ref.table.attributes[kind])
            self._grouped.append(Sql(other.sql))
            kind_at = self._columns.add(f"min({other.sql})")
        whole = key_of(self._setting, ref, by_label=not self._fetch.by_number)
        value = whole.value if not ref.attribute.is_lookup else sql("min({})", whole.value)
        self._keys[each.alias] = Key(value, each.alias, whole.folded)
        return Column(each.alias, ref, at, lambda held: held, None, Field(field.name, ref, at, kind_at))

    def _part(self, ref: Ref, each: Attribute) -> Column:
        if ref.kind not in {"moment", "day"}:
            raise wrong(f"dategrouping groups dates, and '{each.name}' is none.")
        part = Sql(PARTS[each.grouping].format(ref.sql))
        self._grouped.append(part)
        self._keys[each.alias] = Key(part, each.alias)
        shown = PART_SHOWN.get(each.grouping, lambda value: f"{value:,}")
        return Column(each.alias, ref, self._columns.add(part), lambda held: held, shown)

    # ── aggregates ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _aggregate(self, ref: Ref, each: Attribute) -> Column:
        counts = each.aggregate in {"count", "countcolumn"}
        if each.distinct and each.aggregate != "countcolumn":
            raise wrong("distinct stands with countcolumn alone.")
        fits = NUMBERS if each.aggregate in {"sum", "avg"} else NUMBERS | {"moment", "day"}
        if not counts and (ref.kind not in fits or ref.attribute.options):
            raise wrong(
                f"The aggregate '{each.aggregate}' cannot be worked out over '{each.name}', which is of the type "
                f"{ref.attribute.type.value}."
            )
        text = _text(ref, each)
        self._keys[each.alias] = Key(Sql(text), each.alias)
        at = self._columns.add(text)
        if counts:
            return Column(each.alias, ref, at, lambda held: held, lambda value: f"{value:,}")
        if ref.kind not in NUMBERS:
            return Column(each.alias, ref, at, lambda held: held, None, Field(each.alias, ref, at))
        return Column(each.alias, ref, at, _number(ref, each.aggregate), _shown(ref))

    def shape(self, shaping: Shaping, found: Sequence[Sequence[Any]]) -> list[Row]:
        """Rows of the wire; nulls are left out."""
        fields = [c.field for c in self._made.values() if c.field is not None and c.ref.attribute.is_lookup]
        if shaping.told.formatted:
            pairs = ((target_of(f, held), held[f.at]) for held in found for f in fields if held[f.at] is not None)
            shaping.names.learn((target, key) for target, key in pairs if target)
        return [self._row(shaping, held) for held in found]

    def _row(self, shaping: Shaping, held: Sequence[Any]) -> Row:
        row: Row = {}
        for column in self._made.values():
            if held[column.at] is None:
                continue
            if column.field is not None:
                shaping.write(column.field, held, row, nulls=False)
                continue
            value = column.value(held[column.at])
            if shaping.told.formatted and column.shown is not None and (text := column.shown(value)) is not None:
                row[f"{column.name}@{FORMATTED}"] = text
            row[column.name] = value
        return row


def _text(ref: Ref, each: Attribute) -> str:
    if each.aggregate == "count":
        return "count(*)"
    if each.aggregate == "countcolumn":
        column = f"dv_fold({ref.sql})" if ref.kind == "text" and each.distinct else ref.sql
        return f"count({'DISTINCT ' if each.distinct else ''}{column})"
    if each.aggregate == "sum":
        return f"coalesce(sum({ref.sql}), 0)"
    return f"{each.aggregate}({ref.sql})"


def _number(ref: Ref, aggregate: str) -> Callable[[Any], Any]:
    if aggregate == "avg" and ref.attribute.type in {Type.INTEGER, Type.BIGINT}:
        return int  # as SQL Server has it: the average of whole numbers is one
    if not ref.scale:
        return lambda held: held
    if aggregate == "avg":
        return lambda held: float(round(Decimal(repr(held)).scaleb(-ref.scale), 10))
    return lambda held: decimal(held, ref.scale)


def _shown(ref: Ref) -> Callable[[Any], str | None] | None:
    if ref.attribute.type is Type.MONEY:
        return money
    return formatted(ref.attribute)
