"""Random queries, sensible and not: each is answered or refused, and nothing of SQLite or Python shows."""

import random

import pytest

from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.query.operators import BY_FETCH, BY_FUNCTION

COLUMNS = {
    "account": ["name", "revenue", "createdon", "primarycontactid", "accountid", "statecode", "creditonhold", "parentaccountid",
                "ownerid", "versionnumber", "numberofemployees", "nope"],
    "contact": ["lastname", "contactid", "parentcustomerid", "birthdate", "createdon", "annualincome", "statecode", "fullname"],
}  # fmt: skip
JOINS = {
    ("account", "contact"): ("parentcustomerid", "accountid"), ("contact", "account"): ("accountid", "parentcustomerid"),
    ("account", "account"): ("parentaccountid", "accountid"), ("contact", "contact"): ("contactid", "contactid"),
}  # fmt: skip
VALUES = ["1", "x", "2026-01-01", world.guid(1, 3), "-5", "1.5", "true", "%a", "", "0", "1e99", "9999-12-31", "5000"]


class Fetching:
    """Makes FetchXML: names are mostly right, what they are combined with is not."""

    def __init__(self, seed):
        self.chance, self.aliases = random.Random(seed), []

    def maybe(self, share, text):
        return text() if self.chance.random() < share else ""

    def condition(self, table):
        pick = self.chance.choice
        column = pick(COLUMNS[table])
        entity = self.maybe(0.2, lambda: f" entityname='{pick(self.aliases or ['x'])}'")
        if self.chance.random() < 0.1:
            return f"<condition attribute='{column}' operator='{pick(['eq', 'ne', 'lt'])}' valueof='{pick(['c0.', 'a1.', ''])}{column}'{entity}/>"
        value = self.maybe(0.6, lambda: f" value='{pick(VALUES)}'")
        inside = "" if value else "".join(f"<value>{pick(VALUES)}</value>" for _ in range(self.chance.randrange(4)))
        return f"<condition attribute='{column}' operator='{pick(list(BY_FETCH))}'{value}{entity}>{inside}</condition>"

    def filter(self, table, depth=0):
        made = []
        for _ in range(self.chance.randrange(3)):
            kind = self.chance.randrange(4) if depth < 2 else 0
            made.append(
                self.filter(table, depth + 1)
                if kind == 2
                else self.link(table, depth + 1, inside=True)
                if kind == 3
                else self.condition(table)
            )
        return f"<filter type='{self.chance.choice(['and', 'or'])}'>{''.join(made)}</filter>"

    def link(self, table, depth=0, *, inside=False):
        other = self.chance.choice(["account", "contact"])
        start, to = JOINS[table, other]
        kinds = (
            ["any", "not any", "all", "not all"]
            if inside
            else ["inner", "outer", "exists", "in", "matchfirstrowusingcrossapply"]
        )
        kind = self.chance.choice(kinds)
        alias = f"{other[0]}{len(self.aliases)}"
        self.aliases.append(alias)
        told = kind in {"inner", "outer", "matchfirstrowusingcrossapply"}
        body = self.maybe(0.5 * told, lambda: f"<attribute name='{self.chance.choice(COLUMNS[other])}'/>")
        body += self.maybe(0.3 * told, lambda: f"<order attribute='{self.chance.choice(COLUMNS[other])}'/>")
        if depth < 2:
            body += self.maybe(0.5, lambda: self.filter(other, depth + 1)) + self.maybe(
                0.3, lambda: self.link(other, depth + 1)
            )
        return f"<link-entity name='{other}' from='{start}' to='{to}' link-type='{kind}' alias='{alias}'>{body}</link-entity>"

    def query(self):
        pick = self.chance.choice
        if self.chance.random() < 0.3:
            hows = [
                "groupby='true'",
                "groupby='true' dategrouping='week'",
                *(f"aggregate='{a}'" for a in ("count", "sum", "avg", "min", "countcolumn")),
            ]
            told = "".join(
                f"<attribute name='{pick(COLUMNS['account'])}' alias='x{i}' {pick(hows)}/>" for i in range(2)
            )
            head = "<fetch aggregate='true'>"
        else:
            told = f"<attribute name='{pick(COLUMNS['account'][:-1])}'/>" + pick(
                ["<order attribute='name'/>", "", "<order attribute='ownerid' descending='true'/>"]
            )
            head = pick(
                [
                    "<fetch>",
                    "<fetch distinct='true'>",
                    "<fetch count='3' page='2'>",
                    "<fetch returntotalrecordcount='true'>",
                ]
            )
        links = self.maybe(0.5, lambda: self.link("account")) + self.maybe(0.3, lambda: self.link("account"))
        return f"{head}<entity name='account'>{told}{links}{self.filter('account')}</entity></fetch>"


FITTING = {
    "name": "'x'", "lastname": "'%a_'", "fullname": "null", "revenue": "100.5", "annualincome": "-5", "createdon": "2026-01-01T00:00:00Z",
    "birthdate": "1990-01-01", "statecode": "1", "versionnumber": "7", "numberofemployees": "1e3", "creditonhold": "true",
}  # fmt: skip
ANYTHING = [
    "5",
    "'x'",
    "null",
    "true",
    "2026-01-01",
    "1e300",
    "INF",
    "NaN",
    "@p",
    "@q",
    "duration'P1D'",
    "name",
    f"'{world.guid(1, 3)}'",
]


class Filters:
    """Makes $filter: what stands on the right mostly fits."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def path(self, prefix, table):
        """A path, and what fits its column."""
        ways = {
            "account": ["", "", "", "primarycontactid/", "parentaccountid/"],
            "contact": ["", "", "parentcustomerid_account/"],
        }
        way = self.chance.choice(ways[table]) if self.chance.random() < 0.98 else "nope/"
        target = {
            "primarycontactid/": "contact",
            "parentaccountid/": "account",
            "parentcustomerid_account/": "account",
        }.get(way, table)
        name = self.chance.choice([c for c in COLUMNS[target] if c != "nope"])
        lookup = name in {"primarycontactid", "parentaccountid", "parentcustomerid", "ownerid"}
        value = FITTING.get(name, world.guid(1, 3)) if self.chance.random() < 0.95 else self.chance.choice(ANYTHING)
        return prefix + way + (f"_{name}_value" if lookup else name), value

    def leaf(self, prefix, table):
        path, value = self.path(prefix, table)
        match self.chance.randrange(8):
            case 0:
                function = self.chance.choice(["contains", "startswith", "endswith"])
                sought = self.chance.choice(["null", "'a%'", "'Ü'"])
                return f"{function}({prefix}{'name' if table == 'account' else 'lastname'},{sought})"
            case 1:
                function = self.chance.choice([*BY_FUNCTION])
                more = self.chance.choice(
                    ["", f",PropertyValue={self.chance.randrange(1, 9)}", ",PropertyValues=['1','2']"]
                )
                return f"{prefix}Microsoft.Dynamics.CRM.{function}(PropertyName='createdon'{more})"
            case 2:
                return f"{path} in ({value if not value.startswith('@') else 1})"
            case 3 if table == "account":
                return f"{prefix}contact_customer_accounts/{self.chance.choice(['any', 'all'])}(v:{self.tree('v/', 'contact', 2)})"
            case _:
                operators = ["eq", "ne", "lt", "le", "gt", "ge"] if self.chance.random() < 0.98 else ["has", "add"]
                return f"{path} {self.chance.choice(operators)} {value}"

    def tree(self, prefix="", table="account", depth=0):
        kind = self.chance.randrange(4) if depth < 3 else 3
        if kind == 0:
            return f"not ({self.tree(prefix, table, depth + 1)})"
        if kind in {1, 2}:
            return f"({self.tree(prefix, table, depth + 1)} {'and' if kind == 1 else 'or'} {self.tree(prefix, table, depth + 1)})"
        return self.leaf(prefix, table)


def fetched(asked, seed):
    try:
        return len(asked("fetch_xml", "account", Fetching(seed).query()).rows) >= 0
    except DataverseError:
        return False


def filtered(asked, seed):
    made = Filters(seed)
    try:
        orderby = made.path("", "account")[0] if seed % 2 else None
        return len(asked.rows("account", filter=made.tree(), orderby=orderby, select="name", _p="'x'", top=20)) >= 0
    except DataverseError:
        return False


@pytest.mark.parametrize("ask", [fetched, filtered])
def test_queries_of_any_kind_are_answered_or_refused(asked, ask):
    answered = sum(ask(asked, seed) for seed in range(600))
    assert 60 < answered < 540


@pytest.mark.soak
@pytest.mark.parametrize("ask", [fetched, filtered])
def test_the_same_of_many_more(asked, ask):
    assert sum(ask(asked, seed) for seed in range(1_000, 31_000)) > 3_000
