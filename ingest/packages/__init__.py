"""Data packages: zip archives with a header, a manifest and one file per entity.

    read_package("Customers.zip")                → Package: manifest, findings, rows
      PackageHeader.xml   Header                     what kind of package it is
      Manifest.xml        Manifest                   entities in order, each with its file, format and map
      Customers.csv       package.rows(entity)       → StagedBatch: rows as text, numbered, and rows in error
    write_package(path, header, manifest, tables)    the other way round, byte for byte the same for the same rows

    archive.py    what a hostile zip may not do          xml.py        XML without DTDs, entities, depth without end
    manifest.py   extension.py  header, manifest → nouns  formats.py    names of source formats
    delimited.py  text.py  xml_rows.py  xlsx.py  workbook.py  fields.py      entity files → batches
    package.py    all of it behind one object
    writer.py  tables.py  values.py  escapes.py          rows → entity files → archive

docs/packages.md
"""

from ingest.packages.errors import (
    DamagedPackageError,
    EntityFileError,
    HostilePackageError,
    ManifestError,
    PackageError,
    PackageWriteError,
)
from ingest.packages.nouns import (
    PARENT_ROW_ID,
    ROW_ID,
    EntityMap,
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
    StagingError,
)
from ingest.packages.package import Package, read_package
from ingest.packages.writer import write_package

__all__ = [
    "PARENT_ROW_ID",
    "ROW_ID",
    "DamagedPackageError",
    "EntityFileError",
    "EntityMap",
    "FileKind",
    "Finding",
    "Header",
    "HostilePackageError",
    "Manifest",
    "ManifestError",
    "Package",
    "PackageEntity",
    "PackageError",
    "PackageLimits",
    "PackageWriteError",
    "Part",
    "Severity",
    "SourceFormat",
    "StagedBatch",
    "StagingError",
    "read_package",
    "write_package",
]
