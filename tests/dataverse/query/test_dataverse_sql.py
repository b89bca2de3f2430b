"""SQL as the official client sends it, `$apply`, changes since a token, and text that nobody should send."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataverse.query.conftest import ROOT, Asking
from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.query import Options, Preferences, parse_options

PC = "INNER JOIN contact AS c ON a.accountid = c.parentcustomerid"


def rows(asked, text, table="account", **preferences):
    return asked("sql", table, text, Options(), Preferences(**preferences)).rows


def test_columns_aliases_and_the_key(asked):
    found = asked(
        "sql",
        "account",
        "SELECT a.name AS title, a.revenue, primarycontactid FROM account a WHERE a.statecode = 0",
        Options(),
        Preferences("*"),
    )
    assert {row["accountid"] for row in found.rows} == {a["accountid"] for a in world.ACCOUNTS if a["statecode"] == 0}
    row = next(row for row in found.rows if "title" in row)
    assert row["title@OData.Community.Display.V1.AttributeName"] == "name"
    assert row["@odata.etag"].startswith('W/"')
    assert any("_primarycontactid_value" in row for row in found.rows)


def test_joins(asked):
    inner = rows(asked, f"SELECT a.name, c.lastname FROM account AS a {PC}")
    pairs = [
        (a["accountid"], c["lastname"])
        for a in world.ACCOUNTS
        for c in world.CONTACTS
        if c["parentcustomerid"] == a["accountid"]
    ]
    assert Counter((row["accountid"], row.get("lastname")) for row in inner) == Counter(pairs)
    left = rows(
        asked,
        "SELECT a.name, c.contactid AS who FROM account a LEFT OUTER JOIN contact c ON c.parentcustomerid = a.accountid AND c.statecode = 1",
    )
    wanted = Counter(
        (a["accountid"], who) for a in world.ACCOUNTS
        for who in ([c["contactid"] for c in world.CONTACTS if c["parentcustomerid"] == a["accountid"] and c["statecode"] == 1] or [None])
    )  # fmt: skip
    assert Counter((row["accountid"], row.get("who")) for row in left) == wanted
    itself = rows(
        asked,
        "SELECT child.accountid, parent.accountid AS above FROM account AS child INNER JOIN account AS parent ON child.parentaccountid = parent.accountid",
    )
    assert {row["accountid"]: row["above"] for row in itself} == {
        a["accountid"]: a["parentaccountid"] for a in world.ACCOUNTS if a["parentaccountid"]
    }


def test_groups(asked):
    found = rows(
        asked,
        f"SELECT a.statecode, COUNT(*) AS n, COUNT(DISTINCT a.accountid) AS d, SUM(a.revenue) AS s FROM account AS a {PC} GROUP BY a.statecode ORDER BY n DESC",
    )
    pairs = [a for a in world.ACCOUNTS for c in world.CONTACTS if c["parentcustomerid"] == a["accountid"]]
    for row in found:
        mine = [a for a in pairs if a["statecode"] == row["statecode"]]
        assert (row["n"], row["d"]) == (len(mine), len({a["accountid"] for a in mine}))
        assert Decimal(str(row["s"])) == sum(a["revenue"] or 0 for a in mine)
    assert [row["n"] for row in found] == sorted((row["n"] for row in found), reverse=True)
    whole = rows(asked, "SELECT COUNT(*) AS total, MIN(createdon) AS first, AVG(numberofemployees) FROM account")[0]
    assert (whole["total"], whole["first"]) == (
        60,
        min(a["createdon"] for a in world.ACCOUNTS).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    assert "avg_numberofemployees" in whole


def test_order_top_and_offset(asked):
    everything = [row["accountid"] for row in rows(asked, "SELECT name FROM account ORDER BY name DESC, createdon")]
    wanted = world.in_order(world.ACCOUNTS, "account", [("name", True), ("createdon", False)])
    assert everything == [a["accountid"] for a in wanted]
    assert [
        r["accountid"] for r in rows(asked, "SELECT TOP 4 name FROM account ORDER BY name DESC, createdon")
    ] == everything[:4]
    assert [
        r["accountid"]
        for r in rows(asked, "SELECT TOP (4) name FROM account ORDER BY name DESC, createdon OFFSET 3 ROWS")
    ] == everything[3:7]
    later = "SELECT name FROM account ORDER BY name DESC, createdon OFFSET 5 ROWS FETCH NEXT 6 ROWS ONLY"
    assert [r["accountid"] for r in rows(asked, later)] == everything[5:11]
    assert {r["statecode"] for r in rows(asked, "SELECT DISTINCT statecode FROM account")} == {0, 1}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM account WHERE statecode = 0 ORDER BY name",
        "SELECT name, COUNT(*) AS n FROM account GROUP BY name ORDER BY n DESC",
        "SELECT DISTINCT name FROM account",
        "SELECT TOP 11 name FROM account ORDER BY name OFFSET 2 ROWS",
    ],
)
def test_pages_follow_each_other(asked, text):
    wanted = rows(asked, text)
    found, token = [], None
    while True:
        page = asked("sql", "account", text, Options(skip_token=token), Preferences(page_size=4))
        found += page.rows
        token = page.next
        if token is None:
            break
    assert found == wanted


def test_not_goes_down_to_comparisons(asked):
    negated = (
        "SELECT name FROM account WHERE NOT (name LIKE 'con%' OR revenue BETWEEN 0 AND 100 OR NOT statecode IN (0))"
    )
    wanted = {a["accountid"] for a in world.ACCOUNTS if a["name"] is not None and not world.low(a["name"]).startswith("con")
              and a["revenue"] is not None and not 0 <= a["revenue"] <= 100 and a["statecode"] == 0}  # fmt: skip
    assert {row["accountid"] for row in rows(asked, negated)} == wanted
    turned = rows(
        asked,
        "SELECT name FROM account WHERE 5 < numberofemployees AND [name] <> N'x' -- a remark\n AND /* and */ \"name\" <> ''",
    )
    assert {row["accountid"] for row in turned} == {
        a["accountid"] for a in world.ACCOUNTS if (a["numberofemployees"] or 0) > 5 and a["name"]
    }
    unequal = rows(asked, "SELECT firstname FROM contact WHERE firstname <> lastname", table="contact")
    assert {r["contactid"] for r in unequal} == {
        c["contactid"]
        for c in world.CONTACTS
        if c["firstname"] is not None
        and c["lastname"] is not None
        and world.low(c["firstname"]) != world.low(c["lastname"])
    }


REFUSED = (
    "SELECT * FROM account", "SELECT a.* FROM account a", "INSERT INTO account (name) VALUES ('x')", "DELETE FROM account", "DROP TABLE account",
    "SELECT name FROM account; DELETE FROM account", "SELECT name FROM account UNION SELECT lastname FROM contact", "WITH x AS (SELECT name FROM account) SELECT name FROM x",
    "SELECT name FROM account WHERE accountid IN (SELECT accountid FROM account)", "SELECT name FROM (SELECT name FROM account) a",
    "SELECT name, COUNT(*) FROM account GROUP BY name HAVING COUNT(*) > 1", "SELECT name FROM account WHERE EXISTS (SELECT name FROM account)",
    "SELECT name FROM account RIGHT JOIN contact ON accountid = parentcustomerid", "SELECT name FROM account CROSS JOIN contact", "SELECT name FROM account, contact",
    "SELECT name FROM account FULL OUTER JOIN contact c ON c.contactid = account.primarycontactid", "SELECT CASE WHEN 1=1 THEN name END FROM account",
    "SELECT LEN(name) FROM account", "SELECT name FROM account WHERE LEN(name) > 3", "SELECT name FROM account ORDER BY LEN(name)", "SELECT name FROM account WHERE 1=1",
    "SELECT name FROM account WHERE name = NULL", "SELECT name FROM sqlite_master", "SELECT sql FROM sqlite_schema", "SELECT name FROM t_account", "SELECT name FROM pragma_table_info('x')",
    "SELECT rowid FROM account", "SELECT _version FROM account", "SELECT load_extension('x') FROM account", "SELECT name FROM main.account", "PRAGMA table_info(account)", "ATTACH 'x' AS y",
    "SELECT name FROM account WHERE revenue + 1 > 2", "SELECT revenue + 1 FROM account", "SELECT COUNT(name FROM account", "SELECT name FROM account GROUP BY statecode",
    "SELECT name, COUNT(*) FROM account", "SELECT SUM(DISTINCT revenue) FROM account", "SELECT SUM(*) FROM account", "SELECT name AS x, revenue AS x FROM account", "SELECT TOP name FROM account",
    "SELECT name FROM account a JOIN account a ON a.accountid = a.accountid", "SELECT name FROM account a JOIN contact c ON c.statecode = c.statecode", "SELECT createdon FROM account a JOIN contact c ON a.primarycontactid = c.contactid",
    "SELECT x.name FROM account a", "SELECT name FROM account WHERE name LIKE 5 5", "SELECT name FROM account WHERE name = 'x", "SELECT name FROM account WHERE " + "(" * 60 + "name='a'" + ")" * 60,
    "SELECT name FROM account WHERE statecode = 'x'", "SELECT name FROM contact", "", "SELECT", "SELECT name", "SELECT name FROM", "name", "\x00", "SELECT name FROM account WHERE name = @p", "SELECT DISTINCT name FROM account ORDER BY revenue",
    "SELECT TOP 5 name FROM account ORDER BY name OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", "EXEC sp_help", "SELECT name INTO x FROM account", "SELECT name FROM account FOR XML AUTO", "SELECT name FROM account WHERE " + " OR ".join(["name = 'x'"] * 501),
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(asked, text):
    with pytest.raises(DataverseError) as caught:
        rows(asked, text)
    assert caught.value.status in {400, 404}
    assert "sqlite3" not in str(caught.value)


WORDS = st.sampled_from(
    [
        "SELECT",
        "name",
        "FROM",
        "account",
        "WHERE",
        "statecode",
        "=",
        "0",
        "'x'",
        "(",
        ")",
        ",",
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "BETWEEN",
        "IS",
        "NULL",
        "ORDER",
        "BY",
        "DESC",
        "GROUP",
        "COUNT(*)",
        "AS",
        "n",
        "JOIN",
        "contact",
        "c",
        "ON",
        "accountid",
        ".",
        "parentcustomerid",
        "TOP",
        "3",
        "DISTINCT",
        "5",
        "-",
        "*",
        "<>",
        "OFFSET",
        "ROWS",
        "sqlite_master",
        "--",
        ";",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    words=st.lists(WORDS, max_size=14),
    start=st.sampled_from(["", "SELECT name FROM account ", "SELECT name FROM account WHERE "]),
)
def test_any_text_is_answered_or_refused(asked, words, start):
    import contextlib

    with contextlib.suppress(DataverseError):
        rows(asked, start + " ".join(words))


# ── $apply ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_apply_over_groups(asked):
    found = asked.rows(
        "account",
        apply="filter(statecode eq 0)/groupby((industrycode),aggregate($count as n,revenue with sum as s,revenue with average as a,name with countdistinct as d))",
    )
    for row in found:
        mine = [a for a in world.ACCOUNTS if a["statecode"] == 0 and a["industrycode"] == row.get("industrycode")]
        money = [a["revenue"] for a in mine if a["revenue"] is not None]
        assert (row["n"], Decimal(str(row["s"]))) == (len(mine), sum(money))
        assert row.get("a") == (pytest.approx(float(sum(money) / len(money))) if money else None)
        assert row["d"] == len({world.low(a["name"]) for a in mine if a["name"] is not None})
    assert len(found) == len({a["industrycode"] for a in world.ACCOUNTS if a["statecode"] == 0})


def test_apply_behind_a_lookup_is_named_after_the_table(asked):
    found = asked.rows(
        "account",
        apply="groupby((primarycontactid/lastname),aggregate($count as n))",
        orderby="primarycontactid/lastname desc",
    )
    last = lambda a: (world.BY_KEY.get(a["primarycontactid"]) or {}).get("lastname")  # noqa: E731
    wanted = Counter(None if last(a) is None else world.low(last(a)) for a in world.ACCOUNTS)
    assert (
        Counter({None if "contact_lastname" not in r else world.low(r["contact_lastname"]): r["n"] for r in found})
        == wanted
    )
    names = [r["contact_lastname"] for r in found if "contact_lastname" in r]
    assert names == sorted(names, key=world.rank, reverse=True)


def test_apply_in_pages_and_shown(asked):
    whole = asked.rows("account", apply="groupby((name,statecode))")
    assert asked.all_pages("account", page_size=3, apply="groupby((name,statecode))") == whole
    assert len(whole) == len({(a["name"] and world.low(a["name"]), a["statecode"]) for a in world.ACCOUNTS})
    shown = asked.rows("account", apply="groupby((statecode),aggregate(revenue with max as m))", annotations="*")
    assert {r["statecode@OData.Community.Display.V1.FormattedValue"] for r in shown} == {"Active", "Inactive"}
    assert {r["m@OData.Community.Display.V1.FormattedValue"] for r in shown} == {"$99,999.99"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"apply": "groupby((createdon))"}, "datetime values is not supported"),
        ({"apply": "groupby((name),aggregate($count as n))", "orderby": "n"}, "SingleValueOpenPropertyAccess"),
        ({"apply": "aggregate(name with sum as s)"}, "cannot be worked out"),
        ({"apply": "topcount(3,revenue)"}, "ends with groupby"),
        ({"apply": "groupby((name))/filter(name eq 'x')"}, "filter(…) first"),
        ({"apply": "groupby((nix))"}, "Could not find a property"),
        ({"apply": "groupby((rollup(name,statecode)))"}, "rollup"),
        ({"apply": "aggregate(revenue mul 2 with sum as s)"}, "is not supported"),
        ({"apply": "groupby((name))", "filter": "name eq 'x'"}, "$filter is not supported with $apply"),
        ({"apply": "groupby((name))", "select": "name"}, "$select is not supported with $apply"),
    ],
)
def test_apply_refuses(asked, said, words):
    with pytest.raises(DataverseError) as caught:
        asked.page("account", **said)
    assert words in caught.value.message


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def follow(empty, token, size=None, between=lambda: None, select="name"):
    """All pages since a token (None: from the beginning): live rows by id, ids that are gone, the next token."""
    live, gone, skip = {}, [], None
    while True:
        page = empty.page(
            "account",
            select=select,
            track=token is None and skip is None,
            page_size=size,
            deltatoken=token,
            skiptoken=skip,
        )
        for row in page.rows:
            if row.get("reason") == "deleted":
                assert row["@odata.context"] == f"{ROOT}$metadata#accounts/$deletedEntity"
                gone.append(row["id"])
            else:
                assert not gone, "rows come before what is gone"
                live[row["accountid"]] = row["name"]
        between()
        if page.next is None:
            assert page.context == ("accounts(name)" if token is None else "accounts(name)/$delta")
            return live, gone, page.delta
        skip = page.next


def account(i, **more):
    return {"accountid": world.guid(1, i), "name": f"n{i}", **more}


def test_what_changed_since_a_token(empty):
    with empty.store.write() as writing:
        writing.insert("account", [account(i) for i in range(10)])
    live, gone, token = follow(empty, None)
    assert (len(live), gone) == (10, [])
    assert follow(empty, token)[:2] == ({}, [])
    with empty.store.write() as writing:
        writing.update("account", [world.guid(1, 3)], {"name": "new"})
        writing.delete("account", [world.guid(1, 4)])
        writing.insert("account", [account(20)])
        writing.delete("account", [world.guid(1, 5)])
        writing.insert("account", [account(5)])
    for size in (None, 1, 2):
        live, gone, _ = follow(empty, token, size)
        assert live == {world.guid(1, 3): "new", world.guid(1, 20): "n20", world.guid(1, 5): "n5"}
        assert gone == [world.guid(1, 4)]
    assert empty("count", "account", empty.options(deltatoken=token)) == 4


@pytest.mark.parametrize("size", [1, 3, 7])
def test_nothing_is_missed_by_who_follows_while_others_write(empty, size):
    """A copy kept by following is, in the end, what the table is."""
    import random

    chance = random.Random(size)
    with empty.store.write() as writing:
        writing.insert("account", [account(i) for i in range(12)])
    there = set(range(12))
    fresh = iter(range(100, 10_000))
    left = [40]

    def write():
        if left[0] <= 0:
            return
        left[0] -= 1
        with empty.store.write() as writing:
            match chance.randrange(3):
                case 0:
                    new = next(fresh)
                    writing.insert("account", [account(new)])
                    there.add(new)
                case 1 if there:
                    old = chance.choice(sorted(there))
                    writing.delete("account", [world.guid(1, old)])
                    there.discard(old)
                case _ if there:
                    writing.update("account", [world.guid(1, chance.choice(sorted(there)))], {"name": f"v{left[0]}"})

    copy, token = {}, None
    while left[0] > 0:
        live, gone, token = follow(empty, token, size, write)
        for key in gone:
            copy.pop(key, None)
        copy.update(live)
    live, gone, _ = follow(empty, token)
    for key in gone:
        copy.pop(key, None)
    copy.update(live)
    assert copy == {row["accountid"]: row["name"] for row in empty.rows("account", select="name")}


def test_tokens_expire_and_are_of_one_table(empty):
    with empty.store.write() as writing:
        writing.insert("account", [account(1)])
    _, _, token = follow(empty, None)
    late = Asking(empty.store, empty.now + timedelta(days=8))
    with pytest.raises(DataverseError):
        late.page("account", deltatoken=token)
    for table, said in (("contact", token), ("account", "x"), ("account", token[:-3] + "abc")):
        with pytest.raises(DataverseError):
            empty.page(table, deltatoken=said)


@pytest.mark.parametrize("name", ["filter", "orderby", "expand", "top"])
def test_only_select_narrows_what_is_followed(empty, name):
    value = {"filter": "name eq 'x'", "orderby": "name", "expand": "primarycontactid", "top": 1}[name]
    with pytest.raises(
        DataverseError, match=f'The "{name}" query parameter isn.t supported when Change Tracking is enabled'
    ):
        empty.page("account", track=True, **{name: value})


# ── whatever the parser takes ────────────────────────────────────────────────────────────────────────────────────────


def test_the_published_cases_are_answered_or_refused(asked):
    from benchmarks import oasis

    if not all((oasis.DATA / name).is_file() for name in oasis.FILES):
        pytest.skip("no OASIS test cases in ../shared/data/odata")
    asked_of = 0
    for case in oasis.cases():
        for text in (
            case.text,
            f"$filter={case.text}",
            f"$orderby={quote(case.text)}",
            f"$apply={case.text}",
            f"$expand={case.text}",
        ):
            try:
                options = parse_options(text.partition("?")[2] or text)
                asked_of += 1
                asked("query", "account", options)
            except DataverseError:
                continue
    assert asked_of > 300


def test_the_time_is_that_of_the_asker(empty):
    assert empty.now == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    with empty.store.write() as writing:
        writing.insert("contact", [{"contactid": world.guid(2, 1), "birthdate": date(2026, 11, 22)}])
    today = "Microsoft.Dynamics.CRM.Today(PropertyName='birthdate')"
    assert len(empty.rows("contact", filter=today)) == 1
    assert len(Asking(empty.store, empty.now + timedelta(days=1)).rows("contact", filter=today)) == 0
