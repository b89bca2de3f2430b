"""Blocks: sets of customers that no predicate can say.

    Top          the first so many by a value                      top.py
    Sequence     events in an order, with gaps at most so long     sequence.py
    EdgeEvent    the first or last event meets a condition         edge.py
    Listed       a list of ids and records                         listed.py
    Relatives    above or below another row in a hierarchy         hierarchy.py
    Condition    a predicate with blocks of its own, as a set      condition.py

Each is frozen, hashable, and finds its members by SQL through `scope.engine`; only the answer comes to Python.
"""
