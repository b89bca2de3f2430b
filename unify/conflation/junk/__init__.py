"""Values that lie: found by how many different people carry them, judged, listed, and then no evidence.

fields.py    which columns are judged, which columns tell people apart
people.py    how many different people carry a value
verdicts.py  junk, shared or genuine; makes `value_verdicts`
effects.py   what a verdict does to the rules
"""
