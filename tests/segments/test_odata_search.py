"""$search against a walk in Python over every word of every attribute."""

from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segments.model import Model
from segments.odata import parse_request, print_request
from segments.odata.answers.answer import answer
from segments.odata.syntax import ast_search as q
from segments.odata.syntax.ast_options import Request, Search
from segments.predicates.fields import Catalog, Table
from unify.core.documents import project_of
from unify.engines.duckdb import DuckDBEngine

CLOCK = datetime.fromisoformat("2025-06-01T12:00")
TEXTS = [
    None, "", "Anna Quill", "Joanna O'Neil", "anna-maria", "C-1081", "c1081", "Straße 7", "STRASSE 70", "ΣΟΦΟΣ", "σοφος", "a.b(c)", "x^y", "100%", "ﬁne",
    "fine", "e\u0301clair", "éclair", "你好 世界", "under_score", "anna\x1fquill", "tab\tquill", "1081", "-", "AND", "not",
]  # fmt: skip
WORDS = [
    "ann",
    "Anna",
    "QUILL",
    "C-1081",
    "-",
    "strasse",
    "Straße",
    "σοφοσ",
    "a.b",
    "^y",
    "100%",
    "fi",
    "e",
    "é",
    "世",
    "under",
    "score",
    "o'",
    "neil",
    "1081",
    "x-1081",
]
PHRASES = ["Anna Quill", "anna", "C-1081", "O'Neil", "quill joanna", "b(c", ".*", "\\d", "(?i)a", "straße 7"]


@pytest.fixture(scope="module")
def rows_and_ask():
    rows = [
        {"Id": i, "One": TEXTS[i % len(TEXTS)], "Two": TEXTS[(i * 7 + i // len(TEXTS)) % len(TEXTS)]}
        for i in range(4 * len(TEXTS))
    ]
    with DuckDBEngine() as engine:
        engine.load("Customer", pa.table({"CustomerId": ["c"], "ordinal": pa.array([0], pa.int32())}))
        engine.load("Notes", pa.Table.from_pylist(rows))
        tables = [Table.of_columns(name, engine.columns(name)) for name in ("Customer", "Notes")]
        model = Model(
            Catalog.of(tables), project_of({"sources": {"s": {"Notes": {"key": "Id"}}}}), keys={"Notes": "Id"}
        )
        yield rows, lambda request: answer(request, engine, model, clock=CLOCK, page_size=1000)


def begins(word, row):
    """Whether a word of a text begins with it, case ignored; a word that begins with a sign may stand anywhere."""
    wanted = word.casefold()
    for text in (row["One"], row["Two"]):
        folded = (text or "").casefold()
        for at in range(len(folded)):
            if folded.startswith(wanted, at) and not (wanted[0].isalnum() and at and folded[at - 1].isalnum()):
                return True
    return False


def hits(term, row):
    match term:
        case q.AllOf(terms=terms):
            return all(hits(t, row) for t in terms)
        case q.AnyOf(terms=terms):
            return any(hits(t, row) for t in terms)
        case q.Not(term=inner):
            return not hits(inner, row)
        case q.Word(text=text):
            parts = [p for p in text.split("-") if len(p) > 1] or [p for p in text.split("-") if p] or [text]
            return any(begins(p, row) for p in parts)
        case q.Phrase(text=text):
            return begins(text, row)


terms = st.recursive(
    st.sampled_from(WORDS).map(q.Word) | st.sampled_from(PHRASES).map(q.Phrase),
    lambda inner: st.one_of(
        inner.map(q.Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda t: q.AllOf(tuple(t))),
        st.lists(inner, min_size=2, max_size=3).map(lambda t: q.AnyOf(tuple(t))),
    ),
    max_leaves=5,
)


@settings(max_examples=120, deadline=None)
@given(terms)
@example(q.Word("-"))
@example(q.Word("C-1081"))
@example(q.Phrase("anna quill"))
def test_a_search_finds_the_rows_that_a_walk_finds(rows_and_ask, term):
    rows, ask = rows_and_ask
    path = parse_request("Notes").path
    found = ask(print_request(Request(path, (Search(term),))))
    assert [row["Id"] for row in found.value] == [row["Id"] for row in rows if hits(term, row)]


def test_every_word_and_phrase_finds_something_and_not_everything(rows_and_ask):
    rows, _ = rows_and_ask
    for term in [
        *map(q.Word, WORDS),
        *(q.Phrase(p) for p in PHRASES if p not in ("quill joanna", ".*", "\\d", "(?i)a")),
    ]:
        assert 0 < sum(hits(term, row) for row in rows) < len(rows), term
    assert not any(hits(q.Phrase(p), row) for p in (".*", "\\d", "(?i)a") for row in rows)


@pytest.mark.parametrize(
    ("text", "same"),
    [("anna quill", "anna OR quill"), ("anna-quill", "anna OR quill"), ("anna NOT quill", "anna AND NOT quill"), ("a-anna", "anna")],
)  # fmt: skip
def test_what_words_side_by_side_say(rows_and_ask, text, same):
    _, ask = rows_and_ask
    found = ask(f"Notes?$search={text}").value
    assert found == ask(f"Notes?$search={same}").value
    assert 0 < len(found) < 100
