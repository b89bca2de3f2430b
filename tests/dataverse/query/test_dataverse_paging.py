"""Pages: nothing twice and nothing missed while others write; tokens that were changed; $top and $skip."""

import random
import re
from decimal import Decimal
from urllib.parse import quote

import pytest

from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.query import Preferences, parse_options


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_stay_are_seen_once_while_others_come_and_go(empty, seed):
    """Each page is read at a later moment. Rows that are there all the time appear exactly once."""
    chance = random.Random(seed)
    steady = [world.guid(1, 2 * i) for i in range(60)]
    with empty.store.write() as writing:
        writing.insert("account", [{"accountid": k, "name": chance.choice(world.NAMES), "revenue": chance.choice([None, Decimal(5), Decimal(7)])} for k in steady])  # fmt: skip
    orderby = chance.choice(["name desc", "revenue,name", "revenue desc", None, "_primarycontactid_value,name desc"])
    seen, token, coming = [], None, 1
    while True:
        page = empty.page("account", page_size=7, skiptoken=token, orderby=orderby, select="name")
        seen += [row["accountid"] for row in page.rows]
        with empty.store.write() as writing:
            new = [
                {"accountid": world.guid(1, 2 * i + 1), "name": chance.choice(world.NAMES)}
                for i in range(coming, coming + 3)
            ]
            writing.insert("account", new)
            gone = chance.choice(new)["accountid"]
            writing.delete("account", [gone])
        coming += 3
        token = page.next
        if token is None or coming > 400:
            break
    assert len(seen) == len(set(seen))
    assert set(steady) <= set(seen)


def test_a_token_looks_as_those_of_dataverse(asked):
    token = asked.page("account", page_size=2, orderby="name", select="name").next
    assert re.fullmatch(
        r'<cookie pagenumber="2" pagingcookie="%253[cC]cookie%2520page[^"]*" istracking="False" />', token
    )


def test_a_changed_token_is_refused(asked):
    token = asked.page("account", page_size=2, orderby="name", select="name").next
    rng = random.Random(3)
    codes = []
    for _ in range(300):
        i = rng.randrange(len(token))
        changed = token[:i] + rng.choice(["", "x", "0", "%", '"', token[i] * 2]) + token[i + 1 :]
        if changed == token:
            continue
        try:
            page = asked.page("account", page_size=2, orderby="name", select="name", skiptoken=changed)
        except DataverseError as error:
            codes.append(error.code)
        else:  # what Dataverse writes besides and nobody reads: first="…", istracking
            assert page.rows == asked.page("account", page_size=2, orderby="name", select="name", skiptoken=token).rows
    assert len(codes) > 150
    assert set(codes) == {"0x80044352"}


@pytest.mark.parametrize("other", [{"orderby": "revenue"}, {"orderby": "name", "filter": "statecode eq 0"}, {}])
def test_a_token_of_another_question_is_refused(asked, other):
    token = asked.page("account", page_size=2, orderby="name", select="name").next
    with pytest.raises(DataverseError, match="Malformed paging cookie"):
        asked.page("account", page_size=2, skiptoken=token, **other)
    with pytest.raises(DataverseError):
        asked.page("contact", page_size=2, skiptoken=token, orderby="lastname")


@pytest.mark.parametrize(
    "token",
    ["", "x", "<cookie", "<cookie/>", "<a/>", "<cookie pagenumber='2'/>", "<!DOCTYPE x><cookie/>", "9" * 20_000],
)
def test_what_is_no_token_is_refused(asked, token):
    with pytest.raises(DataverseError):
        asked.page("account", page_size=2, skiptoken=token)


def test_a_token_stays_valid_however_the_query_is_encoded(asked):
    token = asked.page("account", page_size=2, filter="name ne null", select="name").next
    again = parse_options(f"%24filter=name%20ne%20%20null&%24select=accountid&%24skiptoken={quote(token, safe='')}")
    assert len(asked("query", "account", again, Preferences(page_size=2)).rows) == 2


def test_top_limits_all_pages_together(asked):
    first = asked.page("account", page_size=4, top=6, select="name")
    second = asked.page("account", page_size=4, top=6, select="name", skiptoken=first.next)
    assert (len(first.rows), len(second.rows), second.next) == (4, 2, None)
    assert asked.page("account", top=3, select="name").next is None
    assert asked.page("account", top=0, select="name").rows == []


def test_skip_leaves_out_the_first(asked):
    everything = asked.ids("account", orderby="name")
    assert asked.ids("account", orderby="name", skip=7, top=5) == everything[7:12]
    assert asked.ids("account", skip=1_000) == []


def test_a_page_has_5000_rows_at_most_and_so_has_a_count(empty):
    with empty.store.write() as writing:
        writing.insert("lead", ({"leadid": world.guid(3, i), "subject": f"s{i}"} for i in range(5_003)))
    page = empty.page("lead", annotations="*", count="true", select="subject", page_size=9_000)
    assert len(page.rows) == 5_000
    assert page.annotations["@odata.count"] == 5_000
    assert page.annotations["@Microsoft.Dynamics.CRM.totalrecordcount"] == 5_000
    assert page.annotations["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    rest = empty.page("lead", select="subject", skiptoken=page.next)
    assert (len(rest.rows), rest.next) == (3, None)
    assert empty("count", "lead") == 5_000
    few = empty.page("lead", annotations="Microsoft.Dynamics.CRM.*", filter="subject eq 's1'", count="true")
    assert few.annotations["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    assert few.annotations["@odata.count"] == 1
    assert empty.page("lead", annotations="*", top=1).annotations["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1
