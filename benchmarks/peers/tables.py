"""What peers are given: the same files as ours, brought to one table by the cleaning a practitioner does by hand.

    set                     tables  cleaning
    febrl, fake, history    1 or 2  none: their demos read these columns as they are
    contoso                 2       lower case; dates of both formats as ISO; phone numbers as their last ten digits,
                                    without extension; `first_name` and `last_name` from FullName where only that may be
                                    used, and `sorted_name`, its words in alphabetical order
    messy                   1       the five exports under common names: whole names parted at the comma or the first
                                    blank, dates of all formats as ISO, phones as ten digits, the mobile before the land
                                    line, accents off, lower case; 1900-01-01 and 1970-01-01 and every mailbox or phone
                                    on more than 50 records are no value

Its seconds are not counted: peers get it for nothing, ours reads the raw files and counts what it does to them. Each
record has a column `record`, entity|key, unique over the set; rows are in the order of `record`.
"""

from pathlib import Path

import duckdb

from benchmarks.sets import MESSY, DataSet

OVERUSED = 50
"""A mailbox or phone on more records is no value."""
_DIGITS = "regexp_replace(regexp_replace(lower({0}), 'x.*$', ''), '[^0-9]', '', 'g')"
_NAME = "nullif(trim(lower(strip_accents({0}))), '')"
_DATE = "CAST(coalesce(TRY_STRPTIME({0}, '%Y-%m-%d'), TRY_STRPTIME({0}, '%m/%d/%Y')) AS DATE)"


def tables(data: DataSet, folder: Path) -> list[str]:
    """Writes the tables of a set as CSV into the folder; their paths, as many as the peers shall link (1: dedupe)."""
    with duckdb.connect() as connection:
        if data.name == MESSY:
            return [_written(connection, _messy(data), folder / "records.csv")]
        paths = []
        for entity in data.entities:
            read = f"read_csv('{data.folder / entity.file}', all_varchar = true)"
            columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {read}").fetchall()]
            said = _contoso(columns) if data.name.startswith("contoso") else f'* EXCLUDE ("{entity.key}")'
            sql = f"SELECT '{entity.name}|' || \"{entity.key}\" AS record, {said} FROM {read}"
            paths.append(_written(connection, sql, folder / f"{entity.name}.csv"))
        return paths


def truth(data: DataSet, path: Path) -> str:
    """The truth as a CSV of record and person, for a peer that must be shown labels."""
    with duckdb.connect() as connection:
        sql = "SELECT entity || '|' || key AS record, CAST(person AS VARCHAR) AS person FROM read_parquet($truth)"
        connection.execute(
            f"COPY ({sql.replace('$truth', _text(data.truth))} ORDER BY record) TO {_text(path)} (HEADER)"
        )
    return str(path)


def _written(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> str:
    connection.execute(f"COPY (SELECT * FROM ({sql}) ORDER BY record) TO {_text(path)} (HEADER)")
    return str(path)


def _text(path: Path) -> str:
    quoted = str(path).replace("'", "''")
    return f"'{quoted}'"


def _phone(column: str) -> str:
    return f"nullif(right({_DIGITS.format(column)}, 10), '')"


def _contoso(columns: list[str]) -> str:
    words = f"string_split({_NAME.format('FullName')}, ' ')"
    parts = (
        [
            f"{_NAME.format('FirstName')} AS first_name",
            f"{_NAME.format('LastName')} AS last_name",
            "lower(EMail) AS email",
        ]
        if "FirstName" in columns
        else [f"{words}[1] AS first_name", f"array_to_string({words}[2:], ' ') AS last_name"]
    )
    return ", ".join([
        *parts, f"array_to_string(list_sort({words}), ' ') AS sorted_name",
        f"{_DATE.format('DateOfBirth')} AS birth_date", f"{_phone('Telephone')} AS phone",
    ])  # fmt: skip


_MESSY = {
    "crm.Contacts": ("ContactId", "FirstName", "LastName", "DateOfBirth", "EMail", "coalesce(Mobile, Telephone)",
                     "Street", "City", "PostCode"),
    "loyalty.Members": ("CardNumber", None, "FullName", "Birthday", "MailAddress", "PhoneNumber", "Address", "Town",
                        "Zip"),
    "web.Accounts": ("account_id", None, "name", None, "login_email", "contact_phone", "ship_street", "ship_city",
                     "ship_postcode"),
    "support.Callers": ("CallerNo", None, "Caller", None, "ReplyTo", "CallbackNumber", None, None, "Area"),
    "pos.Customers": ("CUSTNO", "FORENAME", "SURNAME", None, None, "TEL", None, None, "POSTAL"),
}  # fmt: skip
"""Per export: key, first name (None: the next is the whole name), last name, birth date, mailbox, phone, address."""


def _messy(data: DataSet) -> str:
    """One row per record and key; rows that cannot be read or have no key are left out, as a practitioner would."""
    parts = []
    for entity in data.entities:
        key, first, last, birth, email, phone, *address = _MESSY[entity.name]
        file = _text(data.folder / entity.file)
        reads = {
            ".csv": f"read_csv({file}, all_varchar = true, header = true, ignore_errors = true, quote = '\"')",
            ".jsonl": f"read_json({file}, format = 'newline_delimited', ignore_errors = true)",
            ".parquet": f"read_parquet({file})",
        }
        said = [f"'{entity.name}|' || \"{key}\" AS record"]
        name = (first, last) if first else _parted(str(last))
        said += [
            f"{_NAME.format(sql)} AS {column}" for column, sql in zip(("first_name", "last_name"), name, strict=True)
        ]
        said.append(f"{_DATE.format(birth)} AS birth_date" if birth else "CAST(NULL AS DATE) AS birth_date")
        said.append(f"lower(trim({email})) AS email" if email else "CAST(NULL AS VARCHAR) AS email")
        said.append(f"{_phone(phone)} AS phone")
        said += [
            f"{_NAME.format(sql)} AS {column}" if sql else f"CAST(NULL AS VARCHAR) AS {column}"
            for column, sql in zip(("street", "city", "postcode"), address, strict=True)
        ]
        parts.append(
            f'SELECT {", ".join(said)} FROM {reads[Path(entity.file).suffix]} WHERE "{key}" IS NOT NULL '
            f'QUALIFY row_number() OVER (PARTITION BY "{key}" ORDER BY email IS NULL, phone IS NULL) = 1'
        )
    defaults = "birth_date IN (DATE '1900-01-01', DATE '1970-01-01')"
    return (
        f"WITH records AS ({' UNION ALL '.join(parts)}) SELECT * REPLACE ("
        + ", ".join(f"CASE WHEN {c} IN ({_overused(c)}) THEN NULL ELSE {c} END AS {c}" for c in ("email", "phone"))
        + f", CASE WHEN {defaults} THEN NULL ELSE birth_date END AS birth_date) FROM records"
    )


def _parted(whole: str) -> tuple[str, str]:
    """SQL of first and last name: `Last, First` at the comma, others at the first blank."""
    comma = f"contains({whole}, ',')"
    return (
        f"CASE WHEN {comma} THEN split_part({whole}, ',', 2) ELSE split_part({whole}, ' ', 1) END",
        f"CASE WHEN {comma} THEN split_part({whole}, ',', 1) ELSE regexp_replace({whole}, '^[^ ]* ?', '') END",
    )


def _overused(column: str) -> str:
    return f"SELECT {column} FROM records WHERE {column} IS NOT NULL GROUP BY ALL HAVING count(*) > {OVERUSED}"
