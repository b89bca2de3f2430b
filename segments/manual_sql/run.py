"""Running checked SQL in the fenced process, and what its CustomerIds are in this generation."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from segments.lowered import Scope
from segments.manual_sql.check import CheckedSql, binding_problem, check_sql
from segments.manual_sql.fence import Fence, Limits, MiB, Moment
from segments.manual_sql.handover import contents
from segments.manual_sql.problems import ManualSqlError, SqlProblem, Text
from segments.model import CUSTOMER_ID
from unify.core.engine import Engine, scalar
from unify.core.steps import Query, Step

DEFAULT = Limits()
SHOWN_IDS = 5
MORE = 1000
"""Rows beyond the ids there are that an answer may have before it is cut: so many that are none are counted."""
BYTES_PER_ID = 128
"""Of a segment's answer. An id has 32 digits and an offset; what is longer on average is none."""


def run_sql(checked: CheckedSql, engine: Engine, moment: Moment, *, limits: Limits | None = None) -> pa.Table:
    """The answer of checked SQL over the generation that an engine is on; `moment` is what `now()` is.

    segment: `CustomerId` and `ordinal`, distinct. measure: `CustomerId`, its values, `ordinal`; a row per customer at
    most. Both in the order of ordinals, with the ids of active customers, retired ones resolved. scalar: one row.
    Raises ManualSqlError when it costs more than the limits, fails, or names somebody who is no customer.
    """
    limits = limits or Limits()
    ids = int(scalar(engine, Query("SELECT count(*) FROM customer_ids")))
    rows = 2 if checked.shape == "scalar" else ids + MORE
    most = min(limits.answer_bytes, ids * BYTES_PER_ID + MiB) if checked.shape == "segment" else limits.answer_bytes
    tables = contents(engine, {table: list(columns) for table, columns in checked.reads.items()})
    request = {
        "sql": checked.sql,
        "columns": list(checked.places),
        "distinct": checked.shape == "segment",
        "rows": rows,
        "bytes": most,
    }
    with Fence(tables, moment, limits, do="run", **request) as fence:
        said = fence.ask()
        if "error" in said:
            raise ManualSqlError([_failure(said["error"], checked, limits, most)])
        answer = _table(fence.frame(most + MiB))
    names = [name for name, _ in checked.columns]
    if checked.shape == "scalar":
        if answer.num_rows != 1:
            raise _wrong(f"one row is wanted, there are {answer.num_rows or 'none'}", "aggregate: SELECT count(*) …")
        return answer.rename_columns(names)
    return _identified(answer.rename_columns([CUSTOMER_ID, *names[1:]]), checked, engine, rows)


def _table(data: bytes) -> pa.Table:
    """Arrow of a process that ran somebody's SQL: looked at before it is believed."""
    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ManualSqlError([SqlProblem("unknown", f"its answer cannot be read: {error}")]) from None
    return table


def _failure(error: dict[str, str], checked: CheckedSql, limits: Limits, most: int) -> SqlProblem:
    kind = error.get("exception_type", "")
    if kind == "Too Large":
        said = f"the answer has {int(error['exception_message']):,} bytes; at most {most:,}"
        return SqlProblem("unknown", said, hint="an answer is CustomerIds and short values")
    if kind.casefold() in ("out of memory", "outofmemoryexception", "memoryerror"):
        said = f"it needs more than {limits.memory / 2**30:.2g} GiB of memory"
        return SqlProblem("unknown", said, hint="read fewer rows or columns, or aggregate before you join")
    return binding_problem({k: v for k, v in error.items() if k != "position"}, Text(checked.sql), None)


# ── who they are ─────────────────────────────────────────────────────────────────────────────────────────────────────

ANSWER = "sql_answer"
"""Scratch table of an answer's ids: `place` (row of the answer, from 0) and `given`."""
_WHO = f"""
SELECT a.place, a.given, c."CustomerId" AS id, c.ordinal
FROM {ANSWER} AS a
LEFT JOIN customer_ids AS i ON i."CustomerId" = a.given
LEFT JOIN "Customer" AS c ON c."CustomerId" = CASE WHEN i.retired_run IS NULL THEN i."CustomerId" ELSE i.successor END
ORDER BY c.ordinal, a.place
"""


def _identified(answer: pa.Table, checked: CheckedSql, engine: Engine, most: int) -> pa.Table:
    """The answer with active ids and, last, their `ordinal`; ManualSqlError naming ids that are no customers."""
    given = pc.cast(answer.column(0), pa.string())
    if given.null_count:
        raise _wrong("in some rows CustomerId is null", "add WHERE CustomerId IS NOT NULL")
    who = _who(given, engine)
    unknown = who.filter(pc.is_null(who.column("ordinal"))).column("given")
    if len(unknown):
        raise _strangers(unknown, len(given), cut=len(given) >= most)
    if checked.shape == "segment":
        found = pa.table({CUSTOMER_ID: who.column("id"), "ordinal": who.column("ordinal")})
        return found.group_by(found.column_names, use_threads=False).aggregate([])  # retired ids may meet their heirs
    found = answer.take(who.column("place")).set_column(0, CUSTOMER_ID, who.column("id"))
    _check_once(found)
    return found.append_column("ordinal", who.column("ordinal"))


def _who(given: pa.ChunkedArray, engine: Engine) -> pa.Table:
    """Per row of the answer, in the order of ordinals: the active id and its ordinal, null where there is none."""
    engine.load(ANSWER, pa.table({"place": np.arange(len(given)), "given": given}))
    try:
        return engine.fetch(Query(_WHO))
    finally:
        nothing = Query("SELECT 0 AS n WHERE false")
        engine.build(Step(f"{ANSWER}_released", nothing, "ids that nobody asks for any more", releases=(ANSWER,)))


def _strangers(unknown: pa.ChunkedArray, rows: int, *, cut: bool) -> ManualSqlError:
    shown = sorted(set(unknown.to_pylist()))[:SHOWN_IDS] if len(unknown) <= MORE else unknown[:SHOWN_IDS].to_pylist()
    named = ", ".join(repr(u if len(u) <= 40 else f"{u[:37]}...") for u in shown)
    least = "at least " if cut else ""
    said = f"{least}{len(unknown):,} of {least}{rows:,} are no customers, e.g. {named}"
    return _wrong(said, "select CustomerId; keys of records become ids by a join with `members`")


def _check_once(found: pa.Table) -> None:
    counts = pc.value_counts(found.column(CUSTOMER_ID).combine_chunks())
    twice = sorted(counts.field("values").filter(pc.greater(counts.field("counts"), 1)).to_pylist())
    if twice:
        said = f"{len(twice):,} customers have several rows, e.g. {', '.join(twice[:SHOWN_IDS])}"
        raise _wrong(said, "one row a customer: GROUP BY CustomerId; retired ids count for who they became")


def _wrong(said: str, hint: str) -> ManualSqlError:
    return ManualSqlError([SqlProblem("invalidOperation", said, hint=hint)])


# ── a segment's block ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ManualSql:
    """The customers whose ids one SELECT gives. `timezone`: of `current_date` and the like. See docs/manual-sql.md."""

    sql: str
    timezone: str = "UTC"
    limits: Limits = DEFAULT

    @property
    def sentence(self) -> str:
        """`in the answer of SELECT …`, on one line, shortened."""
        text = " ".join(self.sql.split())
        return f"in the answer of {text if len(text) <= 120 else text[:117] + '...'}"

    @property
    def segments(self) -> frozenset[str]:
        """None: SQL names tables."""
        return frozenset()

    def members(self, scope: Scope) -> BitMap:
        """Ordinals of the customers in it. ManualSqlError as check_sql and run_sql raise it."""
        checked = check_sql(self.sql, scope.engine, scope.model, limits=self.limits)
        answer = run_sql(checked, scope.engine, Moment(scope.clock, self.timezone), limits=self.limits)
        return BitMap(answer.column("ordinal").to_numpy())
