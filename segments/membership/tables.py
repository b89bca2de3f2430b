"""Bitmaps as tables, for the parts of a question that only SQL can answer."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from segments.model import ORDINAL
from unify.core.engine import Engine
from unify.core.steps import Query, Step

_numbers = count(1)
"""No name is used twice in a process: a table that an earlier question still reads is never replaced."""


def ordinals(members: BitMap) -> pa.Table:
    """Members as rows: one column, `ordinal` INTEGER as in Customer, ascending."""
    return pa.table({ORDINAL: pa.array(np.array(members.to_array(), dtype=np.int32))})


def load(engine: Engine, members: BitMap) -> str:
    """A scratch table of the members; its name. `release` it when the question is answered."""
    name = f"segment_members_{next(_numbers)}"
    engine.load(name, ordinals(members))
    return name


def release(engine: Engine, tables: Iterable[str]) -> None:
    """Drop scratch tables."""
    if gone := tuple(tables):
        none = Query("SELECT 0 AS n WHERE false")
        engine.build(Step("segment_members_released", none, "members that nobody asks for any more", releases=gone))


@contextmanager
def loaded(engine: Engine, members: BitMap) -> Iterator[str]:
    """The members as a table for as long as the block lasts; its name."""
    name = load(engine, members)
    try:
        yield name
    finally:
        release(engine, [name])
