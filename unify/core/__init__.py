"""The plumbing every room shares: errors, names and quoting, Query and Step, the Engine protocol, reports, progress.

errors.py    one drawn tree; every message says what, where and the next move
names.py     table names and the one function that quotes identifiers
steps.py     Query(sql, params) and Step(makes, reads, query, why): always a SELECT
engine.py    the five verbs an engine has
progress.py  how long work tells somebody how far it is
"""
