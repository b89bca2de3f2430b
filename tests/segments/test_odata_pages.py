"""Pages: any size gives the same rows, whatever is published in between."""

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from segments.model import Model
from segments.odata.answers.answer import answer, generation_asked
from segments.predicates.fields import Catalog, Table
from unify.core.documents import project_of
from unify.core.errors import NotFoundError, QueryError
from unify.engines.duckdb import DuckDBEngine

CLOCK = datetime.fromisoformat("2025-06-01T12:00")
ROWS = 40

# ── any size ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def things():
    """Rows with every trouble a sort key can have: nulls, ties, NaN, both infinities, −0, signs in text."""
    n = range(ROWS)
    doubles = [None, math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, 1e300, 5e-324, 0.1]
    texts = [None, "", "a", "B", "b", "é", "e\u0301", "'", "😀", "a b"]
    start = datetime.fromisoformat("2024-01-01")
    columns = {
        "Double": [doubles[i * 7 % 10] for i in n],
        "Text": [texts[i * 3 % 10] for i in n],
        "Whole": [None if i % 5 == 0 else i % 4 - 2 for i in n],
        "Exact": pa.array([None if i % 7 == 0 else Decimal(i % 6 - 3) / 100 for i in n], pa.decimal128(38, 2)),
        "At": pa.array([None if i % 6 == 0 else start + timedelta(microseconds=i % 3) for i in n], pa.timestamp("us")),
        "Flag": [[True, False, None][i % 3] for i in n],
    }
    with DuckDBEngine() as engine:
        engine.load("Customer", pa.table({"CustomerId": ["c"], "ordinal": pa.array([0], pa.int32())}))
        engine.load("Keyed", pa.table({"Id": [f"k{i * 37 % ROWS:02}" for i in n], **columns}))
        engine.load("Numbered", pa.table({"Id": [i * 37 % ROWS - 30 for i in n], **columns}))
        engine.load("Keyless", pa.table(columns))
        tables = [Table.of_columns(name, engine.columns(name)) for name in ("Customer", "Keyed", "Numbered", "Keyless")]
        model = Model(
            Catalog.of(tables),
            project_of({"sources": {"s": {"Things": {"key": "Id"}}}}),
            keys={"Keyed": "Id", "Numbered": "Id"},
        )
        yield lambda request, clock=CLOCK, **options: answer(request, engine, model, clock=clock, **options)


KEYS = ["Double", "Text", "Whole", "Exact", "At", "Flag", "length(Text)", "Whole mul 2", "Flag eq null", "Double div 3"]
order = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["", " asc", " desc"])), max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["Keyed", "Numbered", "Keyless"]), order, st.integers(1, ROWS + 1), st.none() | st.integers(0, ROWS + 5),
    st.integers(0, 9), st.sampled_from(["", "&$filter=Whole ne 1", "&$search=a"]), st.booleans(),
)  # fmt: skip
def test_any_page_size_gives_the_rows_of_one_page(things, set_, order, size, top, skip, narrowed, counted):
    request = f"{set_}?$skip={skip}{narrowed}"
    request += f"&$orderby={','.join(key + way for key, way in order)}" if order else ""
    request += f"&$top={top}" if top is not None else ""
    request += "&$count=true" if counted else ""
    whole = things(request, page_size=1000)
    pages = list(things(request, page_size=size).pages())
    rows = [row for page in pages for row in page.value]
    assert repr(rows) == repr(whole.value)  # NaN is not equal to itself, and its text is
    assert all(len(page) == size for page in pages[:-1])
    assert len({page.count for page in pages}) == 1
    assert whole.next_link is None


def test_the_order_is_odatas(things):
    """Null first when ascending, last when descending; NaN above infinity; ties in the order of the key."""
    up = [row["Double"] for row in things("Keyed?$orderby=Double&$top=1000", page_size=1000).value]
    down = [row["Double"] for row in things("Keyed?$orderby=Double desc&$top=1000", page_size=1000).value]
    different = list(dict.fromkeys(up))
    assert different == [None, "-INF", 0.0, 5e-324, 0.1, 1.5, 1e300, "INF", "NaN"]
    assert list(dict.fromkeys(down)) == different[::-1]
    ids = [row["Id"] for row in things("Keyed?$orderby=Flag desc", page_size=1000).value if row["Flag"] is None]
    assert ids == sorted(ids)
    assert len(ids) == 13


def test_the_clock_of_the_first_page_is_the_clock_of_all(things):
    first = things("Keyed?$compute=now() as Now&$select=Now&$top=2", page_size=1)
    later = things(first.next_link, clock=CLOCK + timedelta(days=365))
    assert first.value == later.value == [{"Now": "2025-06-01T12:00:00Z"}]


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def token_of(link):
    return link.rpartition("$skiptoken=")[2]


def test_a_damaged_or_invented_or_borrowed_token_is_refused(things):
    token = token_of(things("Keyed?$top=50", page_size=3).next_link)
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    said = json.loads(raw[9:])
    invented = urlsafe_b64encode(raw[:9] + json.dumps(said | {"left": 10**9}).encode()).decode().rstrip("=")
    flipped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for bad in ("x", "%C3%A9", "A" * 500, token[:-4], flipped, invented, "W10", "e30"):
        with pytest.raises(QueryError, match="damaged, or not from here"):
            things(f"Keyed?$top=50&$skiptoken={bad}")
    for other in (
        f"Keyed?$top=51&$skiptoken={token}",
        f"Numbered?$top=50&$skiptoken={token}",
        f"Keyed?$skiptoken={token}",
    ):
        with pytest.raises(QueryError, match="belongs to another question"):
            things(other)
    assert len(things(f"Keyed?$top=50&$skiptoken={token}")) == 3


@pytest.mark.parametrize("size", [0, -1, 10_001])
def test_page_sizes_have_bounds(things, size):
    with pytest.raises(QueryError, match="pages of"):
        things("Keyed", page_size=size)


# ── publishing in between ────────────────────────────────────────────────────────────────────────────────────────────

PROJECT = {
    "name": "tiny", "keep": 2,
    "sources": {"crm": {"Contacts": {"key": "Id"}}, "web": {"Orders": {"key": "Id", "type": "activity", "timestamp": "At", "columns": {"At": "datetime"}}}},
    "conflation": {"order": ["crm.Contacts"], "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "Mail"}]}]}},
    "relationships": {"orders": "web.Orders.Who -> crm.Contacts.Id"},
    "activities": {"order": {"entity": "web.Orders", "event": "What"}},
}  # fmt: skip


def frames(names, mails=None):
    mails = mails or [f"{name}@mail.example" for name in names]
    ids = [f"C-{i:02}" for i in range(len(names))]
    orders = [(f"O-{i:03}", ids[i % len(ids)], f"2024-01-{i % 28 + 1:02}T00:00:00", f"thing {i}") for i in range(40)]
    return {
        "crm.Contacts": pa.table({"Id": ids, "Name": names, "Mail": mails}),
        "web.Orders": pa.table(
            dict(zip(("Id", "Who", "At", "What"), map(list, zip(*orders, strict=True)), strict=True))
        ),
    }


@pytest.fixture
def acme(tmp_path):
    with unify.open(tmp_path / "i", create=True) as made:
        made.run(PROJECT, frames=frames([f"old {i}" for i in range(25)]))
        yield made


def test_pages_stay_with_the_generation_they_began_on(acme):
    request = "Customer?$orderby=Name desc&$select=Name&$count=true&$expand=UnifiedActivity($select=Title)"
    wanted = acme.odata(request).value
    pages = acme.odata(request, page_size=4).pages()
    found = next(pages).value
    acme.run(PROJECT, frames=frames([f"new {i}" for i in range(7)]))
    assert acme.odata(request).value[0]["Name"] == "new 6"
    for page in pages:
        found += page.value
        assert page.count == 25
    assert found == wanted
    assert len(wanted) == 25


def test_a_page_of_a_generation_that_is_gone_says_so(acme):
    first = acme.odata("Customer?$select=Name", page_size=4)
    assert generation_asked(first.next_link) == acme.published().number
    for _ in range(2):
        acme.run(PROJECT, frames=frames(["new"]))
    with pytest.raises(NotFoundError) as error:
        first.next()
    assert "no longer kept" in error.value.message
    assert "without $skiptoken" in error.value.hint


def test_a_retired_id_leads_to_the_customer_it_became(acme):
    names = [f"old {i}" for i in range(25)]
    before = {row["Name"]: row["CustomerId"] for row in acme.odata("Customer").value}
    mails = [f"{name}@mail.example" for name in names]
    mails[1] = mails[0]
    acme.run(PROJECT, frames=frames(names, mails))
    gone, lives = (before[name] for name in names[:2])
    left = {row["CustomerId"] for row in acme.odata("Customer?$select=CustomerId").value}
    if gone in left:
        gone, lives = lives, gone
    assert gone not in left
    assert acme.odata(f"Customer('{gone}')").value == acme.odata(f"Customer('{lives}')").value
    assert acme.odata(f"Customer('{gone}')/CustomerId/$value").body() == lives
    assert acme.odata(f"Customer('{gone}')/UnifiedActivity/$count").value == 4
    acme.run(PROJECT, frames=frames(["somebody else"], ["else@mail.example"]))
    with pytest.raises(NotFoundError, match="was retired in run 3 and has no successor"):
        acme.odata(f"Customer('{before['old 20']}')")
