"""Entity definitions as people write them: a YAML or JSON file.

entities:
  Customer groups:
    key: id                                  # or a list
    columns:
      id: guid                               # a kind, or a mapping
      name: {kind: text, length: 40, required: true}
      credit: {kind: decimal, scale: 2}
    options: {status: [Active, Closed]}
  Orders with lines:                         # a composite entity: its parts have definitions of their own
    parts:
      OrderEntity: {entity: Orders}
      LineEntity: {entity: Order lines, parent: OrderEntity, link: {orderid: id}}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from unify.core.documents import parse_mapping, read_text
from unify.core.errors import SpecError
from unify.core.mistakes import in_words
from unify.packages.nouns import CompositePart, EntityDefinition
from unify.records.nouns import Column, Kind


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _column(said: Any) -> Any:
    return {"kind": said} if isinstance(said, str) else said


def _listed(said: Any) -> Any:
    return [said] if isinstance(said, str) else said


class _Column(_Strict):
    kind: Kind
    scale: int = Field(default=0, ge=0, le=18)
    length: int | None = Field(default=None, ge=1)
    required: bool = False


class _Part(_Strict):
    entity: str
    parent: str = ""
    link: dict[str, str] = {}


class _Entity(_Strict):
    table: str = ""
    target: str = ""
    key: Annotated[list[str], BeforeValidator(_listed)] = []
    columns: dict[str, Annotated[_Column, BeforeValidator(_column)]] = {}
    options: dict[str, list[str]] = {}
    read_only: list[str] = []
    allow_import: bool = True
    allow_export: bool = True
    change_tracking: bool = True
    parts: dict[str, _Part] = {}


class _File(_Strict):
    entities: dict[str, _Entity] = Field(min_length=1)


def read_definitions(path: Path) -> list[EntityDefinition]:
    """The definitions of a file, parts after what they name. SpecError: one line per mistake, with its place."""
    text = read_text(path, hint="docs/packages.md shows what stands in it")
    return definitions_of(parse_mapping(text, where=str(path), is_json=path.suffix == ".json"), where=str(path))


def definitions_of(said: Mapping[str, Any], *, where: str = "definitions") -> list[EntityDefinition]:
    """The same from what a file holds."""
    try:
        file = _File.model_validate(said)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {in_words(e, lambda _: [])}" for e in error.errors()]
        raise SpecError("\n".join(lines), where=where, hint="docs/packages.md shows what stands in it") from None
    made = [_definition(name, entity) for name, entity in file.entities.items()]
    return sorted(made, key=lambda entity: bool(entity.parts))


def _definition(name: str, said: _Entity) -> EntityDefinition:
    columns = (Column(n, c.kind, c.scale, c.length, c.required) for n, c in said.columns.items())
    parts = tuple(CompositePart(element, p.entity, p.parent, p.link) for element, p in said.parts.items())
    return EntityDefinition(
        name=name,
        table=said.table or ("" if parts else table_name(name)),
        columns=tuple(columns),
        key=tuple(said.key),
        target=said.target,
        options={column: tuple(values) for column, values in said.options.items()},
        read_only=tuple(said.read_only),
        allow_import=said.allow_import,
        allow_export=said.allow_export,
        change_tracking=said.change_tracking,
        parts=parts,
    )


def table_name(name: str) -> str:
    """What the record table of an entity is called where nobody says it.

    >>> table_name("Customer groups V2")
    'customer_groups_v2'
    """
    return "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name.lower())
