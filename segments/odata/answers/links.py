"""From rows to the rows that a path of relations leads to, as sets: no question per row.

links(…)  →  SELECT DISTINCT link, value      which value of the last table's column belongs to which start
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from segments.predicates.fields import Relation
from unify.core.names import quote


@dataclass(frozen=True)
class Links:
    """SQL of pairs `link` (a start) and `value`; `column` of the last table is compared with `value`.

    as_text  members hold keys as text, so the column is compared as text
    """

    sql: str
    column: str
    as_text: bool
    params: dict[str, Any] = field(default_factory=dict)

    def condition(self, column_sql: str, value_sql: str) -> str:
        """Whether a row of the last table belongs to a pair."""
        return f"{f'CAST({column_sql} AS VARCHAR)' if self.as_text else column_sql} = {value_sql}"


def starts(values: Sequence[Any], sql_type: str) -> tuple[str, dict[str, Any]]:
    """A FROM item of one column `link`, and what it binds."""
    return f"(SELECT unnest(CAST($starts AS {sql_type}[])) AS link)", {"starts": list(values)}


def links(steps: Sequence[Relation], starts_sql: str, params: dict[str, Any]) -> Links:
    """The pairs of a path. A row that is reached in two ways is one row of the answer, hence DISTINCT."""
    sources, conditions, bound = [f"{starts_sql} AS p"], [], dict(params)
    here, as_text = "p.link", False
    for i, step in enumerate(steps):
        if i:
            before = steps[i - 1]
            sources.append(f"{quote(before.to_table)} AS s{i}")
            column = f"s{i}.{quote(before.to_column)}"
            conditions.append(f"{f'CAST({column} AS VARCHAR)' if as_text else column} = {here}")
            here = f"s{i}.{quote(step.from_column)}"
        as_text = bool(step.through)
        if step.through:
            bound[f"entity{i}"] = step.through
            sources.append(f"members AS m{i}")
            conditions.append(f'm{i}.{quote(step.from_column)} = {here} AND m{i}."entity" = $entity{i}')
            here = f'm{i}."key"'
        if step.record_of:
            bound[f"entity{i}"] = step.record_of
            sources.append(f"members AS m{i}")
            conditions.append(f'm{i}."key" = CAST({here} AS VARCHAR) AND m{i}."entity" = $entity{i}')
            here = f"m{i}.{quote(step.to_column)}"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT DISTINCT p.link AS link, {here} AS value FROM {', '.join(sources)}{where}"
    return Links(sql, steps[-1].to_column, as_text, bound)
