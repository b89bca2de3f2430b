"""FetchXML: joins, filters on related rows, groups, pages, and what is refused in which words."""

import contextlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from decimal import Decimal
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.query import Preferences
from unify.dataverse.query.fetch_reading import read_fetch
from unify.dataverse.query.paging import checked
from unify.dataverse.query.text import LONGEST_PATTERN, fold, like

ALL = Preferences("*")


def entity(inside, name="account", **fetch):
    told = "".join(f" {k.replace('_', '-')}={quoteattr(str(v))}" for k, v in fetch.items())
    return f"<fetch{told}><entity name='{name}'>{inside}</entity></fetch>"


def rows(asked, inside, name="account", **fetch):
    return asked("fetch_xml", name, entity(inside, name, **fetch)).rows


def ids(asked, inside, name="account", **fetch):
    return [row[world.KEYS[name]] for row in rows(asked, f"<attribute name='statecode'/>{inside}", name, **fetch)]


TO_CONTACTS = "name='contact' from='parentcustomerid' to='accountid'"
MUSTER = "<filter><condition attribute='firstname' operator='eq' value='ann'/></filter>"


def anns(account):
    return [
        c
        for c in world.CONTACTS
        if c["parentcustomerid"] == account["accountid"] and (c["firstname"] or "").lower() == "ann"
    ]


def pointing(account):
    return [c for c in world.CONTACTS if c["parentcustomerid"] == account["accountid"]]


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        ("any", lambda a: bool(anns(a))),
        ("not any", lambda a: not anns(a)),
        ("all", lambda a: bool(pointing(a)) and not anns(a)),
        ("not all", lambda a: bool(anns(a))),
    ],
)
def test_filters_on_related_rows(asked, kind, stays):
    found = ids(asked, f"<filter><link-entity {TO_CONTACTS} link-type='{kind}'>{MUSTER}</link-entity></filter>")
    assert set(found) == {a["accountid"] for a in world.ACCOUNTS if stays(a)}
    either = f"<filter type='or'><link-entity {TO_CONTACTS} link-type='{kind}'>{MUSTER}</link-entity><condition attribute='statecode' operator='eq' value='1'/></filter>"
    assert set(ids(asked, either)) == {a["accountid"] for a in world.ACCOUNTS if stays(a) or a["statecode"] == 1}


@pytest.mark.parametrize("kind", ["exists", "in"])
def test_joins_that_only_choose(asked, kind):
    found = ids(asked, f"<link-entity {TO_CONTACTS} link-type='{kind}'>{MUSTER}</link-entity>")
    assert sorted(found) == sorted(a["accountid"] for a in world.ACCOUNTS if anns(a))


def test_inner_and_outer_joins(asked):
    link = f"<link-entity {TO_CONTACTS} alias='c' link-type='%s'><attribute name='firstname'/>{MUSTER}</link-entity>"
    inner, outer = Counter(ids(asked, link % "inner")), Counter(ids(asked, link % "outer"))
    assert inner == Counter({a["accountid"]: len(anns(a)) for a in world.ACCOUNTS if anns(a)})
    assert outer == Counter({a["accountid"]: max(1, len(anns(a))) for a in world.ACCOUNTS})
    after = f"<link-entity {TO_CONTACTS} alias='c' link-type='outer'/><filter><condition entityname='c' attribute='contactid' operator='null'/></filter>"
    assert set(ids(asked, after)) == {a["accountid"] for a in world.ACCOUNTS if not pointing(a)}


def test_the_first_matching_row(asked):
    link = f"<link-entity {TO_CONTACTS} alias='c' link-type='matchfirstrowusingcrossapply'><attribute name='contactid'/>{MUSTER}</link-entity>"
    found = {row["accountid"]: row.get("c.contactid") for row in rows(asked, f"<attribute name='name'/>{link}")}
    assert found == {a["accountid"]: min((c["contactid"] for c in anns(a)), default=None) for a in world.ACCOUNTS}


def test_columns_are_compared_within_a_row_and_across_tables(asked):
    same = "<filter><condition attribute='firstname' operator='%s' valueof='lastname'/></filter>"
    lower = lambda text: text and world.low(text)  # noqa: E731
    equal = {
        c["contactid"]
        for c in world.CONTACTS
        if c["firstname"] is not None and lower(c["firstname"]) == lower(c["lastname"])
    }
    differ = {c["contactid"] for c in world.CONTACTS if lower(c["firstname"]) != lower(c["lastname"])}
    assert set(ids(asked, same % "eq", "contact")) == equal
    assert set(ids(asked, same % "ne", "contact")) == differ
    across = "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a' link-type='outer'/><filter><condition attribute='createdon' operator='gt' valueof='a.createdon'/></filter>"
    wanted = {
        c["contactid"]
        for c in world.CONTACTS
        if (a := world.BY_KEY.get(c["parentcustomerid"])) and "accountid" in a and c["createdon"] > a["createdon"]
    }
    assert set(ids(asked, across, "contact")) == wanted


def test_names_of_what_is_told(asked):
    page = asked("fetch_xml", "account", entity(
        "<attribute name='name' alias='title'/><attribute name='primarycontactid'/><link-entity name='contact' from='contactid' to='primarycontactid'>"
        "<attribute name='lastname'/></link-entity><link-entity name='account' from='accountid' to='parentaccountid' alias='up'><attribute name='parentaccountid'/></link-entity>", top=1), preferences=ALL)  # fmt: skip
    row = page.rows[0]
    assert {"title", "_primarycontactid_value", "contact1.lastname", "accountid"} <= set(row)
    assert row["title@OData.Community.Display.V1.AttributeName"] == "name"
    assert page.context == "accounts"
    everything = rows(asked, "", top=1)[0]
    assert {"createdon", "accountid", "statecode"} <= set(everything)
    assert set(rows(asked, "<no-attrs/>", top=1)[0]) == {"@odata.etag", "accountid"}
    assert None not in everything.values()


@pytest.mark.parametrize("descending", ["true", "false"])
def test_order_by_labels_and_by_names(asked, descending):
    key = (
        (lambda a: (a["industrycode"] is not None, a["industrycode"] or 0, a["accountid"]))
        if descending == "false"
        else None
    )
    raw = ids(asked, f"<order attribute='industrycode' descending='{descending}'/>", useraworderby="true")
    if key:
        assert raw == [a["accountid"] for a in sorted(world.ACCOUNTS, key=key)]
    by_label = rows(
        asked, f"<attribute name='industrycode'/><order attribute='industrycode' descending='{descending}'/>"
    )
    labels = [asked_label(asked, row.get("industrycode")) for row in by_label]
    present = [label for label in labels if label is not None]
    assert present == sorted(present, key=str.lower, reverse=descending == "true")
    assert (labels[0] is None) == (descending == "false")
    linked = rows(
        asked,
        "<attribute name='name'/><order entityname='c' attribute='lastname'/><link-entity name='contact' from='contactid' to='primarycontactid' alias='c'><attribute name='lastname'/></link-entity>",
    )
    names = [row.get("c.lastname") for row in linked]
    assert names == sorted(names, key=lambda n: (n is not None, world.rank(n or "")))


def asked_label(asked, value):
    if value is None:
        return None
    from unify.dataverse.model import model_of

    return model_of(asked.reading).table("account").attribute("industrycode").label_of(value)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def turned(text, page):
    """What the official client does between two pages."""
    outer = ET.fromstring(page.annotations["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
    root = ET.fromstring(text)
    root.set("paging-cookie", unquote(unquote(outer.get("pagingcookie"))))
    root.set("page", outer.get("pagenumber"))
    return ET.tostring(root, encoding="unicode")


@pytest.mark.parametrize(
    "inside",
    [
        "<order attribute='name' descending='true'/>",
        "<order attribute='revenue'/><order attribute='industrycode'/>",
        f"<order attribute='createdon'/><link-entity {TO_CONTACTS} alias='c' link-type='outer'><attribute name='contactid'/><order attribute='lastname'/></link-entity>",
        "<filter><condition attribute='statecode' operator='eq' value='0'/></filter>",
    ],
)
def test_pages_by_cookie(asked, inside):
    inside = f"<attribute name='name'/>{inside}"
    wanted = [(row["accountid"], row.get("c.contactid")) for row in rows(asked, inside)]
    text, found = entity(inside, count=7), []
    for _ in range(50):
        page = asked("fetch_xml", "account", text, preferences=ALL)
        found += [(row["accountid"], row.get("c.contactid")) for row in page.rows]
        if "@Microsoft.Dynamics.CRM.morerecords" not in page.annotations:
            break
        text = turned(text, page)
    assert found == wanted
    assert page.next is None


def test_a_cookie_is_good_in_another_process(asked):
    """Workers share a root: what binds a token to its query is the same in all of them."""
    inside = f"<order attribute='name'/><filter><condition attribute='createdon' operator='last-x-years' value='3'/></filter><link-entity {TO_CONTACTS} link-type='exists'/>"
    text = entity(f"<attribute name='name'/>{inside}", count=2)
    script = (
        "import sys; from unify.dataverse.query.fetch_reading import read_fetch; from unify.dataverse.query.paging import checked;"
        "print(checked(repr(read_fetch(sys.argv[1]))))"
    )
    there = {
        subprocess.run([sys.executable, "-c", script, text], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    }
    assert there == {checked(repr(read_fetch(text)))}
    assert " at 0x" not in repr(read_fetch(text))


def test_pages_by_number(asked):
    inside = "<attribute name='name'/><order attribute='name'/>"
    wanted = [row["accountid"] for row in rows(asked, inside)]
    assert [r["accountid"] for n in (1, 2, 3) for r in rows(asked, inside, count=9, page=n)] == wanted[:27]
    distinct = asked(
        "fetch_xml",
        "account",
        entity("<attribute name='statecode'/><order attribute='statecode'/>", distinct="true", count=1),
        preferences=ALL,
    )
    assert [row["statecode"] for row in distinct.rows] == [0]
    assert "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie" not in distinct.annotations
    assert distinct.annotations["@Microsoft.Dynamics.CRM.morerecords"] is True
    assert [
        r["statecode"]
        for r in rows(
            asked, "<attribute name='statecode'/><order attribute='statecode'/>", distinct="true", count=1, page=2
        )
    ] == [1]
    with pytest.raises(DataverseError, match="50,000"):
        rows(asked, inside, count=5000, page=12)


def test_totals(asked):
    page = asked(
        "fetch_xml",
        "account",
        entity("<attribute name='name'/>", returntotalrecordcount="true", count=2),
        preferences=ALL,
    )
    assert page.annotations["@Microsoft.Dynamics.CRM.totalrecordcount"] == len(world.ACCOUNTS)
    plain = asked("query", "account", asked.options(count="true").__class__(fetch_xml=entity(""), count=True))
    assert plain.annotations["@odata.count"] == len(world.ACCOUNTS)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_aggregates(asked):
    parts = {"n": ("accountid", "count"), "c": ("revenue", "countcolumn"), "s": ("revenue", "sum"), "a": ("revenue", "avg"),
             "lo": ("revenue", "min"), "hi": ("createdon", "max"), "whole": ("numberofemployees", "avg")}  # fmt: skip
    inside = "".join(
        f"<attribute name='{name}' alias='{alias}' aggregate='{how}'/>" for alias, (name, how) in parts.items()
    )
    inside += "<attribute name='revenue' alias='d' aggregate='countcolumn' distinct='true'/><attribute name='statecode' alias='g' groupby='true'/><order alias='g' descending='true'/>"
    found = rows(asked, inside, aggregate="true")
    assert [row["g"] for row in found] == [1, 0]
    for row in found:
        mine = [a for a in world.ACCOUNTS if a["statecode"] == row["g"]]
        money = [a["revenue"] for a in mine if a["revenue"] is not None]
        people = [a["numberofemployees"] for a in mine if a["numberofemployees"] is not None]
        assert (row["n"], row["c"], row["d"]) == (len(mine), len(money), len(set(money)))
        assert Decimal(str(row["s"])) == sum(money)
        assert row["a"] == pytest.approx(float(sum(money) / len(money)))
        assert (Decimal(str(row["lo"])), row["whole"]) == (min(money), sum(people) // len(people))
        assert row["hi"] == max(a["createdon"] for a in mine).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_groups_of_text_do_not_regard_case_and_nulls_are_one(asked):
    found = rows(
        asked,
        "<attribute name='accountid' alias='n' aggregate='count'/><attribute name='name' alias='g' groupby='true'/>",
        aggregate="true",
    )
    wanted = Counter(a["name"] and world.low(a["name"]) for a in world.ACCOUNTS)
    assert (
        Counter({(row["g"] if row.get("g") == "" else row.get("g") and world.low(row["g"])): row["n"] for row in found})
        == wanted
    )


@pytest.mark.parametrize(
    ("part", "of"),
    [
        ("day", lambda d: d.day), ("month", lambda d: d.month), ("year", lambda d: d.year), ("quarter", lambda d: (d.month + 2) // 3),
        ("week", lambda d: (d.timetuple().tm_yday + (d.replace(month=1, day=1).weekday() + 1) % 7 + 6) // 7),
        ("fiscal-year", lambda d: d.year), ("fiscal-period", lambda d: d.year * 10 + (d.month + 2) // 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["createdon", "birthdate"])
def test_groups_by_parts_of_dates(asked, part, of, column):
    inside = f"<attribute name='contactid' alias='n' aggregate='count'/><attribute name='{column}' alias='g' groupby='true' dategrouping='{part}'/>"
    found = {row.get("g"): row["n"] for row in rows(asked, inside, "contact", aggregate="true")}
    assert found == Counter(of(c[column]) if c[column] else None for c in world.CONTACTS)


def test_weeks_are_those_of_the_vendors_example(empty):
    """25 Mar 2023 is in week 12, 27 Aug 2023 in week 35."""
    from datetime import UTC, datetime

    with empty.store.write() as writing:
        writing.insert(
            "account",
            [
                {"accountid": world.guid(1, i), "createdon": datetime(2023, *d, tzinfo=UTC)}
                for i, d in enumerate([(3, 25), (8, 27)])
            ],
        )
    inside = "<attribute name='accountid' alias='n' aggregate='count'/><attribute name='createdon' alias='w' groupby='true' dategrouping='%s'/><order alias='w'/>"
    assert [row["w"] for row in rows(empty, inside % "week", aggregate="true")] == [12, 35]
    shown = empty("fetch_xml", "account", entity(inside % "fiscal-period", aggregate="true"), preferences=ALL).rows
    assert [row["w@OData.Community.Display.V1.FormattedValue"] for row in shown] == [
        "Quarter 1 FY2023",
        "Quarter 3 FY2023",
    ]


def test_groups_over_joins_and_limits(asked):
    inside = f"<attribute name='accountid' alias='g' groupby='true'/><link-entity {TO_CONTACTS} alias='c'><attribute name='contactid' alias='n' aggregate='count'/></link-entity>"
    found = {row["g"]: row["n"] for row in rows(asked, inside, aggregate="true")}
    assert found == {a["accountid"]: len(pointing(a)) for a in world.ACCOUNTS if pointing(a)}
    with pytest.raises(DataverseError, match="AggregateQueryRecordLimit exceeded") as caught:
        rows(asked, inside, aggregate="true", aggregatelimit=3)
    assert caught.value.code == "0x8004E023"


def test_children(asked):
    found = rows(
        asked,
        "<attribute name='name'/><attribute name='accountid' alias='CountChildren' rowaggregate='CountChildren'/>",
    )
    wanted = Counter(a["parentaccountid"] for a in world.ACCOUNTS)
    assert {row["accountid"]: row["CountChildren"] for row in found} == {
        a["accountid"]: wanted[a["accountid"]] for a in world.ACCOUNTS
    }


def test_distinct(asked):
    found = rows(asked, "<attribute name='statecode'/><attribute name='industrycode'/>", distinct="true")
    assert Counter((row["statecode"], row.get("industrycode")) for row in found) == Counter(
        {(a["statecode"], a["industrycode"]) for a in world.ACCOUNTS}
    )


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    "Invalid XML": "<fetch><entity name='account'>",
    "document types": "<!DOCTYPE f [<!ENTITY a 'b'>]><fetch><entity name='account'/></fetch>",
    "valid nodes are fetch": "<a/>",
    "There is no entity": "<fetch/>",
    "Invalid Child Node, valid nodes are filter, order, link-entity, attribute, all-attributes, no-attrs. NodeName = foo": entity("<foo/>"),
    "Invalid Child Node, valid nodes are condition, filter, link-entity": entity("<filter><attribute name='x'/></filter>"),
    "Invalid attribute 'foo' of the element 'fetch'": entity("", foo=1),
    "Invalid attribute 'atribute' of the element 'condition'": entity("<filter><condition atribute='name' operator='eq' value='x'/></filter>"),
    "Invalid attribute 'tpye' of the element 'filter'": entity("<filter tpye='or'/>"),
    "'account' entity doesn't contain attribute with Name = 'x' and NameMapping = 'Logical'.": entity("<attribute name='x'/>"),
    "'contact' entity doesn't contain attribute with Name = 'y'": entity(f"<link-entity {TO_CONTACTS}><attribute name='y'/></link-entity>"),
    "was not found in the MetadataCache": entity("", "nosuch"),
    "Invalid condition operator 'foo'": entity("<filter><condition attribute='name' operator='foo'/></filter>"),
    "Attribute 'value' or 'valueof' must be specified": entity("<filter><condition attribute='name' operator='eq'/></filter>"),
    "requires 2 value(s), and 1": entity("<filter><condition attribute='revenue' operator='between' value='5'/></filter>"),
    "is not of the type Edm.Int32": entity("<filter><condition attribute='statecode' operator='eq' value='x'/></filter>"),
    "The filter type is": entity("<filter type='xor'/>"),
    "The link-type 'right'": entity(f"<link-entity {TO_CONTACTS} link-type='right'/>"),
    "The link-type 'any'": entity(f"<link-entity {TO_CONTACTS} link-type='any'/>"),
    "only filters": entity(f"<link-entity {TO_CONTACTS} link-type='exists'><attribute name='fullname'/></link-entity>"),
    "Required attribute 'from' is missing": entity("<link-entity name='contact' to='accountid'/>"),
    "stands twice": entity(f"<link-entity {TO_CONTACTS} alias='a'/><link-entity {TO_CONTACTS} alias='a'/>"),
    "is not linked": entity("<filter><condition entityname='q' attribute='name' operator='null'/></filter>"),
    "Invalid alias": entity(f"<link-entity {TO_CONTACTS} alias='a b'/>"),
    "The top attribute can't be specified with paging attribute page": entity("", top=1, page=1),
    "whole number from 1": entity("", top="0"),
    "is true or false": entity("", distinct="maybe"),
    "needs an alias": entity("<attribute name='name' groupby='true'/>", aggregate="true"),
    "needs an aggregate or groupby": entity("<attribute name='name' alias='a'/>", aggregate="true"),
    "cannot be worked out over 'name'": entity("<attribute name='name' alias='a' aggregate='sum'/>", aggregate="true"),
    "dategrouping groups dates": entity("<attribute name='name' alias='a' groupby='true' dategrouping='day'/>", aggregate="true"),
    "is ordered by the alias": entity("<attribute name='name' alias='a' groupby='true'/><order attribute='name'/>", aggregate="true"),
    "Number of link entities in query exceeded maximum limit.": entity("".join(f"<link-entity {TO_CONTACTS} alias='a{i}'/>" for i in range(16))),
    "Number of conditions in query exceeded maximum limit.": entity("<filter>" + "<condition attribute='name' operator='null'/>" * 501 + "</filter>"),
    "more than 60 levels": entity("<filter>" * 70 + "</filter>" * 70),
    "Malformed paging cookie": entity("", count=1, page=2, paging_cookie="<cookie page='1'/>"),
    "the address of 'account'": entity("", "contact"),
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(REFUSED))
def test_what_is_refused_and_in_which_words(asked, words):
    with pytest.raises(DataverseError) as caught:
        asked("fetch_xml", "account", REFUSED[words])
    assert words in caught.value.message
    assert re.fullmatch(r"0x800[0-9a-fA-F]{5}", caught.value.code)


@settings(max_examples=200, deadline=None)
@given(
    cut=st.integers(0, 400),
    put=st.sampled_from(["", "<", ">", "'", "&", "x", "</entity>", "\x00", "&#1;", "<!--", "]]>"]),
)
def test_broken_xml_is_refused_and_never_a_crash(asked, cut, put):
    whole = entity(
        f"<attribute name='name'/><filter><condition attribute='name' operator='in'><value>a</value></condition></filter><link-entity {TO_CONTACTS} alias='c' link-type='outer'><attribute name='fullname'/></link-entity><order attribute='name'/>",
        count=2,
    )
    with contextlib.suppress(DataverseError):
        asked("fetch_xml", "account", whole[:cut] + put + whole[cut + 1 :])


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

LETTERS = st.text(alphabet="aAbB%_[]^-éÉσΣς\u212ak", max_size=9)


@settings(max_examples=1_000)
@given(pattern=LETTERS, text=LETTERS)
def test_like_is_a_naive_like(pattern, text):
    def kept(value):  # KELVIN SIGN is no k
        return world.low(value.replace("\u212a", "\x01")).replace("\x01", "\u212a")

    if re.search(r"\[[^\]]*-", pattern):
        pattern = pattern.replace("-", "")
    assert bool(like(pattern, text)) == world.matches(kept(pattern), kept(text))


def test_ranges_in_patterns():
    assert [bool(like("[b-d]x", t)) for t in ("ax", "bx", "Dx", "ex")] == [False, True, True, False]
    assert [bool(like("[^b-d]", t)) for t in ("a", "c")] == [True, False]
    assert [bool(like("[%]off", t)) for t in ("%off", "xoff")] == [True, False]
    assert bool(like("[z-a]", "m")) is False


@settings(max_examples=500)
@given(a=LETTERS, b=LETTERS)
def test_fast_and_slow_ways_agree(asked, a, b):
    """SQLite's own LIKE and NOCASE, which serve plain ASCII, give what the functions would."""
    execute = asked.reading.connection.execute
    if a.isascii():
        assert bool(execute("SELECT ? = ? COLLATE NOCASE", (b, a)).fetchone()[0]) == (fold(a) == fold(b))
        if "[" not in a:
            assert bool(execute("SELECT ? LIKE ?", (b, a)).fetchone()[0]) == bool(like(a, b))


def test_a_pattern_cannot_cost_the_world(asked):
    import time

    start = time.monotonic()
    assert like("%a" * 1_999 + "b", "a" * 100_000) == 0
    assert time.monotonic() - start < 5
    with pytest.raises(DataverseError, match="pattern"):
        asked.ids("account", filter=f"contains(name,'{'a' * LONGEST_PATTERN}')")
