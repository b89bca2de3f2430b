"""Questions over Dataverse tables, told three ways and answered by hand: a naive reading of plain rows.

A condition is a tuple; it is printed as OData, as FetchXML and as SQL, and `holds` says what it means:

    ("and", [..]) ("or", [..]) ("not", c)
    (column, operator, value)                      operator: eq ne lt le gt ge contains startswith endswith null not-null in
    ("via", navigation, c)                         a single-valued navigation; conditions of its table
    ("any", navigation, c), ("all", navigation, c) a collection
"""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key
from uuid import UUID
from xml.sax.saxutils import quoteattr

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TEXT, NUMBER, MONEY, FLAG, CHOICE, MOMENT, DAY = "text", "number", "money", "flag", "choice", "moment", "day"
COLUMNS = {
    "account": {
        "name": TEXT, "accountnumber": TEXT, "revenue": MONEY, "numberofemployees": NUMBER, "creditonhold": FLAG,
        "industrycode": CHOICE, "createdon": MOMENT,
    },
    "contact": {
        "firstname": TEXT, "lastname": TEXT, "annualincome": MONEY, "statecode": CHOICE, "birthdate": DAY,
        "createdon": MOMENT,
    },
}  # fmt: skip
NAMES = ("Contoso", "CONTOSO", "contoso ltd", "Müller & Söhne", "MÜLLER & SÖHNE", "Muller", "Zürich", "Ångström", "100% Wool",
         "a_b", "aXb", "[x]", "O'Brien", "Ζεύς", "ΖΕΎΣ", "élan", "Elan", "Éclair", "", " leading", "日本", "ß", "x\ny")  # fmt: skip


def guid(kind, i):
    return str(UUID(int=(kind << 64) + i))


def pick(values, i, every=1):
    return None if every > 1 and i % every == 0 else values[i % len(values)]


ACCOUNTS = [
    {
        "accountid": guid(1, i),
        "name": pick(NAMES, i * 7, 9),
        "accountnumber": None if i % 4 == 0 else f"A_{i % 50:03}{'x' * (i // 50)}",
        "revenue": pick(
            [Decimal(0), Decimal("-12.50"), Decimal("100.01"), Decimal("99999.99"), Decimal(100)], i * 3, 5
        ),
        "numberofemployees": pick([0, 1, 5, 6, 1000, 2**31 - 1], i, 7),
        "creditonhold": pick([True, False], i // 2, 6),
        "industrycode": pick([1, 2, 3, 33], i // 3, 4),
        "statecode": i % 2,
        "statuscode": 1 + i % 2,
        "createdon": NOW - timedelta(hours=7 * i, minutes=i),
        "primarycontactid": None if i % 3 == 0 else guid(2, (i * 5) % 70),
        "parentaccountid": None if i == 0 else guid(1, i // 3),
    }
    for i in range(60)
]
CONTACTS = [
    {
        "contactid": guid(2, i),
        "firstname": pick(("Ann", "ann", "Émile", "Zoë", "Jörg"), i, 8),
        "lastname": pick(NAMES, i * 5, 11),
        "annualincome": pick([Decimal(1), Decimal("2.5"), Decimal(100)], i, 3),
        "statecode": i % 2,
        "statuscode": 1 + i % 2,
        "birthdate": None if i % 5 == 0 else date(1980 + i % 20, 1 + i % 12, 1 + i % 28),
        "createdon": NOW - timedelta(days=i),
        "parentcustomerid": None if i % 6 == 0 else guid(1, i % 40) if i % 6 < 5 else guid(2, i // 2),
        "parentcustomeridtype": None if i % 6 == 0 else "account" if i % 6 < 5 else "contact",
    }
    for i in range(70)
]
ROWS = {"account": ACCOUNTS, "contact": CONTACTS}
KEYS = {"account": "accountid", "contact": "contactid"}
BY_KEY = {row[KEYS[table]]: row for table, rows in ROWS.items() for row in rows}


def fill(writing):
    for table, rows in ROWS.items():
        writing.insert(table, rows)


# ── meaning ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def low(text):
    return "".join({"Σ": "σ", "ς": "σ"}.get(c, c.lower()) for c in text)


def rank(value):
    """Of text: letters first, accents after."""
    if not isinstance(value, str):
        return value
    base = "".join(c for c in unicodedata.normalize("NFD", low(value)) if not unicodedata.combining(c))
    return base, "" if base == low(value) else low(value)


def matches(pattern, text):
    """LIKE, by trying everything."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(matches(rest, text[i:]) for i in range(len(text) + 1))
    if not text:
        return False
    if head == "[" and (end := pattern.find("]", 2)) > 0:
        inside = pattern[1:end]
        found = text[0] in inside.removeprefix("^")
        return found != (inside.startswith("^") and len(inside) > 1) and matches(pattern[end + 1 :], text[1:])
    return (head == "_" or head == text[0]) and matches(rest, text[1:])


def compares(operator, left, right, *, wild):
    if operator == "null":
        return left is None
    if operator == "not-null":
        return left is not None
    if operator == "ne":
        return not compares("eq", left, right, wild=wild)
    if left is None:
        return False
    if operator == "in":
        return any(compares("eq", left, one, wild=False) for one in right)
    if isinstance(left, str):
        around = {"contains": f"%{right}%", "startswith": f"{right}%", "endswith": f"%{right}"}.get(operator)
        if around is not None:
            return matches(low(around), low(left))
        if operator == "eq":
            return matches(low(right), low(left)) if wild and set(right) & set("%_[") else low(left) == low(right)
        left, right = rank(left), rank(right)
    return {"eq": left == right, "lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right}[
        operator
    ]


def holds(condition, row, *, wild=True):
    """Whether a row fulfils it. `wild`: `eq` of OData takes wildcards."""
    if row is None:
        row = {}
    match condition:
        case ("and", terms):
            return all(holds(term, row, wild=wild) for term in terms)
        case ("or", terms):
            return any(holds(term, row, wild=wild) for term in terms)
        case ("not", term):
            return not holds(term, row, wild=wild)
        case ("via", _, inner):
            return holds(inner, BY_KEY.get(row.get("primarycontactid")), wild=wild)
        case ("any", _, inner):
            return any(holds(inner, other, wild=wild) for other in members(row))
        case ("all", _, inner):
            return all(holds(inner, other, wild=wild) for other in members(row))
        case (column, operator, value):
            return compares(operator, row.get(column), value, wild=wild)
    raise AssertionError(condition)


def members(row):
    """contact_customer_accounts."""
    return [c for c in CONTACTS if c["parentcustomerid"] == row["accountid"] and c["parentcustomeridtype"] == "account"]


def in_order(rows, table, order):
    """By columns, nulls first (last when descending), then by key."""

    def compared(a, b):
        for column, descending in order:
            x, y = rank(a[column]), rank(b[column])
            if x == y:
                continue
            less = x is None or (y is not None and x < y)
            return -1 if less != descending else 1
        return -1 if a[KEYS[table]] < b[KEYS[table]] else 1

    return sorted(rows, key=cmp_to_key(compared))


# ── three ways to tell ───────────────────────────────────────────────────────────────────────────────────────────────


def odata_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def odata(condition, prefix=""):
    match condition:
        case ("and" | "or" as word, terms):
            return "(" + f" {word} ".join(odata(term, prefix) for term in terms) + ")"
        case ("not", term):
            return f"not ({odata(term, prefix)})"
        case ("via", navigation, inner):
            return odata(inner, f"{prefix}{navigation}/")
        case ("any" | "all" as word, navigation, inner):
            return f"{prefix}{navigation}/{word}(v:{odata(inner, 'v/')})"
        case (column, "null", _):
            return f"{prefix}{column} eq null"
        case (column, "not-null", _):
            return f"{prefix}{column} ne null"
        case (column, "in", values):
            listed = ",".join(f'"{plain(value)}"' for value in values)
            return f"{prefix}Microsoft.Dynamics.CRM.In(PropertyName='{column}',PropertyValues=[{listed}])"
        case (column, "contains" | "startswith" | "endswith" as function, value):
            return f"{function}({prefix}{column},{odata_value(value)})"
        case (column, operator, value):
            return f"{prefix}{column} {operator} {odata_value(value)}"
    raise AssertionError(condition)


def plain(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).replace('"', '\\"').replace("\n", "\\n") if isinstance(value, str) else str(value)


def fetch(condition):
    """As a filter element; no `not`."""
    match condition:
        case ("and" | "or" as word, terms):
            return f'<filter type="{word}">' + "".join(fetch(term) for term in terms) + "</filter>"
        case (column, "null" | "not-null" as operator, _):
            return f'<condition attribute="{column}" operator="{operator}" />'
        case (column, "in", values):
            inside = "".join(
                f"<value>{str(_text(v)).replace('&', '&amp;').replace('<', '&lt;')}</value>" for v in values
            )
            return f'<condition attribute="{column}" operator="in">{inside}</condition>'
        case (column, operator, value):
            name, told = _around(operator, value)
            shown = quoteattr(_text(told), {"\n": "&#10;"})
            return f'<condition attribute="{column}" operator="{name}" value={shown} />'
    raise AssertionError(condition)


def _text(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


def _around(operator, value):
    names = {"contains": ("like", f"%{value}%"), "startswith": ("begins-with", value), "endswith": ("ends-with", value)}
    return names.get(operator, (operator, value))


def sql(condition):
    """As WHERE has it: `<>` does not hold for a null there, so that is said besides."""
    match condition:
        case ("and" | "or" as word, terms):
            return "(" + f" {word.upper()} ".join(sql(term) for term in terms) + ")"
        case (column, "null", _):
            return f"{column} IS NULL"
        case (column, "not-null", _):
            return f"{column} IS NOT NULL"
        case (column, "in", values):
            return f"{column} IN ({', '.join(_quoted(value) for value in values)})"
        case (column, "ne", value):
            return f"({column} <> {_quoted(value)} OR {column} IS NULL)"
        case (column, "contains" | "startswith" | "endswith" as function, value):
            around = {"contains": f"%{value}%", "startswith": f"{value}%", "endswith": f"%{value}"}[function]
            return f"{column} LIKE {_quoted(around)}"
        case (column, operator, value):
            sign = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[operator]
            return f"{column} {sign} {_quoted(value)}"
    raise AssertionError(condition)


def _quoted(value):
    text = _text(value)
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return text if number else "'" + text.replace("'", "''") + "'"
