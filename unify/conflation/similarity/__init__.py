"""Similarity joins: all pairs of values that pass a fuzzy criterion, without comparing all pairs.

join.py      similar_values: the one function the other rooms call
texts.py     one text comparison over two sides: which groups of lengths, by which method
values.py    strings as arrays of code points and signatures
bounds.py    thresholds as whole numbers: how much may differ
plan.py      per length: the cheapest of the complete methods
segments.py  PassJoin: strings that are alike share a segment
scan.py      signatures, all against all of fitting length
strings.py   groups run, candidates scored
tokens.py    token set: shared words
numbers.py   numbers and dates; range.py: the sorted look-up behind them
pairs.py     pairs as arrays          report.py   what a join says afterwards, and how it refuses
"""
