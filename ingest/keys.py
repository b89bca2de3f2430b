"""Rows that share a primary key: one is kept, or none, as the entity says."""

from collections.abc import Sequence

from unify.core.names import quote

FIRST_COLUMNS = ("kept_file", "kept_line")


def losers(relation: str, key: str, columns: Sequence[str], duplicates: str, *, file: str, line: str) -> str:
    """SELECT of the rows that yield to another row of their key, with the place of the row that is kept.

    relation    SQL of the typed rows; `file` and `line` are its columns that number files and lines
    duplicates  best: the most filled row stands, then the one with the largest values, column by column in the order of
                their names, so that neither the order of rows nor of columns matters; first, last: by file and line;
                quarantine: none stands
    One row per yielding row: `file`, `line`, `kept_file`, `kept_line` (both null when none is kept).
    """
    k, f, n = quote(key), quote(file), quote(line)
    order = {
        "best": ", ".join([_filled(columns), *(f"{quote(c)} DESC NULLS LAST" for c in _by_name(columns)), f, n]),
        "first": f"{f}, {n}",
        "last": f"{f} DESC, {n} DESC",
        "quarantine": f"{f}, {n}",
    }[duplicates]
    none = duplicates == "quarantine"
    kept = (
        "NULL::INTEGER AS kept_file, NULL::BIGINT AS kept_line"
        if none
        else (f"first_value({f}) OVER place AS kept_file, first_value({n}) OVER place AS kept_line")
    )
    return (
        f"SELECT {f} AS file_no, {n} AS line, kept_file, kept_line FROM ("
        f"SELECT {f}, {n}, row_number() OVER place AS place, {kept} FROM {relation} "
        f"WHERE {k} IN (SELECT {k} FROM {relation} GROUP BY {k} HAVING count(*) > 1) "
        f"WINDOW place AS (PARTITION BY {k} ORDER BY {order}))" + ("" if none else " WHERE place > 1")
    )


def _filled(columns: Sequence[str]) -> str:
    return " + ".join(f"CAST({quote(c)} IS NOT NULL AS INTEGER)" for c in columns) + " DESC"


def _by_name(columns: Sequence[str]) -> list[str]:
    return sorted(columns, key=str.casefold)
