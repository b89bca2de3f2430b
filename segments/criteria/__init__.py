"""What a segment's `where` says, held against the model: criteria become predicates, and blocks where no predicate can.

here             where a criterion is read: table, place in the file, time zone, what may be named
conditions       all, any, not, attributes, related rows, aggregates
attribute_tests  the tests an attribute can be put to, the vendor's 25 operators among them
windows, times   "last 30 days", "this month", between two moments; counts
events           did, did not, first, last, regularly, stopped, restarted, sequences
"""
