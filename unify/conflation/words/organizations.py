"""Organisations: words that say nothing about which organisation it is."""

_ENGLISH = """
    a an and the of co corp corporation inc incorporated ltd limited llc llp lp plc pllc company companies cie group
    holding holdings enterprise enterprises intl international assn association
"""
_ELSEWHERE = """
    gmbh ag kg ohg ug mbh ev eg und sa sas sarl srl spa sl et bv nv ab oy oyj as asa aps sro spzoo doo kft zrt ltda sab
    cv pty pte bhd sdn kk lda se
"""
NOISE = frozenset(_ENGLISH.split()) | frozenset(_ELSEWHERE.split())
"""English words of the kind the reference names, and the legal forms of other countries."""

JOINERS = {"&": "and", "+": "and", "a/s": "as", "i/s": "is", "k/s": "ks", "c/o": "co"}
_EDGES = "'\"`´’‘“”„«»()[]{},;:!?*_/|\\-–—."


def canonical(word: str) -> str:
    """A case-folded word without dots and without punctuation at its edges.

    >>> [canonical(w) for w in ("s.p.a.", "contoso,", "&", "a/s", "-")]
    ['spa', 'contoso', 'and', 'as', '']
    """
    if word in JOINERS:
        return JOINERS[word]
    parts = (part.strip(_EDGES).replace(".", "") for part in word.split(","))
    return " ".join(JOINERS.get(part, part) for part in parts if part)
