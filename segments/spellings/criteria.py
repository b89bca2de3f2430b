"""Criteria that are a whole condition in another spelling: a sentence, or the tree as JSON."""

from segments.criteria.here import Here
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.tree_json import from_json
from segments.spellings.sentences import parse_sentence
from unify.core.errors import UnifyError
from unify.spec.criteria import Predicate, Sentence


def spelled(here: Here, said: Sentence | Predicate) -> p.Expr:
    """The predicate over rows of `here.table`. QueryError or SpecError, with the place in the document."""
    spot = here.at("sentence" if isinstance(said, Sentence) else "predicate")
    try:
        found = from_json(said.predicate, where="") if isinstance(said, Predicate) else parse_sentence(said.sentence)
        segments = dict.fromkeys(sorted(p.segments_named(found)), here.model.catalog.customers)
        for name in segments:
            spot.segment(name)
        known = here.model.with_segments({**segments, **here.model.catalog.segments})
        bind_predicate(found, known.catalog, here.table)
    except UnifyError as error:
        if not error.where.startswith(spot.place):
            error.where = f"{spot.place}: {error.where}".removesuffix(": ")
        raise
    return _at(found, here.now)


def _at(expr: p.Expr, now: p.Expr) -> p.Expr:
    """Every `now` is that moment."""
    return now if expr == p.Call("now") else p.rebuild(expr, lambda part: _at(part, now))
