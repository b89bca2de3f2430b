"""Keys that two entities have in common: one person's number, or two systems that both counted from 1."""

from collections.abc import Sequence

from unify.core.engine import Engine
from unify.core.names import quote, table_of
from unify.core.steps import Query

LOOKED_AT = 2_000
"""Pairs of records with one key that are looked at: a share of them is right to 2 %."""
SAYS_MORE = 0.1
"""By how much more often than strangers such pairs must agree on some column; chance alone stays below 0.05."""


def says_the_same(
    engine: Engine, one: tuple[str, str], other: tuple[str, str], shared: Sequence[tuple[str, str]]
) -> bool:
    """Whether records that share a key agree elsewhere more often than records that do not.

    `one` and `other` are (entity, column) of the key; `shared` are columns of the two entities that mean the same. Each
    record is held against the record with its key, and against the next one. True where nothing else is shared: then
    nothing speaks against the key.
    """
    if not shared:
        return True
    left, right = (f"CAST({side}.{quote(column)} AS VARCHAR)" for side, (_, column) in (("a", one), ("b", other)))
    values = ", ".join(
        f"lower(trim(CAST(a.{quote(a)} AS VARCHAR))) AS a{i}, lower(trim(CAST(b.{quote(b)} AS VARCHAR))) AS b{i}"
        for i, (a, b) in enumerate(shared)
    )
    order = ", ".join(["hash(k)", "k", *(f"{side}{i}" for i in range(len(shared)) for side in "ab")])
    nexts = ", ".join(f"lead(b{i}) OVER (ORDER BY {order}) AS n{i}" for i in range(len(shared)))
    more = ", ".join(
        f"avg(CAST(a{i} = b{i} AS INTEGER)) - avg(CAST(a{i} = n{i} AS INTEGER))" for i in range(len(shared))
    )
    sql = (
        f"WITH pairs AS (SELECT {left} AS k, {values} FROM {quote(table_of(one[0]))} AS a "
        f"JOIN {quote(table_of(other[0]))} AS b ON {left} = {right} ORDER BY {order} LIMIT {LOOKED_AT}), "
        f"beside AS (SELECT *, {nexts} FROM pairs) SELECT greatest({more}, 0) AS more FROM beside"
    )
    [row] = engine.fetch(Query(sql)).to_pylist()
    return row["more"] is not None and row["more"] >= SAYS_MORE
