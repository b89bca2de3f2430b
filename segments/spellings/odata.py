"""A tree as OData filter text: for the rows for which the tree is true, and only for them, the text is true.

OData knows two truth values where the tree knows three: null equals null, and `not (Age gt 30)` holds for an unknown
age. So a condition is said in two ways, when it is true and when it is false, and Not changes from one to the other::

    City ne 'Bern'      true     City ne 'Bern' and City ne null
                        false    City eq 'Bern'

What has been made of OData text comes back as the same text, or as one that makes the same tree. What OData cannot say
is a QueryError that names the part.
"""

from collections.abc import Callable

from segments.model import Model
from segments.odata.binding.bind import filter_of_text
from segments.odata.dialect import CUSTOMER_INSIGHTS
from segments.odata.syntax.printer import print_expression
from segments.odata.syntax.url import parse_expression
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.spellings.odata_rows import Sight, Value, unsayable, values_of
from unify.core.errors import QueryError

_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}


def odata_text(expr: p.Expr, model: Model) -> str:
    """The text of a predicate over Customer, as `filter_of_text` reads it. QueryError for what it cannot say.

    Parts of dates are those of a clock in the model's time zone, as everywhere in OData text.
    """
    bind_predicate(expr, model.catalog, model.catalog.customers)
    text = true(expr, Sight.of(model))
    try:
        text = print_expression(parse_expression(text, CUSTOMER_INSIGHTS))
        filter_of_text(text, model)  # what its reader refuses (too deep, a duration beyond its range) is not said
    except (QueryError, ValueError) as error:
        reason = error.message if isinstance(error, QueryError) else str(error)
        hint = "keep the segment as YAML, JSON or a sentence"
        raise QueryError(f"OData has no spelling for it: {reason}", hint=hint) from None
    return text


def true(expr: p.Expr, sight: Sight) -> str:
    """Text that is true when the condition is, and not when it is false or null."""
    match expr:
        case p.Literal(value=found):
            return "true" if found is True else "false"
        case p.And(args=args):
            return _joined(args, "and", "true", lambda part: true(part, sight))
        case p.Or():
            return _or_equal(expr, sight) or _joined(expr.args, "or", "false", lambda part: true(part, sight))
        case p.Not(arg=arg):
            return false(arg, sight)
        case p.Compare(op=op, left=left, right=right):
            return _compared(op, left, right, sight)
        case p.In(item=item, values=values):
            return _in(item, values, sight) if values else "false"
        case p.Exists():
            return _exists(expr, sight)
        case p.MemberOf():
            return _member(expr, sight)
        case p.Call(function="is_true", args=(arg,)):
            return true(arg, sight)
        case p.Call(function="is_null", args=(arg,)):
            return f"({value(arg, sight)} eq null)"
        case p.Call(function="coalesce", args=(first, second)):
            return f"({true(first, sight)} or ({value(first, sight)} eq null and {true(second, sight)}))"
        case p.Call(function="iif", args=(test, yes, no)):
            sure = true(test, sight)
            return f"(({sure} and {true(yes, sight)}) or (({sure}) ne true and {true(no, sight)}))"
    return value(expr, sight)


def false(expr: p.Expr, sight: Sight) -> str:
    """Text that is true when the condition is false."""
    match expr:
        case p.Literal(value=found):
            return "true" if found is False else "false"
        case p.And(args=args):
            return _joined(args, "or", "false", lambda part: false(part, sight))
        case p.Or(args=args):
            return _joined(args, "and", "true", lambda part: false(part, sight))
        case p.Not(arg=arg):
            return true(arg, sight)
        case p.Compare(op=op, left=left, right=right):
            return _not_compared(op, left, right, sight)
        case p.In(item=item, values=values):
            return f"(not {_in(item, values, sight)} and {value(item, sight)} ne null)" if values else "true"
        case p.Call(function="is_true", args=(arg,)):
            return _not_surely(arg, sight)
        case p.Call(function="is_null", args=(arg,)):
            return f"({value(arg, sight)} ne null)"
        case p.Call(function="coalesce", args=(first, second)):
            return f"({false(first, sight)} or ({value(first, sight)} eq null and {false(second, sight)}))"
        case p.Call(function="iif", args=(test, yes, no)):
            sure = true(test, sight)
            return f"(({sure} and {false(yes, sight)}) or (({sure}) ne true and {false(no, sight)}))"
        case p.Exists():
            text = _exists(expr, sight)
            return f"({text}) ne true" if sight.is_one(expr) and expr.where != p.TRUE else f"not ({text})"
    return f"not ({true(expr, sight)})"


def value(expr: p.Expr, sight: Sight) -> Value:
    """Text of a value; of a condition, one that is true, false and null when the condition is."""
    if isinstance(expr, (p.And, p.Or, p.Not, p.Compare, p.In, p.Exists, p.MemberOf)) or _is_logic(expr):
        if never_null(expr):
            text = true(expr, sight)
            return f"({text})" if _never_null_in_odata(expr, sight) else f"(({text}) eq true)"
        unsayable(expr, "as a value it is null too, which and, or, not and comparisons in OData are not")
    return values_of(expr, sight, value, true)


def _is_logic(expr: p.Expr) -> bool:
    return isinstance(expr, p.Call) and expr.function in ("is_true", "is_null")


def _never_null_in_odata(expr: p.Expr, sight: Sight) -> bool:
    """Whether its text is never null either; that of a condition that is sure may be null where it is not true."""
    if isinstance(expr, p.Exists):
        return expr.where == p.TRUE or not sight.is_one(expr)
    return isinstance(expr, (p.MemberOf, p.Compare)) or (isinstance(expr, p.Call) and expr.function == "is_null")


def never_null(expr: p.Expr) -> bool:
    """Whether a condition is always true or false."""
    match expr:
        case p.Exists() | p.MemberOf() | p.Compare(op="is" | "is_not") | p.Call(function="is_true" | "is_null"):
            return True
        case p.Literal(value=found):
            return found is not None
        case p.And(args=args) | p.Or(args=args):
            return all(never_null(a) for a in args)
        case p.Not(arg=arg):
            return never_null(arg)
        case p.In(values=values):
            return not values
    return False


def _joined(args: tuple[p.Expr, ...], word: str, nothing: str, say: Callable[[p.Expr], str]) -> str:
    said = [say(arg) for arg in args]
    return f"({f' {word} '.join(said)})" if said else nothing


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _compared(op: str, left: p.Expr, right: p.Expr, sight: Sight) -> str:
    """True: null neither equals nor differs, but for is and is_not, which are OData's own eq and ne."""
    a, b = value(left, sight), value(right, sight)
    if op in ("is", "is_not"):
        return f"({a} {'eq' if op == 'is' else 'ne'} {b})"
    if "null" in (a, b):
        return "false"
    if op == "eq" or op in ("ge", "le"):  # null ge null is true in OData
        return _guarded(f"{a} {op} {b}", [x for x, e in ((a, left), (b, right)) if not _is_value(e)][1:])
    if op == "ne":
        return _guarded(f"{a} ne {b}", [x for x, e in ((a, left), (b, right)) if not _is_value(e)])
    return f"({a} {op} {b})"


def _not_compared(op: str, left: p.Expr, right: p.Expr, sight: Sight) -> str:
    if op in ("is", "is_not"):
        return _compared("is_not" if op == "is" else "is", left, right, sight)
    return _compared(_OPPOSITE[op], left, right, sight)  # of NaN too, which is a value above all others


def _is_value(expr: p.Expr) -> bool:
    return isinstance(expr, p.Literal) and expr.value is not None


def _guarded(text: str, others: list[str]) -> str:
    """And none of these is null."""
    return "(" + " and ".join([text, *(f"{other} ne null" for other in others)]) + ")"


def _or_equal(expr: p.Or, sight: Sight) -> str:
    """`a ge b or both are null` is what the binder makes of `a ge b`; "" for anything else."""
    match expr.args:
        case (ordered, p.And(args=(p.Call(function="is_null", args=(c,)), p.Call(function="is_null", args=(d,))))):
            inner = ordered.args[0] if isinstance(ordered, p.Call) and ordered.function == "is_true" else ordered
            match inner:
                case p.Compare(op="ge" | "le" as op, left=a, right=b) if (a, b) == (c, d):
                    return f"({value(a, sight)} {op} {value(b, sight)})"
    return ""


def _in(item: p.Expr, values: tuple[p.Literal, ...], sight: Sight) -> str:
    return f"({value(item, sight)} in ({','.join(value(v, sight) for v in values)}))"


def _not_surely(arg: p.Expr, sight: Sight) -> str:
    """False or null. What `not` in OData makes of comparisons and `in` already."""
    if isinstance(arg, p.Compare) and arg.op in ("lt", "le", "gt", "ge", "is", "is_not"):
        both = not (_is_value(arg.left) or _is_value(arg.right))
        if not (both and arg.op in ("le", "ge")):
            return f"not {_compared(arg.op, arg.left, arg.right, sight)}"
    if isinstance(arg, p.In) and arg.values:
        return f"not {_in(arg.item, arg.values, sight)}"
    if never_null(arg):
        return false(arg, sight)
    return f"(({true(arg, sight)}) ne true)"


# ── rows and segments ────────────────────────────────────────────────────────────────────────────────────────────────


def _exists(expr: p.Exists, sight: Sight) -> str:
    start = sight.path(expr)
    if sight.is_one(expr):
        inner = sight.beside(expr)
        return f"({start} ne null)" if expr.where == p.TRUE else f"({start} ne null and {true(expr.where, inner)})"
    if expr.where == p.TRUE:
        return f"{start}/any()"
    inner, variable = sight.within(expr)
    return f"{start}/any({variable}:{true(expr.where, inner)})"


def _member(expr: p.MemberOf, sight: Sight) -> str:
    if expr.segment.startswith("#"):
        unsayable(expr, "it is a block: top, sequence, list or SQL, and OData knows conditions")
    return sight.membership(expr)
