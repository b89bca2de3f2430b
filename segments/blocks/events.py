"""What blocks over UnifiedActivity share."""

from segments.activities import UNIFIED
from segments.lowered import Scope
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from unify.core.steps import Query


def compiled(scope: Scope, conditions: tuple[p.Expr, ...], window: p.Expr) -> tuple[list[str], str, Compiler]:
    """SQL of each condition on an activity, true or false; of the window; and what has FROM and values of both."""
    compiler = Compiler(scope.model.catalog, UNIFIED, scope.clock)
    truths = [f"coalesce({compiler.condition(condition)}, FALSE)" for condition in conditions]
    return truths, compiler.condition(window), compiler


def query(sql: str, compiler: Compiler, **further: object) -> Query:
    """The SELECT with the compiler's values and others."""
    return Query(sql, compiler.params | further)
