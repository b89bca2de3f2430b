"""A data package, open: what it says, what is odd about it, and the rows of its entities."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from types import TracebackType
from typing import BinaryIO, Final, Self

from ingest.packages import delimited, xlsx, xml_rows
from ingest.packages.archive import Archive, Member, name_problem
from ingest.packages.errors import EntityFileError, HostilePackageError, ManifestError, PackageError
from ingest.packages.fields import Field, checked, field_list, unmapped
from ingest.packages.manifest import read_header, read_manifest
from ingest.packages.nouns import (
    FileKind,
    Finding,
    Header,
    Manifest,
    PackageEntity,
    PackageLimits,
    Part,
    Severity,
    SourceFormat,
    StagedBatch,
)
from ingest.packages.workbook import Workbook
from ingest.packages.xml import tree
from ingest.packages.xml_rows import Path
from unify.core.errors import NotFoundError, did_you_mean

HEADER, MANIFEST = "PackageHeader.xml", "Manifest.xml"
_FINDINGS: Final = 1000
_PIECE: Final = 1 << 22
"""4 MiB: enough for Arrow's parser to be busy, small enough for many packages at once."""


class Package:
    """One package. A context manager: it holds its file open.

    header    of PackageHeader.xml
    manifest  entities in the order of the manifest, each with the columns and parts that were found in its file
    findings  what whoever imports it must know; see `Severity`
    """

    def __init__(
        self,
        archive: Archive,
        header: Header,
        manifest: Manifest,
        findings: Sequence[Finding],
        files: Mapping[str, Member],
        surveys: Mapping[str, Mapping[Path, Part]],
        refused: Mapping[str, Finding],
    ) -> None:
        self.header, self.manifest, self.findings = header, manifest, tuple(findings)
        self._archive, self._files, self._surveys, self._refused = archive, files, surveys, refused

    @property
    def where(self) -> str:
        """How errors call it: its path, or the name of the file."""
        return self._archive.where

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        self._archive.close()

    def entity(self, name: str) -> PackageEntity:
        """An entity by its name, ignoring case. Raises NotFoundError."""
        for entity in self.manifest.entities:
            if entity.name.casefold() == name.casefold():
                return entity
        hint = did_you_mean(name, [e.name for e in self.manifest.entities])
        raise NotFoundError(f"the package has no entity {name[:80]!r}", where=self.where, hint=hint)

    def rows(self, entity: PackageEntity, *, batch_rows: int = 65_536) -> Iterator[StagedBatch]:
        """The rows of an entity in the order of its file, in batches of about so many.

        Raises EntityFileError, DamagedPackageError: the file cannot be read, or a finding says that the entity must not
        be imported. What is wrong with the archive or with XML is known before the first batch: `read_package` read
        every member to its end.
        """
        member = self._files.get(entity.name)
        where = f"{self.where}: {entity.file} ({entity.name})"
        if (refused := self._refused.get(entity.name)) is not None:
            raise EntityFileError(refused.message, where=refused.where, hint="change the package, and send it again")
        if member is None or entity.format is None:
            raise EntityFileError("the entity is switched off", where=where, hint="write <Disable>false</Disable>")
        if entity.format.kind is FileKind.DELIMITED:
            return self._delimited(entity, member, entity.format, where)
        if entity.format.kind is FileKind.EXCEL:
            return self._excel(entity, member, where, batch_rows)
        return self._xml(entity, member, entity.format, where, batch_rows)

    def count(self, entity: PackageEntity) -> tuple[int, int]:
        """Rows that can be staged, and rows in error: the whole file is read. Raises what `rows` raises."""
        good = bad = 0
        for batch in self.rows(entity):
            good += batch.rows.num_rows
            bad += len(batch.errors)
        return good, bad

    def _delimited(
        self, entity: PackageEntity, member: Member, form: SourceFormat, where: str
    ) -> Iterator[StagedBatch]:
        file = delimited.examine(self._archive.chunks(member), entity, form, where)
        fields = field_list(entity, file.columns, where, strict=True)
        yield from delimited.rows(self._archive.chunks(member, _PIECE), file, fields, form, where)

    def _excel(self, entity: PackageEntity, member: Member, where: str, batch_rows: int) -> Iterator[StagedBatch]:
        book = Workbook(self._archive.chunks(member), self._archive.limits, where)
        try:
            columns, _ = xlsx.header(book, entity.sheet, where)
            fields = field_list(entity, columns, where, strict=True)
            yield from xlsx.rows(book, entity.sheet, columns, fields, where, batch_rows=batch_rows)
        finally:
            book.close()

    def _xml(
        self, entity: PackageEntity, member: Member, form: SourceFormat, where: str, batch_rows: int
    ) -> Iterator[StagedBatch]:
        parts = self._surveys.get(entity.name) or _survey(self._archive, member, form, where)
        fields = _part_fields(entity, parts, where)
        yield from xml_rows.rows(
            self._archive.chunks(member), parts, fields, self._archive.limits, where,
            escapes=entity.table is not None, batch_rows=batch_rows,
        )  # fmt: skip


def read_package(
    source: "FilePath | str | BinaryIO",
    limits: PackageLimits | None = None,
    formats: Mapping[str, SourceFormat] | None = None,
) -> Package:
    """Open a package: a path, or a file that can be read and sought (which stays open for who gave it).

    formats  source formats of one's own by name, e.g. {"Legacy": SourceFormat("Legacy", FileKind.DELIMITED, ";")}

    Every member is unpacked once and its checksum held against the archive's before anything is given out, without
    being kept. Raises HostilePackageError, DamagedPackageError; ManifestError for a package without manifest, an entity
    named twice, a file that is not there, more than one composite entity. What is wrong with the file of one entity is
    a finding of severity error, and raised by `rows`.
    """
    archive = Archive.open(source, limits or PackageLimits())
    try:
        return _opened(archive, formats)
    except BaseException:
        archive.close()
        raise


def _opened(archive: Archive, formats: Mapping[str, SourceFormat] | None) -> Package:
    findings: list[Finding] = []
    header = _header(archive, findings)
    member = archive.find(MANIFEST)
    if member is None:
        raise ManifestError(f"the package has no {MANIFEST}", where=archive.where, hint=_manifest_hint(archive))
    where = f"{archive.where}: {MANIFEST}"
    raw = archive.read(member, archive.limits.xml_bytes)
    manifest = read_manifest(tree(raw, archive.limits, where), where, findings, formats)
    refused = {f.entity: f for f in reversed(findings) if f.severity is Severity.ERROR}
    files = _files(archive, manifest, findings)
    _verify(archive)
    surveys: dict[str, Mapping[Path, Part]] = {}
    entities = tuple(_examined(archive, e, files.get(e.name), findings, surveys) for e in manifest.entities)
    findings = _most(findings)
    composite = [entity.name for entity in entities if entity.is_composite]
    if len(composite) > 1:
        message = f"it has {len(composite)} composite entities: {', '.join(composite[:5])}"
        raise ManifestError(message, where=archive.where, hint="a package has at most one: build one package for each")
    return Package(archive, header, replace(manifest, entities=entities), findings, files, surveys, refused)


def _most(findings: list[Finding]) -> list[Finding]:
    """So many as somebody reads, those that matter most first: a million strange elements are one remark."""
    if len(findings) <= _FINDINGS:
        return findings
    order = {severity: place for place, severity in enumerate(Severity)}
    kept = sorted(findings, key=lambda f: order[f.severity])[:_FINDINGS]
    return [*kept, Finding(Severity.WARNING, "", f"{len(findings) - _FINDINGS:,} more findings are left out")]


def _header(archive: Archive, findings: list[Finding]) -> Header:
    member = archive.find(HEADER)
    if member is None:
        findings.append(Finding(Severity.WARNING, HEADER, "the package has no header; it is read as version 2"))
        return Header()
    where = f"{archive.where}: {HEADER}"
    return read_header(tree(archive.read(member, archive.limits.xml_bytes), archive.limits, where), where, findings)


def _manifest_hint(archive: Archive) -> str:
    inside = next((n for n in archive.members if n.casefold().endswith(f"/{MANIFEST.casefold()}")), None)
    if inside is not None:
        return f"it is in a folder ({inside}): pack the files, not the folder"
    return f"{MANIFEST} names the entities and their files; docs/packages.md shows one"


def _files(archive: Archive, manifest: Manifest, findings: list[Finding]) -> dict[str, Member]:
    """The member of each enabled entity, by the entity's name; files that nobody names become findings."""
    limits, total = archive.limits, 0
    if len(manifest.entities) > limits.entities:
        message = f"the manifest names {len(manifest.entities):,} entities, and at most {limits.entities:,} are taken"
        raise HostilePackageError(message, where=f"{archive.where}: {MANIFEST}", hint="build several packages")
    found: dict[str, Member] = {}
    named = {HEADER.casefold(), MANIFEST.casefold()}
    for entity in manifest.entities:
        named.add(entity.file.casefold())
        if not entity.enabled:
            continue
        where = f"{archive.where}: {MANIFEST} ({entity.name})"
        if problem := name_problem(entity.file):
            message = f"InputFilePath {entity.file[:80]!r} {problem}"
            raise HostilePackageError(message, where=where, hint="name a file inside the package")
        member = archive.find(entity.file)
        if member is None:
            hint = did_you_mean(entity.file, [n for n in archive.members if n.casefold() not in named])
            raise ManifestError(f"the file {entity.file!r} is not in the package", where=where, hint=hint)
        found[entity.name] = member
        total += member.size
        if total > limits.total_bytes:
            message = f"its entities name files of more than {limits.total_bytes:,} bytes, some again and again"
            raise HostilePackageError(message, where=where, hint="give each entity a file of its own")
    for name in archive.members:
        if name.casefold() not in named:
            what = "an archive inside the package is not opened" if name.casefold().endswith(".zip") else "left out"
            findings.append(Finding(Severity.WARNING, name, f"the manifest does not name this file: {what}"))
    return found


def _verify(archive: Archive) -> None:
    """Every member unpacks to what the archive says, bytes and checksum."""
    for member in archive.members.values():
        for _ in archive.chunks(member):
            pass


def _examined(
    archive: Archive,
    entity: PackageEntity,
    member: Member | None,
    findings: list[Finding],
    surveys: dict[str, Mapping[Path, Part]],
) -> PackageEntity:
    """The entity with columns and parts of its file; what is wrong with that file is a finding."""
    if member is None or entity.format is None:
        return entity
    where = f"{archive.where}: {entity.file} ({entity.name})"
    try:
        columns, found, remarks = _columns(archive, entity, member, entity.format, where)
        if found is not None:
            surveys[entity.name] = found
        if found is not None:
            _part_fields(entity, found, where)
        else:
            field_list(entity, columns, where, strict=True)
    except HostilePackageError:
        raise
    except PackageError as error:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        findings.append(Finding(Severity.ERROR, error.where, message, entity.name))
        return entity
    parts = tuple(found.values()) if found is not None else ()
    findings.extend(
        Finding(Severity.NOTE, entity.file, remark.removeprefix(f"{where}: "), entity.name) for remark in remarks
    )
    if len(parts) <= 1:
        findings.extend(_about_columns(entity, columns))
    return replace(entity, columns=columns, parts=parts)


def _about_columns(entity: PackageEntity, columns: Sequence[str]) -> Iterator[Finding]:
    """Columns that no field takes; and then fields without a column, which in XML is no error: one may be misspelt."""
    strange = unmapped(entity, columns)
    for name in strange:
        yield Finding(
            Severity.WARNING, f"{entity.file}, {name[:80]}", "no field takes this column: left out", entity.name
        )
    there = {name.casefold() for name in columns}
    for one in entity.maps if strange else ():
        if one.xml_field and one.xml_field.casefold() not in there:
            message = f"no row has {one.xml_field[:80]}, which fills {one.entity_field[:80]}: it is null in all"
            yield Finding(Severity.NOTE, entity.file, message, entity.name)


def _columns(
    archive: Archive, entity: PackageEntity, member: Member, form: SourceFormat, where: str
) -> tuple[tuple[str, ...], Mapping[Path, Part] | None, Sequence[str]]:
    """Columns of the file; of XML its parts; what was done to names of columns."""
    if form.kind is FileKind.DELIMITED:
        file = delimited.examine(archive.chunks(member), entity, form, where)
        return file.columns, None, file.warnings
    if form.kind is FileKind.EXCEL:
        book = Workbook(archive.chunks(member), archive.limits, where)
        try:
            columns, remarks = xlsx.header(book, entity.sheet, where)
            return columns, None, remarks
        finally:
            book.close()
    parts = _survey(archive, member, form, where)
    return next((part.columns for part in parts.values()), ()), parts, ()


def _survey(archive: Archive, member: Member, form: SourceFormat, where: str) -> Mapping[Path, Part]:
    """The parts of an XML file. Raises EntityFileError where its outermost rows are of several kinds."""
    parts = xml_rows.survey(archive.chunks(member), form.kind, archive.limits, where)
    outermost = [part.name for path, part in parts.items() if len(path) == 1]
    if len(outermost) > 1:
        message = f"its rows are of several kinds: {', '.join(outermost[:5])}"
        raise EntityFileError(message, where=where, hint="the children of the root are rows of one entity")
    return parts


def _part_fields(entity: PackageEntity, parts: Mapping[Path, Part], where: str) -> dict[Path, tuple[Field, ...]]:
    """Fields of each part. In a composite the map renames columns wherever they stand; what it does not name stays."""
    if len(parts) <= 1:
        return {path: field_list(entity, part.columns, where, strict=False) for path, part in parts.items()}
    renamed = {one.xml_field.casefold(): one.entity_field for one in entity.maps if one.xml_field}
    return {
        path: checked((Field(renamed.get(n.casefold(), n), place) for place, n in enumerate(part.columns)), where)
        for path, part in parts.items()
    }
