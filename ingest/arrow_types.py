"""Arrow types as column types: what Parquet files and frames declare about their columns stays as it is."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ingest.types import BOOLEAN, DATE, DATETIME, DOUBLE, GUID, INTEGER, STRING, ColumnType
from unify.core.errors import SourceError

NOTHING = ColumnType("nothing")
"""The type of a column that is null throughout; gives way to any other."""


def natives_of(schema: pa.Schema, where: str) -> list[ColumnType]:
    """The column type of every field; raises SourceError naming the columns that no column type fits."""
    found = [_native(f.type) for f in schema]
    refused = [f"{f.name!r} ({f.type})" for f, t in zip(schema, found, strict=True) if t is None]
    if refused:
        hint = "flatten or drop these columns in the source; a table here has one plain value per cell"
        raise SourceError(f"nested or binary columns cannot be taken: {', '.join(refused)}", where=where, hint=hint)
    return [t for t in found if t is not None]


def _native(arrow: pa.DataType) -> ColumnType | None:
    t = pa.types
    if isinstance(arrow, pa.BaseExtensionType):
        return GUID if arrow.extension_name == "arrow.uuid" else _native(arrow.storage_type)
    if t.is_dictionary(arrow) or t.is_run_end_encoded(arrow):
        return _native(arrow.value_type)
    if t.is_string(arrow) or t.is_large_string(arrow) or t.is_string_view(arrow) or t.is_time(arrow):
        return STRING
    if t.is_uint64(arrow):
        return ColumnType("decimal", 20, 0)
    if t.is_integer(arrow):
        return INTEGER
    if t.is_floating(arrow):
        return DOUBLE
    if t.is_decimal(arrow) and arrow.precision <= 38 and arrow.scale >= 0:
        return ColumnType("decimal", arrow.precision, arrow.scale)
    return NOTHING if t.is_null(arrow) else BOOLEAN if t.is_boolean(arrow) else _time(arrow)


def _time(arrow: pa.DataType) -> ColumnType | None:
    if pa.types.is_date(arrow):
        return DATE
    return DATETIME if pa.types.is_timestamp(arrow) else None


def common_type(types: Sequence[ColumnType]) -> ColumnType | None:
    """The type that holds every value of all of them exactly, or None; null columns give way.

    >>> common_type([INTEGER, DOUBLE, NOTHING]).name
    'double'
    """
    kinds = list(dict.fromkeys(t for t in types if t != NOTHING))
    if len(kinds) <= 1:
        return kinds[0] if kinds else NOTHING
    if {t.kind for t in kinds} == {"decimal"}:
        scale = max(t.scale for t in kinds)
        precision = scale + max(t.precision - t.scale for t in kinds)
        return ColumnType("decimal", precision, scale) if precision <= 38 else None
    if set(kinds) == {INTEGER, DOUBLE}:
        return DOUBLE
    return DATETIME if set(kinds) == {DATE, DATETIME} else None


def staged(kind: ColumnType) -> pa.DataType:
    """The Arrow type in which a column is staged."""
    if kind.kind == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    plain = {
        "string": pa.string(), "nothing": pa.string(), "integer": pa.int64(), "double": pa.float64(),
        "boolean": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us"), "guid": pa.string(),
    }  # fmt: skip
    return plain[kind.kind]


def as_staged(values: pa.Array, kind: ColumnType) -> pa.Array:
    """The values in the staged type: instants in UTC to the microsecond, NaN as null, dictionaries as their values."""
    if isinstance(values.type, pa.BaseExtensionType):
        if values.type.extension_name == "arrow.uuid":
            return _guids(values)
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    elif pa.types.is_run_end_encoded(values.type):
        values = pc.run_end_decode(values)
    target = staged(kind)
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("us", values.type.tz), safe=False).cast(target)
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    if pa.types.is_floating(values.type):
        values = values.cast(pa.float64())
        return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    return values.cast(target)


def _guids(values: pa.Array) -> pa.Array:
    return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
