"""Attributes: columns of all entities that mean the same, and the normalisers that make their values alike.

    crm.Contacts.EMail · loyalty.Members.Mail · web.SignUps.Mail1, Mail2      one attribute, `EMail`

Columns belong together when they have one semantic label, else when they have one name. A column is no evidence about a
person when it is the key of its own entity, is a yes or no, says when something happened, or has one value only.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from typing import Any

from ingest.kinds import kind_of
from ingest.labels import Suggestion, canonical, suggest_labels
from unify.core.engine import Engine, scalar
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.proposal.keys import says_the_same
from unify.proposal.meanings import Meant, by_values
from unify.spec import Joined, NormalizeStep, Project, SourceColumn, parts

FULL, FIRST, LAST = "Person.FullName", "Person.FirstName", "Person.LastName"
NAMES = (FULL, FIRST, "Person.MiddleName", LAST)
PHONE, EMAIL = "Identity.Service.Phone", "Identity.Service.Email"
CONFIDENT = 0.5
"""Confidence from which a suggested label is taken for right."""
REFERS = 0.1
"""Share of the values of a key that another entity's column must have for it to be the same key."""
FILLED = 0.01
"""Share of rows with a value that a column needs."""
MOST = 16
"""Attributes that are compared, those with the most information first."""
NO_EVIDENCE = (
    "Reference.", "Calendar.", "Measurement.", "Image", "Product", "BarCode", "Brand",
    "Person.ProfileImage", "Location.Country", "Location.Continent", "Location.Timezone", "Location.Latitude",
    "Location.Longitude", "Location.Point",
)  # fmt: skip
"""Labels, or beginnings of them, of columns that say nothing about which person it is."""
SEVERAL = "Identity."
"""Labels of which a person has several: two columns of one entity are alternatives, any of which may be equal."""
REGIONS = {"1": "US", "44": "GB", "49": "DE", "33": "FR", "34": "ES", "39": "IT", "31": "NL", "32": "BE", "41": "CH",
           "43": "AT", "45": "DK", "46": "SE", "47": "NO", "48": "PL", "61": "AU", "64": "NZ", "91": "IN", "351": "PT",
           "353": "IE", "55": "BR", "52": "MX", "81": "JP", "86": "CN", "27": "ZA"}  # fmt: skip
"""Country calling code to the region that stands for it."""
CALLING = re.compile(r"\s*(?:\+|00)\(?0*(\d{1,3})")
SOME = 1_000
"""Rows, or phone numbers, that are looked at to tell what a column repeats or where it is from."""
ENOUGH_ROWS, REPEATS = 20, 0.8
"""Rows that a column needs, and the share of them in which it repeats others, to be taken for a repetition."""
ENOUGH_CODES = 0.02
"""Share of phone numbers with a country's code from which the others are taken for that country's, too."""


@dataclass(frozen=True)
class Attribute:
    """One thing about a person, wherever it stands.

    name       the field of rules: the commonest of its columns' names
    label      its semantic label, None where it has none
    columns    entity → the columns that hold it there
    normalize  how values are made alike
    bits       information of a value, in the entity that has most of them: log2 of how many distinct ones there are
    others     entities that have a column of this name which means something else
    """

    name: str
    label: str | None
    columns: dict[str, tuple[SourceColumn, ...]]
    normalize: tuple[NormalizeStep, ...]
    bits: float = 0.0
    others: tuple[str, ...] = ()

    def columns_apart(self) -> dict[str, tuple[SourceColumn, ...]]:
        """What `columns:` of a comparison must say: entities whose column is not the one called like the attribute."""
        apart = {entity: names for entity, names in self.columns.items() if names != (self.name,)}
        return {**apart, **dict.fromkeys(self.others, ())}

    @property
    def is_name(self) -> bool:
        """Whether it names a person."""
        return self.label in NAMES


@dataclass
class _Column:
    """A column that may be evidence."""

    entity: str
    name: str
    type: str
    label: str | None
    is_key: bool
    distinct: int
    meaning: str = ""

    def __post_init__(self) -> None:
        self.meaning = self.label if self.label and not self.is_key else f"name:{self.name.casefold()}"


Group = tuple[str, list[_Column]]
"""A label, or `name:` and a name; and the columns that mean it."""


@dataclass
class Found:
    """The attributes, the labels that were proposed (entity → column → label), and notes for people."""

    attributes: list[Attribute]
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Column (`entity.Column`) to why it is not compared."""


def find_attributes(engine: Engine, project: Project, entities: Sequence[str]) -> Found:
    """Look at the ingested tables of these entities; deterministic, whatever the order of their rows."""
    found = Found([])
    columns = _by_values(engine, [c for entity in entities for c in _columns(engine, project, entity, found)], found)
    several = len(entities) > 1
    groups = [g for g in _grouped(engine, columns) if _tells(g, several, found)]
    groups = _one_kind_of_name(_without_repeats(engine, groups, found), entities, found)
    made = [_attribute(engine, name, group, columns, entities) for name, group in groups]
    made.sort(key=lambda a: (-a.bits, a.name))
    for attribute in made[MOST:]:
        _leave(found, attribute.columns, f"{MOST} attributes say more")
    places = {a.name: i for i, a in enumerate(_in_order(made[:MOST], columns))}
    found.attributes = sorted(made[:MOST], key=lambda a: places[a.name])
    return found


def _columns(engine: Engine, project: Project, entity: str, found: Found) -> Iterator[_Column]:
    table = table_of(entity)
    types = engine.columns(table)
    declared = {c: canonical(label) for c, label in project.entity(entity).labels.items()}
    sure = {c: s for c, s in suggest_labels(engine, table).items() if s.confidence >= CONFIDENT and c not in declared}
    found.labels[entity] = _once(sure, declared)
    labels = {**found.labels[entity], **declared}
    counts = ", ".join(f"count({quote(c)}), approx_count_distinct({quote(c)})" for c in types)
    [row] = engine.fetch(Query(f"SELECT count(*), {counts} FROM {quote(table)}")).to_pylist()
    rows, *figures = row.values()
    key = project.entity(entity).key
    for i, (name, sql_type) in enumerate(types.items()):
        filled, distinct = figures[2 * i], figures[2 * i + 1]
        label, kind = labels.get(name), kind_of(sql_type)
        reason = None
        if label is not None and label.startswith(NO_EVIDENCE):
            reason = f"{label} does not tell people apart"
        elif kind in ("boolean", "other") or (label is None and kind in ("double", "decimal", "datetime", "time")):
            reason = f"a {kind} column without a label is no evidence"
        elif distinct < 2 or filled < max(1, rows * FILLED):
            reason = "it has next to no values"
        if reason and name != key:
            found.left_out[f"{entity}.{name}"] = reason
        elif not reason:
            yield _Column(entity, name, sql_type, label, name == key, distinct)


def _once(proposed: Mapping[str, Suggestion], declared: Mapping[str, str]) -> dict[str, str]:
    """Of columns with one proposed label the surest keeps it, the first of equals; all where people have several."""
    taken = set(declared.values())
    kept = set()
    for column in sorted(proposed, key=lambda c: -proposed[c].confidence):
        label = proposed[column].label
        if label.startswith(SEVERAL) or label not in taken:
            kept.add(column)
            taken.add(label)
    return {column: s.label for column, s in proposed.items() if column in kept}


def _by_values(engine: Engine, columns: list[_Column], found: Found) -> list[_Column]:
    """Columns that mean by their values what others mean by their names; their labels are proposed too."""
    free = [c for c in columns if not c.is_key]
    told = by_values(engine, [Meant(c.entity, c.name, c.meaning) for c in free])
    for column, meant in zip(free, told, strict=True):
        if meant.meaning != column.meaning:
            column.meaning = meant.meaning
            if meant.labelled:
                column.label = meant.meaning
                found.labels[column.entity][column.name] = meant.meaning
    return columns


def _grouped(engine: Engine, columns: Sequence[_Column]) -> list[Group]:
    """Columns of one meaning; the key of an entity only where another entity refers to it."""
    groups: dict[str, list[_Column]] = {}
    for column in columns:
        groups.setdefault(column.meaning, []).append(column)
    found = []
    for meaning, group in groups.items():
        kept = group if _refer(engine, group, groups) else [c for c in group if not c.is_key]
        if kept:
            found.append((meaning, kept))
    return found


def _refer(engine: Engine, group: Sequence[_Column], groups: Mapping[str, Sequence[_Column]]) -> bool:
    """Whether the keys of the group are numbers that its other entities know too."""
    if not any(c.is_key for c in group):
        return True
    if len({c.entity for c in group}) < 2:
        return False
    key = next(c for c in group if c.is_key)
    for other in group:
        if other.entity == key.entity:
            continue
        one, two = (
            f"SELECT CAST({quote(c.name)} AS VARCHAR) AS v FROM {quote(table_of(c.entity))}" for c in (key, other)
        )
        common = int(scalar(engine, Query(f"SELECT count(DISTINCT v) FROM ({one}) SEMI JOIN ({two}) AS o USING (v)")))
        shared = [
            (a.name, b.name)
            for columns in groups.values()
            for a in columns
            for b in columns
            if (a.entity, b.entity) == (key.entity, other.entity) and not (a.is_key or b.is_key)
        ]
        enough = common >= REFERS * min(key.distinct, other.distinct)
        if enough and says_the_same(engine, (key.entity, key.name), (other.entity, other.name), shared):
            return True
    return False


def _tells(group: Group, several: bool, found: Found) -> bool:
    """A column that one entity of several has says nothing about the records of the others."""
    meaning, columns = group
    if several and len({c.entity for c in columns}) < 2 and meaning not in NAMES:  # names are put together later
        _leave(found, {c.entity: (c.name,) for c in columns}, "no other entity has it")
        return False
    return True


def _leave(found: Found, columns: Mapping[str, Sequence[SourceColumn]], why: str) -> None:
    for entity, names in columns.items():
        found.left_out |= {f"{entity}.{name}": why for name in names}


def _without_repeats(engine: Engine, groups: list[Group], found: Found) -> list[Group]:
    """Without columns that only repeat others of their record: a copy, or two others put together."""
    texts = [c for _, group in groups for c in group if kind_of(c.type) == "text"]
    repeats = set()
    for entity in dict.fromkeys(c.entity for c in texts):
        own = [c.name for c in texts if c.entity == entity]
        listed = ", ".join(quote(name) for name in own)
        sql = f"SELECT {listed} FROM {quote(table_of(entity))} ORDER BY hash({listed}) LIMIT {SOME}"
        values = {
            name: _letters(column.to_pylist())
            for name, column in zip(own, engine.fetch(Query(sql)).columns, strict=True)
        }
        for name, (one, other) in repeated(values).items():
            repeats.add((entity, name))
            _leave(found, {entity: (name,)}, f"{one} and {other} say the same" if other else f"{one} says the same")
    kept = [(meaning, [c for c in group if (c.entity, c.name) not in repeats]) for meaning, group in groups]
    return [(meaning, group) for meaning, group in kept if group]


def _letters(values: Sequence[Any]) -> list[str]:
    """Letters and digits in lower case; no value: empty."""
    return ["".join(filter(str.isalnum, str(v).casefold())) if v is not None else "" for v in values]


def repeated(values: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Columns that repeat one other (a later copy of it), or are two others put together: column → which.

    `values`: letters and digits of each column, row by row; rows without a value say nothing.
    """
    names = list(values)
    found: dict[str, tuple[str, str]] = {}
    for i, name in enumerate(names):
        others = [o for o in names if o != name and o not in found]
        copies = [o for o in others if names.index(o) < i and _share(values, (name, o), lambda x, a: x == a)]
        parts_ = [
            (a, b)
            for k, a in enumerate(others)
            for b in others[k + 1 :]
            if _share(values, (name, a, b), lambda x, a, b: x in (a + b, b + a))
        ]
        if copies or parts_:
            found[name] = (copies[0], "") if copies else parts_[0]
    return found


def _share(values: Mapping[str, Sequence[str]], names: tuple[str, ...], holds: Callable[..., bool]) -> bool:
    """Whether it holds in nearly all rows in which all of them have a value."""
    rows = [row for row in zip(*(values[n] for n in names), strict=True) if all(row)]
    return len(rows) >= ENOUGH_ROWS and sum(holds(*row) for row in rows) >= REPEATS * len(rows)


def _one_kind_of_name(groups: list[Group], entities: Sequence[str], found: Found) -> list[Group]:
    """First and last name, or the full name: whichever every entity can give; the other would say the same twice.

    Where some entity has only a full name, the others' first and last names are read as one.
    """
    by_meaning = dict(groups)
    having = {label: {c.entity for c in by_meaning.get(label, ())} for label in (FULL, FIRST, LAST)}
    parted = having[FIRST] & having[LAST]
    if not having[FULL]:
        return groups
    if parted >= having[FULL]:
        _leave(found, {c.entity: (c.name,) for c in by_meaning.pop(FULL)}, "first and last name say the same")
        return [(m, g) for m, g in groups if m != FULL]
    for label in (FIRST, LAST, "Person.MiddleName"):
        for column in by_meaning.get(label, ()):
            if column.entity not in having[FULL]:
                continue
            _leave(found, {column.entity: (column.name,)}, "the full name says the same")
    return [(m, g) for m, g in groups if m not in (FIRST, LAST, "Person.MiddleName")]


def _attribute(
    engine: Engine, meaning: str, group: list[_Column], columns: Sequence[_Column], entities: Sequence[str]
) -> Attribute:
    label = None if meaning.startswith("name:") else meaning
    by_entity: dict[str, list[SourceColumn]] = {}
    for column in group:
        by_entity.setdefault(column.entity, []).append(column.name)
    if label == FULL:
        by_entity |= _joined(columns, by_entity)
    several = label is not None and label.startswith(SEVERAL)
    name, _ = Counter(c.name for c in group).most_common(1)[0]
    kept = {entity: tuple(names) if several else (names[0],) for entity, names in by_entity.items()}
    others = tuple(e for e in entities if e not in kept and name in engine.columns(table_of(e)))
    bits = log2(max(c.distinct for c in group))
    return Attribute(name, label, kept, _normalizers(engine, label, group), bits, others)


def _joined(columns: Sequence[_Column], having: Mapping[str, object]) -> dict[str, list[SourceColumn]]:
    """Entities without a full name that have its parts: the parts, read as one."""
    parts: dict[str, dict[str, str]] = {}
    for column in columns:
        if column.label in NAMES and column.entity not in having:
            parts.setdefault(column.entity, {})[column.label] = column.name
    return {
        entity: [Joined(join=tuple(own[label] for label in NAMES if label in own))]
        for entity, own in parts.items()
        if FIRST in own and LAST in own
    }


def _in_order(attributes: Sequence[Attribute], columns: Sequence[_Column]) -> list[Attribute]:
    """As the columns stand in their tables, the first entity's first: a reader knows that order."""
    place = {(c.entity, c.name): i for i, c in enumerate(columns)}

    def first(attribute: Attribute) -> int:
        own = [(e, part) for e, names in attribute.columns.items() for name in names for part in parts(name)]
        return min(place[at] for at in own)

    return sorted(attributes, key=first)


def _normalizers(engine: Engine, label: str | None, group: Sequence[_Column]) -> tuple[NormalizeStep, ...]:
    if label in NAMES:
        return _steps("name")
    if label == PHONE:
        return (NormalizeStep(kind="phone", argument=_region(engine, group)),)
    if label in ("Location.Address", "Location.AddressStreet"):
        return _steps("address")
    if label == "Organization.Name":
        return _steps("organization")
    if all(kind_of(c.type) == "date" for c in group):
        return ()
    return _steps("lower", "whitespace")


def _steps(*kinds: Any) -> tuple[NormalizeStep, ...]:
    return tuple(NormalizeStep(kind=kind) for kind in kinds)


def _region(engine: Engine, group: Sequence[_Column]) -> str | None:
    """The country that phone numbers without a country's code are from: the one whose code stands on most others."""
    selects = [f"SELECT CAST({quote(c.name)} AS VARCHAR) AS v FROM {quote(table_of(c.entity))}" for c in group]
    sql = f"SELECT v FROM ({' UNION ALL '.join(selects)}) WHERE v IS NOT NULL ORDER BY hash(v), v LIMIT {SOME}"
    values = engine.fetch(Query(sql)).column("v").to_pylist()
    codes = Counter(code for v in values if (m := CALLING.match(v)) and (code := _code(m[1])))
    if not codes:
        return None
    code, count = min(codes.items(), key=lambda at: (-at[1], at[0]))
    return REGIONS[code] if count >= ENOUGH_CODES * len(values) else None


def _code(digits: str) -> str | None:
    """The calling code that the digits begin with; no code is the beginning of another."""
    return next((digits[:n] for n in (1, 2, 3) if digits[:n] in REGIONS), None)
