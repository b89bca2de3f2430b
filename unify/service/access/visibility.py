"""What of an instance's data a caller may see. It holds wherever data is read: an engine shows nothing else.

    Policy (a caller's rules) + Schema (a generation's columns and what they tell) ─▶ Visibility ─▶ views.py

What is withheld of a source is withheld of all that is made from it:

    crm_Contacts.EMail ─▶ Customer.EMail                     by what feeds the column
    crm_Contacts.Id ◀──▶ Customer.crm_Contacts_Id, columns of relationships that refer to it: one mask for all
    web_Orders.Text ─▶ Title, Description, URL, SemanticData of the activities that the rows became
    web_Orders.Total ─▶ Customer_Measure.TotalSpend, Measure_Revenue.…: whatever a measure's definition names
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from segments.activities import UNIFIED
from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, own_table
from segments.relationships import CUSTOMER
from unify.core.names import table_of
from unify.service.access.classes import Place, Schema, key_columns
from unify.spec import Activity, Measure, Project

Shown = Literal["clear", "masked", "hidden"]
WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Visibility:
    """Equal for callers who may see the same, so that what is prepared for one serves all of them.

    hidden     (table, column) that are not there at all, not even by name
    masked     (table, column) of which only a mask is shown, also to conditions and sorting
    segments   only customers in one of these, and only rows that belong to such customers; None: all
    """

    hidden: frozenset[Place] = frozenset()
    masked: frozenset[Place] = frozenset()
    segments: tuple[str, ...] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is withheld."""
        return not self.hidden and not self.masked and self.segments is None


EVERYTHING: Final = Visibility()


@dataclass(frozen=True, slots=True)
class Policy:
    """What was said of a caller in an instance, whichever generation is looked at.

    clear      words of classes.CLASSES whose columns are shown; None: all of them
    rules      ((table, column), how), at most one of a place, sorted; they go before `clear`
    segments   as in Visibility
    """

    clear: frozenset[str] | None = None
    rules: tuple[tuple[Place, Shown], ...] = ()
    segments: tuple[str, ...] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing can be withheld, whatever the generation."""
        return self.clear is None and self.segments is None and all(shown == "clear" for _, shown in self.rules)


UNRESTRICTED: Final = Policy()


def visibility_of(schema: Schema, policy: Policy) -> Visibility:
    """What a policy comes to on a generation."""
    if policy.everything:
        return EVERYTHING
    withheld = _said(schema, policy)
    _follow_feeds(schema, policy, withheld)
    _follow_clusters(schema.project, withheld)
    _follow_keys(schema.project, withheld)
    _follow_activities(schema.project, withheld)
    _follow_measures(schema, withheld)
    there = {(table, column) for table, columns in schema.columns.items() for column in columns}
    never = {CUSTOMER_ID, ORDINAL}
    found = {p: s for p, s in withheld.items() if p in there and not (p[1] in never and p[0] in OURS)}
    return Visibility(
        frozenset(p for p, shown in found.items() if shown == "hidden"),
        frozenset(p for p, shown in found.items() if shown == "masked"),
        policy.segments,
    )


OURS: Final = frozenset((CUSTOMER, UNIFIED, MEASURES))


def _said(schema: Schema, policy: Policy) -> dict[Place, Shown]:
    """By rule, and by what a column tells."""
    rules = dict(policy.rules)
    found: dict[Place, Shown] = {}
    if policy.clear is not None:
        found = {place: "masked" for place, told in schema.told.items() if not told.seen_by(policy.clear)}
    found |= {place: shown for place, shown in rules.items() if shown != "clear"}
    return {place: shown for place, shown in found.items() if rules.get(place) != "clear"}


def _stricter(withheld: dict[Place, Shown], place: Place, shown: Shown) -> bool:
    """Withhold a place at least so; whether that changed anything."""
    old = withheld.get(place)
    if old in (shown, "hidden") or shown == "clear":
        return False
    withheld[place] = shown
    return True


def _follow_feeds(schema: Schema, policy: Policy, withheld: dict[Place, Shown]) -> None:
    """On to Customer, unless somebody said of the very column how it is shown."""
    rules = dict(policy.rules)
    declared = {c for name, r in schema.project.resolution.items() if r.pii for c in r.group or (name,)}
    for place, sources in schema.feeds.items():
        if place in rules:
            continue
        for source in sources:
            shown = withheld.get(source)
            by_class = shown == "masked" and source not in rules
            if shown is not None and not (by_class and place[1] in declared):
                _stricter(withheld, place, shown)


def _follow_clusters(project: Project, withheld: dict[Place, Shown]) -> None:
    """Who shares a household shares what its rules compare: of what is hidden not even that is told."""
    hidden = {column.casefold() for (table, column), shown in withheld.items() if shown == "hidden"}
    for name, cluster in project.clusters.items():
        if not hidden.isdisjoint(words_of(cluster.model_dump(mode="json"))):
            _stricter(withheld, (CUSTOMER, name), "hidden")


def _follow_keys(project: Project, withheld: dict[Place, Shown]) -> None:
    """Columns that find rows of one another share one mask, and are never gone: a hidden one is masked."""
    for group in joined(project):
        found = {withheld[place] for place in group if place in withheld}
        for place in group if found else ():
            keeps = place[0] != CUSTOMER
            withheld[place] = "masked" if keeps else withheld.get(place, "masked")


def joined(project: Project) -> list[frozenset[Place]]:
    """Sets of columns that refer to one another: keys, what stands of them in Customer, ends of relationships."""
    groups = [{key, *columns} for key, columns in key_columns(project).items()]
    groups += [{(table_of(name), entity.key)} for name, entity in project.entities.items()]
    for relation in project.relationships.values():
        ends = ((relation.from_entity, relation.from_attribute), (relation.to_entity, relation.to_attribute))
        groups.append({(table_of(entity), column) for entity, column in ends})
    merged: list[set[Place]] = []
    for group in groups:
        apart = [m for m in merged if not m & group]
        merged = [*apart, group.union(*(m for m in merged if m & group))]
    return [frozenset(group) for group in merged]


def activity_sources(project: Project) -> Iterator[tuple[Activity, Mapping[str, tuple[str, ...]]]]:
    """Activities with the columns of UnifiedActivity → the columns of the entity that make them."""
    for activity in project.activities.values():
        entity = project.entity(activity.entity)
        made = {
            "ActivityId": (entity.key,), "SourceActivityId": (entity.key,),
            "ActivityTypeDisplay": (activity.display,), "ActivityTime": (entity.timestamp,),
            "RangeIndex": (entity.timestamp,), "Title": (activity.title or activity.event,),
            "Description": (activity.description or activity.detail,), "URL": (activity.url,),
            "SemanticData": tuple(activity.columns.values()),
        }  # fmt: skip
        yield activity, {column: tuple(c for c in sources if c) for column, sources in made.items()}


def _follow_activities(project: Project, withheld: dict[Place, Shown]) -> None:
    """On to the timeline. A column that rows of other entities fill too stays there: views withhold it row by row."""
    for activity, made in activity_sources(project):
        for column, sources in made.items():
            if any((table_of(activity.entity), source) in withheld for source in sources):
                _stricter(withheld, (UNIFIED, column), "masked")


def _follow_measures(schema: Schema, withheld: dict[Place, Shown]) -> None:
    """A measure whose definition names something that is withheld is hidden whole: a sum of one row is the row."""
    gone = hidden_measures(schema.project, withheld)
    for table, columns in schema.columns.items():
        owner = next((name for name in schema.project.measures if own_table(name) == table), None)
        for column in columns:
            if (table == MEASURES and _measure_of(column, gone)) or owner in gone:
                withheld[table, column] = "hidden"


def _measure_of(column: str, gone: Collection[str]) -> bool:
    return column.partition("~")[0] in gone


def hidden_measures(project: Project, withheld: Collection[Place]) -> set[str]:
    """Measures whose definition names a column that is withheld, or such a measure.

    Names alone are looked at, not what they mean where they stand, so that a column of the same name in another table
    hides a measure too: rather one too many. SQL is hidden when it names a table that something is withheld of.
    """
    names = {column.casefold() for _, column in withheld}
    tables = {table.casefold() for table, _ in withheld}
    gone: set[str] = set()
    while True:
        more = {
            name
            for name, measure in project.measures.items()
            if name not in gone and not (names | tables if measure.sql else names).isdisjoint(_words(project, measure))
        }
        if not more:
            return gone
        gone |= more
        names |= {word.casefold() for name in more for word in (name, own_table(name))}


def _words(project: Project, measure: Measure) -> set[str]:
    """Every word of a definition, and what it takes without naming it: the time of its rows, columns of a template."""
    said: list[object] = [
        measure.model_dump(mode="json", exclude={"title", "description", "tags"}, exclude_defaults=True)
    ]
    if measure.of in project.entities:
        said.append(project.entity(measure.of).timestamp)
    if measure.template is not None:
        for name, activity in project.activities.items():
            if measure.of in (name, activity.entity):
                said += [dict(activity.columns), project.entity(activity.entity).timestamp]
    return words_of(said)


def words_of(definition: object) -> set[str]:
    """Every word in the texts of a definition (dicts, lists, text), folded."""
    return {word.casefold() for text in _strings(definition) for word in WORD.findall(text)}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)
