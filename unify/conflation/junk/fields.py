"""Which columns are judged, and which tell people apart. Read off the bound plan and the labels; no data is looked at.

names, births    per entity, the columns that tell people apart
Field            columns whose values are compared with each other, in one normalised form
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from unify.conflation.binding import BoundPlan
from unify.conflation.column_types import combining_label
from unify.conflation.prepare import Prepared
from unify.conflation.rules import BoundRule, Term
from unify.core.errors import SpecError, did_you_mean
from unify.spec import Criterion, JunkSpec, NormalizeStep, Project, SourceColumn, parts

NAME_LABELS = ("personfullname", "personfirstname", "personmiddlename", "personlastname")
BIRTH_LABEL = "personbirthdate"
LOSSY = ("prefix", "phonetic")
"""Comparisons whose keys many values share by design: those keys say nothing about a value."""


@dataclass(frozen=True)
class Place:
    """One column of a field: `form` of the prepared table holds its normalised values, `column` is of the source."""

    table: str
    form: str
    column: SourceColumn
    prepared: Prepared = field(compare=False)


@dataclass(frozen=True)
class Field:
    """Columns whose values some rule compares with each other.

    births    it holds birth dates, which many people share by chance; else it is a contact, which few do
    sure      judged whatever its values look like; else only if nine in ten of its values belong to one person each
    criterion the exact condition that made the form; None: the source's own values
    """

    number: int
    births: bool
    sure: bool
    places: tuple[Place, ...]
    normalize: tuple[NormalizeStep, ...]
    criterion: Criterion | None

    @property
    def columns(self) -> str:
        """Where it is, e.g. `crm.Contacts.EMail, loyalty.Members.EMail`; with `normalized` the key of the field."""
        return ", ".join(sorted({f"{p.prepared.entity}.{p.column}" for p in self.places}))

    @property
    def normalized(self) -> str:
        """Its normalisers, e.g. `lower, bypass(no_mail)`."""
        return ", ".join(map(str, self.normalize))


@dataclass(frozen=True)
class Judged:
    """What is judged, and by which columns (entity to columns)."""

    fields: tuple[Field, ...] = ()
    names: dict[str, tuple[str, ...]] | None = None
    births: dict[str, tuple[str, ...]] | None = None

    def contact(self, rule: BoundRule) -> tuple[int, ...]:
        """Numbers of the fields that the key columns k0, k1, … of a rule hold, when it compares nothing but contacts.

        Empty for any other rule.
        """
        if rule.fuzzy or not rule.exact or not all(isinstance(t, Term) for t in rule.exact):
            return ()
        number = {(p.table, p.form): f.number for f in self.fields if not f.births for p in f.places}
        firsts = [rule.forms(term)[0] for term in rule.exact]
        found = [number.get((one.table, form)) for one, form in firsts]
        return tuple(n for n in found if n is not None) if None not in found else ()


NOTHING_JUDGED = Judged()


def judged(project: Project, bound: BoundPlan) -> Judged:
    """What the plan's `junk` asks to judge; registers the forms it needs, so call it before values are prepared.

    Raises SpecError for a column in `names`, `births` or `contacts` that no entity of the plan has or no rule compares.
    """
    spec = project.conflation.junk if project.conflation else JunkSpec(detect=False)
    if not spec.detect:
        return NOTHING_JUDGED
    _check_columns(spec, bound)
    labels = {
        e: {c: combining_label(label) or "" for c, label in project.entity(e).labels.items()} for e in bound.prepared
    }
    names = {e: _names(spec, p, labels[e], bound) for e, p in bound.prepared.items()}
    births = {e: _births(spec, p, labels[e], bound) for e, p in bound.prepared.items()}
    fields: list[Field] = []
    dated = tuple(_place(p, p.value(c, ())) for e, p in bound.prepared.items() for c in births[e])
    if dated:
        fields.append(Field(0, True, True, dated, (), None))
    for group in _compared(bound):
        places = tuple(sorted(group, key=lambda p: (p.prepared.number, int(p.form[1:]))))
        columns = [(p.prepared.entity, part) for p in places for part in parts(p.column)]
        said = [labels[entity].get(part, "") for entity, part in columns]
        tells = any(part in (*names[entity], *births[entity]) for entity, part in columns)
        if tells or any(label.startswith(("person", "location")) for label in said):
            continue
        sure = any(part in spec.contacts for _, part in columns) or any(label.startswith("identity") for label in said)
        criterion = group[places[0]]
        fields.append(Field(len(fields), False, sure, places, criterion.normalize, criterion))
    left = set(spec.contacts) - {part for f in fields for p in f.places for part in parts(p.column)}
    if left:
        raise SpecError(
            f"{', '.join(sorted(left))}: no rule compares it exactly, or it tells people apart",
            where="conflation.junk.contacts",
            hint="only values that rules compare exactly are judged",
        )
    return Judged(tuple(fields), names, births)


def _place(one: Prepared, form: str) -> Place:
    return Place(one.table, form, one.origins[form], one)


def _check_columns(spec: JunkSpec, bound: BoundPlan) -> None:
    known = {c for p in bound.prepared.values() for c in p.types}
    for option in ("names", "births", "contacts"):
        for column in getattr(spec, option):
            if column not in known:
                raise SpecError(
                    f"no entity of the plan has a column {column!r}",
                    where=f"conflation.junk.{option}",
                    hint=did_you_mean(column, known),
                )


def _names(spec: JunkSpec, one: Prepared, labels: dict[str, str], bound: BoundPlan) -> tuple[str, ...]:
    if spec.names:
        return tuple(c for c in spec.names if c in one.types)
    labelled = {c for c, label in labels.items() if label in NAME_LABELS}
    named = {
        c
        for criterion, columns in _criteria(bound, one)
        for c in columns
        if any(step.kind == "name" for step in criterion.normalize)
    }
    return tuple(c for c in one.types if c in labelled | named)


def _births(spec: JunkSpec, one: Prepared, labels: dict[str, str], bound: BoundPlan) -> tuple[str, ...]:
    if spec.births:
        return tuple(c for c in spec.births if c in one.types)
    labelled = tuple(c for c in one.types if labels.get(c) == BIRTH_LABEL)
    used = {c for _, columns in _criteria(bound, one) for c in columns} | set(_limited(one, bound))
    return labelled or tuple(c for c in one.types if one.types[c] == "DATE" and c in used)


def _limited(one: Prepared, bound: BoundPlan) -> Iterator[str]:
    for columns in bound.limit_values.values():
        if one.entity in columns:
            yield from parts(one.origins[columns[one.entity]])


def _terms(rules: Iterable[BoundRule]) -> Iterator[tuple[BoundRule, Term]]:
    for rule in rules:
        for term in (*rule.when, *(t for veto in rule.vetoes for t in veto)):
            yield rule, term


def _criteria(bound: BoundPlan, one: Prepared) -> Iterator[tuple[Criterion, tuple[str, ...]]]:
    """Every criterion on this entity, with its columns there."""
    for rule, term in _terms(bound.rules):
        columns = (part for owner, form in rule.forms(term) if owner is one for part in parts(one.origins[form]))
        yield term.criterion, tuple(dict.fromkeys(columns))


def _compared(bound: BoundPlan) -> list[dict[Place, Criterion]]:
    """Forms that exact conditions compare with each other, directly or through others; in order of the first rule."""
    groups: list[dict[Place, Criterion]] = []
    for rule, term in _terms(bound.rules):
        if not term.criterion.is_exact or term.criterion.compare in LOSSY:
            continue
        made = {_place(one, form): term.criterion for one, form in rule.forms(term)}
        met = [g for g in groups if g.keys() & made.keys()]
        for g in met[1:]:
            met[0].update(g)
            groups.remove(g)
        if met:
            met[0].update({p: c for p, c in made.items() if p not in met[0]})
        else:
            groups.append(made)
    return groups
