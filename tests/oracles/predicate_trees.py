"""Random predicates over random data: nulls, time zones, every script, the ends of every type. All from one seed."""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here, which is what is tested

import datetime as dt
from decimal import Decimal
from uuid import UUID

from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, KINDS, Catalog, Relation, Table, Type, decimal, rescale, type_of_sql
from segments.predicates.functions import table as functions

CLOCK = dt.datetime(2024, 3, 31, 0, 59, 59, 999_999)  # an instant before Europe puts its clocks forward
ENTITY = "crm.Contacts"

VALUES = {
    "ordinal": "INTEGER", "CustomerId": "VARCHAR", "Name": "VARCHAR", "City": "VARCHAR", "Points": "BIGINT",
    "Level": "SMALLINT", "Spend": "DECIMAL(18,4)", "Total": "DECIMAL(38,2)", "Score": "DOUBLE", "Vip": "BOOLEAN",
    "Born": "DATE", "Seen": "TIMESTAMP", "Signed": "TIMESTAMP WITH TIME ZONE", "Calls": "TIME", "Card": "UUID",
    "TownId": "INTEGER", "Rating": "FLOAT",
}  # fmt: skip
TABLES = {
    "Customer": VALUES,
    "Orders": {"OrderId": "INTEGER", "Contact": "INTEGER", "ProductId": "INTEGER", "Amount": "DECIMAL(9,2)", "Count": "BIGINT", "Weight": "DOUBLE", "Note": "VARCHAR", "On": "TIMESTAMP", "Paid": "BOOLEAN"},
    "Visits": {"Who": "VARCHAR", "Page": "VARCHAR", "On": "TIMESTAMP", "Day": "DATE", "Seconds": "INTEGER", "~1": "BIGINT"},
    "Products": {"ProductId": "INTEGER", "Title": "VARCHAR", "Price": "DECIMAL(9,2)", "Since": "DATE"},
    "Towns": {"TownId": "INTEGER", "Name": "VARCHAR", "People": "BIGINT", 'say "hi"': "VARCHAR"},
    "members": {"rid": "INTEGER", "entity": "VARCHAR", "key": "VARCHAR", "CustomerId": "VARCHAR"},
}  # fmt: skip
RELATIONS = [
    Relation("Orders", "Customer", "CustomerId", "Orders", "Contact", through=ENTITY),
    Relation("Visits", "Customer", "CustomerId", "Visits", "Who"),
    Relation("Town", "Customer", "TownId", "Towns", "TownId", many=False),
    Relation("People", "Towns", "TownId", "Customer", "TownId"),
    Relation("Product", "Orders", "ProductId", "Products", "ProductId", many=False),
    Relation("Sales", "Products", "ProductId", "Orders", "ProductId"),
    Relation("Visitor", "Visits", "Who", "Customer", "CustomerId", many=False),
]
BACK = [*RELATIONS, Relation("Buyer", "Orders", "Contact", "Customer", "CustomerId", many=False, record_of=ENTITY)]
"""With the way from a record back to its customer."""
SEGMENTS = {"staff": "segment_staff", 'it\'s a "test"': "segment_test", "nobody": "segment_nobody"}
CATALOG = Catalog.of(
    [Table.of_columns(n, c, id="ordinal" if n == "Customer" else "") for n, c in TABLES.items()],
    BACK,
    segments=SEGMENTS,
)

TEXTS = [
    "", " ", "a", "A", "abc", "ABC", "Straße", "STRASSE", "strasse", "ẞ", "ς", "σ", "Σ", "ΑΣ", "İstanbul", "istanbul", "ı", "ŉ",
    "ﬁn", "fin", "é", "e\u0301", "👨‍👩‍👧", "\u00a0x\u2003", "%", "a_c", "O'Hara", '"; drop', "x\ny", "\x00", "𝒳", "Ꭰ", "ꭰ", "\uffff", "日本",
]  # fmt: skip
INTEGERS = [0, 1, -1, 2, 3, 7, -7, 10, 100, 32767, -32768, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**62]
DOUBLES = [0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 0.1, 1e-308, 1e308, -1.7976931348623157e308, 5e-324, 2.0**53, 2.0**63, float("inf"), float("-inf"), float("nan"), 0.49999999999999994]  # fmt: skip
DECIMALS = ["0", "1", "-1", "0.5", "2.5", "-2.5", "0.1", "1.005", "99.99", "-0.0001", "12345678901234.5678", "1234567890123456789012345678901234.56", "99999999999999999999999999999999999999", "0.33333333333333333333"]  # fmt: skip
DAYS = [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1969, 12, 31), dt.date(2000, 2, 29), dt.date(2024, 2, 29), dt.date(2023, 12, 31), dt.date(2024, 1, 1), dt.date(2024, 3, 31), dt.date(1900, 1, 1)]  # fmt: skip
MOMENTS = [
    dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), dt.datetime(1970, 1, 1), dt.datetime(2024, 3, 31, 1), dt.datetime(2024, 3, 31, 2, 30),
    dt.datetime(2024, 10, 27, 0, 59, 59), dt.datetime(2024, 10, 27, 1, 30), dt.datetime(2024, 10, 27, 2, 30), dt.datetime(2024, 2, 29, 12, 0, 0, 1), dt.datetime(1999, 12, 31, 23, 59, 59), CLOCK,
]  # fmt: skip
TIMES = [dt.time(), dt.time(23, 59, 59, 999_999), dt.time(12), dt.time(9, 30), dt.time(1, 2, 3, 4)]
GUIDS = [str(UUID(int=i)) for i in (0, 1, 2**127, 2**128 - 1)]
DURATIONS = [0, 1, -1, 1_000_000, 86_400_000_000, -86_400_000_000, 3_600_000_000, 2**63 - 1, -(2**63)]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]
PATTERNS = ["a", "^[A-Z]", "s+e$", ".", "^$", r"\d", "(?i)ß"]


class Draw:
    """Random values of a type: half of the time a strange one."""

    def __init__(self, rng):
        self.rng = rng

    def of(self, kind):
        r = self.rng
        strange = {"string": TEXTS, "integer": INTEGERS, "double": DOUBLES, "date": DAYS, "datetime": MOMENTS, "time": TIMES, "guid": GUIDS, "duration": DURATIONS, "boolean": [True, False]}  # fmt: skip
        if kind == "decimal":
            return Decimal(r.choice(DECIMALS)) if r.random() < 0.5 else Decimal(r.randint(-999, 9999)).scaleb(-2)
        if kind in ("boolean", "guid") or r.random() < 0.5:
            return r.choice(strange[kind])
        plain = {
            "string": lambda: "".join(r.choice("abAB é") for _ in range(r.randint(0, 4))),
            "integer": lambda: r.randint(-3, 12),
            "double": lambda: r.choice([r.uniform(-5, 5), float(r.randint(-4, 9))]),
            "date": lambda: dt.date(2024, 1, 1) + dt.timedelta(days=r.randint(-400, 400)),
            "datetime": lambda: CLOCK + dt.timedelta(seconds=r.randint(-9_000_000, 9_000_000)),
            "time": lambda: dt.time(r.randint(0, 23), r.randint(0, 59)),
            "duration": lambda: r.randint(-400, 400) * 3_600_000_000,
        }
        return plain[kind]()

    def column(self, sql_type):
        """A value that a column of that SQL type can hold, a quarter of the time null."""
        if self.rng.random() < 0.25:
            return None
        kind = type_of_sql(sql_type)
        if sql_type == "SMALLINT":
            return self.rng.choice([0, 1, -1, 2, 3, 32767, -32768])
        if sql_type == "FLOAT":
            return self.rng.choice([0.5, 1.0, -2.25, 3.0, float("inf"), float("nan")])
        if kind.kind == "decimal":
            longest = "9" * (kind.precision - kind.scale) + "." + "9" * kind.scale
            some = ["0", "1", "0.5", "2.5", "-2.5", "99.99", "1234567.25", "-0.01", longest, "-" + longest]
            return rescale(Decimal(self.rng.choice(some)), kind)
        return self.of(kind.kind)


def world_rows(rng, customers=12):
    """Rows by table. Keys are small, so that rows find each other; some lead nowhere, some to several."""
    draw = Draw(rng)
    made = {name: [{c: draw.column(t) for c, t in columns.items()} for _ in range(n)]
            for (name, columns), n in zip(TABLES.items(), (customers, 30, 15, 5, 4, 16), strict=True)}  # fmt: skip
    for i, row in enumerate(made["Customer"]):
        row |= {"ordinal": 3 * i, "CustomerId": f"c{i}", "TownId": rng.choice([None, 0, 1, 2, 3, 9])}
    for i, row in enumerate(made["Orders"]):
        row |= {"OrderId": i, "Contact": rng.choice([None, *range(16), 99]), "ProductId": rng.choice([None, 0, 1, 2, 3, 8]), "Count": rng.choice([None, 0, 1, 2, 5, 2**61])}  # fmt: skip
    for row in made["Visits"]:
        row |= {"Who": rng.choice([None, "nobody", *(f"c{i}" for i in range(customers))]), "Seconds": rng.choice([None, 0, 5, 60, 3600])}  # fmt: skip
    for i, row in enumerate(made["Products"]):
        row["ProductId"] = i
    for i, row in enumerate(made["Towns"]):
        row["TownId"] = i
    for i, row in enumerate(made["members"]):
        row |= {"rid": i, "entity": rng.choice([ENTITY, ENTITY, "web.Users"]), "key": str(i), "CustomerId": f"c{rng.randrange(customers)}"}  # fmt: skip
    segments = {s: {3 * i for i in range(customers) if rng.random() < 0.4} for s in SEGMENTS}
    segments["nobody"] = set()
    return made, segments


def load_world(connection, rows, segments):
    """The same rows as DuckDB tables."""
    connection.execute("SET TimeZone = 'Asia/Tokyo'")  # whatever the session's zone: answers must not depend on it
    for name, columns in TABLES.items():
        spelled = ", ".join(f'"{c.replace(chr(34), chr(34) * 2)}" {t}' for c, t in columns.items())
        connection.execute(f'CREATE OR REPLACE TABLE "{name}" ({spelled})')
        for row in rows[name]:
            values = [row[c].replace(tzinfo=dt.UTC) if "ZONE" in t and row[c] else row[c] for c, t in columns.items()]
            connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(values))})', values)
    for segment, table in SEGMENTS.items():
        connection.execute(f"CREATE OR REPLACE TABLE {table} (ordinal INTEGER)")
        for ordinal in sorted(segments[segment]):
            connection.execute(f"INSERT INTO {table} VALUES (?)", [ordinal])


def _by_result():
    """Functions by the kind of their result; `same` for those that give what they take."""
    found = {}
    for rows in functions().values():
        for row in rows:
            of_arguments = "same" if "same" in row.takes else "decimal"
            kind = row.result.kind if isinstance(row.result, Type) else of_arguments
            found.setdefault(kind, []).append(row)
    return found


class Trees:
    """Well-typed trees. `tables`: the rows in sight, outermost first. `related`: with paths; a query of them is slow.
    `relations`: that paths are made of."""

    def __init__(self, rng, *, related=True, relations=RELATIONS):
        self.related = related
        self.relations = relations
        self.rng = rng
        self.draw = Draw(rng)
        self.by_result = _by_result()

    def literal(self, kind):
        if self.rng.random() < 0.05:
            return p.Literal(decimal(9, 2) if kind == "decimal" else Type(kind), None)
        value = self.draw.of(kind)
        return p.Literal(Type(kind), value) if kind in ("duration", "guid", "double") else p.literal(value)

    def field(self, kind, tables):
        """An attribute of that kind in sight, or a literal when there is none."""
        r = self.rng
        found = []
        for up, table in enumerate(reversed(tables)):
            starts = [((), table)] + [
                ((x.name,), x.to_table) for x in self.relations if self.related and x.from_table == table and not x.many
            ]
            for path, end in starts:
                for name, a in CATALOG.tables[end].attributes.items():
                    if a.type.kind == kind:
                        found += [p.Field(name, path, up)] * (1 if path or up else 3)
        return r.choice(found) if found else self.literal(kind)

    def value(self, kind, tables, depth):
        r = self.rng
        if kind == "double" and r.random() < 0.3:
            kind = r.choice(["integer", "decimal"])
        elif kind == "decimal" and r.random() < 0.2:
            kind = "integer"
        if depth <= 0 or r.random() < 0.25:
            return self.field(kind, tables) if r.random() < 0.75 else self.literal(kind)
        if kind == "boolean":
            return self.predicate(tables, depth)
        if (
            self.related
            and r.random() < 0.12
            and len(tables) < 4
            and kind in ("integer", "decimal", "double", "string", "date", "datetime")
        ):
            return self.aggregate(kind, tables, depth)
        return self.call(r.choice(self.by_result.get(kind, []) + self.by_result["same"]), kind, tables, depth)

    def call(self, row, kind, tables, depth):
        r = self.rng
        args = []
        for i, pattern in enumerate(row.takes):
            if i in row.literals:
                pool = {"local": ZONES, "utc": ZONES, "matches": PATTERNS, "bucket": TEXTS, "has": [0, 1, 2, 6]}[
                    row.key
                ]
                args.append(p.literal(r.choice(pool)))
            else:
                wanted = {"any": r.choice(KINDS), "same": kind}.get(pattern, pattern)
                args.append(self.value(wanted, tables, depth - 1))
        return p.Call(row.key, tuple(args))

    def path(self, tables):
        """A path of one to three steps from a row in sight, with the row's distance and where it ends."""
        r = self.rng
        while True:
            up = 0 if r.random() < 0.8 else r.randrange(len(tables))
            end, names = tables[-1 - up], []
            for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
                steps = [x for x in self.relations if x.from_table == end]
                if not steps:
                    break
                step = r.choice(steps)
                names.append(step.name)
                end = step.to_table
            if names:
                return tuple(names), up, end

    def aggregate(self, kind, tables, depth):
        r = self.rng
        names, up, end = self.path(tables)
        inner = [*tables, end]
        where = self.predicate(inner, depth - 2) if r.random() < 0.6 else p.TRUE
        function = r.choice({"integer": ["count", "count_distinct", "sum", "min", "max"], "decimal": ["sum", "min", "max"], "double": ["sum", "avg", "min", "max"]}.get(kind, ["min", "max"]))  # fmt: skip
        if function == "count":
            return p.Aggregate("count", names, None, where, up)
        taken = r.choice(["string", "integer", "decimal", "date"]) if function == "count_distinct" else kind
        return p.Aggregate(function, names, self.value(taken, inner, min(depth - 2, 1)), where, up)

    def predicate(self, tables, depth):
        r = self.rng
        if depth > 0 and r.random() < 0.55:
            kind = r.random()
            if kind < 0.2:
                return p.Not(self.predicate(tables, depth - 1))
            if kind < 0.9 or len(tables) > 3 or not self.related:
                parts = tuple(self.predicate(tables, depth - 1) for _ in range(r.choice([0, 1, 2, 2, 2, 3, 3])))
                return r.choice([p.And, p.Or])(parts)
            names, up, end = self.path(tables)
            return p.Exists(names, self.predicate([*tables, end], depth - 1) if r.random() < 0.8 else p.TRUE, up)
        return self.leaf(tables, depth)

    def leaf(self, tables, depth):
        r = self.rng
        pick = r.random()
        ups = [i for i, t in enumerate(reversed(tables)) if t == "Customer"]
        if pick < 0.06 and ups:
            return p.MemberOf(r.choice(list(SEGMENTS)), r.choice(ups))
        if pick < 0.12:
            return self.field("boolean", tables)
        if pick < 0.15:
            return p.Literal(BOOLEAN, r.choice([True, False, None]))
        if pick < 0.35:
            return self.call(r.choice(self.by_result["boolean"]), "boolean", tables, depth)
        kind = r.choice([*KINDS, "string", "integer", "decimal", "date", "datetime"])
        item = self.value(kind, tables, depth)
        if pick < 0.47:
            values = [self.draw.of(kind) for _ in range(r.choice([0, 1, 2, 3, 20]))]
            return p.In(
                item,
                tuple(
                    p.Literal(Type(kind), v) if kind in ("duration", "guid", "double") else p.literal(v) for v in values
                ),
            )
        return p.Compare(r.choice(list(p.COMPARISONS)), item, self.value(kind, tables, depth - 1))
