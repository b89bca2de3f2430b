"""Arrow columns as the text that entity files hold: the forms that a reader of packages takes for the same value."""

import base64
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.packages.errors import PackageWriteError

_SLICE: Final = 1 << 26
"""64 MiB: rows are put together so much at a time; a text array of Arrow ends at 2 GiB."""


def slices(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches of a reader, cut so that none has more than about 64 MiB; empty ones left out."""
    for batch in reader:
        if not batch.num_rows:
            continue
        step = max(1, min(65_536, _SLICE * batch.num_rows // max(batch.nbytes, 1)))
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)


def as_text(column: pa.Array, name: str) -> pa.Array:
    """A column as text; null stays null. Raises PackageWriteError for a type or number that has no such form.

    true, false · 12, -0.5, 12.50 · 2026-11-22 · 2026-11-22T09:30:00Z, with a fraction where the type has one, without Z
    where it has no time zone · bytes in base64
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary_decode(), name)
    if pa.types.is_timestamp(kind):
        return _moments(column)
    if pa.types.is_floating(kind):
        if pc.any(pc.invert(pc.is_finite(column)), min_count=0).as_py():
            message = f"the column {name!r} holds a number that is not finite"
            raise PackageWriteError(message, where=name, hint="export such values as null")
        return column.cast(pa.float64()).cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if v is None else base64.b64encode(v).decode() for v in column.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        hint = "export its parts as columns of their own"
        raise PackageWriteError(f"the column {name!r} holds {kind}", where=name, hint=hint)
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        message = f"the column {name!r} holds {kind}, which has no form as text"
        raise PackageWriteError(message, where=name, hint="convert it to text before") from None


def _moments(column: pa.Array) -> pa.Array:
    zone = column.type.tz is not None
    plain = column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.timestamp(column.type.unit)) if zone else column
    texts = pc.strftime(plain, "%Y-%m-%dT%H:%M:%S")
    return pc.binary_join_element_wise(texts, "Z", "") if zone else texts


def joined(parts: "list[pa.Array | str]") -> bytes:
    """The parts of each row one after the other, rows one after the other; a null part is nothing."""
    rows = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    start, end = rows.offset, rows.offset + len(rows)
    offsets = rows.buffers()[1]
    bounds = memoryview(offsets).cast("i")
    return bytes(memoryview(rows.buffers()[2])[bounds[start] : bounds[end]])


def around(before: str, column: pa.Array, after: str) -> pa.Array:
    """The values between two texts; null stays null."""
    return pc.binary_join_element_wise(before, column, after, "")


def replaced(column: pa.Array, pairs: "tuple[tuple[str, str], ...]") -> pa.Array:
    """Each text of a pair replaced by the other one, in that order."""
    for old, new in pairs:
        column = pc.replace_substring(column, old, new)
    return column
