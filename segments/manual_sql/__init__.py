"""SQL that users write, for segments and measures: read, checked against a list, and run behind a fence.

    text ──check_sql──▶ CheckedSql ──run_sql──▶ CustomerIds, and values
           │                          │
           │ runner.py parses         │ runner.py has nothing but the columns that the SQL names, in memory:
           │ walk.py allows           │ no files, no network, capped memory, time and answer
           │ runner.py binds          │
           ▼                          ▼
         ManualSqlError: code, line, column, what to write instead

`ManualSql` is the block of a segment. What is enforced by what: docs/manual-sql.md and docs/adr.
"""

from segments.manual_sql.check import CheckedSql, check_sql
from segments.manual_sql.fence import Limits, Moment
from segments.manual_sql.problems import ManualSqlError, SqlProblem
from segments.manual_sql.run import ManualSql, run_sql

__all__ = ["CheckedSql", "Limits", "ManualSql", "ManualSqlError", "Moment", "SqlProblem", "check_sql", "run_sql"]
