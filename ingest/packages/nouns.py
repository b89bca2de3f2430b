"""What a data package says: header, manifest, entities and their maps; and rows on their way to staging.

Names of fields follow Microsoft's elements (docs/packages.md has the list); what an element is called stands in
`manifest.py` alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pyarrow as pa

from unify.core.errors import SpecError
from unify.records.nouns import Table

ROW_ID: Final = "RowId"
"""Column of every staged batch: the number of the row in its file, from 1; rows in error are counted too."""
PARENT_ROW_ID: Final = "ParentRowId"
"""Column of the staged batches of a composite entity: the RowId of the row around it; null for the outermost."""
MANIFEST_TYPE: Final = (
    "Microsoft.Dynamics.AX.Framework.Tools.DataManagement.Serialization.DataManagementPackageManifest"
)
"""The one `ManifestType` there is."""


class Severity(StrEnum):
    """Of a finding."""

    ERROR = "error"
    """The entity must not be imported (the package, where no entity is named): it cannot be read, or asks for something
    that is not applied and would change values."""
    WARNING = "warning"
    """Something is left out, e.g. a file that the manifest does not name."""
    NOTE = "note"
    """Good to know, e.g. an entity that is switched off."""


class FileKind(StrEnum):
    """How an entity file is written."""

    DELIMITED = "delimited"
    EXCEL = "excel"
    XML_ELEMENT = "xml-element"
    XML_ATTRIBUTE = "xml-attribute"


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """What the name of a source format means.

    delimiter   of a delimited file; None: told from the header row
    quote       text qualifier, doubled inside of values; "": there is none
    encoding    where the file has no byte order mark; None: UTF-8, or UTF-16 where it looks so
    """

    name: str
    kind: FileKind
    delimiter: str | None = None
    quote: str = '"'
    encoding: str | None = None

    def __post_init__(self) -> None:
        """SpecError for marks that no reader of delimited files could tell apart."""
        marks = (self.delimiter or "") + self.quote
        single = (self.delimiter is None or len(self.delimiter) == 1) and len(self.quote) <= 1 and marks.isascii()
        if not single or len(set(marks)) < len(marks) or any(c in "\r\n\0" for c in marks):
            message = f"delimiter {self.delimiter!r} and quote {self.quote!r} cannot be used"
            raise SpecError(message, where=self.name, hint="each is one ASCII character; a quote may be none")


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What an archive may ask of its reader. A package beyond a limit is refused before it is unpacked.

    members        files in the archive, folders included
    entities       in the manifest
    total_bytes    of all members unpacked: what headers claim, and what really comes; and of the files of all entities
    member_bytes   of one member unpacked
    ratio          unpacked ÷ packed bytes of a member of more than 1 MiB. Deflate cannot pass 1,032; tables with 300
                   columns of which 299 are empty come to about 75
    xml_bytes      of header and manifest, each; real manifests of 100 entities have 1 MB
    xml_depth      elements inside one another
    xml_token      bytes of one tag or one value in XML
    strings_bytes  of the shared strings of a workbook, which are held in memory
    """

    members: int = 10_000
    entities: int = 2_000
    total_bytes: int = 16 << 30
    member_bytes: int = 8 << 30
    ratio: int = 200
    xml_bytes: int = 32 << 20
    xml_depth: int = 32
    xml_token: int = 4 << 20
    strings_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a package that whoever imports it must know.

    where   a member of the archive, an element, a field
    entity  the name of the one that it is about; "" where it is about the package
    """

    severity: Severity
    where: str
    message: str
    entity: str = ""

    def as_dict(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {
            "severity": self.severity.value, "entity": self.entity, "where": self.where, "message": self.message,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """PackageHeader.xml."""

    description: str = ""
    manifest_type: str = MANIFEST_TYPE
    package_type: str = "DefinitionGroup"
    package_version: str = "2"


@dataclass(frozen=True, slots=True)
class EntityMap:
    """One field of an entity and the column of the file that fills it.

    entity_field        where the value goes
    xml_field           the column of the file: a header cell, an element or an attribute
    array_index         0; anything else is a finding of severity error
    is_auto_default     an empty value becomes `default_value`
    is_auto_generated   the system that wrote the package makes the value: a finding of severity error
    is_default_null     the default is null, so an empty value stays one
    use_text_qualifier  on writing: values of this field stand in quotes
    """

    entity_field: str
    xml_field: str
    array_index: int = 0
    is_auto_default: bool = False
    is_auto_generated: bool = False
    is_default_null: bool = False
    default_value: str | None = None
    use_text_qualifier: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of row in an XML file: the only one, or one of those of a composite entity.

    name      of the element that is a row; what its staging table is called
    parent    name of the element around it; "" for the outermost
    columns   names in the file, in the order in which they first occur
    rows      how many there are
    """

    name: str
    parent: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class PackageEntity:
    """One entity of a manifest.

    name        the label, e.g. "Fixed asset major type"; names are unique in a package, ignoring case
    target      its name in the system that wrote the package, e.g. "AssetMajorTypeEntity"; "" where it is not said
    file        the member of the archive
    format      None where `source_format` is not known: a finding of severity error
    maps        fields in order; empty: every column of the file goes to the field of its name
    sheet       of a workbook; "" means the first
    enabled     False: the manifest switches it off, and it is not imported
    columns     of the file, found on reading; of an XML file those of its outermost rows
    parts       of an XML file, found on reading; more than one makes a composite entity
    table       typed columns and keys, where the package was written by this product (or its writer wants them told);
                None otherwise
    """

    name: str
    file: str
    source_format: str = "CSV"
    format: SourceFormat | None = None
    target: str = ""
    maps: tuple[EntityMap, ...] = ()
    sheet: str = ""
    execution_unit: int = 1
    level: int = 1
    sequence: int = 1
    fail_unit_on_error: bool = False
    fail_level_on_error: bool = False
    run_business_logic: bool = True
    run_business_validation: bool = True
    enabled: bool = True
    columns: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    table: Table | None = None

    @property
    def is_composite(self) -> bool:
        """Whether its rows hold rows of other kinds."""
        return len(self.parts) > 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Manifest.xml. `entities` in the order in which it names them."""

    group: str
    description: str = ""
    entities: tuple[PackageEntity, ...] = ()

    def execution_order(self) -> "tuple[tuple[tuple[PackageEntity, ...], ...], ...]":
        """Enabled entities as units → levels → entities.

        Units by number, and they may run side by side; the levels of a unit one after the other; the entities of a
        level by sequence, those of one sequence in the order of the manifest.
        """
        units: dict[int, dict[int, list[PackageEntity]]] = {}
        for entity in self.entities:
            if entity.enabled:
                units.setdefault(entity.execution_unit, {}).setdefault(entity.level, []).append(entity)
        return tuple(
            tuple(tuple(sorted(unit[level], key=lambda e: e.sequence)) for level in sorted(unit))
            for _, unit in sorted(units.items())
        )


@dataclass(frozen=True, slots=True)
class StagingError:
    """A row of a file that cannot be staged.

    row_id   its number in the file, from 1, in one count with the good rows
    line     of the text, or row of the sheet
    column   of the file; "" where it is the row as a whole
    raw      the row as it stands in the file, where it is text
    """

    row_id: int
    line: int
    column: str
    reason: str
    value: str = ""
    raw: str = ""

    def as_dict(self) -> dict[str, str | int]:
        """As `--json` prints it."""
        return {
            "row": self.row_id, "line": self.line, "column": self.column, "reason": self.reason, "value": self.value,
            "raw": self.raw,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """Rows of one part of an entity, in the order of the file.

    part    name of the element of a composite entity; "" for every other entity
    rows    RowId (int64), for a composite also ParentRowId (int64), then one text column per field, named after it
    errors  rows that did not get that far. Rows in the file = rows + errors, over all batches
    """

    part: str
    rows: pa.RecordBatch
    errors: tuple[StagingError, ...] = ()
