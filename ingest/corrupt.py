"""The quarantine: SELECTs that make rows of a corrupt table, one row per quarantined row.

Columns: file, line, column (the first offending one), reason, value, details (JSON list of every {column, reason,
value}), raw. They name their files by `$files`, a list in the order of the files' numbers.
"""

from collections.abc import Sequence

from ingest.columns import Field
from ingest.rows import FILE, LINE, slot
from unify.core.names import literal, quote
from unify.core.steps import Query

DUPLICATE = "duplicate primary key"


def corrupt_of_unread(unread: str, files: Sequence[str]) -> Query:
    """Rows that no reader could read: nothing is known of their columns."""
    return Query(
        f'SELECT {_file(FILE)}, {LINE} AS line, NULL::VARCHAR AS "column", reason, value, '
        "to_json([{'column': NULL::VARCHAR, 'reason': reason, 'value': value}])::VARCHAR AS details, raw "
        f"FROM {quote(unread)}",
        {"files": list(files)},
    )


def corrupt_of_values(rows: str, fields: Sequence[Field], files: Sequence[str]) -> Query | None:
    """Rows with values that are none of their column's type, or without a key; None when no column refuses any."""
    checked = [f for f in fields if f.problem]
    if not checked:
        return None
    problems = ", ".join(
        f"CASE WHEN {f.problem} THEN {{'column': {literal(f.name)}, 'reason': {f.reason}, 'value': {f.text}}} END"
        for f in checked
    )
    where = " OR ".join(f.problem for f in checked)
    return Query(
        f'SELECT {_file(FILE)}, {LINE} AS line, problems[1]."column" AS "column", problems[1].reason AS reason, '
        "problems[1].value AS value, to_json(problems)::VARCHAR AS details, raw FROM ("
        f"SELECT {FILE}, {LINE}, list_filter([{problems}], lambda x: x IS NOT NULL) AS problems, {_raw(fields)} AS raw "
        f"FROM {quote(rows)} WHERE {where})",
        {"files": list(files)},
    )


def corrupt_of_duplicates(rows: str, losers: str, fields: Sequence[Field], key: str, files: Sequence[str]) -> Query:
    """Rows that yielded to another row of their key; details say which row is kept."""
    value = next(f.text for f in fields if f.name == key)
    kept = f"'line ' || l.kept_line || ' of ' || {_name('l.kept_file')} || ' is kept'"
    return Query(
        f"SELECT {_file('r.' + FILE)}, r.{LINE} AS line, {literal(key)} AS \"column\", '{DUPLICATE}' AS reason, "
        f"{value} AS value, to_json([{{'column': {literal(key)}, 'reason': '{DUPLICATE}: ' || "
        f"coalesce({kept}, 'none is kept'), 'value': {value}}}])::VARCHAR AS details, {_raw(fields)} AS raw "
        f"FROM {quote(rows)} r JOIN {quote(losers)} l ON l.{FILE} = r.{FILE} AND l.{LINE} = r.{LINE}",
        {"files": list(files)},
    )


def _raw(fields: Sequence[Field]) -> str:
    """The row as it was read, as a JSON object of texts."""
    return f"to_json({{{', '.join(f'{literal(f.name)}: {slot(f.index)}' for f in fields)}}})::VARCHAR"


def _name(number: str) -> str:
    return f"list_extract($files, {number} + 1)"


def _file(number: str) -> str:
    return f"{_name(number)} AS file"
