"""The settings and the project's ingested data in, a Suggestion out: one scored common rule."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from unify.conflation.binding import bind
from unify.conflation.normalize_lists import Lists
from unify.core.engine import Engine, scalar
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.core.suggestions import CarriedComparison, SuggestedRule, Suggestion
from unify.proposal.attributes import Attribute
from unify.proposal.attributes import Found as Columns
from unify.proposal.plan import Proposed
from unify.proposal.run import entities_of, with_plan
from unify.proposal.splink.carried import Carried, Column, carry, columns_of, counted, fewer, understood
from unify.proposal.splink.settings import OUTPUT, TRAINING, Settings, read_settings
from unify.proposal.text import project_text
from unify.spec import ConflationPlan, Evidence, OrderedEntity, Project, Rule

RULE = "splink"
MOST_COMPARISONS = 20
"""What a scored rule may compare (unify/spec/conflation.py)."""
WIDTH = 110
SplinkSettings = str | Path | Mapping[str, Any]
"""The path of a settings file, or the settings as a dict."""


def from_splink(engine: Engine, project: Project, settings: SplinkSettings) -> Suggestion:
    """The project with the settings as its plan; its own plan is not looked at, but for its order of entities.

    Raises SpecError when the file holds no settings, or nothing in it can be carried over.
    """
    entities = entities_of(project)
    said, name = read_settings(settings)
    comparisons = _comparisons(said)
    files = list(dict.fromkeys(column for levels in comparisons.values() for column in columns_of(levels)))
    held = {column: _holders(engine, entities, column) for column in files}
    places = {column: next(iter(own.values()), None) for column, own in held.items()}
    lengths = {c: _length(engine, held[c]) for levels in comparisons.values() for c in counted(levels) if places.get(c)}
    found = carry(comparisons, places, lengths)
    if not found.columns:
        hint = "\n".join([*_absent(engine, entities, held), *found.notes])
        raise SpecError("none of its comparisons can be carried over", where=name, hint=hint)
    by_place = {place: held[column] for column, place in places.items() if place}
    kept = list(found.columns.values())[:MOST_COMPARISONS]
    attributes = [_attribute(column, by_place[column.name], entities) for column in kept]
    rule = Rule(name=RULE, score=tuple(_evidence(c, a) for c, a in zip(kept, attributes, strict=True)))
    order = project.conflation.order if project.conflation else tuple(OrderedEntity(entity=e) for e in entities)
    plan = ConflationPlan(order=order, rules=(rule,))
    whole = with_plan(engine, project, Columns(attributes), Proposed(plan, (), rule))
    [bound] = bind(engine, whole, Lists()).rules
    rules = [SuggestedRule(name=RULE, kind="splink", sentence=bound.sentence)]
    notes = [*_notes(engine, project, entities, said, held, found), *_too_many(found)]
    suggestion = Suggestion(
        project=whole,
        text="",
        records=sum(int(scalar(engine, Query(f"SELECT count(*) FROM {quote(table_of(e))}"))) for e in entities),
        studied=0,
        pairs=0,
        matches=0,
        attributes=[],
        rules=rules,
        read_from=name,
        carried=[_carried(column, evidence) for column, evidence in zip(kept, rule.score, strict=True)],
        notes=notes,
    )
    return suggestion.model_copy(update={"text": project_text(whole, rules, list(_comment(suggestion)))})


def _comment(suggestion: Suggestion) -> Iterator[str]:
    """What stands above the plan in its file."""
    yield next(suggestion.head())
    for note in suggestion.notes:
        yield from wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _comparisons(said: Settings) -> dict[str, Any]:
    """Name → levels; a name that stands twice gets a number."""
    made: dict[str, Any] = {}
    for comparison in said.comparisons:
        name, number = comparison.name, 1
        while name in made:
            number += 1
            name = f"{comparison.name} ({number})"
        made[name] = understood(comparison)
    return made


def _holders(engine: Engine, entities: Sequence[str], column: str) -> dict[str, str]:
    """Entity → what it calls the column, upper and lower case aside; entities that have none are not there."""
    own: dict[str, str] = {}
    for entity in entities:
        names = list(engine.columns(table_of(entity)))
        same = [n for n in names if n == column] or [n for n in names if n.casefold() == column.casefold()]
        if same:
            own[entity] = same[0]
    return own


def _length(engine: Engine, held: Mapping[str, str]) -> int:
    """Characters, without white space, that half of the values have at most; 0 when there are none."""
    values = " UNION ALL ".join(
        f"SELECT length(regexp_replace(CAST({quote(c)} AS VARCHAR), '\\s', '', 'g')) AS n FROM {quote(table_of(e))}"
        for e, c in held.items()
    )
    return int(scalar(engine, Query(f"SELECT quantile_disc(n, 0.5) FROM ({values}) WHERE n > 0")) or 0)


def _attribute(column: Column, held: Mapping[str, str], entities: Sequence[str]) -> Attribute:
    return Attribute(
        name=column.name,
        label=None,
        columns={entity: (held[entity],) for entity in entities if entity in held},
        normalize=Evidence(field=column.name).normalize,
    )


def _evidence(column: Column, attribute: Attribute) -> Evidence:
    made = Evidence(field=column.name, columns=attribute.columns_apart(), term_frequency=column.term_frequency)
    return made if column.default else made.model_copy(update={"levels": fewer(column.levels)})


def _carried(column: Column, evidence: Evidence) -> CarriedComparison:
    return CarriedComparison(
        column=column.name,
        comparisons=list(dict.fromkeys(column.comparisons)),
        levels=list(evidence.levels),
        term_frequency=evidence.term_frequency,
    )


# ── what has no counterpart, in words ────────────────────────────────────────────────────────────────────────────────


def _notes(
    engine: Engine,
    project: Project,
    entities: Sequence[str],
    said: Settings,
    held: Mapping[str, Mapping[str, str]],
    found: Carried,
) -> Iterator[str]:
    yield from _link_type(said.link_type, entities)
    yield from _ids(said.said, project, entities)
    yield from _absent(engine, entities, held)
    yield from found.notes
    yield "values are compared in lower case and without white space; `normalize: []` compares them as they are"
    if said.blocking:
        yield f"blocking rules are not needed, a scored rule finds its candidates itself: {'; '.join(said.blocking)}"
    yield (
        "thresholds are given to Splink when it predicts and are on pairs; `at_least` is on whole customers, and its "
        "default is the same for all data"
    )
    if (prior := said.said.get("probability_two_random_records_match")) is not None:
        yield f"probability_two_random_records_match {prior} is not used, the rule learns it"
    if training := [f"{key} {said.said[key]}" for key in sorted(TRAINING & set(said.said))]:
        yield f"not used, learning has its own end here: {', '.join(training)}"
    if output := sorted(OUTPUT & set(said.said)):
        yield f"about Splink's own tables and engine, not used: {', '.join(output)}; all columns of a record are kept"
    yield from said.unknown


def _link_type(link_type: str, entities: Sequence[str]) -> Iterator[str]:
    if link_type == "link_only":
        if len(entities) == 1:
            yield f"link_only is about several tables, the project has one, {entities[0]}, and compares its records"
        else:
            limit = f"`limits: [{{at_most_one: {entities[0]}}}]`"
            yield (
                "link_only compares records of different tables alone, a common rule those of one entity, too; "
                f"where an entity has one record per customer, add {limit}, which Splink does not imply"
            )
    elif link_type == "dedupe_only" and len(entities) > 1:
        yield f"dedupe_only is about one table, the project has {len(entities)}: they are compared as if they were one"


def _ids(said: Mapping[str, Any], project: Project, entities: Sequence[str]) -> Iterator[str]:
    key = str(said.get("unique_id_column_name", "unique_id"))
    others = [
        f"{e} has {project.entity(e).key}" for e in entities if project.entity(e).key.casefold() != key.casefold()
    ]
    if others:
        yield f"unique_id_column_name {key}: the keys of the project count, {', '.join(others)}"
    if "source_dataset_column_name" in said:
        yield f"source_dataset_column_name {said['source_dataset_column_name']}: entities take its place"


def _absent(engine: Engine, entities: Sequence[str], held: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    known = {name for entity in entities for name in engine.columns(table_of(entity))}
    for column, own in held.items():
        if not own:
            yield f"{column}: no entity has this column, it is left out; {did_you_mean(column, known)}"
        elif len(own) < len(entities):
            without = [entity for entity in entities if entity not in own]
            yield f"{column}: not in {', '.join(without)}, where it says nothing; `columns` can name another one"


def _too_many(found: Carried) -> Iterator[str]:
    if rest := list(found.columns)[MOST_COMPARISONS:]:
        yield f"a scored rule compares at most {MOST_COMPARISONS} columns; left out: {', '.join(rest)}"
