"""Rows of the catalog as nouns: the SELECTs that list them and the functions that turn a row into one."""

import json
import sqlite3
from datetime import datetime
from typing import Any, Final

from unify.store.files import Layout
from unify.store.nouns import Definition, Generation, Run

LIVE: Final = """
SELECT g.*, r.run_id, g.number = (SELECT number FROM publications ORDER BY sequence DESC LIMIT 1) AS current
FROM generations g JOIN runs r USING (number)
WHERE g.retired IS NULL"""
"""The generations on offer, published one included; ends in WHERE, so that a condition can be added."""

PUBLISHED: Final = f"{LIVE} AND g.number = (SELECT number FROM publications ORDER BY sequence DESC LIMIT 1)"


def generation(row: sqlite3.Row, layout: Layout) -> Generation:
    """From a row of `LIVE`."""
    return Generation(
        number=row["number"],
        path=layout.generation(row["number"]),
        run_id=row["run_id"],
        published=datetime.fromisoformat(row["published"]),
        bytes=row["bytes"],
        rows=json.loads(row["rows"]),
        summary=json.loads(row["summary"]),
        current=bool(row["current"]),
    )


def run(row: sqlite3.Row) -> Run:
    """From a row of `runs`."""
    return Run(
        number=row["number"],
        run_id=row["run_id"],
        state=row["state"],
        purpose=row["purpose"],
        project=row["project"],
        pid=row["pid"],
        host=row["host"],
        started=datetime.fromisoformat(row["started"]),
        finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
        report=_maybe(row["report"]),
        error=_maybe(row["error"]),
        generation=row["generation"],
    )


def definition(row: sqlite3.Row) -> Definition:
    """From a row of `definitions`."""
    saved = datetime.fromisoformat(row["saved"])
    return Definition(row["kind"], row["name"], row["version"], saved, json.loads(row["body"]))


def _maybe(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
