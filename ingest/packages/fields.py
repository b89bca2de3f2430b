"""From the columns of a file to the fields of an entity: the map, and defaults."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.packages.errors import EntityFileError
from ingest.packages.nouns import PARENT_ROW_ID, ROW_ID, EntityMap, PackageEntity
from unify.core.errors import did_you_mean

_TAKEN: Final = frozenset((ROW_ID.casefold(), PARENT_ROW_ID.casefold()))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the staged rows. `place`: of its column in the file; None: the file has none.

    default  what an empty value becomes; None: it stays
    """

    name: str
    place: int | None
    default: str | None = None


def field_list(entity: PackageEntity, columns: Sequence[str], where: str, *, strict: bool) -> tuple[Field, ...]:
    """The fields of an entity over the columns of its file, in the order of the map.

    strict  a mapped column that the file lacks is an error; XML leaves out what has no value, so there it is none
    Raises EntityFileError.
    """
    if not entity.maps:
        return checked((Field(name, place) for place, name in enumerate(columns)), where)
    places = {name.casefold(): place for place, name in enumerate(columns)}
    found: list[Field] = []
    for one in entity.maps:
        place = places.get(one.xml_field.casefold()) if one.xml_field else None
        if place is None and strict and one.xml_field and not one.is_auto_default:
            hint = did_you_mean(one.xml_field, columns)
            message = f"the column {one.xml_field!r}, which fills {one.entity_field}, is not in the file"
            raise EntityFileError(message, where=where, hint=hint)
        found.append(Field(one.entity_field, place, _default(one)))
    return checked(found, where)


def checked(fields: Iterable[Field], where: str) -> tuple[Field, ...]:
    """Fields whose names staging can take. Raises EntityFileError."""
    found = tuple(fields)
    seen: set[str] = set()
    for field in found:
        if field.name.casefold() in _TAKEN:
            hint = "map the column to a field of another name"
            raise EntityFileError(f"a field is called {field.name}, as staging calls its own", where=where, hint=hint)
        if field.name.casefold() in seen:
            hint = "one column of the file fills one field"
            raise EntityFileError(f"two columns fill the field {field.name!r}", where=where, hint=hint)
        seen.add(field.name.casefold())
    return found


def unmapped(entity: PackageEntity, columns: Sequence[str]) -> list[str]:
    """Columns of the file that no field takes."""
    if not entity.maps:
        return []
    taken = {one.xml_field.casefold() for one in entity.maps}
    return [name for name in columns if name.casefold() not in taken]


def _default(one: EntityMap) -> str | None:
    return one.default_value if one.is_auto_default and not one.is_default_null else None


def staged(
    fields: Sequence[Field], numbers: pa.Array, columns: "Sequence[pa.Array]", parents: pa.Array | None = None
) -> pa.RecordBatch:
    """One batch as the run model takes it: RowId, perhaps ParentRowId, then the fields as text."""
    names, arrays = [ROW_ID], [numbers]
    if parents is not None:
        names.append(PARENT_ROW_ID)
        arrays.append(parents)
    for field in fields:
        names.append(field.name)
        given = columns[field.place] if field.place is not None else pa.nulls(len(numbers), pa.string())
        arrays.append(given if field.default is None else _filled(given, field.default))
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _filled(column: pa.Array, default: str) -> pa.Array:
    """The default in place of what is null or empty."""
    return pc.if_else(pc.equal(pc.fill_null(column, ""), ""), pa.scalar(default), column)
