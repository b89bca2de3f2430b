"""Who is in a segment, by walking the vendor's JSON: every way to choose rows is tried, sets are Python sets.

Written from docs/segmentation-query.md; of the product it knows no function. Also random worlds and queries.
"""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here

import datetime as dt
import itertools
import random
from calendar import monthrange
from decimal import Decimal
from zoneinfo import ZoneInfo

CLOCK = dt.datetime(2024, 3, 31, 10, 30)  # the day on which Europe puts its clocks forward
TABLES = {
    "Customer": {"ordinal": "INTEGER", "CustomerId": "VARCHAR", "City": "VARCHAR", "Points": "BIGINT", "Spend": "DECIMAL(9,2)", "Score": "DOUBLE", "Vip": "BOOLEAN", "Born": "DATE", "Seen": "TIMESTAMP", "Wakes": "TIME", "Card": "UUID", "Region": "VARCHAR"},
    "crm_Contacts": {"ContactId": "INTEGER", "EMail": "VARCHAR"},
    "web_Orders": {"OrderId": "INTEGER", "ContactId": "INTEGER", "Total": "DECIMAL(9,2)", "City": "VARCHAR", "At": "TIMESTAMP", "Region": "VARCHAR"},
    "web_Lines": {"LineId": "INTEGER", "OrderId": "INTEGER", "Product": "VARCHAR", "Count": "BIGINT"},
    "web_Parcels": {"ParcelId": "INTEGER", "OrderId": "INTEGER", "Sent": "DATE"},
    "web_Reviews": {"ReviewId": "INTEGER", "ContactId": "INTEGER", "Stars": "BIGINT", "Text": "VARCHAR"},
    "UnifiedActivity": {"ordinal": "INTEGER", "ActivityId": "VARCHAR", "ActivityType": "VARCHAR", "ActivityTime": "TIMESTAMP"},
    "Customer_Measure": {"ordinal": "INTEGER", "TotalSpend": "DECIMAL(9,2)"},
    "geo_Regions": {"Name": "VARCHAR", "Parent": "VARCHAR"},
    "members": {"rid": "INTEGER", "entity": "VARCHAR", "key": "VARCHAR", "CustomerId": "VARCHAR"},
}  # fmt: skip
HOPS = {
    "crm_Contacts": ("", "", "crm_Contacts", ""),
    "orders": ("crm_Contacts", "ContactId", "web_Orders", "ContactId"),
    "reviews": ("crm_Contacts", "ContactId", "web_Reviews", "ContactId"),
    "lines": ("web_Orders", "OrderId", "web_Lines", "OrderId"),
    "parcels": ("web_Orders", "OrderId", "web_Parcels", "OrderId"),
    "UnifiedActivity": ("Customer", "ordinal", "UnifiedActivity", "ordinal"),
}
"""Relation: from table, its column, to table, its column. crm_Contacts goes from Customer through members."""
PATHS = {
    "Customer": (), "crm_Contacts": ("crm_Contacts",), "web_Orders": ("crm_Contacts", "orders"),
    "web_Reviews": ("crm_Contacts", "reviews"), "web_Lines": ("crm_Contacts", "orders", "lines"),
    "web_Parcels": ("crm_Contacts", "orders", "parcels"), "UnifiedActivity": ("UnifiedActivity",),
}  # fmt: skip
ORDER = ["equals", "notEquals", "greaterThan", "greaterThanOrEqualTo", "lessThan", "lessThanOrEqualTo"]


class World:
    def __init__(self, tables, segments, clock=CLOCK):
        self.tables, self.segments, self.clock = tables, segments, clock

    def customers(self):
        return self.tables["Customer"]

    def hop(self, row, name):
        if name == "crm_Contacts":
            keys = {m["key"] for m in self.tables["members"] if m["entity"] == "crm.Contacts" and m["CustomerId"] == row["CustomerId"]}  # fmt: skip
            return [r for r in self.tables[name] if str(r["ContactId"]) in keys]
        _, column, table, other = HOPS[name]
        return [r for r in self.tables[table] if r[other] is not None and r[other] == row[column]]

    def follow(self, row, names):
        rows = [row]
        for name in names:
            rows = [other for here in rows for other in self.hop(here, name)]
        return rows


def members(query, world, zone):
    """Ordinals."""
    found = set()
    for i, rowset in enumerate(query["rowsets"]):
        these = rowset_members(query, rowset, world, zone)
        operation = rowset.get("rowsetOperation", "none")
        if i == 0 or operation in ("union", "include"):
            found |= these
        elif operation == "intersect":
            found &= these
        else:
            found -= these
    return found


def rowset_members(query, rowset, world, zone):
    held = Holding(query, world, zone)
    return {c["ordinal"] for c in world.customers() if held.somehow(rowset["criteria"], c, {(): c})}


class Holding:
    def __init__(self, query, world, zone):
        self.query, self.world, self.zone = query, world, ZoneInfo(zone)

    def somehow(self, criteria, customer, given):
        """Whether rows can be chosen, or none, so that the criteria are true."""
        used = {PATHS[t] for t in tables_of(criteria)} - set(given)
        used |= {f for a, b in itertools.combinations(used | set(given), 2) if (f := fork(a, b)) and f not in given}
        return self.choose(sorted(used, key=lambda path: (len(path), path)), criteria, customer, dict(given))

    def choose(self, paths, criteria, customer, rows):
        if not paths:
            return self.true(criteria, customer, rows)
        path, *rest = paths
        nearest = max((known for known in rows if path[: len(known)] == known), key=len)
        start = rows[nearest]
        choices = [None] + ([] if start is None else self.world.follow(start, path[len(nearest) :]))
        return any(self.choose(rest, criteria, customer, rows | {path: row}) for row in choices)

    def true(self, criteria, customer, rows):
        children = criteria.get("childCriterias")
        if children and "comparisonOperator" not in criteria:
            quantifier = any if criteria.get("logicalOperator") == "or" else all
            return quantifier(self.true(child, customer, rows) for child in children)
        operator = criteria["comparisonOperator"]
        if children:
            inner = {"logicalOperator": criteria.get("logicalOperator"), "childCriterias": children}
            path = PATHS[criteria["attribute"].replace(".", "_")]
            each = [self.somehow(inner, customer, {(): customer, path: r}) for r in self.world.follow(customer, path)]
            return any(each) if operator == "any" else bool(each) and all(each)
        table, _, name = criteria["attribute"].rpartition(".")
        table = table.replace(".", "_")
        if table in self.world.segments:
            value = customer["CustomerId"] if customer["ordinal"] in self.world.segments[table] else None
            return self.holds(criteria, operator, value) is True
        if table == "Customer_Measure":
            found = [r for r in self.world.tables[table] if r["ordinal"] == customer["ordinal"]]
            return self.holds(criteria, operator, found[0][name] if found else None) is True
        path = PATHS[table or "Customer"]
        if operator == "all" and path:
            values = [row[name] for row in self.world.follow(customer, path)]
            return all(any(self.holds({**criteria, "listOfValues": [text]}, "isIn", v) is True for v in values) for text in criteria["listOfValues"])  # fmt: skip
        row = rows[path]
        return row is not None and self.holds(criteria, operator, row[name]) is True

    def holds(self, c, operator, value):
        """True, false or None for a missing value."""
        if operator == "isNull":
            return value is None
        if operator == "isNotNull":
            return value is not None
        if value is None:
            return None
        texts = [c["value"]] if c.get("value") is not None else c.get("listOfValues", [])
        if operator in ("childOf", "parentOf"):
            return value in self.relatives(texts[0], operator == "childOf")
        if operator in ("yearToDate", "isWithinLast"):
            return self.recent(operator, value, texts)
        if operator in ("dayOf", "monthOf", "yearOf", "dayOfWeek"):
            day = self.day(value)
            part = {"dayOf": day.day, "monthOf": day.month, "yearOf": day.year, "dayOfWeek": day.isoweekday()}[operator]
            return part in {int(t) for t in texts}
        if c.get("isTime") or operator == "timeAt":
            value = self.local(value).time() if isinstance(value, dt.datetime) else value
            if operator == "timeAt":
                return any(value.isoformat()[: len(t)] == t for t in texts)
        if c.get("ignoreCase") and isinstance(value, str):
            value, texts = value.casefold(), [t.casefold() for t in texts]
        if operator in ("contains", "startsWith", "endsWith"):
            return {"contains": value.__contains__, "startsWith": value.startswith, "endsWith": value.endswith}[operator](texts[0])  # fmt: skip
        if operator in ("isBetween", "isNotBetween"):
            low, high = (self.against(value, t) for t in texts)
            (value_low, _), (value_high, _) = low, high
            inside = value_low >= low[1] and value_high <= high[1]
            if isinstance(value, dt.time) and low[1] > high[1]:
                inside = value_low >= low[1] or value_high <= high[1]
            return inside == (operator == "isBetween")
        if operator in ("isIn", "any"):
            return any(a == b for a, b in (self.against(value, t) for t in texts))
        if operator == "all":
            return all(a == b for a, b in (self.against(value, t) for t in texts))
        a, b = self.against(value, texts[0])
        return [a == b, a != b, a > b, a >= b, a < b, a <= b][ORDER.index(operator)]

    def against(self, value, text):
        """The value and what the text says, to the precision of the text."""
        if isinstance(value, bool):
            return value, text.lower() in ("true", "1")
        if isinstance(value, dt.datetime):
            if len(text) == 10:
                return self.local(value).date(), dt.date.fromisoformat(text)
            moment = dt.datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=self.zone, fold=1)
            return value.replace(tzinfo=dt.UTC), moment
        if isinstance(value, dt.date):
            return value, dt.date.fromisoformat(text[:10])
        if isinstance(value, dt.time):
            return (value.replace(second=0, microsecond=0) if len(text) == 5 else value), dt.time.fromisoformat(text)
        if isinstance(value, float):
            return value, float(text)
        return (value, Decimal(text)) if isinstance(value, (int, Decimal)) else (value, text)

    def local(self, moment):
        return moment.replace(tzinfo=dt.UTC).astimezone(self.zone)

    def day(self, value):
        return self.local(value).date() if isinstance(value, dt.datetime) else value

    def recent(self, operator, value, texts):
        now, today = self.world.clock, self.day(self.world.clock)
        if operator == "yearToDate":
            return value < now and self.day(value).year == today.year if isinstance(value, dt.datetime) else dt.date(today.year, 1, 1) <= value <= today  # fmt: skip
        count, unit = texts[0].split()
        if isinstance(value, dt.datetime):
            return back(now, int(count), unit) <= value < now
        return back(today, int(count), unit) < value <= today

    def relatives(self, key, children):
        definition = self.query["hierarchies"][0]
        child, parent = definition["sourceAttributeName"], definition["destinationAttributeName"]
        a, b = (parent, child) if children else (child, parent)
        found, waiting = set(), [key]
        while waiting:
            here = waiting.pop()
            for row in self.world.tables[definition["hierarchyEntityName"].replace(".", "_")]:
                if row[a] == here and row[b] is not None and row[b] not in found:
                    found.add(row[b])
                    waiting.append(row[b])
        return found


def back(at, count, unit):
    unit = unit.rstrip("s")
    if unit in ("month", "quarter", "year"):
        months = at.year * 12 + at.month - 1 - count * {"month": 1, "quarter": 3, "year": 12}[unit]
        year, month = divmod(months, 12)
        return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
    return at - count * dt.timedelta(**{unit + "s": 1})


def fork(a, b):
    """Where two paths part, when that is a row of its own: not a customer, not a record of hers."""
    common = tuple(x for x, y in itertools.takewhile(lambda xy: xy[0] == xy[1], zip(a, b, strict=False)))
    return common if len(common) > 1 or common == ("UnifiedActivity",) else ()


def tables_of(criteria):
    """The entities that criteria speak of, quantified ones aside."""
    if criteria.get("comparisonOperator"):
        table = criteria["attribute"].rpartition(".")[0].replace(".", "_") or "Customer"
        asked = criteria.get("childCriterias") or criteria["comparisonOperator"] == "all"
        return set() if asked or table not in PATHS else {table}
    return {t for child in criteria["childCriterias"] for t in tables_of(child)}


# ── random worlds and queries ────────────────────────────────────────────────────────────────────────────────────────

CITIES = ["Bern", "bern", "BERN", "Ulm", "Straße", "STRASSE", "", None]
DAYS = [dt.date(2024, 1, 1), dt.date(2024, 3, 30), dt.date(2024, 3, 31), dt.date(2023, 12, 31), dt.date(2024, 2, 29), dt.date(2024, 4, 1), None]  # fmt: skip
MOMENTS = [dt.datetime(2024, 3, 30, 23), dt.datetime(2024, 3, 31, 1, 30), dt.datetime(2024, 3, 30, 22, 59, 59), dt.datetime(2023, 12, 31, 23, 30), dt.datetime(2024, 3, 31, 10, 29, 59), CLOCK, dt.datetime(2024, 4, 2), dt.datetime(2024, 2, 29, 10, 30), None]  # fmt: skip
TIMES = [dt.time(0, 0), dt.time(9, 30), dt.time(9, 30, 15), dt.time(23, 59, 30), dt.time(12), None]
MONEY = [Decimal("0.00"), Decimal("10.00"), Decimal("99.99"), Decimal("100.00"), None]
NUMBERS = [0, 1, 5, -3, 100, None]
REGIONS = ["europe", "suisse", "basel", "bern", "ring1", "ring2", "alone", None]
CARDS = ["00000000-0000-0000-0000-000000000001", "ffffffff-0000-0000-0000-000000000001", None]
POOLS = {
    "City": CITIES, "Points": NUMBERS, "Spend": MONEY, "Score": [0.0, 0.5, 2.5, -1.0, None], "Vip": [True, False, None],
    "Born": DAYS, "Seen": MOMENTS, "Wakes": TIMES, "Card": CARDS, "Region": REGIONS, "Total": MONEY, "At": MOMENTS,
    "Product": ["bike", "Bike", "helmet", None], "Count": NUMBERS, "Sent": DAYS, "Stars": [1, 3, 5, None],
    "Text": ["good", "Good bike", "bad", None], "EMail": ["a@x", "B@X", None], "ActivityType": ["SalesOrder", "Feedback", None],
    "ActivityTime": MOMENTS, "TotalSpend": MONEY,
}  # fmt: skip
HIERARCHY = [("suisse", "europe"), ("basel", "suisse"), ("bern", "suisse"), ("ring1", "ring2"), ("ring2", "ring1"), ("alone", None), ("basel", "europe")]  # fmt: skip
KIND = {name: kind for columns in TABLES.values() for name, kind in columns.items()}


def world_of(seed, customers=8):
    rng = random.Random(seed)

    def rows(table, count, **keys):
        columns = [c for c in TABLES[table] if c in POOLS]
        return [{c: rng.choice(POOLS[c]) for c in columns} | {k: f(i) for k, f in keys.items()} for i in range(count)]

    made = {
        "Customer": rows("Customer", customers, ordinal=lambda i: i + 1, CustomerId=lambda i: f"c{i}"),
        "crm_Contacts": rows("crm_Contacts", 10, ContactId=lambda i: i),
        "web_Orders": rows("web_Orders", 14, OrderId=lambda i: i, ContactId=lambda _: rng.choice([None, *range(11)])),
        "web_Lines": rows("web_Lines", 20, LineId=lambda i: i, OrderId=lambda _: rng.choice([None, *range(15)])),
        "web_Parcels": rows("web_Parcels", 14, ParcelId=lambda i: i, OrderId=lambda _: rng.choice([None, *range(15)])),
        "web_Reviews": rows("web_Reviews", 8, ReviewId=lambda i: i, ContactId=lambda _: rng.randrange(10)),
        "UnifiedActivity": rows("UnifiedActivity", 12, ordinal=lambda _: rng.randint(1, customers), ActivityId=lambda i: f"a{i}"),
        "Customer_Measure": rows("Customer_Measure", customers - 1, ordinal=lambda i: i + 1),
        "geo_Regions": [{"Name": child, "Parent": parent} for child, parent in HIERARCHY],
        "members": [{"rid": i, "entity": rng.choice(["crm.Contacts"] * 4 + ["web.Users"]), "key": str(i), "CustomerId": f"c{rng.randrange(customers)}"} for i in range(10)],
    }  # fmt: skip
    segments = {"staff": {i for i in range(1, customers) if rng.random() < 0.4}}
    return World(made, segments)


def load(connection, world):
    """The world as tables of DuckDB."""
    for table, columns in TABLES.items():
        spelled = ", ".join(f'"{c}" {t}' for c, t in columns.items())
        connection.execute(f'CREATE OR REPLACE TABLE "{table}" ({spelled})')
        for row in world.tables[table]:
            connection.execute(
                f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})', [row[c] for c in columns]
            )
    connection.execute("CREATE OR REPLACE TABLE segment_staff (ordinal INTEGER)")
    for ordinal in sorted(world.segments["staff"]):
        connection.execute("INSERT INTO segment_staff VALUES (?)", [ordinal])


class Queries:
    """Random queries that make sense: operators that fit the attribute, values near those of the data."""

    def __init__(self, rng):
        self.rng = rng

    def query(self):
        r = self.rng
        rowsets = [
            {"rowsetId": f"r{i}", "criteria": self.criteria(r.choice([0, 1, 2, 2, 3]))}
            for i in range(r.choice([1, 1, 2, 3]))
        ]
        for i, rowset in enumerate(rowsets):
            rowset["rowsetOperation"] = r.choice(
                ["union", "intersect", "except", "include", "exclude"] if i else ["none", "union", "include"]
            )
        hierarchy = {
            "hierarchyEntityName": r.choice(["geo.Regions", "geo_Regions"]),
            "sourceAttributeName": "Name",
            "destinationAttributeName": "Parent",
        }
        return {"type": "structured", "rowsets": rowsets, "hierarchies": [hierarchy]}  # fmt: skip

    def criteria(self, depth):
        r = self.rng
        if depth == 0 or r.random() < 0.15:
            return self.leaf()
        if r.random() < 0.12:
            quantified = {
                "attribute": r.choice(["web_Orders", "UnifiedActivity", "web_Lines"]),
                "comparisonOperator": r.choice(["any", "all"]),
            }
            return quantified | self.group(min(depth - 1, 1))
        return self.group(depth - 1)

    def group(self, depth):
        r = self.rng
        children = [self.criteria(depth) for _ in range(r.choice([1, 2, 2, 3]))]
        return {"logicalOperator": r.choice(["and", "and", "or"]), "childCriterias": children}

    def leaf(self):
        r = self.rng
        pick = r.random()
        if pick < 0.05:
            return {"attribute": "staff.CustomerId", "comparisonOperator": r.choice(["isNull", "isNotNull"])}
        if pick < 0.1:
            return self.about("Customer_Measure", "TotalSpend")
        table = r.choice([*list(PATHS), "Customer", "web_Orders", "web_Orders", "web_Lines"])
        return self.about(table, r.choice([c for c in TABLES[table] if c in POOLS]))

    def about(self, table, name):
        r = self.rng
        kind = KIND[name] if name != "Count" else "BIGINT"
        operators = ["isNull", "isNotNull", "equals", "notEquals", "isIn", "any", "all"]
        if kind not in {"BOOLEAN", "UUID"}:
            operators += ["greaterThan", "greaterThanOrEqualTo", "lessThan", "lessThanOrEqualTo", "isBetween", "isNotBetween"]  # fmt: skip
        if kind == "VARCHAR":
            operators += ["contains", "startsWith", "endsWith"] * 2
        if kind in ("DATE", "TIMESTAMP"):
            operators += ["isWithinLast", "isWithinLast", "yearToDate", "dayOf", "monthOf", "yearOf", "dayOfWeek"]
        if kind in ("TIME", "TIMESTAMP"):
            operators += ["timeAt"] * 2
        if name == "Region":
            operators = ["childOf", "parentOf"]
        operator = r.choice(operators)
        attribute = f"{table}.{name}" if table != "Customer" or r.random() < 0.7 else name
        leaf = {"attribute": attribute, "comparisonOperator": operator}
        if r.random() < 0.3 and operator not in ("childOf", "parentOf"):
            leaf["ignoreCase"] = r.choice([True, True, False])
        if operator in ("isNull", "isNotNull", "yearToDate"):
            return leaf
        is_time = (
            kind == "TIMESTAMP"
            and operator in [*ORDER, "isIn", "any", "all", "isBetween", "isNotBetween"]
            and r.random() < 0.3
        )
        if is_time:
            leaf["isTime"] = True
        texts = [self.text(name, "TIME" if is_time or operator == "timeAt" else kind, operator) for _ in range(3)]
        if operator in ("isIn", "any", "all", "dayOf", "monthOf", "yearOf", "dayOfWeek", "timeAt"):
            return leaf | {"listOfValues": texts[: r.randint(1, 3)]}
        if operator.endswith("Between"):
            low, high = texts[:2]
            if not (is_time or kind == "TIME") and self.before(high, low, kind, leaf.get("ignoreCase")):
                low, high = high, low
            return leaf | {"listOfValues": [low, high]}
        return leaf | ({"value": texts[0]} if r.random() < 0.8 else {"listOfValues": texts[:1]})

    @staticmethod
    def before(a, b, kind, folded):
        if kind == "TIMESTAMP":

            def key(t):
                return dt.datetime.fromisoformat(t).replace(tzinfo=None)
        else:
            key = {"BIGINT": Decimal, "DECIMAL(9,2)": Decimal, "DOUBLE": float}.get(
                kind, str.casefold if folded else str
            )
        return key(a) < key(b)

    def text(self, name, kind, operator):
        r = self.rng
        if operator == "isWithinLast":
            units = ["days", "weeks", "months", "quarters", "years"] + (
                ["hours", "minutes"] if kind == "TIMESTAMP" else []
            )
            return f"{r.choice([1, 1, 2, 3, 30])} {r.choice(units)}"
        if operator in ("dayOf", "monthOf", "yearOf", "dayOfWeek"):
            return str(r.choice({"dayOf": [1, 29, 30, 31], "monthOf": [1, 2, 3, 12], "yearOf": [2023, 2024], "dayOfWeek": [1, 6, 7]}[operator]))  # fmt: skip
        if kind == "TIME":
            return r.choice(["00:00", "09:30", "09:30:00", "09:30:15", "23:59", "12:00", "03:30", "00:59:59"])
        value = r.choice([v for v in POOLS[name] if v is not None])
        if kind == "TIMESTAMP":
            if operator.endswith("Between"):
                return value.date().isoformat()
            return r.choice([value.date().isoformat(), value.isoformat(), value.isoformat() + "Z", value.isoformat() + "+05:30"])  # fmt: skip
        if isinstance(value, str) and operator in ("contains", "startsWith", "endsWith"):
            start = r.randint(0, len(value))
            return value[start : r.randint(start, len(value))]
        return str(value)
