"""`$search` as a predicate: words that begin somewhere in the text of a row, case ignored.

A row's text is that of its string attributes, one after the other with a sign between that no word holds, so that one
fold and one look serve all of them (1 M rows of ten columns, not ten times 1 M), and no phrase reaches from one
attribute into the next. A word hits where a word of the text begins with it: `ann` hits Anna and not Joanna; a word
with hyphens hits with any of its parts, as the vendor's does, single letters apart: `C-1081` looks for 1081. A phrase
hits where it stands as it is.
"""

import re
from collections.abc import Sequence

from segments.odata.answers.entity_sets import EntitySet
from segments.odata.syntax.ast_search import AllOf, AnyOf, Incomplete, Not, Phrase, SearchTerm, Word
from segments.predicates import tree as p
from segments.predicates.fields import STRING
from unify.core.errors import QueryError

SEPARATOR = "\x1f"
"""Unit separator: neither letter nor digit, so a word begins behind it."""

MAX_WORDS = 100
"""Words and phrases that one search may look for: each AND of them costs every row another look."""


def searchable(set_: EntitySet) -> list[str]:
    """The attributes that a search looks at: those that hold text, or those of them that somebody chose."""
    chosen = set_.attributes if set_.searched is None else set_.searched
    return [name for name, attribute in set_.attributes.items() if attribute.type == STRING and name in chosen]


def search_predicate(term: SearchTerm, set_: EntitySet) -> p.Expr:
    """True or false of every row; QueryError for a set without text, and for a search of signs alone."""
    names = searchable(set_)
    if not names:
        raise QueryError(f"{set_.table} has no text to search", where="$search", hint="use $filter")
    if _count(term) > MAX_WORDS:
        raise QueryError(f"a search of {_count(term)} words", where="$search", hint=f"{MAX_WORDS} at most")
    return _predicate(term, p.Call("fold", (_text(names),)))


def _text(names: Sequence[str]) -> p.Expr:
    """Halves joined, so that fifty columns nest six deep."""
    if len(names) == 1:
        return p.Call("coalesce", (p.Field(names[0]), p.Literal(STRING, "")))
    half = len(names) // 2
    left = p.Call("concat", (_text(names[:half]), p.Literal(STRING, SEPARATOR)))
    return p.Call("concat", (left, _text(names[half:])))


def _predicate(term: SearchTerm, text: p.Expr) -> p.Expr:
    match term:
        case AllOf(terms=terms):
            return p.And(tuple(_predicate(t, text) for t in terms))
        case AnyOf(terms=terms):
            plain = [w for t in terms if not isinstance(t, AllOf | AnyOf | Not) for w in _words(t)]
            others = [_predicate(t, text) for t in terms if isinstance(t, AllOf | AnyOf | Not)]
            found = [*([_hit(plain, text)] if plain else []), *others]
            return found[0] if len(found) == 1 else p.Or(tuple(found))
        case Not(term=inner):
            return p.Not(_predicate(inner, text))
    return _hit(_words(term), text)


def _words(term: Word | Phrase | Incomplete) -> list[str]:
    """What may stand in the text, folded: of a word its parts between hyphens."""
    parts = [part for part in term.text.split("-") if part] if isinstance(term, Word) else []
    parts = [part for part in parts if len(part) > 1] or parts
    folded = [part.strip().removeprefix('"').casefold() for part in parts or [term.text]]
    if not all(folded):
        raise QueryError("there is nothing to search for", where="$search", hint="write a word")
    return folded


def _hit(words: list[str], text: p.Expr) -> p.Expr:
    """One of the words is there. Of a single one the plain look comes first: it is fast, and most rows end there."""
    begin = p.Call("matches", (text, p.Literal(STRING, "|".join(map(_pattern, words)))))
    if len(words) > 1:
        return begin
    return p.And((p.Call("contains", (text, p.Literal(STRING, words[0]))), begin))


def _pattern(word: str) -> str:
    return (r"(?:^|[^\pL\pN])" if word[0].isalnum() else "") + re.escape(word)


def _count(term: SearchTerm) -> int:
    match term:
        case AllOf(terms=terms) | AnyOf(terms=terms):
            return sum(map(_count, terms))
        case Not(term=inner):
            return _count(inner)
    return 1
