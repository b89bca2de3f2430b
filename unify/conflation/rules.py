"""One rule as SQL: its two sides, what joins them, its conditions and vetoes.

A side is one entity's prepared values, keyed by the rule's exact conditions:

    left(rid, k0, k1, ..., v4, v7)  JOIN  right(...)  ON k0 = k0 AND k1 = k1  WHERE fuzzy conditions AND NOT vetoes

A condition over several columns (`fields: [Mobile, Telephone]`) explodes its side: one row per record and column, so
that the join stays an equi-join whatever the number of columns.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

from unify.conflation import compare
from unify.conflation.all_records import AllRecords
from unify.conflation.letters import letters_of
from unify.conflation.prepare import Prepared
from unify.spec import Compared, Criterion, Evidence, Rule, SourceColumn

Columns = tuple[str, ...]
SELECTIVE = 70
"""Per cent from which a text comparison leaves fewer candidates than a tolerance of days or units."""


@dataclass(frozen=True)
class Term:
    """A criterion bound to prepared columns; several columns a side mean: any of them.

    `left` and `right` of its tests say what stands before a column of either side: `l.`, or `l_` where both sides of a
    pair lie in one row.
    """

    criterion: Criterion
    left: tuple[str, ...]
    right: tuple[str, ...]
    lettered: bool = False
    """Whether its columns have their letters beside them, by which most pairs are told apart (letters.py)."""

    def passes(self, left: str = "l.", right: str = "r.") -> str:
        """SQL: whether any combination of columns passes; never null."""
        tests = [self._passes(f"{left}{a}", f"{right}{b}") for a, b in product(self.left, self.right)]
        return f"coalesce({tests[0]}, false)" if len(tests) == 1 else f"({_any(tests)})"

    def may_pass(self, left: str = "l.", right: str = "r.") -> str:
        """SQL: a cheap test that every pair which passes passes too; never null."""
        tests = []
        for one, other in product(self.left, self.right):
            a, b = f"{left}{one}", f"{right}{other}"
            apart = compare.apart(self.criterion, a, b) if self.lettered else None
            near = f" AND ({apart}) IS NOT TRUE" if apart else ""
            tests.append(f"({a} IS NOT NULL AND {b} IS NOT NULL{near})")
        return f"({' OR '.join(tests)})"

    def score(self, left: str = "l.", right: str = "r.") -> str:
        """SQL: the best score among the combinations of columns, 0 to 1; null when a side has no value."""
        scores = [self._score(f"{left}{a}", f"{right}{b}") for a, b in product(self.left, self.right)]
        return scores[0] if len(scores) == 1 else f"greatest({', '.join(scores)})"

    def holds(self, left: str = "l.", right: str = "r.") -> str:
        """SQL: whether the criterion holds as a veto. `differs` needs a value on both sides and none that passes."""
        if not self.criterion.differs:
            return self.passes(left, right)
        here = _any([f"{left}{a} IS NOT NULL" for a in self.left])
        there = _any([f"{right}{b} IS NOT NULL" for b in self.right])
        return f"(({here}) AND ({there}) AND NOT {self.passes(left, right)})"

    def _passes(self, a: str, b: str) -> str:
        if self.criterion.is_exact:
            return f"{a} = {b}"
        return compare.passes(self.criterion, a, b, self.lettered)

    def carried(self, which: str) -> tuple[str, ...]:
        """The columns of a side that the test needs."""
        own: tuple[str, ...] = getattr(self, which)
        return (*own, *map(letters_of, own)) if self.lettered else own

    def _score(self, a: str, b: str) -> str:
        return f"CAST({a} = {b} AS DOUBLE)" if self.criterion.is_exact else compare.score(self.criterion, a, b)


def _any(tests: list[str]) -> str:
    return " OR ".join(f"coalesce({t}, false)" for t in tests)


@dataclass(frozen=True)
class ScoredTerm:
    """A comparison of a scored rule bound to prepared columns."""

    evidence: Evidence
    left: tuple[str, ...]
    right: tuple[str, ...]


Side = Prepared | AllRecords


def _values(
    side: Side,
    compared: Criterion | Evidence,
    columns: tuple[SourceColumn, ...],
    exact: Criterion | None,
    letters: bool = False,
) -> Columns:
    """The prepared columns of one side of a comparison; registers them."""
    if isinstance(side, AllRecords):
        return side.values(compared, exact, letters)
    return tuple(side.value(column, compared.normalize, exact, letters) for column in columns)


@dataclass(frozen=True)
class BoundRule:
    """A rule of the plan with its number and the prepared values of its sides.

    Dedupe: left is right. A common rule: both are all records.
    """

    number: int
    rule: Rule
    left: Side
    right: Side
    exact: tuple[Term, ...]
    fuzzy: tuple[Term, ...]
    vetoes: tuple[tuple[Term, ...], ...]
    scored: tuple[ScoredTerm, ...] = ()
    """Comparisons of a scored rule, which has no conditions (evidence/)."""

    @classmethod
    def bind(cls, number: int, rule: Rule, left: Side, right: Side) -> "BoundRule":
        """Register every value the rule needs and remember its columns."""

        def term(criterion: Criterion) -> Term:
            lettered = compare.tells_by_letters(criterion)
            return Term(
                criterion,
                _values(left, criterion, criterion.left_columns, criterion, lettered),
                _values(right, criterion, criterion.right_columns, criterion, lettered),
                lettered,
            )

        when = [term(c) for c in rule.when]
        return cls(
            number,
            rule,
            left,
            right,
            tuple(t for t in when if t.criterion.is_exact),
            tuple(t for t in when if not t.criterion.is_exact),
            tuple(tuple(term(c) for c in veto.all) for veto in rule.unless),
            tuple(
                ScoredTerm(e, _values(left, e, e.left_columns, None), _values(right, e, e.right_columns, None))
                for e in rule.score
            ),
        )

    @property
    def kind(self) -> str:
        """`dedupe`, `common` or `match`."""
        if isinstance(self.left, AllRecords):
            return "common"
        return "dedupe" if self.one_table else "match"

    @property
    def one_table(self) -> bool:
        """Whether records of one table are compared with each other, so that a pair has no sides."""
        return self.left is self.right

    @property
    def entities(self) -> list[str]:
        """The entities whose records it compares."""
        if isinstance(self.left, AllRecords):
            return [one.entity for one in self.left.members]
        return list(dict.fromkeys((self.left.entity, self.right.entity)))

    @property
    def is_star(self) -> bool:
        """Only exact conditions, no veto, alike on both sides: a key group of k records needs k-1 links."""
        return (
            not self.scored
            and not self.fuzzy
            and not self.vetoes
            and (not self.one_table or all(t.left == t.right for t in self.exact))
        )

    @property
    def when(self) -> tuple[Term, ...]:
        """All conditions."""
        return (*self.exact, *self.fuzzy)

    def forms(self, term: Term | ScoredTerm) -> list[tuple[Prepared, str]]:
        """The prepared columns of a comparison, with the entity's values they are part of: left ones first."""
        if isinstance(self.left, AllRecords):
            return self.left.forms(term.left)
        assert isinstance(self.right, Prepared)
        return [*((self.left, form) for form in term.left), *((self.right, form) for form in term.right)]

    def columns(self, compared: Compared, which: Literal["left", "right"], entity: str) -> tuple[SourceColumn, ...]:
        """What a comparison looks at in a record of this entity that stands on this side."""
        if isinstance(self.left, AllRecords):
            return self.left.columns_of(compared, entity)
        return compared.left_columns if which == "left" else compared.right_columns

    @property
    def sentence(self) -> str:
        """The rule in plain English."""
        text = " and ".join(compare.sentence(c) for c in self.rule.when)
        if self.rule.score:
            evidence = ", ".join(e.name for e in self.rule.score)
            text = f"the evidence of {evidence} adds up to {self.rule.threshold:.0%} or more on average"
        for veto in self.rule.unless:
            text += ", unless " + " and ".join(compare.sentence(c) for c in veto.all)
        return text

    def anchor(self) -> Term:
        """The fuzzy condition that generates candidates when none is exact.

        Texts that must be much alike leave the fewest pairs; a tolerance of days or units leaves more, since many
        records share a day; texts that need be little alike leave the most.
        """

        def pairs(term: Term) -> tuple[int, int]:
            precision = term.criterion.precision or 0
            tolerant = term.criterion.compare in ("number", "date")
            return (1 if tolerant else 0 if precision >= SELECTIVE else 2), -precision

        return min(self.fuzzy, key=pairs)

    def keyed(self) -> tuple[Term, ...]:
        """The conditions that join the sides."""
        return self.exact or (self.anchor(),)

    def side(self, which: str, without: str = "") -> str:
        """SQL of one side: rid, k0, k1, ... and the values that conditions and vetoes need, exploded over columns.

        `without` is a SELECT of rids to leave out (records an earlier rule already matched).
        """
        return " UNION ".join(self.side_parts(which, without))

    def side_parts(self, which: str, without: str = "") -> list[str]:
        """The SELECTs that `side` unites, one per combination of columns."""
        prepared = self.left if which == "left" else self.right
        rest = "".join(f", {c}" for c in self.carried(which))
        anti = f" ANTI JOIN ({without}) AS matched USING (rid)" if without else ""
        keyed = self.keyed()
        return [
            f"SELECT rid, {', '.join(f'{c} AS k{i}' for i, c in enumerate(columns))}{rest} "
            f"FROM {prepared.table}{anti} WHERE {' AND '.join(f'{c} IS NOT NULL' for c in dict.fromkeys(columns))}"
            for columns in product(*(getattr(t, which) for t in keyed))
        ]

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the key columns of a side."""
        return tuple(f"k{i}" for i in range(len(self.keyed())))

    @property
    def exploded(self) -> bool:
        """Whether a record may stand on a side several times, once for each of several columns."""
        return any(len(t.left) > 1 or len(t.right) > 1 for t in self.keyed())

    @property
    def pairs_repeat(self) -> bool:
        """Whether one pair of records may be found more than once: several columns, or sides that differ in dedupe."""
        return self.exploded or (self.one_table and self.crosswise)

    @property
    def crosswise(self) -> bool:
        """Dedupe with different columns left and right: a pair may hold in either direction."""
        return any(t.left != t.right for t in (*self.when, *(t for v in self.vetoes for t in v)))

    def carried(self, which: str) -> list[str]:
        """The columns of a side that conditions and vetoes need beyond the keys, sorted."""
        return sorted({c for t in (*self.fuzzy, *(t for v in self.vetoes for t in v)) for c in t.carried(which)})

    def conditions(self, anchored_by_value: bool = False, left: str = "l.", right: str = "r.") -> str:
        """SQL of everything that must hold beyond the join on keys."""
        anchor = None if self.exact else self.anchor()
        tests = [t.passes(left, right) for t in self.fuzzy if not (anchored_by_value and t is anchor)]
        tests += [f"NOT ({' AND '.join(t.holds(left, right) for t in veto)})" for veto in self.vetoes]
        return " AND ".join(tests) or "true"

    def score(self, left: str = "l.", right: str = "r.") -> str:
        """SQL: the weakest condition's score (exact conditions score 1)."""
        scores = [t.score(left, right) for t in self.fuzzy]
        if not scores:
            return "1.0"
        return scores[0] if len(scores) == 1 else f"least({', '.join(scores)})"
