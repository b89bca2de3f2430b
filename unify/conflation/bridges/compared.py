"""What the plan compares, as attributes: columns that any rule or limit compares with each other, over all entities.

    crm.Contacts.EMail ~ loyalty.Members.EMail ~ web.SignUps.Mail      one attribute
    crm.Contacts.Telephone ~ loyalty.Members.Telephone, Mobile         one attribute, two columns of one entity

Two records of any entities agree in an attribute when some of their values pass the most tolerant comparison that the
plan has for it, contradict when both have values and none passes, and say nothing otherwise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from unify.conflation import compare
from unify.conflation.binding import BoundPlan
from unify.conflation.rules import BoundRule
from unify.spec import ConflationPlan, Criterion, Rule, SourceColumn

TOLERANT_ENOUGH = 80
"""Per cent from which two texts agree that only a scored rule compares: it has levels instead of a precision."""
TOLERANCES = ("number", "date")
"""Comparisons that say nothing of a value that is no number or date."""


@dataclass(frozen=True)
class Attribute:
    """One thing that the plan compares.

    name       its columns, for people
    columns    entity → (column of the source, or several that are joined; prepared column), in order
    criterion  the comparison that decides; its columns mean nothing here
    rules      numbers of the rules that ask for it
    """

    name: str
    columns: dict[str, tuple[tuple[SourceColumn, str], ...]]
    criterion: Criterion
    rules: frozenset[int]

    @property
    def width(self) -> int:
        """Values that a record may have."""
        return max(map(len, self.columns.values()))

    def agrees(self, k: int, left: str, right: str) -> str:
        """SQL: true, false (they contradict) or null (one of them says nothing), over columns c<k>_<j>."""
        here, there = ([f"{side}.c{k}_{j}" for j in range(self.width)] for side in (left, right))
        tests = [self._passes(a, b) for a in here for b in there]
        if len(tests) == 1:
            return f"({tests[0]})"
        some, none = (" OR ".join(f"({t}) IS {said}" for t in tests) for said in ("TRUE", "FALSE"))
        if self.criterion.is_exact or self.criterion.compare not in TOLERANCES:
            # Equal values, nearly always there, are cheap to see; texts that are there never leave a test open.
            some = f"{' OR '.join(f'{a} = {b}' for a in here for b in there)} THEN true WHEN {some}"
            none = " AND ".join(f"({' OR '.join(f'{c} IS NOT NULL' for c in side)})" for side in (here, there))
        return f"CASE WHEN {some} THEN true WHEN {none} THEN false END"

    def _passes(self, a: str, b: str) -> str:
        if self.criterion.is_exact:
            return f"{a} = {b}"
        if self.criterion.precision is not None:  # a scored rule compares dates as texts
            a, b = f"CAST({a} AS VARCHAR)", f"CAST({b} AS VARCHAR)"
        return compare.passes(self.criterion, a, b)


@dataclass
class _Class:
    """Columns that are compared with each other, while they are gathered."""

    columns: dict[tuple[str, SourceColumn], None] = field(default_factory=dict)
    criteria: list[Criterion] = field(default_factory=list)
    rules: set[int] = field(default_factory=set)


def compared(bound: BoundPlan, plan: ConflationPlan) -> tuple[Attribute, ...]:
    """The plan's attributes, in the order in which it first names them; registers the values they need.

    To be called before the values are prepared.
    """
    classes: list[_Class] = []
    for columns, criterion, rule in _comparisons(bound, plan):
        touched = [c for c in classes if any(column in c.columns for column in columns)]
        into = touched[0] if touched else _Class()
        if not touched:
            classes.append(into)
        for other in touched[1:]:
            into.columns |= other.columns
            into.criteria += other.criteria
            into.rules |= other.rules
            classes.remove(other)
        into.columns |= dict.fromkeys(columns)
        into.criteria.append(criterion)
        into.rules |= {rule} if rule is not None else set()
    return tuple(_attribute(bound, plan, one) for one in classes)


def _comparisons(
    bound: BoundPlan, plan: ConflationPlan
) -> Iterator[tuple[list[tuple[str, SourceColumn]], Criterion, int | None]]:
    """(columns as (entity, column), the comparison, the rule that asks for it; none: an exception or a limit)."""
    for one in bound.rules:
        asked = [(c, one.number) for c in _conditions(one.rule)]
        for criterion, number in (*asked, *((c, None) for veto in one.rule.unless for c in veto.all)):
            yield _columns(bound, one, criterion), criterion, number
    for limit in plan.limits:
        if limit.never_two is not None:
            having: list[tuple[str, SourceColumn]] = [
                (p.entity, limit.never_two) for p in bound.prepared.values() if limit.never_two in p.types
            ]
            yield having, Criterion(field=limit.never_two, normalize=limit.normalize), None


def _columns(bound: BoundPlan, one: BoundRule, criterion: Criterion) -> list[tuple[str, SourceColumn]]:
    """The columns that a comparison of a rule is about, each with its entity."""
    if one.kind == "common":
        several = bound.prepared.values()
        return [(p.entity, column) for p in several for column in criterion.of_entity(p.entity, p.types)]
    sides = ((one.left.entity, criterion.left_columns), (one.right.entity, criterion.right_columns))
    return [(entity, column) for entity, columns in sides for column in columns]


def _conditions(rule: Rule) -> Iterable[Criterion]:
    """The conditions of a rule; a comparison of a scored rule is one that asks for texts much alike."""
    yield from rule.when
    for evidence in getattr(rule, "score", ()):
        yield Criterion(
            field=evidence.field, fields=evidence.fields, left=evidence.left, right=evidence.right,
            columns=evidence.columns, normalize=evidence.normalize, compare="jaro_winkler", precision=TOLERANT_ENOUGH,
        )  # fmt: skip


def _attribute(bound: BoundPlan, plan: ConflationPlan, one: _Class) -> Attribute:
    criterion = max(one.criteria, key=_tolerance)  # the first of equals
    columns: dict[str, tuple[tuple[SourceColumn, str], ...]] = {}
    for ordered in plan.order:
        prepared = bound.prepared[ordered.entity]
        own = [c for entity, c in one.columns if entity == ordered.entity]
        if own:
            columns[ordered.entity] = tuple((c, prepared.value(c, criterion.normalize, criterion)) for c in own)
    names = dict.fromkeys(str(column) for _, column in one.columns)
    return Attribute(" or ".join(names), columns, criterion, frozenset(one.rules))


def _tolerance(criterion: Criterion) -> tuple[bool, int, float, int]:
    """How much a comparison lets pass: fuzzy before exact, low precision before high, much normalised before little."""
    return (
        not criterion.is_exact,
        -(criterion.precision or 0),
        criterion.within or 0.0,
        len(criterion.normalize),
    )


def values_of(bound: BoundPlan, attributes: tuple[Attribute, ...]) -> str:
    """WITH links_values: rid and c<k>_<j>, the j-th value of the k-th attribute, of every record.

    Not a table: a copy of all values costs more than the few columns that a question reads.
    """
    parts = []
    for entity, prepared in bound.prepared.items():
        cells: list[str] = []
        for k, attribute in enumerate(attributes):
            own = [value for _, value in attribute.columns.get(entity, ())]
            own += ["NULL"] * (attribute.width - len(own))
            cells += [f"{value} AS c{k}_{j}" for j, value in enumerate(own)]
        parts.append(f"SELECT rid, {', '.join(cells)} FROM {prepared.table}")
    return f"WITH links_values AS NOT MATERIALIZED ({' UNION ALL '.join(parts)})"
