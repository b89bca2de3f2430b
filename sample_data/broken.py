"""Rows that must not get in: each goes to the corrupt table with its column and reason, and the rest loads.

A `quarantined` case names a row by its line, which is known only after the files are shuffled and written; until then
the case holds the Record itself (generate.py fills in file and line). A `duplicate` case names the key, because which
of two equal rows stays cannot be told from outside.
"""

import csv
import io
from collections.abc import Callable
from typing import Any

from sample_data.cases import Case
from sample_data.people import CRM, KEYS, LOYALTY, ORDERS, REVIEWS, STORE, WEB, Record, Ref, World

DELIMITERS = {CRM: ",", LOYALTY: ";", STORE: ",", ORDERS: ",", REVIEWS: ","}


def csv_line(entity: str, values: list[Any]) -> str:
    """One line as a careful exporter writes it: quoted where needed, without the line end."""
    text = io.StringIO()
    csv.writer(text, delimiter=DELIMITERS[entity], lineterminator="").writerow(["" if v is None else v for v in values])
    return text.getvalue()


def quarantined(note: str, record: Record, column: str | None, reason: str) -> Case:
    """The row of this record is in the corrupt table, with this reason."""
    record.kept, record.person = False, None
    return {"note": note, "expect": {"kind": "quarantined", "record": record, "column": column, "reason": reason}}


def duplicate(note: str, ref: Ref, rows: int, **kept: str) -> Case:
    """Of the rows with this key one is kept (with these values), `rows` are quarantined."""
    return {"note": note, "expect": {"kind": "duplicate", "record": list(ref), "quarantined": rows, "kept": kept}}


_SOUND: dict[str, dict[str, Any]] = {
    STORE: {"LoyaltyId": "L-1001", "Product": "Kettle", "Total": "39.50", "PurchasedOn": "2024-05-01"},
    ORDERS: {"UserId": "U-1001", "Product": "Lamp", "Quantity": "1", "Total": "25.00", "OrderedOn": "5/1/2024"},
    REVIEWS: {"UserId": "U-1001", "Product": "Lamp", "Rating": "5", "Text": "Lovely", "ReviewedOn": "2024-05-01"},
}


def _record(w: World, entity: str, **changes: Any) -> Record:
    """A record that would be accepted but for what the caller does to it."""
    w.add(entity, w.person(), **_SOUND.get(entity, {}) | changes)
    return w.records[entity][-1]


def duplicate_keys(w: World) -> list[Case]:
    """One key twice, with different content."""
    cases = []
    for entity in (CRM, LOYALTY, WEB):
        p = w.person()
        ref = w.add(entity, p)
        w.add(entity, p, key=ref[1], kept=False, Telephone=None, EMail=None)
        cases.append(duplicate("the fuller row stays", ref, 1, EMail=p.email))
    return cases


def identical_rows(w: World) -> list[Case]:
    """A row exported more than once, letter by letter."""
    cases = []
    for entity, times in ((CRM, 2), (CRM, 3), (LOYALTY, 2), (WEB, 2)):
        ref = w.add(entity, w.person())
        original = w.records[entity][-1]
        w.records[entity] += [Record(entity, ref[1], dict(original.fields), None, kept=False) for _ in range(times - 1)]
        cases.append(duplicate(f"the same row {times} times", ref, times - 1))
    return cases


def wrong_column_count(w: World) -> list[Case]:
    """Rows with too few or too many columns."""
    cases = []
    for entity, change in ((CRM, -3), (CRM, 2), (LOYALTY, 1), (LOYALTY, -5), (STORE, -1), (STORE, 1)):
        record = _record(w, entity)
        values = list(record.fields.values())
        record.raw = csv_line(entity, values[:change] if change < 0 else [*values, *["surplus"] * change])
        count = f"{abs(change)} column{'s' if abs(change) > 1 else ''}"
        cases.append(
            quarantined(f"{count} too {'few' if change < 0 else 'many'}", record, None, "wrong number of columns")
        )
    return cases


def bad_quoting(w: World) -> list[Case]:
    """Quotes inside a quoted text that nobody doubled, and a quote that is never closed."""
    cases = []
    for entity, nickname in ((CRM, "The Boss"), (CRM, "Ace"), (LOYALTY, "Sunny")):
        record = _record(w, entity)
        separator = DELIMITERS[entity]
        fields = {c: "" if v is None else v for c, v in record.fields.items()}
        fields["FullName"] = f'"{fields["FirstName"]} "{nickname}" {fields["LastName"]}"'
        record.raw = separator.join(fields.values())
        cases.append(quarantined(f"a quote that is not doubled: {fields['FullName']}", record, None, "bad quoting"))
    record = _record(w, REVIEWS)
    record.raw = f'{record.key},U-1001,Lamp,5,"Lovely,2024-05-01'
    return [
        *cases,
        quarantined("a quote that is never closed; the lines after it are read", record, None, "bad quoting"),
    ]


def impossible_dates(w: World) -> list[Case]:
    """Days that never were."""
    rows = (
        (CRM, "DateOfBirth", "2/30/1985"), (CRM, "DateOfBirth", "13/45/1990"), (CRM, "DateOfBirth", "unknown"),
        (LOYALTY, "DateOfBirth", "1991-02-29"), (LOYALTY, "DateOfBirth", "31.04.1977"),
        (WEB, "DateOfBirth", "1988-00-12"), (STORE, "PurchasedOn", "2024-06-31"), (ORDERS, "OrderedOn", "2/30/2024"),
    )  # fmt: skip
    return [
        quarantined(f"{column} {text}", _record(w, entity, **{column: text}), column, "not a date")
        for entity, column, text in rows
    ]


def unparsable_numbers(w: World) -> list[Case]:
    """Text where a number belongs."""
    integer, decimal = "not an integer", "not a decimal(18,2)"
    rows = (
        (LOYALTY, "RewardPoints", "12O", integer), (LOYALTY, "RewardPoints", "many", integer),
        (STORE, "Total", "N/A", decimal), (STORE, "Total", "12..50", decimal),
        (ORDERS, "Quantity", "two", integer), (ORDERS, "Total", "free", decimal),
    )  # fmt: skip
    return [
        quarantined(f"{column} {text}", _record(w, entity, **{column: text}), column, reason)
        for entity, column, text, reason in rows
    ]


def null_keys(w: World) -> list[Case]:
    """Rows without a primary key."""
    cases = []
    for entity in (CRM, LOYALTY, WEB, STORE):
        record = _record(w, entity)
        record.fields[KEYS[entity]] = None
        cases.append(quarantined(f"no {KEYS[entity]}", record, KEYS[entity], "primary key is null"))
    return cases


def broken_json(w: World) -> list[Case]:
    """Lines of a JSON export that are cut or malformed."""
    cases = []
    raws = '{"UserId": "U-7001", "FirstName": "Cut o', '{"UserId": "U-7002" "FirstName": "No"}', '["U-7003", "a list"]'
    for raw in raws:
        record = _record(w, WEB)
        record.raw = raw
        cases.append(quarantined("not a JSON object", record, None, "bad JSON"))
    return cases


STORIES: tuple[Callable[[World], list[Case]], ...] = (
    duplicate_keys, identical_rows, wrong_column_count, bad_quoting, impossible_dates, unparsable_numbers, null_keys,
    broken_json,
)  # fmt: skip
