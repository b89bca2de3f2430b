"""Every hot answer is, byte for byte, what the slow way gives; and the routes that shall be hot are."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from tests.service.hot.conftest import Side, side_of, until
from unify.core.errors import NotFoundError, QueryError, UnifyError
from unify.service.hot.answer import HotAnswer

TOKEN = re.compile(r"skiptoken=[A-Za-z0-9_-]+")
UNKNOWN = "0123456789abcdef0123456789abcdef"


def ids(side: Side) -> list[str]:
    return [row["CustomerId"] for row in side.acme.sql("SELECT CustomerId FROM Customer ORDER BY 1 LIMIT 40").rows()]


def spelt(text: str, how: int) -> str:
    """The same in the spellings that clients send: as little encoded as may be, blanks as plus, everything encoded."""
    if how == 0:
        return quote(text, safe="$=&'(),/:")
    if how == 1:
        return quote(text, safe="$=&'(), /").replace(" ", "+")
    return quote(text, safe="=&").lower().replace("%2c", "%2C") if how == 2 else quote(text, safe="=&")


def path_spelt(text: str, how: int) -> str:
    return quote(text, safe="()'=$/") if how < 2 else quote(text, safe="")


def same(side: Side, relative: str, query: str, how: int, size: int | None = None) -> bool:
    """Hot and slow agree, errors included; whether it was hot."""
    query_spelt = quote(query, safe="=&") if how == 2 else spelt(query, how)
    found = told(lambda: side.hot(path_spelt(relative, how), query_spelt, size=size))
    if found is None:
        return False
    slow = told(lambda: side.slow(relative, query, size=size))
    assert (TOKEN.sub("T", found.body.decode()) if isinstance(found, HotAnswer) else found) == slow
    return True


def told(ask: Callable[[], HotAnswer | str | None]) -> Any:
    """The answer without tokens, which know the time; or the refusal."""
    try:
        found = ask()
    except UnifyError as error:
        return type(error), error.as_dict()
    return TOKEN.sub("T", found) if isinstance(found, str) else found


ROUTES = [
    ("Customer('{id}')", ""),
    ("Customer('{id}')", "$select=City,CustomerId"),
    ("Customer(CustomerId='{id}')", ""),
    ("Customer(customerid='{id}')", "$select=Tier"),
    ("Customer(crm_Contacts_ContactId='C-1081')", ""),
    ("Customer(loyalty_Members_LoyaltyId='L-1045')", "$select=FullName"),
    ("Customer", "$filter=CustomerId eq '{id}'"),
    ("Customer", "$filter=CustomerId eq '{id}'&$select=City&$count=true"),
    ("Customer", "$filter=CustomerId eq '{id}' and IsMemberOfSegment('win_back')"),
    ("Customer", "$filter=IsMemberOfSegment('win_back') and CustomerId eq '{id}'&$select=City"),
    ("Customer", "$filter=CustomerId eq '{id}'&IsMemberOfSegment('win_back')"),
    ("Customer", "IsMemberOfSegment('win_back')&$filter=CustomerId eq '{id}'&$top=1"),
    ("Customer", "$filter=IsMemberOfSegment('win_back')"),
    ("Customer", "$filter=IsMemberOfSegment('gone_quiet')&$top=50&$skip=20"),
    ("Customer", "IsMemberOfSegment('big_spenders')&$top=5&$skip=3&$select=FullName,City&$count=true"),
    ("Customer", "$top=250&$count=true"),
    ("Customer", "$top=0"),
    ("Customer", "$skip=700"),
    ("Customer", "$skip=1000000&$format=json"),
    ("Customer", ""),
    ("Customer/$count", ""),
    ("Customer/$count", "$filter=IsMemberOfSegment('unhappy')"),
    ("Customer/$count", "IsMemberOfSegment('unhappy')"),
]


@pytest.mark.parametrize("how", [0, 1, 2, 3])
@pytest.mark.parametrize(("relative", "query"), ROUTES)
def test_a_hot_route_is_hot_and_gives_what_the_slow_way_gives(side: Side, relative: str, query: str, how: int) -> None:
    for id_ in [ids(side)[how], UNKNOWN]:
        assert same(side, relative.format(id=id_), query.format(id=id_), how)


KEYS = st.sampled_from(["{id}", UNKNOWN, "", "x", "'", "C-1081", UNKNOWN.upper(), "ü", "a/b", "%", "a%27b", "0x_1"])
SEGMENTS = st.sampled_from(["win_back", "gone_quiet", "unhappy", "big_spenders", "Win_back", "nobody", "a''b", "%27"])
PARTS = st.one_of(
    st.builds("$filter=CustomerId eq '{}'".format, KEYS),
    st.builds("$filter=IsMemberOfSegment('{}')".format, SEGMENTS),
    st.builds("$filter=CustomerId eq '{}' and IsMemberOfSegment('{}')".format, KEYS, SEGMENTS),
    st.builds("$filter=not IsMemberOfSegment('{}')".format, SEGMENTS),
    st.builds("IsMemberOfSegment('{}')".format, SEGMENTS),
    st.builds("$top={}".format, st.sampled_from([0, 1, 7, 100, 101, 99999, "-1", "x", ""])),
    st.builds("$skip={}".format, st.sampled_from([0, 1, 80, 723, 724, "1.5"])),
    st.builds("$count={}".format, st.sampled_from(["true", "false", "True", "1"])),
    st.builds(
        "$select={}".format, st.sampled_from(["City", "City,Tier,City", "city", "*", "City,", "Nothing", "ordinal"])
    ),
    st.sampled_from(["$format=json", "$format=csv", "$orderby=City", "$search=anna", "", "top=3", "x=1"]),
)
PATHS = st.one_of(
    st.just("Customer"), st.just("Customer/$count"), st.builds("Customer('{}')".format, KEYS),
    st.builds("Customer(CustomerId='{}')".format, KEYS), st.builds("Customer(crm_Contacts_ContactId='{}')".format, KEYS),
    st.sampled_from(["customer", "Customer/", "Customers", "Customer()", "Customer('a','b')", "Customer(City='Bern')"]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(PATHS, st.lists(PARTS, max_size=4), st.integers(0, 3), st.integers(0, 39), st.sampled_from([None, 1, 7, 10_000]))
def test_whatever_is_asked_hot_and_slow_agree(
    side: Side, path: str, parts: list[str], how: int, which: int, size: int | None
) -> None:
    id_ = ids(side)[which]
    same(side, path.replace("{id}", id_), "&".join(parts).replace("{id}", id_), how, size)


@pytest.mark.parametrize("query", ["$filter=IsMemberOfSegment('win_back')&$count=true", "$top=33", "$select=City"])
def test_next_links_lead_through_all_pages_hot(side: Side, query: str) -> None:
    slow = [row for page in side.acme.odata(f"Customer?{query}", page_size=10).pages() for row in page.value]
    seen: list[object] = []
    query, size = spelt(query, 0), 10
    while True:
        found = side.hot("Customer", query, size=size)
        assert found is not None
        page = json.loads(found.body)
        seen += page["value"]
        assert len(page["value"]) <= 10
        if "@odata.nextLink" not in page:
            break
        query, size = urlsplit(page["@odata.nextLink"]).query, None
    assert json.dumps(seen) == json.dumps(slow)


def test_a_next_link_of_the_slow_way_goes_on_hot_and_back(side: Side) -> None:
    first = side.acme.odata("Customer?$filter=IsMemberOfSegment('win_back')", page_size=10)
    assert first.next_link is not None
    second = side.hot("Customer", first.next_link.partition("?")[2])
    assert second is not None
    document = json.loads(second.body)
    following = first.next()
    assert following is not None
    assert document["value"] == following.as_dict()["value"]
    third = side.acme.odata(document["@odata.nextLink"].removeprefix("http://h/data/"))
    after = following.next()
    assert after is not None
    assert third.value == after.value


def test_a_token_of_another_question_is_refused_as_ever(side: Side) -> None:
    link = side.acme.odata("Customer?$filter=IsMemberOfSegment('win_back')", page_size=10).next_link
    assert link is not None
    token = re.search(r"skiptoken=([\w-]+)", link)
    assert token is not None
    for said in (token[1], token[1][:-2] + "AA"):
        with pytest.raises(QueryError):
            side.hot("Customer", f"$filter=IsMemberOfSegment(%27unhappy%27)&$skiptoken={said}")


def test_headers_that_ask_for_more_are_not_for_the_fast_way(side: Side) -> None:
    for name, value in (
        (b"accept", b"text/csv"), (b"accept", b"application/json;odata.metadata=none"), (b"prefer", b"maxpagesize=5"),
        (b"odata-maxversion", b"3.0"), (b"cache-control", b"no-cache"), (b"if-match", b"*"),
    ):  # fmt: skip
        assert side.hot("Customer", headers=[(name, value)]) is None
    assert side.hot("Customer", headers=[(b"accept", b"*/*"), (b"odata-maxversion", b"4.0")]) is not None


def test_what_has_not_changed_is_said_in_304(side: Side) -> None:
    first = side.hot("Customer/$count")
    assert first is not None
    tag = dict(first.headers)[b"etag"]
    for known in (tag, b"*", b'"x", ' + tag):
        again = side.hot("Customer/$count", headers=[(b"if-none-match", known)])
        assert again is not None
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)[b"etag"] == tag
    other = side.hot("Customer/$count", headers=[(b"if-none-match", b'W/"1-x"')])
    assert other is not None
    assert other.status == 200


def test_retired_ids_and_records_lead_to_the_heir(tmp_path: Path) -> None:
    project = {
        "name": "acme",
        "sources": {"crm": {"Contacts": {"files": "c.csv", "key": "Id"}}},
        "conflation": {
            "order": ["crm.Contacts"],
            "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "EMail"}]}]},
        },
    }
    path = tmp_path / "root" / "acme"
    with unify.open(path, create=True) as acme:
        (tmp_path / "c.csv").write_text("Id,EMail,City\nA,a@x.invalid,Bern\nB,b@x.invalid,Basel\n")
        acme.run(project, base=tmp_path)
        before = {r["crm_Contacts_Id"]: r["CustomerId"] for r in acme.customers().rows()}
        (tmp_path / "c.csv").write_text("Id,EMail,City\nA,a@x.invalid,Bern\nB,a@x.invalid,Basel\nC,c@x.invalid,Genf\n")
        acme.run(project, base=tmp_path)
        [retired] = set(before.values()) - {r["CustomerId"] for r in acme.customers().rows()}
        (tmp_path / "c.csv").write_text("Id,EMail,City\nC,c@x.invalid,Genf\n")
    side = side_of(tmp_path / "root", "acme")
    for key in (f"Customer('{retired}')", "Customer(crm_Contacts_Id='B')", "Customer(crm_Contacts_Id='A')"):
        assert same(side, key, "", 0)
    assert same(side, "Customer", f"$filter=CustomerId eq '{retired}'", 0)
    checked = side.hot("Customer", f"$filter=CustomerId%20eq%20%27{retired}%27")
    assert checked is not None
    assert json.loads(checked.body)["value"] == []
    with unify.open(path) as acme:
        acme.run(project, base=tmp_path)
    keeper = side.service.hot.keeper("acme")
    until(lambda: (now := keeper.current()) is not None and now.generation == 3)
    assert side.hot(f"Customer('{retired}')") is None  # gone with its records: the slow way says when
    with pytest.raises(NotFoundError, match="no customer has the record"):
        side.hot("Customer(crm_Contacts_Id='A')")
    side.close()
