"""Who is in which segment: found, carried through merges and splits, compared, and asked for in microseconds.

declared.py     definitions: where they come from, whether they are in force
order.py        which segment needs which; circles
evaluate.py     Lowered ──▶ bitmaps: leaves by SQL once each, the rest by bitmap; for runs and previews alike
stage.py        all segments of a run: found, carried over, failed
preview.py      one unsaved segment: count, counts per rule, a sample
identity.py     what became of customers between two generations
differences.py  entered, left and carried between two runs
customers.py    CustomerId or record ──▶ ordinal
tables.py       bitmaps as tables, for what only SQL can answer
codec.py        bitmaps as bytes

Everything here is pure: engines, bitmaps and moments are handed over. Keeping is the business of unify/store.
"""
