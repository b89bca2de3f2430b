"""Data packages: zip archives with a header, a manifest and one file per entity.

    read_package("Customers.zip")                → Package: manifest, findings, rows
      PackageHeader.xml   Header                     what kind of package it is
      Manifest.xml        Manifest                   entities in order, each with its file, format and map
      Customers.csv       package.rows(entity)       → StagedBatch: rows as text, numbered, and rows in error
    write_package(path, header, manifest, tables)    the other way round, byte for byte the same for the same rows;
                                                     tables: entity name → Arrow reader whose columns are its fields

Package is a context manager (it holds the archive open):
    header, manifest, findings, rows(entity, batch_rows=65_536) → iterator of StagedBatch

    archive.py    what a hostile zip may not do        xml.py        XML without DTDs, entities, depth without end
    manifest.py   header and manifest ⇄ nouns          formats.py    names of source formats
    delimited.py  xml_rows.py  xlsx.py                 entity files → batches
    writer.py                                          batches → entity files

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
    "PackageEntity",
    "PackageError",
    "PackageLimits",
    "PackageWriteError",
    "Part",
    "Severity",
    "SourceFormat",
    "StagedBatch",
    "StagingError",
]
