"""A small world with nulls, Unicode and moments around a change of clocks; and random questions about it, as text."""

import datetime as dt
from decimal import Decimal

from segments.model import Model
from segments.predicates.fields import Catalog, Relation, Table

CLOCK = dt.datetime(2024, 3, 31, 0, 59, 59)  # noqa: DTZ001 - UTC; an instant before Europe puts its clocks forward
ZONE = "Europe/Berlin"

TABLES = {
    "Customer": {"ordinal": "INTEGER", "CustomerId": "VARCHAR", "Name": "VARCHAR", "City": "VARCHAR", "Points": "BIGINT", "Level": "BIGINT", "Spend": "DECIMAL(9,2)", "Vip": "BOOLEAN", "Born": "DATE", "Seen": "TIMESTAMP", "TownId": "INTEGER"},
    "Orders": {"OrderId": "INTEGER", "Buyer": "VARCHAR", "ProductId": "INTEGER", "Amount": "DECIMAL(9,2)", "Count": "BIGINT", "Note": "VARCHAR", "On": "TIMESTAMP", "Day": "DATE", "Paid": "BOOLEAN"},
    "Products": {"ProductId": "INTEGER", "Title": "VARCHAR", "Price": "DECIMAL(9,2)"},
    "Towns": {"TownId": "INTEGER", "Name": "VARCHAR", "People": "BIGINT"},
}  # fmt: skip
RELATIONS = [
    Relation("Orders", "Customer", "CustomerId", "Orders", "Buyer"),
    Relation("Customer", "Orders", "Buyer", "Customer", "CustomerId", many=False),
    Relation("Product", "Orders", "ProductId", "Products", "ProductId", many=False),
    Relation("Sales", "Products", "ProductId", "Orders", "ProductId"),
    Relation("Town", "Customer", "TownId", "Towns", "TownId", many=False),
]
SEGMENTS = {"staff": "segment_staff", "it's": "segment_its"}
KEYS = {"Customer": "CustomerId", "Orders": "OrderId", "Products": "ProductId", "Towns": "TownId"}
MODEL = Model(
    catalog=Catalog.of(
        [Table.of_columns(n, c, id="ordinal" if n == "Customer" else "") for n, c in TABLES.items()],
        RELATIONS,
        segments=SEGMENTS,
    ),
    project=None,  # of a question, only the catalog matters
    keys=KEYS,
    timezone=ZONE,
)

TEXTS = [
    "",
    " ",
    "a",
    "A",
    "ab",
    "abc",
    "b",
    "é",
    "e\u0301",
    "ΩΣ",
    "日本",
    "𝒳y",
    "O'Hara",
    "%",
    "a_c",
    " \u2003x\u00a0",
]
INTEGERS = [0, 1, -1, 2, 3, 7, -7, 10, 2**62]
DECIMALS = ["0", "0.25", "0.5", "-2.5", "2.50", "7", "99.75", "-0.25"]
DAYS = ["2023-12-31", "2024-01-01", "2024-02-29", "2024-03-31", "1969-12-31"]
MOMENTS = ["2024-03-31T00:59:59Z", "2024-03-31T02:30:00+01:00", "2023-12-31T23:00:00Z", "2024-10-27T02:30:00+02:00", "2024-02-29T12:00:00.000001Z"]  # fmt: skip
DURATIONS = ["P1D", "-P1D", "PT90M", "P30D", "PT0.5S"]
KINDS = ("string", "integer", "decimal", "boolean", "date", "datetime")
_OF_SQL = {"VARCHAR": "string", "BIGINT": "integer", "INTEGER": "integer", "DECIMAL(9,2)": "decimal", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "datetime"}  # fmt: skip


def kind_of(table, column):
    return _OF_SQL[TABLES[table][column]]


def drawn(rng, sql_type):
    """A value of a column, a quarter of the time null."""
    if rng.random() < 0.25:
        return None
    kind = _OF_SQL[sql_type]
    if kind == "string":
        return rng.choice(TEXTS)
    if kind == "integer":
        return rng.choice(INTEGERS)
    if kind == "decimal":
        return Decimal(rng.choice(DECIMALS)).quantize(Decimal("0.01"))
    if kind == "boolean":
        return rng.random() < 0.5
    day = dt.date.fromisoformat(rng.choice(DAYS))
    if kind == "date":
        return day
    return dt.datetime.fromisoformat(rng.choice(MOMENTS)).astimezone(dt.UTC).replace(tzinfo=None)


def rows_of(rng):
    """Rows by table; some lead nowhere, some to several."""
    made = {
        table: [{c: drawn(rng, t) for c, t in columns.items()} for _ in range(n)]
        for (table, columns), n in zip(TABLES.items(), (10, 24, 5, 4), strict=True)
    }
    for i, row in enumerate(made["Customer"]):
        row |= {"ordinal": 3 * i, "CustomerId": f"c{i}", "TownId": rng.choice([None, 0, 1, 2, 9])}
    for i, row in enumerate(made["Orders"]):
        row |= {"OrderId": i, "Buyer": rng.choice([None, "nobody", *(f"c{n}" for n in range(8))]), "ProductId": rng.choice([None, 0, 1, 2, 3, 8])}  # fmt: skip
        row["Count"] = rng.choice([None, 0, 1, 2, 5])
    for name, key in (("Products", "ProductId"), ("Towns", "TownId")):
        for i, row in enumerate(made[name]):
            row[key] = i
    segments = {name: {3 * i for i in range(10) if rng.random() < 0.4} for name in SEGMENTS}
    return made, segments


def links_of(rows):
    """Relations as functions from a row to rows, for the naive walk."""

    def related(r):
        return lambda row: [
            other
            for other in rows[r.to_table]
            if row[r.from_column] is not None and row[r.from_column] == other[r.to_column]
        ]

    return {(r.from_table, r.name): (r.to_table, r.many, related(r)) for r in RELATIONS}


def load(connection, rows, segments):
    """The same rows as DuckDB tables."""
    connection.execute("SET TimeZone = 'Asia/Tokyo'")  # whatever the session's zone: answers must not depend on it
    for name, columns in TABLES.items():
        connection.execute(
            f'CREATE TABLE "{name}" ({", ".join(f"{chr(34)}{c}{chr(34)} {t}" for c, t in columns.items())})'
        )
        for row in rows[name]:
            connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', list(row.values()))
    for segment, table in SEGMENTS.items():
        connection.execute(f"CREATE TABLE {table} (ordinal INTEGER)")
        for ordinal in sorted(segments[segment]):
            connection.execute(f"INSERT INTO {table} VALUES (?)", [ordinal])


class Questions:
    """Well-typed OData expressions as text. `sights`: (prefix, table) of the rows in sight; the first has no prefix."""

    def __init__(self, rng):
        self.rng = rng
        self.variables = 0

    def literal(self, kind):
        r = self.rng
        if r.random() < 0.04:
            return "null"
        if kind == "string":
            return "'" + r.choice(TEXTS).replace("'", "''") + "'"
        return {
            "integer": lambda: str(r.choice(INTEGERS)),
            "decimal": lambda: r.choice(DECIMALS) if r.random() < 0.7 else str(r.choice(INTEGERS[:7])),
            "boolean": lambda: r.choice(["true", "false"]),
            "date": lambda: r.choice(DAYS),
            "datetime": lambda: r.choice(MOMENTS) if r.random() < 0.7 else "now()",
            "duration": lambda: f"duration'{r.choice(DURATIONS)}'",
            "time": lambda: r.choice(["12:00", "00:59:59", "23:59:59.999999"]),
        }[kind]()

    def attribute(self, kind, sights):
        found = []
        for prefix, table in sights:
            found += [prefix + c for c in TABLES[table] if kind_of(table, c) == kind]
            for r in RELATIONS:
                if r.from_table == table and not r.many:
                    found += [f"{prefix}{r.name}/{c}" for c in TABLES[r.to_table] if kind_of(r.to_table, c) == kind]
        return self.rng.choice(found) if found else self.literal(kind)

    def value(self, kind, sights, depth):
        r = self.rng
        if depth <= 0 or r.random() < 0.3:
            return self.attribute(kind, sights) if r.random() < 0.75 else self.literal(kind)

        def of(k):
            return self.value(k, sights, depth - 1)

        if r.random() < 0.06:
            first, second = (self.condition(sights, depth - 1) for _ in range(2))
            return f"case(({first}):{of(kind)},({second}):{of(kind)})"
        if r.random() < 0.15 and (many := self.many(sights)) and kind in ("integer", "decimal", "string", "datetime"):
            return self.aggregate(kind, many, sights, depth)
        options = {
            "string": lambda: r.choice([f"concat({of('string')},{of('string')})", f"trim({of('string')})", f"tolower({of('string')})", f"toupper({of('string')})", f"substring({of('string')},{r.choice([0, 1, 2, -1, -2])})", f"substring({of('string')},{of('integer')},{r.choice([0, 1, 2])})"]),
            "integer": lambda: r.choice([f"length({of('string')})", f"indexof({of('string')},{of('string')})", f"({of('integer')} {r.choice(['add', 'sub', 'mul', 'div', 'mod'])} {of('integer')})", f"(-({of('integer')}))", f"{r.choice(['year', 'month', 'day'])}({of(r.choice(['date', 'datetime']))})", f"{r.choice(['hour', 'minute', 'second', 'totaloffsetminutes'])}({of('datetime')})"]),
            "decimal": lambda: r.choice([f"({of('decimal')} {r.choice(['add', 'sub'])} {of('decimal')})", f"{r.choice(['round', 'floor', 'ceiling'])}({of('decimal')})", f"fractionalseconds({of('datetime')})", f"totalseconds({of('datetime')} sub {of('datetime')})", f"({of('integer')} divby 4)"]),
            "boolean": lambda: "(" + self.condition(sights, depth - 1) + ")",
            "date": lambda: r.choice([f"date({of('datetime')})", f"({of('date')} {r.choice(['add', 'sub'])} {self.literal('duration')})"]),
            "datetime": lambda: f"({of('datetime')} {r.choice(['add', 'sub'])} {self.literal('duration')})",
            "time": lambda: f"time({of('datetime')})",
            "duration": lambda: f"({of('date')} sub {of('date')})",
        }  # fmt: skip
        return options[kind]()

    def many(self, sights):
        """A path to many rows from a row in sight, and the table it leads to."""
        found = []
        for prefix, table in sights:
            for a in RELATIONS:
                if a.from_table == table and a.many:
                    found.append((prefix + a.name, a.to_table))
                found += [
                    (f"{prefix}{a.name}/{b.name}", b.to_table)
                    for b in RELATIONS
                    if a.from_table == table and not a.many and b.from_table == a.to_table and b.many
                ]
        return self.rng.choice(found) if found else None

    def filtered(self, many, sights, depth):
        """Perhaps with /$filter(…), in which bare names speak of each row."""
        path, table = many
        if self.rng.random() < 0.3:
            return f"{path}/$filter({self.condition(self.each(table, sights), depth - 2)})"
        return path

    @staticmethod
    def each(table, sights):
        """Bare names speak of each row; of the rows outside only those with a name of their own are left, and $it."""
        return [("", table), ("$it/", "Customer"), *((p, t) for p, t in sights if p not in ("", "$it/"))]

    def aggregate(self, kind, many, sights, depth):
        r = self.rng
        path, table = self.filtered(many, sights, depth), many[1]
        inner = self.each(table, sights)
        if kind == "integer" and r.random() < 0.6:
            option = f"($filter={self.condition(inner, depth - 2)})" if r.random() < 0.5 else ""
            return f"{path}/$count{option}"
        if kind == "integer" and r.random() < 0.3:
            return f"{path}/aggregate({self.attribute('string', inner[:1])} with countdistinct)"
        methods = {"integer": ["sum", "min", "max"], "decimal": ["sum", "min", "max", "average"]}.get(
            kind, ["min", "max"]
        )
        taken = self.value(kind, inner, min(depth - 2, 1))
        if "null" in taken:  # an aggregate of nothing but null is refused
            taken = self.attribute(kind, inner)
        if "/$count" in taken:  # `Orders/$count with sum` reads as $count, which takes no method
            taken = f"({taken} add 0)"
        return f"{path}/aggregate({taken} with {r.choice(methods)})"

    def condition(self, sights, depth):
        r = self.rng
        if depth > 0 and r.random() < 0.6:
            pick = r.random()
            if pick < 0.25:
                return f"not ({self.condition(sights, depth - 1)})"
            if pick < 0.7:
                word = r.choice([" and ", " or "])
                return "(" + word.join(self.condition(sights, depth - 1) for _ in range(r.choice([2, 2, 3]))) + ")"
            if many := self.many(sights):
                path = self.filtered(many, sights, depth)
                if r.random() < 0.1:
                    return f"{path}/any()"
                self.variables += 1
                name = f"x{self.variables}"
                inner = [*sights, (name + "/", many[1]), ("$it/", "Customer")]
                return f"{path}/{r.choice(['any', 'all'])}({name}:{self.condition(inner, depth - 1)})"
        return self.leaf(sights, depth)

    def leaf(self, sights, depth):
        r = self.rng
        pick = r.random()
        if pick < 0.05 and sights[0] == ("", "Customer"):
            return r.choice(["IsMemberOfSegment('staff')", "IsMemberOfSegment('it''s')"])
        if pick < 0.1:
            return self.attribute("boolean", sights)
        if pick < 0.15:
            singles = [f"{p}{x.name}" for p, t in sights for x in RELATIONS if x.from_table == t and not x.many]
            return f"{r.choice(singles)} {r.choice(['eq', 'ne'])} null" if singles else "true"
        if pick < 0.3:
            word = r.choice(["contains", "startswith", "endswith"])
            return f"{word}({self.value('string', sights, depth - 1)},{self.value('string', sights, depth - 1)})"
        kind = r.choice([*KINDS, "string", "integer", "date", "datetime", "time", "duration"])
        if pick < 0.42 and kind in KINDS:
            items = ",".join(self.literal(kind).replace("now()", "null") for _ in range(r.choice([1, 2, 3])))
            return f"{self.value(kind, sights, depth - 1)} in ({items})"
        other = {"date": r.choice(["date", "date", "datetime"]), "integer": r.choice(["integer", "decimal"])}.get(
            kind, kind
        )
        operator = r.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        return f"{self.value(kind, sights, depth - 1)} {operator} {self.value(other, sights, depth - 1)}"
