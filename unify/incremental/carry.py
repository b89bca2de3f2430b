"""Customers that are what they were: their tables stand, and only what tells of this run is written anew."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from unify.conflation.outputs import MATCH_PAIRS
from unify.conflation.run import Conflated
from unify.core.names import quote
from unify.core.reports import (
    ArrowReport,
    ChangeReport,
    ClusterReport,
    IgnoredValue,
    JunkReport,
    OverridesReport,
    RuleReport,
)
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine


def said_of(found: Conflated) -> dict[str, Any]:
    """What the stage found out, as JSON."""
    return {
        "arrows": [a.as_dict() for a in found.arrows],
        "overrides": found.overrides.as_dict(),
        "rules": [r.as_dict() for r in found.rules],
        "ignored": [v.as_dict() for v in found.ignored],
        "junk": found.junk.as_dict() if found.junk is not None else None,
        "clusters": found.clusters.as_dict() if found.clusters is not None else None,
        "warnings": found.warnings,
    }


def found_before(said: Mapping[str, Any]) -> Conflated:
    """What `said_of` wrote down. Rules took no time: nothing was compared."""
    return Conflated(
        arrows=[ArrowReport.model_validate(a) for a in said["arrows"]],
        overrides=OverridesReport.model_validate(said["overrides"]),
        rules=[RuleReport.model_validate(r | {"seconds": 0.0}) for r in said["rules"]],
        ignored=[IgnoredValue.model_validate(v) for v in said["ignored"]],
        junk=JunkReport.model_validate(said["junk"]) if said["junk"] is not None else None,
        clusters=ClusterReport.model_validate(said["clusters"]) if said["clusters"] is not None else None,
        warnings=list(said["warnings"]),
    )


def carry_customers(engine: DuckDBEngine, said: Mapping[str, Any], started: datetime) -> Conflated:
    """Nothing happened to any customer: so says `customer_changes`, and the moment of the run stands where it does."""
    found = found_before(said)
    with found.stage("carry"):
        engine.change(Query("DELETE FROM customer_changes"))
        moment = started.astimezone(UTC).replace(tzinfo=None)
        sql = f"UPDATE {quote(MATCH_PAIRS)} SET {quote(f'{MATCH_PAIRS}_ModifiedOn')} = CAST($when AS TIMESTAMP)"
        engine.change(Query(sql, {"when": moment}))
        counts = engine.fetch(Query("SELECT max(ordinal), count(*) FILTER (retired_run IS NULL) FROM customer_ids"))
    highest, active = (column[0].as_py() for column in counts.columns)
    found.highest_ordinal = -1 if highest is None else int(highest)
    found.changes = ChangeReport(unchanged=int(active))
    return found
