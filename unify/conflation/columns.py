"""Which columns the Customer table has, what feeds each, and who decides. Pure: a project and schemas in, nouns out.

    Project, schemas ─▶ Attributes ─▶ drafts (resolution's own, then defaults) ─▶ picks ─▶ CustomerColumns

Everything wrong with `resolution` and `customer` is collected, so that a user mends it in one round.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from unify.conflation.attributes import Attribute, Attributes, Draft, default_columns
from unify.conflation.checks import Schemas
from unify.conflation.column_types import promote, recency_family
from unify.conflation.picks import CustomerColumns, EntityColumns, Feed, Pick, Preferred, UnifiedColumn
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.core.problems import Problem
from unify.spec import Project, Resolution

CUSTOMER_ID = "CustomerId"
PREVIOUS = "PreviousCustomerId"
OURS = (CUSTOMER_ID, PREVIOUS, "ordinal")
"""Column names of Customer and customer_sources that no attribute may take."""
MANY_COLUMNS = 1000
"""The vendor advises against more (reference §17); we say so and go on."""


def unified_columns(project: Project, schemas: Schemas) -> CustomerColumns:
    """The columns of Customer; one SpecError that lists every problem when `resolution` cannot be done as written."""
    columns, problems = _plan(project, schemas)
    if problems:
        raise SpecError("\n".join(str(p) for p in problems), where="conflict resolution")
    return columns


def resolution_problems(project: Project, schemas: Schemas) -> list[str]:
    """Everything wrong with `resolution` and `customer`, one sentence each; empty when there is nothing."""
    return [str(p) for p in _plan(project, schemas)[1]]


@dataclass(slots=True)
class _Draft:
    """A pick in the making. `explicit` means that its order of importance is written in `from`."""

    name: str
    place: str
    columns: list[Draft]
    resolution: Resolution
    is_group: bool = False
    explicit: set[str] = field(default_factory=set)


def _plan(project: Project, schemas: Schemas) -> tuple[CustomerColumns, list[Problem]]:
    problems: list[Problem] = []
    attributes = Attributes(project, schemas)
    drafts, notes = _drafts(project, attributes, problems)
    picks = []
    named = {column.name.casefold(): column for draft in drafts for column in draft.columns}
    for draft in drafts:
        pick, said = _pick(draft, attributes, named, problems)
        picks.append(pick)
        notes += said
    problems += _collisions(project, drafts)
    gone = _excluded(project, drafts, problems)
    picks = [_without(pick, gone) for pick in picks]
    picks = [pick for pick in picks if pick.columns]
    if not picks and not problems:
        problems.append(
            Problem(
                "customer",
                "no attribute feeds the Customer table",
                "name at least one under resolution, or exclude fewer",
            )
        )
    problems += _prefer_problems(project, picks)
    entities = tuple(_entities(project, attributes, problems))
    layout = _layout(project, drafts, gone, problems)
    if len(layout) > MANY_COLUMNS:
        notes.append(f"Customer has {len(layout)} columns; more than {MANY_COLUMNS} are hard to use: exclude some")
    unique = list(dict.fromkeys(problems))
    return CustomerColumns(tuple(picks), entities, layout, tuple(dict.fromkeys(notes))), unique


def _drafts(project: Project, attributes: Attributes, problems: list[Problem]) -> tuple[list[_Draft], list[str]]:
    """What `resolution` describes, then what is left and combined by default."""
    described: list[_Draft] = []
    unnamed: list[tuple[_Draft, str, str]] = []
    for name, resolution in project.resolution.items():
        place = f"resolution.{name}"
        draft = _Draft(name, place, [], resolution, bool(resolution.group))
        fields = resolution.group or {name: resolution.sources}
        for column, sources in fields.items():
            where = f"{place}.group.{column}" if draft.is_group else place
            if sources:
                draft.columns.append(Draft(column, _read_sources(sources, where, attributes, problems)))
                draft.explicit.add(column)
            else:
                unnamed.append((draft, column, where))
        described.append(draft)
    claimed = {a for draft in described for column in draft.columns for a in column.attributes}
    taken = {column.name.casefold(): draft for draft in described for column in draft.columns}
    free, notes = [], []
    for attribute in attributes:
        if attribute in claimed:
            continue
        if (owner := taken.get(attribute.column.casefold())) is not None and not attribute.is_key:
            notes.append(f"{attribute} feeds no column: {owner.place} names its sources")
        else:
            free.append(attribute)
    defaults, said = default_columns(free, project.customer.separate, problems)
    defaults = [_out_of_our_way(draft, project) for draft in defaults]
    by_name = {draft.name.casefold(): draft for draft in defaults}
    used: dict[str, str] = {}
    for draft, column, where in unnamed:
        found = by_name.get(column.casefold())
        if found is None:
            problems.append(_unknown_column(column, where, defaults))
        elif (other := used.setdefault(found.name, where)) != where:
            problems.append(
                Problem(where, f"column {found.name} is already resolved by {other}", "keep one of the two")
            )
        else:
            draft.columns.append(Draft(column, found.attributes))
    for draft in described:
        places = {name: place for place, name in enumerate(draft.resolution.group)}
        draft.columns.sort(key=lambda c: places.get(c.name, 0))
    rest = [
        _Draft(d.name, "customer.default", [d], Resolution(by=project.customer.default))
        for d in defaults
        if d.name not in used
    ]
    return described + rest, notes + said


def _read_sources(
    sources: tuple[str, ...], place: str, attributes: Attributes, problems: list[Problem]
) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for text in sources:
        attribute = attributes.read(text, place, problems)
        if attribute in found:
            problems.append(Problem(place, f"{text} is named twice", "remove one"))
        elif attribute is not None:
            found.append(attribute)
    return tuple(found)


def _unknown_column(column: str, place: str, defaults: list[Draft]) -> Problem:
    for draft in defaults:
        if column.casefold() in (a.column.casefold() for a in draft.attributes):
            hint = f"name {draft.name}, or write `from`"
            return Problem(
                place, f"column {column!r} is combined into {draft.name} or kept apart under that name", hint
            )
    return Problem(place, f"there is no column {column!r}", did_you_mean(column, [d.name for d in defaults]))


def _out_of_our_way(draft: Draft, project: Project) -> Draft:
    """A default column with a name of ours gets the name it has alone: a file's own `CustomerId` is no error."""
    ours = {name.casefold() for name in OURS}
    ours |= {name.casefold() for pair in key_names(project).values() for name in pair}
    return Draft(draft.attributes[0].alone, draft.attributes) if draft.name.casefold() in ours else draft


def _pick(
    draft: _Draft, attributes: Attributes, named: dict[str, Draft], problems: list[Problem]
) -> tuple[Pick, list[str]]:
    entities = _entity_order(draft, attributes, problems)
    columns, notes = [], []
    for column in draft.columns:
        ranked = column.attributes
        if draft.is_group or column.name not in draft.explicit:
            ranked = tuple(sorted(ranked, key=lambda a: entities.index(a.entity)))
        kind, surprising = promote(a.type for a in ranked) if ranked else ("VARCHAR", False)
        if surprising:
            said = ", ".join(f"{a} is {a.type}" for a in ranked)
            notes.append(f"{column.name}: types differ, values become {kind} ({said})")
        feeds = tuple(
            Feed(a.entity, a.column, a.type, entities.index(a.entity) if draft.is_group else rank)
            for rank, a in enumerate(ranked)
        )
        columns.append(UnifiedColumn(column.name, kind, feeds))
    pick = Pick(draft.name, tuple(columns), draft.resolution.by, draft.is_group)
    if pick.by.by is not None:
        pick = _with_recency(pick, draft.place, attributes, named, problems)
    return pick, notes


def _entity_order(draft: _Draft, attributes: Attributes, problems: list[Problem]) -> list[str]:
    """Entities from most to least important for this pick."""
    order, place = draft.resolution.order, f"{draft.place}.order"
    feeding = {a.entity for column in draft.columns for a in column.attributes}
    if order and not draft.is_group and draft.explicit:
        problems.append(
            Problem(place, "`from` is the order of importance already", "remove `order`, or reorder `from`")
        )
    for position, entity in enumerate(order):
        if (problem := attributes.entity_problem(entity, place)) is not None:
            problems.append(problem)
        elif entity in order[:position]:
            problems.append(Problem(place, f"{entity} is named twice", "remove one"))
        elif entity not in feeding:
            problems.append(
                Problem(place, f"{entity} does not feed {draft.name}", f"it is fed by {', '.join(sorted(feeding))}")
            )
    if order or not draft.is_group:
        return list(dict.fromkeys((*order, *attributes.order)))
    return _order_of_group(draft, attributes, problems)


def _order_of_group(draft: _Draft, attributes: Attributes, problems: list[Problem]) -> list[str]:
    """The order that all `from` lists of a group agree on; entities they leave open follow the conflation order."""
    before: set[tuple[str, str]] = set()
    for column in draft.columns:
        if column.name in draft.explicit:
            entities = list(dict.fromkeys(a.entity for a in column.attributes))
            before |= {(upper, lower) for i, upper in enumerate(entities) for lower in entities[i + 1 :]}
    left, placed = list(attributes.order), []
    while left:
        first = next((e for e in left if not any((other, e) in before for other in left)), None)
        if first is None:
            problems.append(
                Problem(
                    draft.place,
                    "the `from` lists of the group contradict each other's order",
                    "write `order` once for the group",
                )
            )
            return attributes.order
        left.remove(first)
        placed.append(first)
    return placed


def _with_recency(
    pick: Pick, place: str, attributes: Attributes, named: dict[str, Draft], problems: list[Problem]
) -> Pick:
    """Find the recency of every participating entity: its column so named, or what feeds the output column so named."""
    by = pick.by.by or ""
    found: dict[str, list[Attribute]] = {}
    for entity in dict.fromkeys(f.entity for c in pick.columns for f in c.feeds):
        own = attributes.column(entity, by)
        through = named.get(by.casefold())
        columns = [own] if own else [a for a in (through.attributes if through else ()) if a.entity == entity]
        if not columns:
            known = [a.column for a in attributes.known[entity].values() if recency_family(a.type)]
            hint = f"{did_you_mean(by, known)}; or name one column per entity: `{by}: {{from: [...]}}`"
            problems.append(Problem(place, f"'{pick.by}': {entity} has no column {by!r}", hint))
        problems += [
            Problem(place, f"'{pick.by}': {a} is {a.type}, not a date or number", "declare the column's type")
            for a in columns
            if recency_family(a.type) is None
        ]
        found[entity] = columns
    used = [a for columns in found.values() for a in columns]
    families = {recency_family(a.type) for a in used} - {None}
    if len(families) > 1:
        said = ", ".join(f"{a} is {a.type}" for a in used)
        problems.append(Problem(place, f"'{pick.by}' would compare dates with numbers ({said})", "choose one kind"))
    kind = promote(a.type for a in used)[0] if used else ""
    recency = tuple((entity, tuple(a.column for a in columns)) for entity, columns in found.items())
    return Pick(pick.name, pick.columns, pick.by, pick.is_group, recency, kind)


def _collisions(project: Project, drafts: list[_Draft]) -> Iterator[Problem]:
    """Output columns that would share a name."""
    owners = {name.casefold(): "the product's own column" for name in OURS}
    for entity, pair in key_names(project).items():
        owners |= {name.casefold(): f"the key column of {entity}" for name in pair}
    for draft in drafts:
        for column in draft.columns:
            who = draft.place if draft.place != "customer.default" else ", ".join(map(str, column.attributes))
            other = owners.get(column.name.casefold())
            owners[column.name.casefold()] = who
            if other is not None:
                yield Problem(
                    draft.place,
                    f"output column {column.name} would be made twice: by {other} and by {who}",
                    "rename one",
                )


def _excluded(project: Project, drafts: list[_Draft], problems: list[Problem]) -> set[str]:
    """Names of the excluded columns; a column that is needed elsewhere cannot be excluded."""
    owners = {column.name.casefold(): draft for draft in drafts for column in draft.columns}
    recency = {d.resolution.by.by.casefold() for d in drafts if d.resolution.by.by}
    clusters = {
        column.casefold(): f"clusters.{name}"
        for name, spec in project.clusters.items()
        for rule in spec.rules
        for criterion in (*rule.when, *(c for veto in rule.unless for c in veto.all))
        for column in (*criterion.left_columns, *criterion.right_columns)
    }
    gone = set()
    for name in project.customer.exclude:
        place, folded = "customer.exclude", name.casefold()
        draft = owners.get(folded)
        if draft is None:
            known = [c.name for d in drafts for c in d.columns]
            problems.append(Problem(place, f"{name!r} is not a unified column", did_you_mean(name, known)))
        elif draft.is_group:
            problems.append(Problem(place, f"{name} is part of {draft.place}", "take it out of the group first"))
        elif folded in (first.casefold() for first in project.customer.first):
            problems.append(Problem(place, f"{name} is also in customer.first", "keep one of the two"))
        elif folded in clusters:
            problems.append(Problem(place, f"{name} is used by {clusters[folded]}", "change that rule first"))
        elif draft.place != "customer.default" and folded not in recency:
            problems.append(Problem(place, f"{name} has a rule of its own: {draft.place}", "remove one of the two"))
        gone.add(folded)
    return gone


def _without(pick: Pick, gone: set[str]) -> Pick:
    kept = tuple(c for c in pick.columns if c.name.casefold() not in gone)
    return Pick(pick.name, kept, pick.by, pick.is_group, pick.recency, pick.recency_type)


def _prefer_problems(project: Project, picks: list[Pick]) -> Iterator[Problem]:
    """Preferences inside a dedupe group that cannot decide, or that would mix a row's values with another row's."""
    for entity, spec in (project.conflation.dedupe if project.conflation else {}).items():
        preferred = {column.casefold() for column in spec.prefer}
        for column, by in spec.prefer.items():
            if by.kind == "importance":
                hint = "write most filled, most recent by <column> or least recent by <column>"
                yield Problem(f"dedupe {entity}: prefer {column}", "importance ranks entities, not rows of one", hint)
        for unified in (c for pick in picks for c in pick.columns):
            names = [f.column for f in unified.feeds if f.entity == entity]
            if 0 < sum(name.casefold() in preferred for name in names) < len(names):
                place, hint = f"dedupe {entity}: prefer", "give all of them a preference, or none"
                yield Problem(place, f"{', '.join(names)} feed {unified.name} together", hint)


def key_names(project: Project) -> dict[str, tuple[str, str]]:
    """Per entity of the conflation order the names of its two key columns in Customer."""
    names = {}
    for ordered in project.conflation.order if project.conflation else ():
        if ordered.entity in project.entities:
            name = f"{table_of(ordered.entity)}_{project.entity(ordered.entity).key}"
            names[ordered.entity] = (name, f"{name}_Alternate")
    return names


def _entities(project: Project, attributes: Attributes, problems: list[Problem]) -> Iterator[EntityColumns]:
    dedupe = project.conflation.dedupe if project.conflation else {}
    for entity, (name, alternate) in key_names(project).items():
        key = attributes.column(entity, project.entity(entity).key)
        if key is None:
            problems.append(Problem(f"sources.{entity}", f"there is no key column {project.entity(entity).key!r}"))
            continue
        prefer = []
        for column, by in dedupe[entity].prefer.items() if entity in dedupe else ():
            attribute = attributes.column(entity, column)
            if attribute is not None:  # an unknown column is a problem of the plan (checks.py)
                prefer.append(Preferred(attribute, by, attributes.column(entity, by.by or "")))
        columns = tuple(attributes.known[entity].values())
        yield EntityColumns(entity, key, name, alternate, columns, tuple(prefer))


def _layout(project: Project, drafts: list[_Draft], gone: set[str], problems: list[Problem]) -> tuple[str, ...]:
    """CustomerId, what `first` names, unified columns as they stand in the sources, keys, PreviousCustomerId."""
    columns = sorted(
        (c for draft in drafts for c in draft.columns if c.attributes and c.name.casefold() not in gone),
        key=lambda c: min(a.place for a in c.attributes),
    )
    names = [c.name for c in columns] + [n for pair in key_names(project).values() for n in pair] + [PREVIOUS]
    by_name = {name.casefold(): name for name in (CUSTOMER_ID, *names)}
    first: list[str] = [CUSTOMER_ID]
    for name in project.customer.first:
        found = by_name.get(name.casefold())
        if found is None and name.casefold() not in gone:
            hint = did_you_mean(name, by_name.values())
            problems.append(Problem("customer.first", f"there is no output column {name!r}", hint))
        elif found in first[1:]:
            problems.append(Problem("customer.first", f"{found} is named twice", "remove one"))
        elif found is not None and found != CUSTOMER_ID:
            first.append(found)
    return (*first, *(name for name in names if name not in first))
