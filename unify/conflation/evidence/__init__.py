"""Scored rules: evidence of many comparisons adds up to a probability, and whole customers must reach it.

values      distinct values of every comparison, records as codes
levels      how much alike two values are, in few levels
candidates  pairs of records worth comparing
patterns    agreement patterns of candidates, random pairs and equal pairs
overlaps    what two comparisons say twice
kinds       pairs that share some and not the rest: households, customers who moved
learning    EM: all of these, without labels
model       m, u, the prior, overlaps and kinds of one rule
weights     what a pair of records weighs
linkage     average linkage: groups of records that are one on average, not through a chain
run         a scored rule of a plan makes its links
waterfall   the weight of one pair, part by part
"""
