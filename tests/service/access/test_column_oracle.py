"""What is withheld has no influence: two instances that differ in it alone answer the same, byte for byte.

Both are run from the same frames but for values that one caller does not see, and for customers it does not see. Then
questions, made of names and values on both sides of the fence, are put to both through the same restricted engine.
"""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from unify.core.errors import UnifyError
from unify.service.access.restricted import RestrictedInstance
from unify.service.access.visibility import Policy
from unify.store import Store

CLOCK = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = "5e" * 32
PLAN = {
    "sources": {
        "crm": {
            "Contacts": {
                "key": "Id",
                "labels": {"Name": "Person.FullName", "Mail": "Identity.Service.Email", "Born": "Person.BirthDate"},
                "pii": {"Income": "sensitive", "Club": "none"},
                "columns": {"Id": "string", "Born": "date", "Income": "integer", "Secret": "string", "Club": "string"},
            }
        },
        "web": {
            "Orders": {
                "key": "OrderId", "type": "activity", "timestamp": "At",
                "columns": {"OrderId": "string", "Contact": "string", "At": "date", "Total": "integer", "Note": "string"},
            }
        },
    },
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {"crm.Contacts": {"rules": [{"name": "id", "when": [{"field": "Id"}]}]}},
    },
    "relationships": {"orders": "web.Orders.Contact -> crm.Contacts.Id"},
    "activities": {
        "order": {"entity": "web.Orders", "type": "SalesOrder", "event": "OrderId", "description": "Note", "detail": "Total"}
    },
    "measures": {
        "Spend": {"sum": "Total", "of": "web.Orders"},
        "Orders": {"count": True, "of": "web.Orders"},
        "Doubled": "Spend mul 2",
        "Worth": {"kind": "business", "sum": "Total", "of": "web.Orders"},
        "ByClub": {"count": True, "of": "web.Orders", "by": {"Day": "At"}},
    },
    "segments": {"reds": {"where": "Club eq 'red'"}, "blues": {"where": "Club eq 'blue'"}},
}  # fmt: skip
HIDDEN = (
    (("crm_Contacts", "Secret"), "hidden"),
    (("web_Orders", "Total"), "hidden"),
    (("web_Orders", "Note"), "masked"),
)
"""Beside the classes: no rule says them of Customer, of the timeline or of measures."""


def frames(variant: int) -> dict[str, list[dict[str, Any]]]:
    """Twelve contacts, six of them red, and orders. Variants differ only in what a reader of the reds may not see."""
    other = variant == 1
    contacts, orders = [], []
    for n in range(12):
        red = n % 2 == 0
        contacts.append({
            "Id": f"K{n:02}",
            "Name": ("Anna" if not other else "Albert") if red else ("Zoe" if not other else "Quentin"),
            "Mail": f"{'ab'[n % 4 // 2]}{'nna' if not other else 'lbert.long'}{n}@example.org" if red or not other else None,
            "Born": dt.date(1980 + n, 2 if not other else 11, 3 + n) if red else dt.date(1950 + variant, 1, 1),
            "Income": (n + 1) * (1000 if not other else 77),
            "Secret": f"topsecret-{n}" if not other else f"{12 - n}%_'x",
            "Club": "red" if red else "blue",
        })  # fmt: skip
        for k in range(n % 3 + (1 if other and not red else 0)):
            orders.append({
                "OrderId": f"O{n:02}{k}", "Contact": f"K{n:02}", "At": dt.date(2025, 1 + k, 1 + n),
                "Total": (n + k) * 10 if not other else 7 * n + 1, "Note": f"note {n}" if not other else f"another {k}",
            })  # fmt: skip
    orders.append(
        {
            "OrderId": "O990",
            "Contact": "nobody" if other else "nemo",
            "At": dt.date(2025, 5, 5),
            "Total": 1 + variant,
            "Note": "orphan",
        }
    )
    return {"crm.Contacts": contacts, "web.Orders": orders}


def made(path: Path, variant: int) -> Store:
    import pyarrow as pa

    tables = {name: pa.Table.from_pylist(rows) for name, rows in frames(variant).items()}
    with unify.open(path, create=True) as acme:
        acme.run(PLAN, frames=tables)
    return Store.open(path)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    policy = Policy(frozenset(), tuple(sorted(HIDDEN)), ("reds",))
    pair = [RestrictedInstance(made(folder / str(n), n), policy, KEY, threads=1) for n in (0, 1)]
    yield pair
    for each in pair:
        each.close()


def said(acme: RestrictedInstance, question: str) -> Any:
    """Everything that reaches a client: rows in order, count, link, document, or every word of the error."""
    try:
        answer = acme.odata(question, clock=CLOCK)
    except UnifyError as error:
        return (type(error).__name__, error.message, error.where, error.hint)
    return (answer.raw, answer.value, answer.count, answer.next_link, answer.columns)


COLUMNS = {
    "Customer": ["CustomerId", "Name", "Mail", "Born", "Income", "Secret", "Club", "Spend", "Orders", "Doubled", "Worth", "crm_Contacts_Id"],
    "crm.Contacts": ["Id", "Name", "Mail", "Born", "Income", "Secret", "Club"],
    "web.Orders": ["OrderId", "Contact", "At", "Total", "Note"],
    "UnifiedActivity": ["ActivityId", "CustomerId", "SourceActivityId", "ActivityTime", "Title", "Description", "SemanticData"],
    "Customer_Measure": ["CustomerId", "Spend", "Orders", "Doubled"],
}  # fmt: skip
PATHS = {"Customer": ["crm_Contacts", "web_Orders", "UnifiedActivity", "Customer_Measure", "Measure_ByClub"],
         "crm.Contacts": ["Customer", "orders"], "web.Orders": ["orders", "Customer"], "UnifiedActivity": ["Customer"],
         "Customer_Measure": ["Customer"]}  # fmt: skip
VALUES = [
    "null", "0", "77", "1000", "30", "-1.5", "2025-01-01", "1980-02-03", "1980-01-01", "'Anna'", "'A***'", "'a***@example.org'",
    "'anna0@example.org'", "'topsecret-3'", "'***'", "'red'", "'K00'", "'K01'", "''", "'note 4'", "true",
]  # fmt: skip
OPERATORS = ["eq", "ne", "gt", "le"]
TESTS = [
    "{c} {o} {v}", "contains({c},{v})", "startswith({c},{v})", "length({c}) gt 4", "year({c}) {o} {v}", "{c} in ({v},{v})",
    "cast({c},Edm.Int32) {o} {v}", "10 div {c} {o} 1", "not ({c} {o} {v})", "indexof({c},{v}) eq 0", "tolower({c}) eq {v}",
]  # fmt: skip


@st.composite
def questions(draw: st.DrawFn) -> str:
    set_ = draw(st.sampled_from(sorted(COLUMNS)))
    column = st.sampled_from([*COLUMNS[set_], "Nope"])
    path = draw(st.sampled_from(PATHS[set_]))
    value = st.sampled_from(VALUES)

    def test() -> str:
        text = draw(st.sampled_from(TESTS))
        return text.format(c=draw(column), o=draw(st.sampled_from(OPERATORS)), v=draw(value))

    options = []
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f"{set_}/$count?$filter={test()}"
    if kind == 1:
        return f"{set_}?$apply=groupby(({draw(column)}),aggregate($count as n,{draw(column)} with max as m))"
    if kind == 2:
        return f"{set_}({draw(value)})"
    if kind == 3:
        return f"{set_}?$search={draw(st.sampled_from(['anna', 'topsecret', 'A', 'note', 'red', 'K01', 'zoe']))}&$count=true"
    if draw(st.booleans()):
        options.append(
            f"$filter={test()}"
            + (
                f" and IsMemberOfSegment('{draw(st.sampled_from(['reds', 'blues', 'none']))}')"
                if set_ == "Customer" and draw(st.booleans())
                else ""
            )
        )
    if draw(st.booleans()):
        options.append(f"$orderby={draw(column)} desc,{COLUMNS[set_][0]}")
    if draw(st.booleans()):
        options.append(f"$select={draw(column)},{draw(column)}")
    if draw(st.booleans()):
        inner = draw(
            st.sampled_from(
                ["", "($top=1)", "($filter=Total gt 20)", "($orderby=Total)", "($select=Secret)", "($count=true)"]
            )
        )
        options.append(f"$expand={path}{inner}")
    if draw(st.booleans()):
        options.append("$count=true")
    if draw(st.booleans()):
        options.append(f"$top={draw(st.integers(0, 3))}")
    return f"{set_}?{'&'.join(options)}"


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(question=questions())
def test_no_question_tells_the_instances_apart(both, question):
    one, other = both
    assert said(one, question) == said(other, question)


@pytest.mark.parametrize(
    "question",
    [
        "Customer?$filter=Income gt 5000", "Customer?$orderby=Income", "Customer?$filter=Secret eq 'topsecret-0'",
        "Customer?$orderby=Secret", "Customer?$select=Secret", "Customer?$expand=web_Orders($filter=Total gt 20)",
        "Customer?$filter=web_Orders/any(o: o/Total gt 20)", "Customer?$filter=Spend gt 50", "Customer?$orderby=Doubled",
        "Customer?$apply=aggregate(Income with sum as s)", "Customer?$apply=groupby((Secret))", "Customer/$count",
        "Customer?$filter=UnifiedActivity/any(a: contains(a/SemanticData,'30'))", "Customer?$search=topsecret",
        "UnifiedActivity?$filter=contains(Description,'note')", "UnifiedActivity?$select=SemanticData,Description",
        "Measure_Worth", "Measure_ByClub", "web.Orders/$count", "web.Orders?$filter=OrderId eq 'O990'", "$metadata", "",
        "crm.Contacts('K01')", "Customer(crm_Contacts_Id='K01')", "Customer?$filter=IsMemberOfSegment('blues')",
        "Customer?$filter=CustomerId eq 'x' or Income eq 77", "crm_Contacts_corrupt", "members", "customer_ids", "links",
        "Customer?$compute=Income add 1 as X&$select=X", "Customer?$compute=length(Mail) as L&$filter=L gt 16",
    ],
)  # fmt: skip
def test_known_oracles_are_closed(both, question):
    one, other = both
    assert said(one, question) == said(other, question)


def test_the_instances_do_differ_for_somebody_who_may_see_them(both):
    """Else none of the above would say anything."""
    answers = []
    for each in both:
        with unify.open(each.path) as acme:
            answers.append([acme.odata(q, clock=CLOCK).value for q in ("Customer", "web.Orders", "UnifiedActivity")])
    assert all(a != b for a, b in zip(*answers, strict=True))


@pytest.mark.parametrize(
    "verb", ["tables", "customers", "profile", "entities", "customer", "timeline", "segments", "relationships"]
)
def test_no_verb_tells_them_apart(both, verb):
    asked = []
    for acme in both:
        red = min(row["CustomerId"] for row in acme.odata("Customer").value)
        of_record = {"customer": (red,), "timeline": (red,), "profile": ("crm.Contacts",)}.get(verb, ())
        made_ = getattr(acme, verb)(*of_record)
        if verb == "segments":
            made_ = [(i.name, i.members) for i in made_]
        asked.append(str(made_.rows() if hasattr(made_, "rows") and callable(made_.rows) else made_))
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    "question",
    ["Customer?$filter={} eq 1", "Customer?$orderby={}", "Customer?$select={}", "Customer?$apply=groupby(({}))"],
)
def test_a_hidden_name_is_refused_as_one_that_never_was(both, question):
    acme = both[0]
    hidden, never = said(acme, question.format("Secret")), said(acme, question.format("Sekret"))
    assert hidden == tuple(part.replace("Sekret", "Secret") if isinstance(part, str) else part for part in never)


def test_a_slip_of_a_hidden_name_is_not_mended(both):
    for slip in ("Secre", "secret", "Secrets"):
        assert "'Secret'" not in str(said(both[0], f"Customer?$filter={slip} eq 1")).replace(f"'{slip}'", "")
        assert "Secret," not in str(said(both[0], f"Customer?$select={slip}"))


def test_masks_and_nothing_else_are_compared(both):
    acme = both[0]
    assert acme.odata("Customer/$count?$filter=Mail eq 'anna0@example.org'").raw == "0"
    assert int(acme.odata("Customer/$count?$filter=Mail eq 'a***@example.org'").raw) > 0
    assert {r["Name"] for r in acme.odata("Customer?$select=Name").value} == {"A***"}
    assert all(r["Born"].endswith("-01-01") for r in acme.odata("Customer?$select=Born").value)
    assert {r["Income"] for r in acme.odata("Customer?$select=Income").value} == {None}


def test_rows_of_others_are_nowhere(both):
    acme = both[0]
    blues = {f"K{n:02}" for n in range(1, 12, 2)}
    everything = [acme.odata(set_, page_size=1000).value for set_ in COLUMNS]
    text = str(everything) + str(acme.odata("Customer?$expand=crm_Contacts,web_Orders,UnifiedActivity").value)
    assert not [key for key in blues if f"'{key}'" in text]
    assert "O990" not in text
    assert acme.odata("Customer/$count").raw == "6"


def test_a_row_rule_follows_the_members(tmp_path):
    store = made(tmp_path / "moving", 0)
    acme = RestrictedInstance(store, Policy(None, (), ("handpicked",)), KEY, threads=1)
    assert acme.odata("Customer/$count").raw == "0", "a segment that is not there lets nobody through"
    with unify.open(store.path) as whole:
        ids = sorted(row["CustomerId"] for row in whole.customers().rows())
        whole.segments().create("handpicked", ids[:2])
        whole.segments().refresh("handpicked")
        assert acme.odata("Customer/$count").raw == "2"
        whole.segments().deactivate("handpicked")
        assert acme.odata("Customer/$count").raw == "2", "members in force on the generation stay until it is refreshed"
    acme.close()


def test_keys_that_are_masked_still_join(tmp_path):
    store = made(tmp_path / "keys", 0)
    rules = ((("crm_Contacts", "Id"), "hidden"),)  # a key cannot be gone: it is masked
    with RestrictedInstance(store, Policy(None, rules, None), KEY, threads=1) as acme, unify.open(store.path) as whole:
        question = "Customer?$expand=crm_Contacts($count=true),web_Orders($count=true)&$orderby=CustomerId&$top=100"
        seen, real = acme.odata(question).value, whole.odata(question).value
        assert [(len(r["crm_Contacts"]), len(r["web_Orders"])) for r in seen] == [
            (len(r["crm_Contacts"]), len(r["web_Orders"])) for r in real
        ]
        text = str(seen) + str(acme.odata("UnifiedActivity").value) + str(acme.odata("web.Orders").value)
        assert not [n for n in range(12) if f"'K{n:02}'" in text]
        tokens = {r["crm_Contacts_Id"] for r in seen}
        orders = {r["Contact"] for r in acme.odata("web.Orders", page_size=1000).value}
        assert len(tokens) == 12
        assert len(orders - tokens) == 1, "the order of nobody"


def test_tokens_of_two_instances_are_never_alike(tmp_path):
    store = made(tmp_path / "apart", 0)
    rules = ((("crm_Contacts", "Id"), "masked"),)
    seen = []
    for key in (KEY, "6f" * 32):
        with RestrictedInstance(store, Policy(None, rules, None), key, threads=1) as acme:
            seen.append({r["Id"] for r in acme.odata("crm.Contacts").value})
    assert not seen[0] & seen[1]


def test_every_verb_of_an_instance_is_allowed_or_refused(both):
    """A new verb of Instance is refused until somebody has thought about it."""
    from unify.instance import Instance
    from unify.service.access.restricted import VERBS
    from unify.service.errors import ServiceError

    acme = both[0]
    public = [name for name in dir(Instance) if not name.startswith("_")]
    for verb in sorted(set(public) - VERBS):
        with pytest.raises(ServiceError) as refused:
            getattr(acme, verb)()
        assert refused.value.status == 403, verb
    assert set(VERBS) <= set(public) | {"path", "store"}


def test_pages_of_a_kept_generation_are_restricted_too(tmp_path):
    store = made(tmp_path / "pages", 0)
    acme = RestrictedInstance(store, Policy(frozenset(), tuple(sorted(HIDDEN)), ("reds",)), KEY, threads=1)
    first = acme.odata("Customer?$orderby=CustomerId&$select=Name,Mail", page_size=2)
    made_again = made_from(store.path)
    assert made_again
    assert store.published().number == 2
    rest = list(itertools.chain.from_iterable(page.value for page in pages_after(acme, first)))
    assert len(first.value) + len(rest) == 6
    assert {r["Name"] for r in [*first.value, *rest]} == {"A***"}
    acme.close()


def made_from(path: Path) -> bool:
    made(path, 0)
    return True


def pages_after(acme: RestrictedInstance, page: Any) -> Any:
    while page.next_link is not None:
        page = acme.odata(page.next_link, page_size=2)
        yield page
