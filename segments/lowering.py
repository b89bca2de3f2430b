"""A declared segment as one predicate tree over Customer, plus the blocks that no predicate can say.

Segment ──lower──▶ Lowered(expr, blocks, rules)          one of the six ways to say who is in
"""

from collections.abc import Collection
from datetime import datetime

from segments.blocks.condition import spoken
from segments.blocks.listed import Listed, ListedInFile
from segments.criteria.conditions import lower_criteria, pinned
from segments.criteria.here import Here
from segments.lowered import Block, Lowered
from segments.manual_sql import ManualSql
from segments.model import Model
from segments.predicates import tree as p
from segments.vendor.segmentation_query import lower_query
from unify.core.errors import QueryError
from unify.spec.segment import Segment

Rules = tuple[tuple[str, p.Expr], ...]


def lower(
    segment: Segment,
    model: Model,
    *,
    name: str = "",
    base_clock: datetime | None = None,
    known: Collection[str] | None = None,
) -> Lowered:
    """What a declared segment says, as one predicate over Customer and blocks.

    name        of the segment: for places in messages, and for a list that stands in a file
    base_clock  every `now` is this moment; None: the clock of whoever evaluates
    known       segments that may be named; None: unknown ones are found when the tree is bound

    Raises QueryError with the place, `segments.vip.where.all[1]`: unknown names, values of another type, windows that
    make no sense. The segment's waterfall must have been through `expanded`.
    """
    now = p.Call("now") if base_clock is None else p.literal(base_clock)
    zone = segment.timezone or model.timezone
    place = f"segments.{name}" if name else "segment"
    here = Here(model, zone, now, model.catalog.customers, place, {}, known)
    expr, rules = _said(here, segment, name)
    if segment.suppress:
        out = tuple(p.MemberOf(here.at(f"suppress[{i}]").segment(s)) for i, s in enumerate(segment.suppress))
        expr = p.And((expr, p.Not(p.Or(out) if len(out) > 1 else out[0])))
    return Lowered(expr, here.blocks, rules)


def sentence_of(found: Lowered) -> str:
    """A segment in words, its blocks spoken out."""
    return spoken(found.expr, dict(found.blocks))


def _said(here: Here, segment: Segment, name: str) -> tuple[p.Expr, Rules]:
    match segment.kind:
        case "where":
            assert segment.where is not None
            return lower_criteria(here.at("where"), segment.where), ()
        case "rules":
            return _rules(here, segment)
        case "query":
            return _query(here, segment)
        case "members":
            return _members(here, segment, name), ()
        case "sql":
            return here.at("sql").block(ManualSql(segment.sql or "", here.zone), "sql"), ()
    sources = tuple(p.MemberOf(here.at(f"waterfall.{to}").segment(of)) for to, of in segment.waterfall.items())
    return (p.Or(sources) if len(sources) > 1 else sources[0]), ()


def _rules(here: Here, segment: Segment) -> tuple[p.Expr, Rules]:
    """In sequence, each on what the ones before left. Sets have no third value, so unknown is out before they meet."""
    found: p.Expr | None = None
    rules: list[tuple[str, p.Expr]] = []
    for i, rule in enumerate(segment.rules):
        expr = lower_criteria(here.at(f"rules[{i}]").at("where"), rule.where)
        rules.append((rule.name or f"rule {i + 1}", expr))
        sure = p.Call("is_true", (expr,))
        if found is None:
            found = sure
        elif rule.operation in ("union", "include"):
            found = p.Or((found, sure))
        elif rule.operation == "intersect":
            found = p.And((found, sure))
        else:
            found = p.And((found, p.Not(sure)))
    assert found is not None
    return found, (tuple(rules) if len(rules) > 1 else ())


def _query(here: Here, segment: Segment) -> tuple[p.Expr, Rules]:
    assert segment.query is not None
    spot = here.at("query")
    try:
        found = lower_query(segment.query, here.model, timezone=here.zone)
    except QueryError as error:
        raise QueryError(error.message, where=spot.at(error.where).place, hint=error.hint) from None
    here.blocks.update(found.blocks)
    return pinned(found.expr, here.now), tuple((name, pinned(expr, here.now)) for name, expr in found.rules)


def _members(here: Here, segment: Segment, name: str) -> p.Expr:
    assert segment.members is not None
    spot = here.at("members")
    block: Block = Listed(segment.members.customers) if segment.members.customers else ListedInFile(name)
    if isinstance(block, ListedInFile) and not name:
        raise spot.error("a list in a file belongs to a segment with a name", "hand over the segment's name")
    return spot.block(block, "members")
