# ruff: noqa: DTZ001 - moments are naive and UTC
"""Random small worlds with customers, records, orders and activities, and random criteria over them."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

PROJECT = {
    "sources": {
        "crm": {
            "Contacts": {"files": "c.csv", "key": "ContactId"},
            "Accounts": {"files": "a.csv", "key": "AccountId"},
        },
        "web": {
            "Orders": {"files": "o.csv", "key": "OrderId", "type": "activity", "timestamp": "OrderedAt"},
            "Reviews": {"files": "r.csv", "key": "ReviewId", "type": "activity", "timestamp": "ReviewedOn"},
        },
    },
    "conflation": {"order": ["crm.Contacts"]},
    "relationships": {
        "orders": "web.Orders.ContactId -> crm.Contacts.ContactId",
        "reviews": "web.Reviews.ContactId -> crm.Contacts.ContactId",
        "account": "crm.Contacts.AccountId -> crm.Accounts.AccountId",
    },
    "activities": {
        "order": {"entity": "web.Orders", "type": "SalesOrder"},
        "review": {"entity": "web.Reviews", "type": "Feedback"},
    },
}
KINDS = {
    "Customer": {
        "CustomerId": "string", "City": "string", "Nick": "string", "Spend": "decimal", "Visits": "integer",
        "Score": "double", "Vip": "boolean", "Born": "date", "Joined": "datetime", "AccountId": "string",
    },
    "crm_Contacts": {"ContactId": "string", "City": "string", "AccountId": "string", "Score": "double"},
    "crm_Accounts": {"AccountId": "string", "Parent": "string", "Name": "string"},
    "web_Orders": {
        "OrderId": "integer", "ContactId": "string", "Total": "decimal", "Product": "string", "OrderedAt": "datetime",
        "Day": "date",
    },
    "web_Reviews": {"ReviewId": "string", "ContactId": "string", "Rating": "integer", "ReviewedOn": "date"},
    "UnifiedActivity": {
        "ActivityId": "string", "ActivityType": "string", "ActivityTypeDisplay": "string", "ActivityTime": "datetime",
        "Title": "string", "SourceTableName": "string",
    },
}  # fmt: skip
PATHS = {
    "Customer": ["UnifiedActivity", "crm_Contacts", "web_Orders", "web_Reviews", "crm_Contacts/orders"],
    "crm_Contacts": ["orders", "reviews"], "web_Orders": ["orders"], "web_Reviews": ["reviews"], "UnifiedActivity": [],
    "crm_Accounts": ["account"],
}  # fmt: skip
ENDS = {
    ("crm_Contacts", "orders"): "web_Orders", ("crm_Contacts", "reviews"): "web_Reviews",
    ("web_Orders", "orders"): "crm_Contacts", ("web_Reviews", "reviews"): "crm_Contacts",
    ("crm_Accounts", "account"): "crm_Contacts",
}  # fmt: skip
ARROW = {
    "string": pa.string(), "decimal": pa.decimal128(18, 2), "integer": pa.int64(), "double": pa.float64(),
    "boolean": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us"),
}  # fmt: skip
WORDS = ["Bern", "bern", "Ulm", "Straße", "STRASSE", "São Paulo", "ﬁn", ""]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]
CLOCKS = [
    datetime(2024, 2, 29, 23, 30), datetime(2023, 3, 1, 0, 0), datetime(2025, 3, 30, 1, 0), datetime(2018, 11, 4, 3, 15),
    datetime(2024, 10, 27, 0, 59, 59, 999999), datetime(2024, 12, 31, 12, 0), datetime(2024, 5, 31, 4, 0),
]  # fmt: skip
COMPARED = {
    "equals", "not_equals", "greater_than", "at_least", "less_than", "at_most", "is_in", "is_not_in", "between",
    "not_between", "contains", "starts_with", "ends_with",
}  # fmt: skip
SPANS = ["1 day", "7 days", "30 days", "2 weeks", "1 month", "3 months", "1 quarter", "1 year"]


def end_of(table, path):
    """The table that a path leads to."""
    for name in path.split("/"):
        table = ENDS.get((table, name), name)
    return table


class Making:
    """One world around a clock."""

    def __init__(self, rng):
        self.rng = rng
        self.clock, self.zone = rng.choice(CLOCKS), rng.choice(ZONES)
        self.moments = [self.moment() for _ in range(12)]
        self.tables = {}
        self.ids = {}
        self._make()

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def moment(self):
        """Near the clock, on the borders of windows, or years ago."""
        back = self.rng.choice([
            timedelta(0), timedelta(1), timedelta(7), timedelta(30), timedelta(self.rng.randint(0, 60)),
            timedelta(seconds=self.rng.randint(-3_000_000, 40_000_000)), timedelta(365), timedelta(28), timedelta(31),
        ])  # fmt: skip
        nudge = self.rng.choice(
            [timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(hours=3)]
        )
        return self.clock - back + nudge

    def maybe(self, value, missing=0.15):
        return None if self.rng.random() < missing else value

    def _make(self):
        rng = self.rng
        accounts = [f"A{i}" for i in range(6)]
        self.tables["crm_Accounts"] = [
            {"AccountId": a, "Parent": self.maybe(rng.choice(accounts), 0.3), "Name": rng.choice(WORDS)}
            for a in accounts
        ]
        born = [date(2000, 2, 29), date(1988, 2, 28), date(1999, 12, 31), date(1970, 1, 1), self.clock.date()]
        customers = [
            {
                "CustomerId": f"{rng.getrandbits(128):032x}", "City": self.maybe(rng.choice(WORDS)),
                "Nick": self.maybe(rng.choice(WORDS)), "Spend": self.maybe(Decimal(rng.randint(0, 6)) / 2),
                "Visits": self.maybe(rng.randint(0, 3)), "Score": self.maybe(rng.choice([0.0, 1.5, float("nan"), 7.0])),
                "Vip": self.maybe(rng.random() < 0.5), "AccountId": self.maybe(rng.choice(accounts)),
                "Born": self.maybe(rng.choice([*born, self.moment().date() - timedelta(365 * rng.randint(0, 40))])),
                "Joined": self.maybe(rng.choice(self.moments)), "ordinal": 3 * i + rng.randint(0, 2),
            }
            for i in range(rng.randint(3, 12))
        ]  # fmt: skip
        self.tables["Customer"] = customers
        contacts, records = [], []
        for i in range(len(customers) + 4):
            owner = customers[i % len(customers)] if i < len(customers) + 2 else None
            contacts.append({"ContactId": f"C-{i}", "City": self.maybe(rng.choice(WORDS)),
                             "AccountId": self.maybe(rng.choice(accounts)), "Score": rng.choice([1.0, 2.0])})  # fmt: skip
            if owner:
                records.append({"entity": "crm.Contacts", "key": f"C-{i}", "CustomerId": owner["CustomerId"],
                                "ordinal": owner["ordinal"]})  # fmt: skip
        self.tables["crm_Contacts"], self.tables["members"] = contacts, records
        owners = {r["key"]: r for r in records}
        self.tables["web_Orders"] = [
            {"OrderId": i, "ContactId": self.maybe(rng.choice(contacts)["ContactId"], 0.1),
             "Total": self.maybe(Decimal(rng.randint(0, 8)) / 4), "Product": self.maybe(rng.choice(WORDS)),
             "OrderedAt": self.maybe(rng.choice(self.moments)), "Day": self.maybe(rng.choice(self.moments).date())}
            for i in range(rng.randint(0, 30))
        ]  # fmt: skip
        self.tables["web_Reviews"] = [
            {"ReviewId": str(i), "ContactId": rng.choice(contacts)["ContactId"], "Rating": self.maybe(rng.randint(1, 5)),
             "ReviewedOn": self.maybe(rng.choice(self.moments).date())}
            for i in range(rng.randint(0, 15))
        ]  # fmt: skip
        self.tables["UnifiedActivity"] = self._activities(owners)
        self._ids(customers)

    def _activities(self, owners):
        found = []
        for table, key, kind, display in (("web_Orders", "OrderId", "SalesOrder", "order"),
                                          ("web_Reviews", "ReviewId", "Feedback", "review")):  # fmt: skip
            for row in self.tables[table]:
                owner = owners.get(row["ContactId"])
                if owner is None:
                    continue
                at = row["OrderedAt"] if table == "web_Orders" else row["ReviewedOn"]
                found.append({
                    "ActivityId": f"{self.rng.getrandbits(128):032x}", "CustomerId": owner["CustomerId"],
                    "ordinal": owner["ordinal"], "SourceTableName": table, "SourceActivityId": str(row[key]),
                    "ActivityType": kind, "ActivityTypeDisplay": display,
                    "ActivityTime": at if at is None or isinstance(at, datetime) else datetime(at.year, at.month, at.day),
                    "Title": row.get("Product"),
                })  # fmt: skip
        return found

    def _ids(self, customers):
        """Active ids, one retired in favour of the first customer, one gone with its records."""
        rows = [{"CustomerId": c["CustomerId"], "ordinal": c["ordinal"], "retired_run": None, "successor": None}
                for c in customers]  # fmt: skip
        rows += [
            {"CustomerId": "a" * 32, "ordinal": 500, "retired_run": 2, "successor": customers[0]["CustomerId"]},
            {"CustomerId": "b" * 32, "ordinal": 501, "retired_run": 2, "successor": None},
        ]
        self.tables["customer_ids"] = rows
        self.ids = {c["CustomerId"]: c["ordinal"] for c in customers} | {"a" * 32: customers[0]["ordinal"]}
        self.ids |= {f"crm.Contacts:{r['key']}": r["ordinal"] for r in self.tables["members"]}
        self.ids |= {c["CustomerId"].upper(): c["ordinal"] for c in customers}

    def load(self, engine):
        """Every table into an engine, rows shuffled."""
        for name, rows in self.tables.items():
            shuffled = list(rows)
            self.rng.shuffle(shuffled)
            engine.load(name, pa.Table.from_pylist(shuffled, schema=_schema(name)), keep=True)

    def naive(self, oracle, segments):
        """The same as the oracle's World."""
        rows = {table: [dict(r, __table__=table) for r in self.tables[table]] for table in KINDS}
        t = rows
        by = {
            table: {str(r[key]): r for r in t[table]}
            for table, key in (("web_Orders", "OrderId"), ("web_Reviews", "ReviewId"))
        }
        for event in t["UnifiedActivity"]:
            event["__origin__"] = by[event["SourceTableName"]][event["SourceActivityId"]]
        own = {
            c["ordinal"]: {m["key"] for m in self.tables["members"] if m["ordinal"] == c["ordinal"]}
            for c in t["Customer"]
        }

        def linked(table, column, to, to_column):
            return lambda row: [r for r in t[to] if row[column] is not None and row[column] == r[to_column]], to

        contacts = (lambda row: [r for r in t["crm_Contacts"] if r["ContactId"] in own[row["ordinal"]]]), "crm_Contacts"

        def of_contacts(to):
            return (lambda row: [r for c in contacts[0](row) for r in t[to] if r["ContactId"] == c["ContactId"]]), to

        relations = {
            "Customer": {
                "UnifiedActivity": linked("Customer", "ordinal", "UnifiedActivity", "ordinal"), "crm_Contacts": contacts,
                "web_Orders": of_contacts("web_Orders"), "web_Reviews": of_contacts("web_Reviews"),
            },
            "crm_Contacts": {
                "orders": linked("crm_Contacts", "ContactId", "web_Orders", "ContactId"),
                "reviews": linked("crm_Contacts", "ContactId", "web_Reviews", "ContactId"),
                "account": linked("crm_Contacts", "AccountId", "crm_Accounts", "AccountId"),
            },
            "web_Orders": {"orders": linked("web_Orders", "ContactId", "crm_Contacts", "ContactId")},
            "web_Reviews": {"reviews": linked("web_Reviews", "ContactId", "crm_Contacts", "ContactId")},
            "crm_Accounts": {"account": linked("crm_Accounts", "AccountId", "crm_Contacts", "AccountId")},
            "UnifiedActivity": {"Customer": linked("UnifiedActivity", "ordinal", "Customer", "ordinal")},
        }  # fmt: skip
        return oracle.World(
            tables=t, relations=relations, kinds=KINDS,
            times={"UnifiedActivity": "ActivityTime", "web_Orders": "OrderedAt", "web_Reviews": "ReviewedOn"},
            activities={"order": ("web_Orders", "SalesOrder", "order"), "review": ("web_Reviews", "Feedback", "review")},
            ids=self.ids, clock=self.clock, zone=self.zone, segments=segments,
        )  # fmt: skip


def _schema(name):
    if name == "members":
        return pa.schema([("entity", "string"), ("key", "string"), ("CustomerId", "string"), ("ordinal", pa.int32())])
    if name == "customer_ids":
        return pa.schema([("CustomerId", "string"), ("ordinal", pa.int32()), ("retired_run", pa.int64()),
                          ("successor", "string")])  # fmt: skip
    columns = [(column, ARROW[kind]) for column, kind in KINDS[name].items()]
    if name == "UnifiedActivity":
        columns += [("CustomerId", pa.string()), ("SourceActivityId", pa.string())]
    return pa.schema(columns + ([("ordinal", pa.int32())] if name in ("Customer", "UnifiedActivity") else []))


class Criteria:
    """Random criteria over a world's customers."""

    def __init__(self, making, segments):
        self.making, self.rng, self.segments = making, making.rng, segments

    def any(self, depth, table="Customer", origin=""):
        """A criterion on a row of a table."""
        rng = self.rng
        if depth > 0 and rng.random() < 0.5:
            parts = [self.any(depth - 1, table, origin) for _ in range(rng.randint(1, 3))]
            return rng.choice([{"all": parts}, {"any": parts}, {"not": parts[0]}, parts, {"not": {"any": parts}}])
        kinds = [self.attribute] * 4 + ([self.related, self.aggregate] if PATHS[table] else [])
        if table == "Customer":
            kinds += [self.did, self.did, self.edge, self.regularly, self.stopped, self.sequence, self.top, self.lots,
                      self.anniversary, self.members, self.segment, self.hierarchy]  # fmt: skip
        return rng.choice(kinds)(depth, table, origin)

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def window(self, dates):
        rng = self.rng
        spans = [s for s in SPANS if not dates or "hour" not in s] + ([] if dates else ["36 hours", "90 minutes"])
        unit = rng.choice(["week", "month", "quarter", "year"])
        return rng.choice([
            f"last {rng.choice(spans)}", f"next {rng.choice(spans)}", rng.choice(["today", "yesterday", "tomorrow"]),
            f"{rng.choice(['this', 'last', 'next'])} {unit}", f"{unit} to date", f"since {self.moment(dates)}",
            f"before {self.moment(dates)}", f"{self.moment(dates)} to {self.moment(dates)}",
        ])  # fmt: skip

    def moment(self, dates):
        rng, at = self.rng, self.rng.choice(self.making.moments)
        found = [at.date().isoformat(), "today", "yesterday", "now", f"{rng.choice(SPANS)} ago", f"in {rng.choice(SPANS)}",
                 f"start of {rng.choice(['this', 'last', 'next'])} {rng.choice(['week', 'month', 'quarter', 'year'])}"]  # fmt: skip
        if not dates:
            found += [at.isoformat(), at.isoformat() + "+02:00", at.isoformat() + "Z", "6 hours ago"]
        return rng.choice(found)

    def value(self, kind):
        rng = self.rng
        if kind == "string":
            return rng.choice(WORDS)
        if kind in ("date", "datetime"):
            return self.moment(kind == "date")
        if kind == "time":
            return rng.choice(["00:00", "06:30", "22:00", "23:59:59.999999", "12:00"])
        if kind == "boolean":
            return rng.random() < 0.5
        return rng.choice([0, 1, 2, 3, 0.5, 1.5, 2.25])

    def tests(self, kind, table):
        """One or two tests of a value of that kind."""
        clock_only = kind == "datetime" and self.rng.random() < 0.15
        found = {"time_of_day": True} if clock_only else {}
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            found |= self.test("time" if clock_only else kind, table)
        several = any(isinstance(found.get(t), list) for t in ("equals", "contains", "starts_with", "ends_with"))
        if not several:
            found.pop("match", None)
        if not COMPARED & set(found):
            found.pop("ignore_case", None)
            found.pop("time_of_day", None)
        return found

    def test(self, kind, table):
        rng = self.rng
        if rng.random() < 0.1:
            return {rng.choice(["is_null", "is_not_null"]): rng.random() < 0.7}
        extra = {}
        if kind == "string" and rng.random() < 0.4:
            extra["ignore_case"] = True
        if kind in ("date", "datetime") and rng.random() < 0.5:
            return rng.choice([
                {"within_last": rng.choice(SPANS)}, {"within_next": rng.choice(SPANS)}, {"year_to_date": True},
                {"day_of": rng.choice([28, 29, [1, 30, 31]])}, {"month_of": rng.choice(["May", [2, 3], "dec"])},
                {"year_of": [2023, 2024]}, {"day_of_week": rng.choice(["Monday", ["Sat", 7]])},
                {"time_at": rng.choice(["12:00", "23:30", "00:00:00"])} if kind == "datetime" else {"year_of": 2000},
            ])  # fmt: skip
        if kind == "string" and rng.random() < 0.4:
            op = rng.choice(["contains", "starts_with", "ends_with"])
            if rng.random() < 0.4:
                return {
                    op: [rng.choice(["b", "S", "ern"]), rng.choice(WORDS)],
                    "match": rng.choice(["any", "all"]),
                } | extra
            return {op: rng.choice(["b", "S", "SS", "ern", "ﬁ", ""])} | extra
        if kind == "boolean":
            return {rng.choice(["equals", "not_equals"]): self.value(kind)} | extra
        if rng.random() < 0.1 and table == "Customer" and kind in ("string", "datetime"):
            other = {"string": "Nick", "datetime": "Joined"}[kind]
            return {rng.choice(["equals", "not_equals", "at_least"]): {"attribute": other}} | extra
        op = rng.choice(["equals", "not_equals", "greater_than", "at_least", "less_than", "at_most", "is_in", "is_not_in",
                         "between", "not_between", "equals several"])  # fmt: skip
        if op == "equals several":
            return {"equals": [self.value(kind), self.value(kind)], "match": rng.choice(["any", "all"])} | extra
        if op in ("is_in", "is_not_in"):
            return {op: [self.value(kind) for _ in range(rng.randint(0, 3))]} | extra
        if op in ("between", "not_between"):
            return {op: [self.value(kind), self.value(kind)]} | extra
        return {op: self.value(kind)} | extra

    # ── criteria ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def attribute(self, depth, table, origin):
        rng = self.rng
        if PATHS[table] and rng.random() < 0.25:
            path = rng.choice(PATHS[table])
            end = end_of(table, path)
            name = rng.choice(list(KINDS[end]))
            found = {"attribute": f"{path}/{name}"} | self.tests(KINDS[end][name], end)
            many = table in ("Customer", "crm_Contacts", "crm_Accounts")
            return found | ({"every": True} if many and rng.random() < 0.3 else {})
        columns = KINDS[table] | (KINDS[origin] if origin else {})
        name = rng.choice(list(columns))
        found = {"attribute": name} | self.tests(columns[name], table)
        if columns[name] in ("date", "datetime") and rng.random() < 0.4:
            found = {"attribute": name, "within": self.window(columns[name] == "date")}
        return found

    def rows(self, end, depth):
        found = {}
        if self.rng.random() < 0.7:
            found["where"] = self.any(depth - 1, end)
        if end in ("UnifiedActivity", "web_Orders", "web_Reviews") and self.rng.random() < 0.4:
            found["within"] = self.window(end == "web_Reviews")
            if end == "web_Orders" and self.rng.random() < 0.3:
                found |= {"time": "Day", "within": self.window(True)}
        return found

    def times(self):
        n = self.rng.randint(0, 3)
        return self.rng.choice([{"at_least": n}, {"at_most": n}, {"exactly": n}, {"between": [n, n + 1]}])

    def related(self, depth, table, origin):
        path = self.rng.choice(PATHS[table])
        end = end_of(table, path)
        how = self.rng.choice([{}, {"every": True}, {"none": True}, self.times(), self.times()])
        return {"related": path} | self.rows(end, depth) | how

    def aggregated(self, depth, table):
        path = self.rng.choice(PATHS[table])
        end = end_of(table, path)
        function = self.rng.choice(["count", "count_distinct", "sum", "avg", "min", "max"])
        numbers = [c for c, k in KINDS[end].items() if k in ("integer", "decimal")]
        if function in ("sum", "avg") and not numbers:
            function = "count"
        if function == "count":
            return {"count": path} | self.rows(end, depth), "integer"
        names = numbers if function in ("sum", "avg") else [c for c, k in KINDS[end].items() if k != "boolean"]
        name = self.rng.choice(names)
        kind = {"count_distinct": "integer", "avg": "double"}.get(function, KINDS[end][name])
        return {function: name, "of": path} | self.rows(end, depth), kind

    def aggregate(self, depth, table, origin):
        said, kind = self.aggregated(depth, table)
        return said | self.tests(kind, "")

    def event(self, depth):
        rng = self.rng
        if rng.random() < 0.5:
            return rng.choice(["order", "review", "SalesOrder", "Feedback", "anything"])
        found = rng.choice(
            [{}, {"type": "SalesOrder"}, {"display": "review"}, {"activity": "order"}, {"activity": "review"}]
        )
        if rng.random() < 0.6:
            origin = {"order": "web_Orders", "review": "web_Reviews"}.get(found.get("activity"), "")
            found = found | {"where": self.any(min(depth, 1), "UnifiedActivity", origin)}
        return found

    def in_window(self, found):
        return found | {"within": self.window(False)} if self.rng.random() < 0.5 else found

    def did(self, depth, table, origin):
        if self.rng.random() < 0.3:
            return self.in_window({"did_not": self.event(depth)})
        times = {"times": self.times()} if self.rng.random() < 0.5 else {}
        return self.in_window({"did": self.event(depth)} | times)

    def edge(self, depth, table, origin):
        event = self.event(depth)
        name = event if isinstance(event, str) else event.get("activity")
        of = {"order": "web_Orders", "review": "web_Reviews"}.get(name, "")
        return self.in_window({self.rng.choice(["first", "last"]): event, "meets": self.any(1, "UnifiedActivity", of)})

    def regularly(self, depth, table, origin):
        of_last = self.rng.choice(["6 months", "4 weeks", "30 days", "3 quarters", "2 years", "1 day"])
        return {
            "regularly": self.event(depth),
            "of_last": of_last,
            "in_at_least": self.rng.randint(1, min(3, int(of_last[:2]))),
        }

    def stopped(self, depth, table, origin):
        if self.rng.random() < 0.5:
            return {"stopped": self.event(depth), "for": self.rng.choice(SPANS)}
        spans = {"within_last": self.rng.choice(SPANS), "after_a_break_of": self.rng.choice(SPANS)}
        return {"restarted": self.event(depth)} | spans

    def sequence(self, depth, table, origin):
        found = {"sequence": [self.event(0) for _ in range(self.rng.randint(2, 4))]}
        for key in ("max_gap", "max_span"):
            if self.rng.random() < 0.5:
                found[key] = self.rng.choice([*SPANS, "36 hours"])
        return self.in_window(found)

    def top(self, depth, table, origin):
        rng = self.rng
        by = (
            rng.choice(["Spend", "Visits", "Score", "Born", "Nick"])
            if rng.random() < 0.6
            else self.aggregated(0, table)[0]
        )
        found = {"top": rng.choice([1, 2, 5, "10 %", "33.3%", "100 %"]), "by": by}
        if rng.random() < 0.6:
            found["ties"] = rng.choice(["by_id", "include", "drop"])
        if rng.random() < 0.4:
            found["order"] = rng.choice(["highest", "lowest"])
        return found | ({"among": self.any(depth - 1)} if rng.random() < 0.4 else {})

    def lots(self, depth, table, origin):
        if self.rng.random() < 0.5:
            return {"percent": self.rng.choice([10, 50, 33.3333]), "seed": self.rng.choice(["", "spring"])}
        return {"split": {"seed": "autumn", "parts": {"A": 50, "B": 12.5, "C": 37.5}, "part": self.rng.choice("ABC")}}

    def anniversary(self, depth, table, origin):
        how = self.rng.choice([
            {"within_next": self.rng.choice(SPANS)}, {"within_last": self.rng.choice(SPANS)},
            {"within": self.rng.choice(["today", "tomorrow", "this month", "last quarter", "next year", "year to date"])},
        ])  # fmt: skip
        return {"anniversary": self.rng.choice(["Born", "Born", "Joined"])} | how

    def members(self, depth, table, origin):
        known = [*self.making.ids, "b" * 32, "nobody", "crm.Contacts:C-99"]
        return {"members": self.rng.sample(known, self.rng.randint(1, min(6, len(known))))}

    def segment(self, depth, table, origin):
        return {"segment": self.rng.choice(list(self.segments))}

    def hierarchy(self, depth, table, origin):
        tree = {"of": "crm.Accounts", "key": "AccountId", "parent": "Parent"}
        path = self.rng.choice(["AccountId", "crm_Contacts/AccountId"])
        found = {
            "attribute": path,
            self.rng.choice(["child_of", "parent_of"]): f"A{self.rng.randint(0, 5)}",
            "hierarchy": tree,
        }
        if self.rng.random() < 0.3:
            found["ends_with"] = self.rng.choice(["1", "2", "3"])
        return found | ({"every": True} if "/" in path and self.rng.random() < 0.4 else {})
