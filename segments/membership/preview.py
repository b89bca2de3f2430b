"""One segment as it would be: the very evaluation of a run, on an unsaved definition."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from pyroaring import BitMap

from segments.lowered import Lowered
from segments.membership.evaluate import Evaluation
from segments.membership.stage import Stage
from segments.membership.tables import loaded
from segments.model import CUSTOMER_ID, ORDINAL, Model
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import quote
from unify.core.reports import Report
from unify.core.steps import Query
from unify.spec.segment import Segment

SAMPLE = 10
"""Members that a preview shows."""


class RulePreview(Report):
    """One rule: customers that meet it by itself, and what is left after it and all before."""

    rule: str
    own: int
    cumulative: int


class SegmentPreview(Report):
    """What the next run on the same generation finds at the same moment: exact, nothing is estimated.

    members    how many; `customers`: of how many
    rules      in order, before suppression; empty when there is one rule
    sample     members in the order of their CustomerId, which is no order of anything else
    """

    segment: str
    generation: int
    clock: str
    members: int
    customers: int
    rules: list[RulePreview] = []
    sample: list[dict[str, Any]] = []
    seconds: float = 0.0
    warnings: list[str] = []

    def __repr__(self) -> str:
        return f"<SegmentPreview {self.segment}: {self.members:,} of {self.customers:,} customers>"


def preview(
    stage: Stage,
    name: str,
    *,
    generation: int,
    sample: int = SAMPLE,
    attributes: Sequence[str] | None = None,
) -> tuple[SegmentPreview, BitMap]:
    """The preview of one of the stage's definitions, and its members. UnifyError when it cannot be found.

    stage       its `in_force` are the static segments; whatever else the segment needs is found anew, as a run does
    attributes  columns of Customer in the sample; None: all
    """
    started = perf_counter()
    if sample < 0:
        raise QueryError(f"{sample} customers cannot be shown", where="sample", hint="write 0 or more")
    known = {other: members for other, members in stage.in_force.items() if other != name}
    lowered, failed = stage.lowered([name], known)
    evaluation = Evaluation(stage.engine, stage.model, clock=stage.clock, known=known)
    one = evaluation.of(lowered, failed)[name]
    if one.error is not None or one.members is None:
        raise one.error or QueryError("it could not be found", where=name)
    through = list(_through(stage, evaluation, name, lowered[name]))
    shown = customers_of(stage.engine, stage.model, one.members, attributes, limit=sample) if sample else []
    found = SegmentPreview(
        segment=name,
        generation=generation,
        clock=stage.clock.isoformat(),
        members=len(one.members),
        customers=len(evaluation.everything),
        rules=[RulePreview(rule=r, own=n, cumulative=c) for (r, n), c in zip(one.rules, through, strict=True)],
        sample=shown,
        seconds=round(perf_counter() - started, 4),
        warnings=list(one.warnings),
    )
    return found, one.members


def _through(stage: Stage, evaluation: Evaluation, name: str, lowered: Lowered) -> Iterator[int]:
    """Members after one rule, after two, …: the definition cut off there. Leaves are answered already."""
    declared = stage.declared[name]
    for n in range(1, len(lowered.rules) + 1):
        part = replace(stage, declared={**stage.declared, name: replace(declared, segment=_cut(declared.segment, n))})
        cut, failed = part.lowered([name], evaluation.members)
        one = evaluation.of(cut, failed)[name]
        if one.error is not None or one.members is None:
            raise one.error or QueryError("a rule could not be found", where=lowered.rules[n - 1][0])
        yield len(one.members)


def _cut(segment: Segment, n: int) -> Segment:
    """The segment with its first `n` rules, nobody suppressed."""
    change: dict[str, Any] = {"suppress": ()}
    if segment.rules:
        change["rules"] = segment.rules[:n]
    elif segment.query is not None and segment.query.rowsets:
        change["query"] = segment.query.model_copy(update={"rowsets": segment.query.rowsets[:n]})
    return segment.model_copy(update=change)


def customers_of(
    engine: Engine, model: Model, members: BitMap, attributes: Sequence[str] | None = None, *, limit: int | None = None
) -> list[dict[str, Any]]:
    """Members as rows of Customer, by CustomerId. QueryError for an unknown attribute."""
    with loaded(engine, members) as table:
        rows: list[dict[str, Any]] = engine.fetch(members_query(model, table, attributes, limit)).to_pylist()
    return rows


def members_query(model: Model, table: str, attributes: Sequence[str] | None, limit: int | None) -> Query:
    """Rows of Customer whose ordinal is in a table of members, by CustomerId.

    attributes   after CustomerId; None: all of Customer
    """
    known = [a for a in model.catalog.table(model.catalog.customers).attributes if a not in (CUSTOMER_ID, ORDINAL)]
    for attribute in attributes or ():
        if attribute not in known and attribute not in (CUSTOMER_ID, ORDINAL):
            hint = did_you_mean(attribute, known)
            raise QueryError(f"{model.catalog.customers} has no attribute {attribute!r}", hint=hint)
    wanted = dict.fromkeys([CUSTOMER_ID, *(known if attributes is None else attributes)])
    columns = ", ".join(f"c.{quote(a)}" for a in wanted)
    sql = (
        f"SELECT {columns} FROM {quote(model.catalog.customers)} AS c"
        f" JOIN {quote(table)} AS m ON m.{quote(ORDINAL)} = c.{quote(ORDINAL)} ORDER BY c.{quote(CUSTOMER_ID)}"
    )
    if limit is None:
        return Query(sql)
    if limit < 0:
        raise QueryError(f"{limit} rows cannot be shown", where="limit", hint="write 0 or more")
    return Query(f"{sql} LIMIT $limit", {"limit": limit})
