"""One person: everything that is held about them, as a bundle; and its erasure, from everything that is held.

person.py    who is meant: records, ids, rows that hang on them, values that nobody else has
subject.py   the bundle, as JSON and as a page
ledger.py    who was erased, by salted hashes: written first, obeyed by every later run
erase.py     the verb: ledger ─▶ files, catalog, members ─▶ a new generation without them ─▶ the old ones removed
scrub.py     texts and rows that name them     rewrite.py  a generation file written anew
search.py    proof: where values still stand, in every file of an instance
"""
