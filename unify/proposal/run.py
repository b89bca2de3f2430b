"""A project and its ingested data in, a Suggestion out."""

from collections.abc import Iterator, Mapping, Sequence

from unify.conflation.binding import bind
from unify.conflation.normalize_lists import Lists
from unify.core.engine import Engine
from unify.core.errors import SpecError
from unify.core.names import table_of
from unify.core.progress import Progress, silent
from unify.core.suggestions import SuggestedAttribute, SuggestedRule, Suggestion
from unify.proposal.attributes import Found as Columns
from unify.proposal.attributes import find_attributes
from unify.proposal.dates import read_dates, without_texts
from unify.proposal.known import Known
from unify.proposal.plan import Proposed, one_each, propose
from unify.proposal.search import Search, informative
from unify.proposal.study import NOTHING, Studied, study
from unify.proposal.text import project_text
from unify.spec import Column, Project, parts

INFORMATIVE = 0.5
"""Bits that a comparison must be expected to say to be part of the plan."""
SCORED_UP_TO = 200_000
"""Records up to which a scored rule is proposed: it takes about 20 s of two cores per 100,000."""
SURE, SURE_ALONE = 0.999, 0.9
"""Precision that ordered rules must be estimated at, beside a scored rule and without one."""


def work_out(engine: Engine, project: Project, known: Sequence[Known] = (), progress: Progress = silent) -> Suggestion:
    """The plan for the ingested tables of the project's profile entities.

    Raises SpecError when there is nothing to compare, SourceError for a labelled record that does not exist.
    """
    entities = entities_of(project)
    progress("suggest", "find what the columns mean")
    columns = find_attributes(engine, project, entities)
    dates = read_dates(engine, columns.attributes)
    columns = without_texts(engine, find_attributes(engine, project, entities) if dates else columns)
    if not columns.attributes:
        raise SpecError("no column tells people apart", where="sources", hint="add labels to the columns that do")
    progress("suggest", "learn what agreement is worth")
    studied = study(engine, project, entities, columns.attributes, known)
    progress("suggest", "look for rules")
    said = informative(studied)
    alone = one_each(studied, entities)
    usable = [
        k
        for k, attribute in enumerate(studied.attributes)
        if said[k] >= INFORMATIVE and (len(attribute.columns) > 1 or not set(attribute.columns) <= set(alone))
    ]
    scored = studied.records <= SCORED_UP_TO
    search = Search(studied, SURE if scored else SURE_ALONE, usable)
    proposed = propose(studied, entities, search.rules(), usable if scored else ())
    whole = with_plan(engine, project, columns, proposed, dates)
    rules = list(_rules(engine, whole, studied, search, proposed))
    suggestion = Suggestion(
        project=whole,
        text="",
        records=studied.records,
        studied=studied.seeds,
        pairs=len(studied.left),
        matches=round(studied.matches),
        attributes=[
            SuggestedAttribute(
                name=a.name,
                label=a.label,
                columns={e: [str(c) for c in names] for e, names in a.columns.items()},
                normalize=[str(step) for step in a.normalize],
                bits=round(float(said[k]), 2),
                used=k in usable,
            )
            for k, a in enumerate(columns.attributes)
        ],
        rules=rules,
        labels={e: own for e, own in columns.labels.items() if own},
        left_out=columns.left_out,
        labelled=int((studied.said != NOTHING).sum()),
    )
    head = [next(suggestion.lines()), "what a rule is estimated at stands above it"]
    return suggestion.model_copy(update={"text": project_text(whole, rules, head)})


def _rules(
    engine: Engine, project: Project, studied: Studied, search: Search, proposed: Proposed
) -> Iterator[SuggestedRule]:
    sentences = {b.rule.name: b.sentence for b in bind(engine, project, Lists()).rules}
    for rule, found in zip(proposed.plan.rules, proposed.rules, strict=False):
        holding = search.where(found.conditions)[studied.place]
        yield SuggestedRule(
            name=rule.name,
            kind="common",
            sentence=sentences[rule.name],
            precision=found.precision,
            finds=found.finds,
            adds=found.adds,
            pairs=round(found.pairs),
            labelled=int((studied.said[holding] != NOTHING).sum()),
        )
    if proposed.scored is not None:
        yield SuggestedRule(name=proposed.scored.name, kind="scored", sentence=sentences[proposed.scored.name])


def entities_of(project: Project) -> Sequence[str]:
    """Those that a plan is about: in the order of the project's plan if it has one, else all of profiles."""
    if project.conflation is not None:
        return [o.entity for o in project.conflation.order]
    found = [name for name, entity in project.entities.items() if entity.type == "profile"]
    if not found:
        raise SpecError("no entity of the project holds profiles", where="sources", hint="set `type: profile`")
    return found


Declared = Mapping[str, Mapping[str, Column]]
"""Entity to column to type."""


def with_plan(
    engine: Engine, project: Project, columns: Columns, proposed: Proposed, dates: Declared | None = None
) -> Project:
    """The project with the labels, types and plan that are proposed; labels and types that were declared stay."""
    texts = _read_as_text(engine, columns)
    sources = {
        source: {
            name: entity.model_copy(
                update={
                    "labels": {**columns.labels.get(f"{source}.{name}", {}), **entity.labels},
                    "columns": {
                        **(dates or {}).get(f"{source}.{name}", {}),
                        **texts.get(f"{source}.{name}", {}),
                        **entity.columns,
                    },
                }
            )
            for name, entity in entities.items()
        }
        for source, entities in project.sources.items()
    }
    whole = project.model_copy(update={"sources": sources, "conflation": proposed.plan})
    return Project.model_validate(whole.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def _read_as_text(engine: Engine, columns: Columns) -> dict[str, dict[str, Column]]:
    """Columns of one attribute that were taken for different types: numbers here, texts there."""
    found: dict[str, dict[str, Column]] = {}
    for attribute in columns.attributes:
        own = [(e, part) for e, names in attribute.columns.items() for name in names for part in parts(name)]
        types = {at: engine.columns(table_of(at[0]))[at[1]] for at in own}
        if len(set(types.values())) > 1:
            for entity, column in types:
                found.setdefault(entity, {})[column] = Column(type="string")
    return found
