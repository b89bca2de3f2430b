"""Clusters get their CustomerIds: the contract of docs/customer-id.md, as set-based SQL.

    before, ledger    what the last generation knew: record → id, and every id ever given
    dropped           records that matched nothing, of entities that keep only what matched
    parts             old id × cluster that share records
    claims            which cluster every old id claims; the oldest claimant of a cluster survives
    founded           clusters nobody claims: new ids
    members · customer_ids · customer_changes     kept; see docs/tables.md
    previous_ids      CustomerId, PreviousCustomerId (`;`-joined)

Everything but the kept tables, `dropped` and `previous_ids` is scratch that goes at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.progress import Progress, silent
from unify.core.steps import Query, Step

NO_MEMBERS = "SELECT '' AS entity, '' AS key, '' AS CustomerId WHERE false"
NO_IDS = (
    "SELECT '' AS CustomerId, CAST(0 AS INTEGER) AS ordinal, '' AS founded_by_entity, '' AS founded_by_key,\n"
    "CAST(0 AS BIGINT) AS founded_run, CAST(0 AS BIGINT) AS retired_run, '' AS successor,\n"
    "CAST(NULL AS VARCHAR[]) AS split_from WHERE false"
)

COUNTS = """
SELECT
    count(*) FILTER (retired_run IS NULL) AS customers,
    count(*) FILTER (retired_run IS NULL AND founded_run < $run) AS kept,
    count(*) FILTER (founded_run = $run AND split_from IS NULL) AS created,
    count(*) FILTER (retired_run = $run AND successor IS NOT NULL) AS merged,
    count(*) FILTER (founded_run = $run AND split_from IS NOT NULL) AS split,
    count(*) FILTER (retired_run = $run AND successor IS NULL) AS retired
FROM customer_ids
"""


@dataclass(frozen=True)
class IdentityReport:
    """What happened to customers in this run.

    customers   that are active now
    kept        ids of the last generation that live on
    created     new ids of clusters without old records
    merged      ids retired into another one
    split       new ids of clusters that hold records of an old id which lives elsewhere
    retired     ids whose records are all gone
    dropped     (entity, records that matched nothing and belong to no customer)
    """

    customers: int
    kept: int
    created: int
    merged: int
    split: int
    retired: int
    dropped: tuple[tuple[str, int], ...]


def _sql(name: str) -> str:
    return files("unify.conflation").joinpath("sql", f"identity_{name}.sql").read_text(encoding="utf-8")


def identity_steps(run: int, previous: str | None, matched_only: Sequence[str] = (), above: int = -1) -> list[Step]:
    """Steps from `clusters`, `winners`, `records` to `members`, `customer_ids`, `customer_changes`, `previous_ids`.

    run            the number of this run, larger than any before
    previous       name of the attached database with the last generation's `members` and `customer_ids`
    matched_only   entities whose records become a customer only together with a record of another entity
    above          the highest ordinal ever given, in generations that were rolled back too; -1: none
    """
    old_members = f"SELECT entity, key, CustomerId FROM {quote(previous)}.members" if previous else NO_MEMBERS
    old_ids = f"SELECT * FROM {quote(previous)}.customer_ids" if previous else NO_IDS
    at = {"run": run}
    return [
        Step("before", Query(old_members), "which customer every record was"),
        Step("ledger", Query(old_ids), "every id ever given"),
        Step(
            "dropped",
            Query(_sql("dropped"), {"matched_only": list(matched_only)}),
            "records that matched nothing, where only matches count",
            reads=("clusters", "records"),
        ),
        Step("customers", Query(_sql("customers")), "the clusters", reads=("clusters", "dropped", "records")),
        Step(
            "parts",
            Query(_sql("parts")),
            "which records of old customers are where now",
            reads=("before", "ledger", "records", "clusters", "dropped"),
            releases=("before",),
        ),
        Step("claims", Query(_sql("claims")), "the largest part keeps the id, the oldest id wins", ("parts", "ledger")),
        Step(
            "founded",
            Query(_sql("founded"), {"above": above}),
            "new ids for clusters without one",
            reads=("customers", "claims", "parts", "ledger"),
            releases=("customers", "parts"),
        ),
        Step(
            "members",
            Query(_sql("members")),
            "record to customer",
            reads=("clusters", "records", "claims", "founded", "winners", "dropped"),
            keep=True,
            plain=("key", "CustomerId"),
        ),
        Step(
            "customer_ids",
            Query(_sql("customer_ids"), at),
            "every id ever given, and what became of it",
            reads=("ledger", "claims", "founded"),
            keep=True,
            plain=("CustomerId", "founded_by_key"),
            releases=("ledger",),
        ),
        Step(
            "customer_changes",
            Query(_sql("customer_changes"), at),
            "what happened to ids in this run",
            reads=("founded", "claims", "customer_ids"),
            keep=True,
            plain=("CustomerId",),
            releases=("founded", "claims"),
        ),
        Step("previous_ids", Query(_sql("previous_ids")), "ids that customers had before", reads=("customer_ids",)),
    ]


def assign(
    engine: Engine,
    run: int,
    previous: str | None,
    matched_only: Sequence[str] = (),
    progress: Progress = silent,
    *,
    above: int = -1,
) -> IdentityReport:
    """Build all identity steps; see `identity_steps` for the arguments."""
    for step in identity_steps(run, previous, matched_only, above):
        progress("identity", step.why)
        engine.build(step)
    [counts] = engine.fetch(Query(COUNTS, {"run": run})).to_pylist()
    dropped = engine.fetch(Query("SELECT entity, count(*) AS records FROM dropped GROUP BY entity ORDER BY entity"))
    return IdentityReport(**counts, dropped=tuple((d["entity"], d["records"]) for d in dropped.to_pylist()))


def resolve(engine: Engine, customer_id: str) -> str | None:
    """The id that stands today for an id ever given; None when the customer is gone with its records.

    Raises QueryError for an id that was never given.
    """
    found = engine.fetch(Query(_sql("resolve"), {"id": customer_id}))
    if not found.num_rows:
        raise QueryError(f"no customer ever had the id {customer_id!r}", where="customer_ids")
    answer: str | None = found.column(0)[0].as_py()
    return answer
