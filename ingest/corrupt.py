"""The quarantine: SELECTs that make rows of a corrupt table, one row per quarantined row.

Columns: file, line, column (the first offending one), reason, value, details (JSON list of every {column, reason,
value}), raw.
"""

from collections.abc import Sequence

from ingest.columns import Field
from ingest.rows import FILE, LINE, slot
from unify.core.names import literal, quote
from unify.core.steps import Query

Files = tuple[str, list[str]]
"""The parameter that holds the names of the files by their numbers, and its value."""
DUPLICATE = "duplicate primary key"


def corrupt_of_unread(unread: str, files: Files) -> Query:
    """Rows that no reader could read: nothing is known of their columns."""
    return Query(
        f'SELECT {_file(FILE, files)}, {LINE} AS line, NULL::VARCHAR AS "column", reason, value, '
        "to_json([{'column': NULL::VARCHAR, 'reason': reason, 'value': value}])::VARCHAR AS details, raw "
        f"FROM {quote(unread)}",
        {files[0]: files[1]},
    )


def corrupt_of_values(rows: str, fields: Sequence[Field], files: Files) -> Query | None:
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
        f'SELECT {_file(FILE, files)}, {LINE} AS line, problems[1]."column" AS "column", problems[1].reason AS reason, '
        "problems[1].value AS value, to_json(problems)::VARCHAR AS details, raw FROM ("
        f"SELECT {FILE}, {LINE}, list_filter([{problems}], lambda x: x IS NOT NULL) AS problems, {_raw(fields)} AS raw "
        f"FROM {quote(rows)} WHERE {where})",
        {files[0]: files[1]},
    )


def corrupt_of_duplicates(rows: str, losers: str, fields: Sequence[Field], key: str, files: Files) -> Query:
    """Rows that yielded to another row of their key; details say which row is kept."""
    value = next(f.text for f in fields if f.name == key)
    kept = f"'line ' || l.kept_line || ' of ' || {_name('l.kept_file', files)} || ' is kept'"
    return Query(
        f"SELECT {_file('r.' + FILE, files)}, r.{LINE} AS line, {literal(key)} AS \"column\", '{DUPLICATE}' AS reason, "
        f"{value} AS value, to_json([{{'column': {literal(key)}, 'reason': '{DUPLICATE}: ' || "
        f"coalesce({kept}, 'none is kept'), 'value': {value}}}])::VARCHAR AS details, {_raw(fields)} AS raw "
        f"FROM {quote(rows)} r JOIN {quote(losers)} l ON l.{FILE} = r.{FILE} AND l.{LINE} = r.{LINE}",
        {files[0]: files[1]},
    )


def _raw(fields: Sequence[Field]) -> str:
    """The row as it was read, as a JSON object of texts."""
    return f"to_json({{{', '.join(f'{literal(f.name)}: {slot(f.index)}' for f in fields)}}})::VARCHAR"


def _name(number: str, files: Files) -> str:
    return f"list_extract(${files[0]}, {number} + 1)"


def _file(number: str, files: Files) -> str:
    return f"{_name(number, files)} AS file"
