"""The vendor's SegmentationQuery as a predicate over Customer. Meaning: docs/segmentation-query.md.

SegmentationQuery ──▶ rowsets ──▶ criteria ──▶ Leaf, All, Any ──▶ Expr
                      in sequence   query_operators   query_rows
"""

from dataclasses import dataclass, field, replace

from segments.lowered import Block, Lowered
from segments.manual_sql import ManualSql
from segments.model import CUSTOMER_ID, Model
from segments.predicates import tree as p
from segments.predicates.fields import STRING, Type
from segments.vendor.hierarchy import Relatives, is_relative, with_blocks
from segments.vendor.operators import Condition, Test, every_value, test_of
from segments.vendor.paths import Attribute, attribute_of, path_to, resolve_path, split
from segments.vendor.rows import All, Any, Leaf, Node, Path, Scope, predicate_of
from segments.vendor.values import span_of
from unify.core.errors import QueryError
from unify.core.names import table_of
from unify.spec.segment import Projected
from unify.spec.segmentation_query import (
    HierarchyDefinition,
    SegmentationQuery,
    SegmentationRowset,
    SegmentMembershipCriteria,
)

_UNION, _DIFFERENCE = ("union", "include"), ("except", "exclude")


def lower_query(query: SegmentationQuery, model: Model, *, timezone: str) -> Lowered:
    """A query, ready to be evaluated. `timezone`: of its dates and times of day, an IANA name.

    `rules` has one entry per rowset, by its rowsetId or its number from 1, when there are several. QueryError says at
    which place (`rowsets[0].criteria.childCriterias[1]`) what is unknown, missing or impossible.
    """
    if _type_of(query) == "manual":
        return _manual(query, timezone)
    found: list[tuple[str, p.Expr]] = []
    lowering = _Lowering(model, query, timezone)
    for i, rowset in enumerate(query.rowsets or ()):
        found.append((rowset.rowset_id or str(i + 1), lowering.rowset(rowset, f"rowsets[{i}]")))
    _check_ids([name for name, _ in found])
    blocks: dict[str, Block] = {}
    rules: list[tuple[str, p.Expr]] = []
    for name, expr in found:
        whole, more = with_blocks(expr, lowering.relatives)
        rules.append((name, whole))
        blocks |= more
    expr = _in_sequence(query.rowsets or (), [expr for _, expr in rules])
    p.check_size(expr, "rowsets")
    return Lowered(expr, blocks, tuple(rules) if len(rules) > 1 else ())


def projected_of(query: SegmentationQuery, model: Model) -> tuple[Projected, ...]:
    """What goes out with each member: projectedAttributes, and the deprecated projections. QueryError."""
    found: dict[Path, list[str]] = {}
    for i, projection in enumerate(query.projected_attributes or ()):
        where = f"projectedAttributes[{i}]"
        if projection.projection_type == "pre":
            hint = "write post: all related rows of each member, as lists"
            raise QueryError("attributes cannot be projected before rowsets are joined", where=where, hint=hint)
        if not projection.entity_name or not projection.attribute_names:
            raise QueryError("a projection needs entityName and attributeNames", where=where)
        table = _table_of(model, projection.entity_name, f"{where}.entityName")
        paths = [resolve_path(model, projection.path, f"{where}.path")] if projection.path else []
        path = path_to(model, table, paths, where)
        if paths and (not path or path not in [paths[0][:n] for n in range(1, len(paths[0]) + 1)]):
            raise QueryError(f"the path does not lead to {table}", where=f"{where}.path")
        _add(found, path, [model.attribute(table, name, where)[1].name for name in projection.attribute_names])
    for i, text in enumerate(query.projections or ()):
        attribute = attribute_of(model, text, (), f"projections[{i}]")
        if attribute.segment:
            raise QueryError("a segment has no attributes to project", where=f"projections[{i}]")
        _add(found, (*attribute.path, *attribute.field_path), [attribute.name])
    return tuple(Projected(path=path, attributes=tuple(names)) for path, names in found.items())


def _add(found: dict[Path, list[str]], path: Path, names: list[str]) -> None:
    here = found.setdefault(path, [])
    here += [name for name in names if name not in here]


def _table_of(model: Model, name: str, where: str) -> str:
    table = table_of(name) if name in model.entities.values() else name
    return model.catalog.table(table, where).name


# ── the query ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _type_of(query: SegmentationQuery) -> str:
    """structured or manual, from `type` or, where it is not said, from what is there."""
    found = query.type or ("manual" if query.segmentation_query_sql and not query.rowsets else "structured")
    if found == "manual":
        if not query.segmentation_query_sql:
            raise QueryError("a manual query needs its SQL", where="segmentationQuerySql")
        if query.rowsets:
            raise QueryError("a manual query has SQL, no rowsets", where="rowsets", hint="leave them out")
    elif query.segmentation_query_sql:
        hint = "write type: manual, or leave the SQL out"
        raise QueryError("a structured query has rowsets, no SQL", where="segmentationQuerySql", hint=hint)
    elif not query.rowsets:
        raise QueryError("there is no rowset", where="rowsets", hint="a structured query has at least one")
    return found


def _manual(query: SegmentationQuery, timezone: str) -> Lowered:
    block = ManualSql(str(query.segmentation_query_sql), timezone)
    key = block_key(block, "sql")
    return Lowered(p.MemberOf(key), {key: block})


def _check_ids(names: list[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            hint = "counts are told by rowsetId: make them differ"
            raise QueryError(f"two rowsets are called {name!r}", where=f"rowsets[{i}].rowsetId", hint=hint)


def _in_sequence(rowsets: tuple[SegmentationRowset, ...], exprs: list[p.Expr]) -> p.Expr:
    """Each rowset joined to what those before left."""
    whole = exprs[0]
    first = rowsets[0].rowset_operation
    if first not in (None, "none", *_UNION):
        hint = "the first rowset is none, union or include"
        raise QueryError(f"there is nothing before it to {first}", where="rowsets[0].rowsetOperation", hint=hint)
    for i, (rowset, expr) in enumerate(zip(rowsets[1:], exprs[1:], strict=True), start=1):
        operation = rowset.rowset_operation
        if operation in _UNION:
            whole = p.Or((whole, expr))
        elif operation == "intersect":
            whole = p.And((whole, expr))
        elif operation in _DIFFERENCE:
            # Customers for whom the rule is unknown are not in it, so they stay.
            whole = p.And((whole, p.Not(p.Call("is_true", (expr,)))))
        else:
            hint = "union, intersect, except, include or exclude"
            said = "is missing" if operation is None else "says nothing about rowsets before it"
            place = f"rowsets[{i}].rowsetOperation"
            raise QueryError(f"{operation or 'the operation'} {said}", where=place, hint=hint)
    return whole


# ── rowsets and criteria ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Lowering:
    """One query. `relatives`: what childOf and parentOf ask for, by the place holder."""

    model: Model
    query: SegmentationQuery
    zone: str
    relatives: dict[str, Relatives] = field(default_factory=dict)

    def rowset(self, rowset: SegmentationRowset, where: str) -> p.Expr:
        if rowset.criteria is None:
            hint = "for every customer write Customer.CustomerId isNotNull"
            raise QueryError("a rowset needs criteria", where=where, hint=hint)
        places = [f"{where}.paths[{i}]" for i in range(len(rowset.paths or ()))]
        named = zip(rowset.paths or (), places, strict=True)
        paths = tuple(resolve_path(self.model, names, place) for names, place in named if _named(names, place))
        node = _Criteria(self, paths).node(rowset.criteria, f"{where}.criteria")
        return predicate_of(node, self.model.catalog)


def _named(names: Path, where: str) -> bool:
    if not names:
        raise QueryError("the path is empty", where=where, hint="leave it out: attributes of Customer need none")
    return True


@dataclass(frozen=True)
class _Criteria:
    """The criteria of one rowset. `paths`: its paths, resolved."""

    lowering: _Lowering
    paths: tuple[Path, ...]
    depth: int = 0

    def node(self, criteria: SegmentMembershipCriteria, where: str) -> Node:
        """One criterion, its children included."""
        if self.depth > p.MAX_DEPTH:
            raise QueryError(f"criteria are nested deeper than {p.MAX_DEPTH} levels", where="rowsets")
        _check_kind(criteria, where)
        operator, children = criteria.comparison_operator, criteria.child_criterias
        if children and operator is None and criteria.attribute is None:
            return self.children(criteria, where)
        if operator is None or not criteria.attribute:
            missing = "comparisonOperator" if criteria.attribute else "attribute"
            message = f"a criterion needs {missing}" if criteria.attribute or operator else "the criterion is empty"
            raise QueryError(
                message,
                where=where,
                hint="write attribute and comparisonOperator, or childCriterias and a logicalOperator",
            )
        if operator in ("any", "all") and children:
            return self.quantified(criteria, operator, where)
        if children or criteria.logical_operator:
            extra = "childCriterias" if children else "a logicalOperator"
            raise QueryError(f"{operator} has {extra}, which only groups have", where=where, hint="put it into a group")
        return self.condition(criteria, operator, where)

    def children(self, criteria: SegmentMembershipCriteria, where: str) -> Node:
        for key, value in (("value", criteria.value), ("listOfValues", criteria.list_of_values),
                           ("ignoreCase", criteria.ignore_case), ("isTime", criteria.is_time)):  # fmt: skip
            if value:
                raise QueryError(f"a group of criteria has no {key}", where=where, hint="give it to its children")
        return self.joined(criteria, where)

    def joined(self, criteria: SegmentMembershipCriteria, where: str) -> Node:
        inner = replace(self, depth=self.depth + 1)
        listed = criteria.child_criterias or ()
        parts = tuple(inner.node(child, f"{where}.childCriterias[{i}]") for i, child in enumerate(listed))
        if len(parts) > 1 and criteria.logical_operator is None:
            raise QueryError(f"{len(parts)} criteria need a logicalOperator", where=where, hint="and, or")
        return Any(parts) if criteria.logical_operator == "or" else All(parts)

    def condition(self, criteria: SegmentMembershipCriteria, operator: str, where: str) -> Node:
        """A criterion on an attribute."""
        model = self.lowering.model
        attribute = attribute_of(model, str(criteria.attribute), self.paths, f"{where}.attribute")
        condition = Condition(criteria, operator, attribute.kind, self.lowering.zone, where)
        if operator in ("childOf", "parentOf"):
            relatives = self.hierarchy(condition, attribute)
            return Leaf(attribute.path, lambda scope: is_relative(_read(attribute, scope), relatives))
        if operator == "all" and attribute.path:
            tests = every_value(condition)
            start = attribute.path

            def say(scope: Scope) -> p.Expr:
                here = scope.over(start)
                parts = (p.Exists(start, test(_read(attribute, here)), scope.up(())) for test in tests)
                return p.And(tuple(parts))

            return Leaf((), say)
        test = test_of(condition)
        if attribute.segment:
            return Leaf((), lambda scope: _of_segment(attribute, operator, test, scope))
        return Leaf(attribute.path, lambda scope: test(_read(attribute, scope)))

    def quantified(self, criteria: SegmentMembershipCriteria, operator: str, where: str) -> Node:
        """any and all with childCriterias: rows of an entity of which some, or each of at least one, meet them."""
        for key, value in (("value", criteria.value), ("listOfValues", criteria.list_of_values),
                           ("ignoreCase", criteria.ignore_case), ("isTime", criteria.is_time)):  # fmt: skip
            if value:
                raise QueryError(f"{operator} of childCriterias has no {key}", where=where, hint="give it to them")
        model = self.lowering.model
        table = _table_of(model, str(criteria.attribute), f"{where}.attribute")
        path = path_to(model, table, self.paths, f"{where}.attribute")
        if not path:
            raise QueryError(f"a customer has no several rows of {table}", where=where, hint="name a related entity")
        node = self.joined(criteria, where)

        def say(scope: Scope) -> p.Expr:
            up = scope.up(())
            inner = Scope(scope.depth, (((), scope.depth - up),)).over(path)
            held = predicate_of(node, model.catalog, inner)
            if operator == "any":
                return p.Exists(path, held, up)
            return p.And((p.Exists(path, p.TRUE, up), p.Not(p.Exists(path, p.Not(p.Call("is_true", (held,))), up))))

        return Leaf((), say)

    # ── hierarchies ──────────────────────────────────────────────────────────────────────────────────────────────────

    def hierarchy(self, condition: Condition, attribute: Attribute) -> Relatives:
        """Whose children or parents are asked for."""
        if condition.criteria.ignore_case:
            raise condition.error("keys of a hierarchy are compared as they are", "leave ignoreCase out")
        if condition.criteria.is_time or attribute.segment:
            raise condition.error(f"{condition.operator} is asked of a key", "name an attribute that holds keys")
        model = self.lowering.model
        table = split(model, str(condition.criteria.attribute), condition.where)[0]
        definition, place = self._definition(table, condition)
        entity = _table_of(model, str(definition.hierarchy_entity_name), f"{place}.hierarchyEntityName")
        child = _key_column(model, entity, definition.source_attribute_name, f"{place}.sourceAttributeName")
        parent = _key_column(model, entity, definition.destination_attribute_name, f"{place}.destinationAttributeName")
        if child[1] != parent[1]:
            raise QueryError(f"{child[0]} is {child[1].name}, {parent[0]} is {parent[1].name}", where=place)
        if child[1] != attribute.kind and not (child[1].is_number and attribute.kind.is_number):
            said = f"{attribute.name} is {attribute.kind.name}, and keys of {entity} are {child[1].name}"
            raise condition.error(said, "ask it of an attribute that holds such keys")
        of = span_of(condition.one(), child[1], self.lowering.zone, where=condition.where).low
        found = Relatives(entity, child[0], parent[0], of, condition.operator == "childOf")
        return self.lowering.relatives.setdefault(found.key, found)

    def _definition(self, table: str, condition: Condition) -> tuple[HierarchyDefinition, str]:
        """The only hierarchy, or that of the attribute's own entity."""
        listed = list(enumerate(self.lowering.query.hierarchies or ()))
        for i, definition in listed:
            for key, name in (("hierarchyEntityName", definition.hierarchy_entity_name),
                              ("sourceAttributeName", definition.source_attribute_name),
                              ("destinationAttributeName", definition.destination_attribute_name)):  # fmt: skip
                if not name:
                    raise QueryError(f"a hierarchy needs {key}", where=f"hierarchies[{i}]")
        own = [(i, d) for i, d in listed if table_of(str(d.hierarchy_entity_name)) == table]
        chosen = listed if len(listed) == 1 else own
        if len(chosen) != 1:
            hint = (
                "add it to hierarchies: hierarchyEntityName, sourceAttributeName (the child), destinationAttributeName"
            )
            known = [str(d.hierarchy_entity_name) for _, d in listed]
            hint = f"they are of {', '.join(known)}: ask it of one of these" if known else hint
            raise condition.error(f"{condition.operator} needs the hierarchy of {table}", hint)
        return chosen[0][1], f"hierarchies[{chosen[0][0]}]"


def _key_column(model: Model, table: str, name: str | None, where: str) -> tuple[str, Type]:
    found, kind = model.catalog.table(table).attribute(str(name), where)
    if kind.kind not in ("string", "integer", "guid"):
        raise QueryError(f"{table}.{found.name} is {kind.name}, no key", where=where, hint="string, integer or guid")
    return found.name, kind


def _read(attribute: Attribute, scope: Scope) -> p.Field:
    return p.Field(attribute.name, attribute.field_path, scope.up(attribute.path))


def _of_segment(attribute: Attribute, operator: str, test: Test, scope: Scope) -> p.Expr:
    """A segment's CustomerId: the customer's, if it is a member, else missing."""
    member = p.MemberOf(attribute.segment, scope.up(()))
    if operator in ("isNull", "isNotNull"):
        return member if operator == "isNotNull" else p.Not(member)
    return test(p.Call("iif", (member, p.Field(CUSTOMER_ID, (), scope.up(())), p.Literal(STRING, None))))


def _check_kind(criteria: SegmentMembershipCriteria, where: str) -> None:
    """default and consent are conditions on attributes; the other two need what is not here."""
    reasons = {
        "post": (
            "criteria of kind post are worked out after the segment, on what the vendor projected",
            "write a rowset more that intersects",
        ),
        "engagement": (
            "criteria of kind engagement ask the vendor's engagement insights",
            "ingest its events as an activity, and name their entity",
        ),
    }
    if criteria.kind in reasons:
        message, hint = reasons[criteria.kind]
        raise QueryError(message, where=f"{where}.kind", hint=hint)


def block_key(block: Block, kind: str) -> str:
    """A name in the tree, made of what the block says."""
    from hashlib import sha256

    return f"#{kind}-{sha256(repr(block).encode()).hexdigest()[:16]}"
