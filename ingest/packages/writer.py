"""Write a package: the same header, manifest and rows give the same bytes, on every machine and at every time."""

import io
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO, Final
from xml.sax.saxutils import escape

import pyarrow as pa

from ingest.packages.archive import name_problem
from ingest.packages.errors import PackageWriteError
from ingest.packages.extension import written_table
from ingest.packages.formats import FORMATS, source_format
from ingest.packages.manifest import HEADER_ROOT, MANIFEST_ROOT, NAMESPACE
from ingest.packages.nouns import EntityMap, FileKind, Header, Manifest, PackageEntity, SourceFormat
from ingest.packages.package import HEADER, MANIFEST
from ingest.packages.tables import add_member, element_name, sheet_name, write_rows
from ingest.packages.xml import XSI
from unify.core.errors import StoreError, did_you_mean

_ENDINGS: Final = {FileKind.EXCEL: ".xlsx", FileKind.XML_ELEMENT: ".xml", FileKind.XML_ATTRIBUTE: ".xml"}
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNWANTED: Final = frozenset('\\/:*?"<>|')
"""Characters that Windows takes in no file name; the vendor leaves them out of the names of files too."""


def write_package(
    target: "Path | str | BinaryIO",
    header: Header,
    manifest: Manifest,
    tables: Mapping[str, pa.RecordBatchReader],
) -> dict[str, int]:
    """Write a package; rows by entity. A path is there whole or not at all; a file must be writable and seekable.

    tables  by name of the entity, one for each of the manifest: columns are its fields

    What an entity leaves open is filled in: `file` from its name, `maps` from the columns of its table, `format` from
    `source_format`. Its `table` is written too, so that a reader of ours makes the same columns and keys.
    Raises PackageWriteError: a table that is not there, a format that is not known, a value that it cannot hold.
    """
    entities = _settled(manifest, tables)
    if not isinstance(target, Path | str):
        return _write(target, header, manifest, entities, tables)
    path = Path(target)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            waiting = Path(file.name)
            try:
                counts = _write(file, header, manifest, entities, tables)
                file.flush()
                os.fsync(file.fileno())
                _open_to_others(waiting)
                waiting.replace(path)
            except BaseException:
                waiting.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StoreError(f"the package cannot be written: {error.strerror}", where=str(path)) from None
    return counts


def _open_to_others(path: Path) -> None:
    """A temporary file is its owner's alone; the package has the rights that any new file has."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def _write(
    out: "BinaryIO | IO[bytes]",
    header: Header,
    manifest: Manifest,
    entities: "list[tuple[PackageEntity, SourceFormat]]",
    tables: Mapping[str, pa.RecordBatchReader],
) -> dict[str, int]:
    counts: dict[str, int] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for entity, form in entities:
            with tempfile.TemporaryFile() as rows:
                counts[entity.name] = write_rows(rows, entity, form, tables[entity.name])
                add_member(package, entity.file, rows)
        for name, text in ((MANIFEST, _manifest(manifest, entities)), (HEADER, _header(header))):
            add_member(package, name, io.BytesIO(b"\xff\xfe" + text.encode("utf-16-le")))
    return counts


def _settled(
    manifest: Manifest, tables: Mapping[str, pa.RecordBatchReader]
) -> "list[tuple[PackageEntity, SourceFormat]]":
    """Every entity with format, file, map and sheet."""
    if missing := [e.name for e in manifest.entities if e.name not in tables]:
        hint = did_you_mean(missing[0], tables)
        raise PackageWriteError(f"no table is given for {missing[0]!r}", where="tables", hint=hint)
    taken = {HEADER.casefold(), MANIFEST.casefold()}
    found = []
    for entity in manifest.entities:
        if entity.is_composite:
            hint = "export its entities one by one"
            raise PackageWriteError("composite entities are read, not written", where=entity.name, hint=hint)
        form = entity.format or source_format(entity.source_format)
        if form is None:
            hint = did_you_mean(entity.source_format, FORMATS)
            raise PackageWriteError(f"unknown format {entity.source_format!r}", where=entity.name, hint=hint)
        settled = replace(
            entity,
            file=_file(entity, form, taken),
            format=form,
            source_format=form.name,
            maps=_maps(entity, form, tables[entity.name].schema.names),
            sheet=f"{sheet_name(entity)}$" if form.kind is FileKind.EXCEL else "",
        )
        taken.add(settled.file.casefold())
        found.append((settled, form))
    if len({e.name.casefold() for e, _ in found}) < len(found):
        raise PackageWriteError("an entity stands twice in the manifest", where="entities")
    return found


def _file(entity: PackageEntity, form: SourceFormat, taken: set[str]) -> str:
    ending = _ENDINGS.get(form.kind, ".csv")
    if entity.file:
        if (problem := name_problem(entity.file)) or entity.file.casefold() in taken:
            raise PackageWriteError(f"the file {entity.file!r} {problem or 'stands twice'}", where=entity.name)
        return entity.file
    plain = "".join(c for c in entity.name if c not in _UNWANTED and c.isprintable()).strip(" .")[:200] or "entity"
    names = (f"{plain}{ending}", *(f"{plain} ({n}){ending}" for n in range(2, 10_000)))
    return next(name for name in names if name.casefold() not in taken)


def _maps(entity: PackageEntity, form: SourceFormat, columns: "list[str]") -> tuple[EntityMap, ...]:
    """One map for each column of the table, in its order."""
    said = {one.entity_field: one for one in entity.maps}
    if strange := [field for field in said if field not in columns]:
        hint = did_you_mean(strange[0], columns)
        raise PackageWriteError(f"{strange[0]!r} is mapped and is no column", where=entity.name, hint=hint)
    if not columns:
        raise PackageWriteError("the table has no columns", where=entity.name)
    maps = [said.get(name) or EntityMap(name, name) for name in columns]
    if form.kind in (FileKind.XML_ELEMENT, FileKind.XML_ATTRIBUTE):
        maps = [replace(one, xml_field=element_name(one.xml_field)) for one in maps]
    names = [one.xml_field.strip().casefold() for one in maps]
    if twice := next((one.xml_field for one, name in zip(maps, names, strict=True) if names.count(name) > 1), None):
        hint = "names of columns differ by more than case and blanks"
        raise PackageWriteError(f"two columns of the file are called {twice!r}", where=entity.name, hint=hint)
    for one in maps:
        if one.xml_field != one.xml_field.strip() or any(c in one.xml_field for c in "\r\n\0") or not one.xml_field:
            hint = "map it to a plain name"
            raise PackageWriteError(
                f"a column of the file cannot be called {one.xml_field!r}", where=entity.name, hint=hint
            )
    return tuple(maps)


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _header(header: Header) -> str:
    fields = (
        ("Description", header.description), ("ManifestType", header.manifest_type),
        ("PackageType", header.package_type), ("PackageVersion", header.package_version),
    )  # fmt: skip
    return _document(HEADER_ROOT, "".join(_element(*field) for field in fields))


def _document(root: str, content: str) -> str:
    if (found := _UNFIT.search(content)) is not None:
        shown = content[max(found.start() - 40, 0) : found.end()]
        raise PackageWriteError(f"a name or description holds a character that XML cannot hold: {shown!r}", where=root)
    return f'<{root} xmlns:i="{XSI}" xmlns="{NAMESPACE}">{content}</{root}>'


def _element(name: str, value: "str | bool | int") -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>" if text else f"<{name} />"


def _manifest(manifest: Manifest, entities: "list[tuple[PackageEntity, SourceFormat]]") -> str:
    content = (
        _element("DefinitionGroupName", manifest.group)
        + _element("Description", manifest.description)
        + f"<PackageEntityList>{''.join(_entity(entity) for entity, _ in entities)}</PackageEntityList>"
    )
    return _document(MANIFEST_ROOT, content)


def _entity(entity: PackageEntity) -> str:
    """Elements in the order in which the vendor writes them: by name."""
    content = [
        _element("Disable", not entity.enabled),
        f"<EntityMapList>{''.join(_map(one) for one in entity.maps)}</EntityMapList>",
        _element("EntityName", entity.name),
        '<EntityTransformList i:nil="true" />',
        _element("ExcelSheetName", entity.sheet),
        _element("ExecutionUnit", entity.execution_unit),
        _element("FailExecutionUnitOnError", entity.fail_unit_on_error),
        _element("FailLevelOnError", entity.fail_level_on_error),
        _element("InputFilePath", entity.file),
        _element("LevelInExecutionUnit", entity.level),
        _element("RunBusinessLogic", entity.run_business_logic),
        _element("RunBusinessValidation", entity.run_business_validation),
        _element("SequenceInLevel", entity.sequence),
        _element("SourceFormat", entity.source_format),
        _element("TargetEntity", entity.target) if entity.target else "",
        _element("ValidationStatus", "Yes"),
        written_table(entity.table) if entity.table is not None else "",
    ]
    return f"<DataManagementPackageEntityData>{''.join(content)}</DataManagementPackageEntityData>"


def _map(one: EntityMap) -> str:
    content = (
        _element("ArrayIndex", one.array_index)
        + (_element("DefaultValue", one.default_value) if one.default_value is not None else "")
        + _element("EntityField", one.entity_field)
        + '<EntityFieldConversionList i:nil="true" />'
        + _element("IsAutoDefault", one.is_auto_default)
        + _element("IsAutoGenerated", one.is_auto_generated)
        + _element("IsDefaultValueEqualNull", one.is_default_null)
        + _element("UseTextQualifier", one.use_text_qualifier)
        + _element("XMLField", one.xml_field)
    )
    return f"<EntityMap>{content}</EntityMap>"
