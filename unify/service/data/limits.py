"""Limits of a question that can be seen in its text, before anybody works on it."""

from dataclasses import fields, is_dataclass
from typing import Any

from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o
from unify.service.errors import ServiceError, bad_request
from unify.service.settings import Limits

TERMS = (ast.Binary, ast.Unary, ast.Call, ast.Lambda, ast.Cast, ast.IsOf, ast.Case)


def check_url(length: int, limits: Limits) -> None:
    """ServiceError 414 for an address that is too long."""
    if length > limits.url_bytes:
        hint = "POST the query to …/$query, or a $batch"
        raise ServiceError(414, f"the address is longer than {limits.url_bytes:,} bytes", where="url", hint=hint)


def check_limits(request: o.Request, limits: Limits) -> None:
    """ServiceError 400 for a question with too many terms, or levels of `$expand`."""
    terms = count_terms(request)
    if terms > limits.filter_terms:
        message = f"{terms:,} comparisons, functions and operators are more than the {limits.filter_terms:,} allowed"
        raise bad_request(
            message, where="$filter", hint="a list is one term: CustomerId in ('a','b',…)", key="tooManyTerms"
        )
    levels = count_levels(request.options)
    if levels > limits.expanded_levels:
        message = f"{levels} levels of $expand are more than the {limits.expanded_levels} allowed"
        raise bad_request(message, where="$expand", hint="ask for the inner ones by themselves", key="tooManyLevels")


def count_terms(node: Any) -> int:
    """Comparisons, functions and operators anywhere in a question; items of a list are none."""
    found, todo = 0, [node]
    while todo:
        one = todo.pop()
        if isinstance(one, tuple):
            todo += one
        elif is_dataclass(one) and not isinstance(one, type):
            found += isinstance(one, TERMS)
            if not isinstance(one, ast.ValueList):
                todo += [getattr(one, field.name) for field in fields(one)]
    return found


def count_levels(options: tuple[o.Option, ...]) -> int:
    """How deep `$expand` stands inside `$expand`; `$levels=n` is n of them."""
    deepest = 0
    for option in options:
        for item in option.items if isinstance(option, o.Expand) else ():
            said = next((x.depth for x in item.options if isinstance(x, o.Levels)), 1)
            deepest = max(deepest, (said or 0) + count_levels(item.options))
    return deepest
