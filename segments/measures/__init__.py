"""Measures: values worked out per customer, or over the business.

templates   a template as the measure it stands for         order    which measure is made of which
rows        the rows that count, and whose they are         trees    texts to predicate trees
grounds     both, for one measure                           passes   aggregates that share one walk over rows
plan        steps, in rounds                                run      the stage of a batch
wire        the vendor's JSON
"""
