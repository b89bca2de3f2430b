"""Clusters over customers that are not one person, households above all: rules run on the unified values.

reads  customer_values                      ordinal, CustomerId and the unified columns
makes  customer_cluster_<name>              CustomerId, id (scratch): every customer has one, alone or not

The rules are rules like any other (star, join or similarity); conditions are on unified columns. Junk is no value here
either; values that several people share are what a household is found by. A cluster's id is made
from the CustomerId of its oldest customer, so it stays as long as that customer does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unify.conflation.junk.effects import drop_junk, forms_of_customers
from unify.conflation.junk.fields import Judged
from unify.conflation.limits import components
from unify.conflation.normalize import Lists
from unify.conflation.pairs import RuleRunner
from unify.conflation.picks import CustomerColumns
from unify.conflation.prepare import Prepared, make_values
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine, scalar
from unify.core.errors import SpecError
from unify.core.names import quote
from unify.core.problems import family
from unify.core.progress import Progress
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.spec import ClusterSpec, ConflationPlan, Project

CUSTOMER = "Customer"


@dataclass(frozen=True)
class Unified:
    """What was judged among the records, and which of their columns each unified column is made of."""

    lies: Judged
    columns: CustomerColumns

    @property
    def feeds(self) -> dict[str, set[tuple[str, str]]]:
        """Unified column to (entity, column) pairs."""
        return {c.name: {(f.entity, f.column) for f in c.feeds} for pick in self.columns.picks for c in pick.columns}


def make_customer_clusters(
    engine: Engine,
    project: Project,
    plan: ConflationPlan,
    lists: Lists,
    first_rule: int,
    progress: Progress,
    unified: Unified,
) -> tuple[list[tuple[str, str]], list[RuleReport]]:
    """Run every cluster's rules; returns (column, table) pairs for Customer, and a report per rule.

    Raises SpecError when a rule names a column that Customer does not have, or compares one in a way its type forbids.
    """
    columns: list[tuple[str, str]] = []
    reports: list[RuleReport] = []
    for name, spec in project.clusters.items():
        progress("clusters", name)
        table = f"customer_cluster_{len(columns)}"
        reports += _make(engine, plan, lists, name, spec, table, first_rule + len(reports), unified)
        columns.append((name, table))
    return columns, reports


def _make(
    engine: Engine,
    plan: ConflationPlan,
    lists: Lists,
    name: str,
    spec: ClusterSpec,
    table: str,
    first_rule: int,
    unified: Unified,
) -> list[RuleReport]:
    rows = (
        "customer_values AS source JOIN (SELECT ordinal, row_number() OVER (ORDER BY ordinal) - 1 AS rid "
        "FROM customer_values) AS record_rows ON record_rows.ordinal = source.ordinal"
    )
    customers = Prepared(CUSTOMER, len(plan.order), engine.columns("customer_values"), lists, rows=rows)
    _refuse_text_comparisons(name, spec, customers)
    bound = [
        BoundRule.bind(first_rule + i, rule, customers, customers)
        for i, rule in enumerate(r for r in spec.rules if r.active)
    ]
    forms = forms_of_customers(unified.lies, customers, unified.feeds)
    make_values(engine, [customers])
    drop_junk(engine, customers, forms)
    reports = [RuleRunner(engine, plan, rule).run().model_copy(update={"kind": "cluster"}) for rule in bound]
    _write(engine, name, table, [rule.number for rule in bound])
    return reports


def _refuse_text_comparisons(name: str, spec: ClusterSpec, customers: Prepared) -> None:
    """The checks of a plan's criteria, for columns that exist only after merge."""
    for rule in spec.rules:
        for criterion in (*rule.when, *(c for veto in rule.unless for c in veto.all)):
            for column in (*criterion.left_columns, *criterion.right_columns):
                customers.expression(column, criterion.normalize, None)
                kind = family(customers.types[column])
                wanted = {"number": ("integer", "number"), "date": ("date", "datetime")}.get(criterion.compare)
                if wanted and kind not in wanted:
                    raise SpecError(
                        f"`{criterion.compare}` cannot compare Customer.{column}, which is {kind}",
                        where=f"clusters.{name}: rule {rule.name!r}",
                        hint="declare the type of the columns it comes from",
                    )


def _write(engine: Engine, name: str, table: str, rules: Sequence[int]) -> None:
    """Components of the rules' links; the smallest node is the oldest customer."""
    links = " UNION ALL ".join(f"SELECT a, b FROM links_{n}" for n in rules) or "SELECT 0 AS a, 0 AS b WHERE false"
    found = engine.fetch(Query(f"SELECT a::INTEGER AS a, b::INTEGER AS b FROM ({links})"))
    nodes = int(scalar(engine, Query("SELECT count(*) FROM customer_values")))
    labels = components(nodes, found.column("a").to_numpy(), found.column("b").to_numpy())
    numbered = "SELECT row_number() OVER (ORDER BY ordinal) - 1 AS rid, CustomerId FROM customer_values"
    engine.load(f"{table}_nodes", pa.table({"rid": np.arange(nodes), "oldest": labels}))
    sql = (
        f"WITH numbered AS ({numbered}) "
        f"SELECT mine.CustomerId, md5($name || '|' || oldest.CustomerId) AS id FROM {quote(f'{table}_nodes')} AS node "
        "JOIN numbered AS mine ON mine.rid = node.rid JOIN numbered AS oldest ON oldest.rid = node.oldest"
    )
    gone = (f"{table}_nodes", *(f"links_{n}" for n in rules), *(f"star_{n}" for n in rules))
    engine.build(Step(table, Query(sql, {"name": name}), f"the {name} of every customer", releases=gone))
