"""FetchXML, SQL and `$apply`, answered: rows of joined tables, distinct rows, groups."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from unify.dataverse.query import grouping
from unify.dataverse.query.applying import Applied, read_apply
from unify.dataverse.query.fetch_lowering import Lowering, attribute
from unify.dataverse.query.fetch_nouns import Attribute, Fetch
from unify.dataverse.query.fetch_reading import read_fetch, wrong
from unify.dataverse.query.fragments import Sql, both, bound, listed, sql
from unify.dataverse.query.hierarchy import children
from unify.dataverse.query.levels import Columns, Field, field_of
from unify.dataverse.query.nouns import (
    ATTRIBUTE,
    COOKIE,
    EXCEEDED,
    METADATA_VERSION,
    MORE,
    MOST,
    TOTAL,
    Options,
    Page,
    Preferences,
    Row,
)
from unify.dataverse.query.ordering import Key, after, identity, once, order_by
from unify.dataverse.query.pages import token_check
from unify.dataverse.query.paging import BEYOND, Place, checked, cookie, counted, outer, read_cookie, read_token
from unify.dataverse.query.rows import Shaping, target_of
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Ref, Setting, table_of
from unify.dataverse.query.sql_reading import read_sql

NOTHING: Final = Sql("")


def fetched(
    setting: Setting, running: Running, table: str, text: str, options: Options, preferences: Preferences
) -> Page:
    """GET accounts?fetchXml=…; DataverseError."""
    fetch = read_fetch(text)
    _of_table(setting, table, fetch)
    return _page(setting, running, replace(fetch, total=fetch.total or options.count), options, preferences, xml=True)


def selected(
    setting: Setting, running: Running, table: str, text: str, options: Options, preferences: Preferences
) -> Page:
    """GET accounts?sql=SELECT …; DataverseError."""
    fetch = read_sql(text, setting.model)
    _of_table(setting, table, fetch)
    return _page(setting, running, replace(fetch, total=options.count), options, preferences, xml=False)


def applied(setting: Setting, running: Running, table: str, options: Options, preferences: Preferences) -> Page:
    """GET accounts?$apply=…; DataverseError."""
    lowering, fetch = read_apply(setting, table, options)
    check = token_check(table, "apply", None, repr(options.apply), options.orderby, options.aliases)
    made = _grouped(setting, running, lowering, fetch)
    return _run(setting, running, lowering, fetch, made, check, options, preferences, xml=False)


def _of_table(setting: Setting, table: str, fetch: Fetch) -> None:
    if table_of(setting.model, fetch.source.table).name != table:
        raise wrong(
            f"The query is of '{fetch.source.table[:100]}', and the address of '{table}'.",
            hint=f"ask it at the entity set of '{fetch.source.table[:100]}'",
        )


@dataclass(frozen=True, slots=True)
class Told:
    """One column of the answer: a field, and whether it has a name that is not its own."""

    field: Field
    renamed: bool
    children: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """Held against the model and not yet run. `pick`: the place of every key in a row; None: pages are counted off."""

    text: Sql
    keys: list[Key]
    picks: list[int] | None
    where: Sql
    tables: Sql
    shape: Callable[[Shaping, Sequence[Sequence[Any]]], list[Row]]
    group: Sql = NOTHING


def _page(
    setting: Setting, running: Running, fetch: Fetch, options: Options, preferences: Preferences, *, xml: bool
) -> Page:
    lowering = Lowering(setting, fetch.source)
    check = checked(repr(replace(fetch, page=1, cookie=None, total=False)))
    made = _statement(setting, running, lowering, fetch)
    return _run(setting, running, lowering, fetch, made, check, options, preferences, xml=xml)


def _run(
    setting: Setting,
    running: Running,
    lowering: Lowering | Applied,
    fetch: Fetch,
    made: "Statement",
    check: str,
    options: Options,
    preferences: Preferences,
    *,
    xml: bool,
) -> Page:
    size = min(MOST, fetch.count or MOST) if xml else preferences.size
    place = _place(fetch, options, made, check)
    limit = size if place.left is None else min(size, place.left)
    offset = fetch.skip if place.page == 1 else 0
    where = made.where
    if place.values is not None:
        where = both([where, after(made.keys, place.values)])
    elif place.page > 1:
        offset = fetch.skip + (place.page - 1) * size
        if offset + limit > BEYOND + size:
            raise wrong(
                f"Pages without a paging cookie reach {BEYOND:,} rows.", hint="send the cookie of the last page"
            )
    text = sql("{} {} WHERE {} {} {} {}", made.text, made.tables, where, made.group, order_by(made.keys),
               bound("LIMIT ? OFFSET ?", limit + 1, offset))  # fmt: skip
    found = running.rows(text)
    shown = found[:limit]
    more = len(found) > limit and (place.left is None or place.left > limit)
    rows = made.shape(Shaping(setting, running, preferences, "", token_check), shown)
    token, inner = _token(made, shown, place, limit, check) if more else (None, False)
    told = _annotations(running, made, fetch, preferences, token if inner else None, more=more)
    if preferences.wants(METADATA_VERSION):
        told[f"@{METADATA_VERSION}"] = str(setting.model.version)
    set_name = lowering.root.table.set_name
    return Page(rows, set_name, told, None if xml else token)


def _place(fetch: Fetch, options: Options, made: Statement, check: str) -> Place:
    if options.skip_token is not None:
        return read_token(options.skip_token, made.keys, check)
    if fetch.cookie is not None and made.picks is not None:
        found = read_cookie(fetch.cookie, made.keys, check)
        if fetch.page == found.page:
            return found
    return Place(fetch.page, left=fetch.top)


def _token(
    made: Statement, shown: Sequence[Sequence[Any]], place: Place, limit: int, check: str
) -> tuple[str | None, bool]:
    """The token of the next page, and whether it is a cookie with values."""
    left = None if place.left is None else place.left - limit
    if made.picks is None or not shown:
        return counted(Place(place.page + 1, None, left), check), False
    first, last = ([row[at] for at in made.picks] for row in (shown[0], shown[-1]))
    following = Place(place.page + 1, tuple(last), left)
    return outer(cookie(made.keys, first, last, following, check), following.page), True


def _annotations(
    running: Running, made: Statement, fetch: Fetch, preferences: Preferences, token: str | None, *, more: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    total, exceeded = -1, False
    if fetch.total:
        inside = sql("SELECT 1 {} WHERE {} {}", made.tables, made.where, made.group)
        found = running.number(sql("SELECT count(*) FROM ({} LIMIT {})", inside, bound("?", MOST + 1)))
        total, exceeded = min(found, MOST), found > MOST
        told["@odata.count"] = total
    for term, value in ((TOTAL, total), (EXCEEDED, exceeded)):
        if preferences.wants(term):
            told[f"@{term}"] = value
    if token is not None and preferences.wants(COOKIE):
        told[f"@{COOKIE}"] = token
    if more and preferences.wants(MORE):
        told[f"@{MORE}"] = True
    return told


def _statement(setting: Setting, running: Running, lowering: Lowering, fetch: Fetch) -> Statement:
    if fetch.aggregate:
        return _grouped(setting, running, lowering, fetch)
    columns = Columns()
    id_at = version_at = None
    if not fetch.distinct:
        id_at, version_at = columns.add(lowering.root.id.sql), columns.add(f'{lowering.root.alias}."_version"')
    told = _told(lowering, columns, with_key=not fetch.distinct)
    keys = list(lowering.orders(by_number=fetch.by_number))
    if fetch.distinct:
        return _distinct(lowering, told, columns, keys)
    keys = once([*keys, *(identity(joined.scope.id) for joined in lowering.joined)])
    picks = [columns.add(key.value) for key in keys]
    shape = _shaper(told, id_at, version_at)
    return Statement(sql("SELECT {}", columns.sql), keys, picks, lowering.where, lowering.tables, shape)


def _grouped(setting: Setting, running: Running, lowering: Lowering | Applied, fetch: Fetch) -> Statement:
    grouping.check_size(running, lowering, fetch)
    groups = grouping.Groups(setting, lowering, fetch)
    return Statement(
        sql("SELECT {}", groups.columns), groups.keys, None, lowering.where, lowering.tables, groups.shape, groups.group
    )


def _distinct(lowering: Lowering, told: list[Told], columns: Columns, keys: list[Key]) -> Statement:
    """One row for each combination of values; texts that differ in case alone are one."""
    refs = [each.field.ref for each in told]
    same = [Key(Sql(ref.sql), ref.attribute.name, ref.kind == "text") for ref in refs]
    if not same:
        raise wrong("A distinct query needs columns.")
    if any(key.name not in {ref.attribute.name for ref in refs} for key in keys):
        raise wrong("A distinct query is ordered by columns that it returns.")
    least = listed([sql("min({})", column) for column in columns.all])
    group = sql("GROUP BY {}", listed([key.sort for key in same]))
    return Statement(
        sql("SELECT {}", least), [*keys, *same], None, lowering.where, lowering.tables, _shaper(told, None, None), group
    )


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(lowering: Lowering, columns: Columns, *, with_key: bool) -> list[Told]:
    told: list[Told] = []
    for i, joined in enumerate(lowering.joined):
        prefix = f"{joined.source.alias}." if i else ""
        for each in _attributes(joined.source.attributes, joined.scope.table, every=joined.source.every):
            scope = lowering.scope(each.source, joined.scope)
            ref = attribute(scope, each.name)
            if each.children:
                told.append(_children(lowering, columns, ref, each))
                continue
            name = each.alias or (f"{prefix}{each.name}" if prefix else ref.attribute.wire_name)
            told.append(Told(field_of(ref, columns, name), bool(each.alias or prefix)))
    if with_key and all(each.field.name != lowering.root.table.id_attribute for each in told):
        told.append(Told(field_of(lowering.root.id, columns), renamed=False))
    names = [each.field.name for each in told]
    twice = next((name for i, name in enumerate(names) if name in names[:i] and told[i].renamed), None)
    if twice is not None:
        raise wrong(f"An attribute with the name or alias '{twice[:60]}' stands twice.")
    return list({each.field.name: each for each in told}.values())


def _attributes(found: Sequence[Attribute], table: Any, *, every: bool) -> list[Attribute]:
    if not every:
        return list(found)
    named = {each.name for each in found}
    return [*found, *(Attribute(a.name) for a in table.attributes.values() if a.read and a.name not in named)]


def _children(lowering: Lowering, columns: Columns, ref: Ref, each: Attribute) -> Told:
    if not each.alias:
        raise wrong("An attribute with rowaggregate needs an alias.")
    return Told(Field(each.alias, ref, columns.add(lowering.root.id.sql)), renamed=True, children=True)


def _shaper(
    told: list[Told], id_at: int | None, version_at: int | None
) -> Callable[[Shaping, Sequence[Sequence[Any]]], list[Row]]:
    def shape(shaping: Shaping, found: Sequence[Sequence[Any]]) -> list[Row]:
        lookups = [each.field for each in told if each.field.ref.attribute.is_lookup and not each.children]
        if shaping.told.formatted:
            shaping.names.learn(
                (target, held[field.at])
                for held in found
                for field in lookups
                if held[field.at] is not None and (target := target_of(field, held))
            )
        counts = _counted(shaping, told, found)
        return [_row(shaping, told, held, version_at, counts) for held in found]

    return shape


def _counted(shaping: Shaping, told: list[Told], found: Sequence[Sequence[Any]]) -> dict[str, int]:
    """How many rows point at each in the hierarchy of its table, where that was asked for."""
    wanted = next((each for each in told if each.children), None)
    if wanted is None:
        return {}
    ids = json.dumps([held[wanted.field.at] for held in found])
    return dict(shaping.running.rows(children(shaping.setting, wanted.field.ref.table, ids)))


def _row(
    shaping: Shaping, told: list[Told], held: Sequence[Any], version_at: int | None, counts: Mapping[str, int]
) -> Row:
    """As Dataverse answers FetchXML: nulls are left out."""
    row: Row = {} if version_at is None else {"@odata.etag": f'W/"{held[version_at]}"'}
    for each in told:
        if each.children:
            row[each.field.name] = counts.get(held[each.field.at], 0)
            continue
        if each.renamed and shaping.told.attribute and held[each.field.at] is not None:
            row[f"{each.field.name}@{ATTRIBUTE}"] = each.field.ref.attribute.name
        shaping.write(each.field, held, row, nulls=False)
    return row
