"""The verdicts of a finished run, for somebody who asks again about a few records (explain)."""

from collections.abc import Sequence
from typing import NamedTuple

from unify.conflation.junk.fields import Judged
from unify.conflation.junk.verdicts import NO_VALUES
from unify.core.engine import Engine
from unify.core.steps import Query, Step


class Carried(NamedTuple):
    """A record carries a value that was judged; `columns` and `value` as in `value_verdicts`."""

    rid: int
    columns: str
    value: str
    verdict: str
    reason: str

    @property
    def sentence(self) -> str:
        """What it means for the record's rules."""
        means = {"junk": "no evidence", "shared": "no proof of identity by itself"}[self.verdict]
        return f"{self.value!r} in {self.columns} is {self.reason}: {means}"


def recall(engine: Engine, judged: Judged) -> list[Carried]:
    """Make `junk_values` and `shared_values` of the values in the prepared tables; returns who carries them.

    A generation that was made before values were judged has no verdicts.
    """
    rows: list[tuple[int, Carried]] = []
    if judged.fields and _is_there(engine):
        for field in judged.fields:
            places = " UNION ALL ".join(
                f"SELECT rid, CAST({p.form} AS VARCHAR) AS value FROM {p.table} WHERE {p.form} IS NOT NULL"
                for p in field.places
            )
            sql = (
                "SELECT DISTINCT rid, columns, value, verdict, reason "
                f"FROM ({places}) JOIN value_verdicts USING (value) "
                "WHERE columns = $columns AND normalized = $normalized AND verdict <> 'genuine' ORDER BY ALL"
            )
            query = Query(sql, {"columns": field.columns, "normalized": field.normalized})
            rows += [(field.number, Carried(**row)) for row in engine.fetch(query).to_pylist()]
    for kind in ("junk", "shared"):
        _make(engine, f"{kind}_values", [(number, c.value) for number, c in rows if c.verdict == kind])
    return [carried for _, carried in rows]


def _is_there(engine: Engine) -> bool:
    try:
        return bool(engine.columns("value_verdicts"))
    except KeyError:
        return False


def _make(engine: Engine, makes: str, values: Sequence[tuple[int, str]]) -> None:
    params: dict[str, object] = {}
    parts = [NO_VALUES]
    for i, (number, value) in enumerate(dict.fromkeys(values)):
        params[f"value_{i}"] = value
        parts.append(f"SELECT {number}::UTINYINT, $value_{i}")
    engine.build(Step(makes, Query("\nUNION ALL\n".join(parts), params), "verdicts on the values in question"))
