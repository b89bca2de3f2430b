"""The record store of an instance: typed tables that are written row by row or in bulk, by many processes at once.

    <instance>/records.sqlite     what a write has acknowledged is on the disk; readers never wait for writers

    with RecordStore(path).write() as writing:
        writing.insert("contact", [{"contactid": …, "lastname": "Muster"}])

Dataverse tables live here, and the targets of data packages. A run ingests one like any other source.
"""

from unify.records.nouns import Column, Kind, Row, Table, Value
from unify.records.reading import Changes, Reading
from unify.records.store import FILE, RecordStore
from unify.records.writing import Writing

__all__ = ["FILE", "Changes", "Column", "Kind", "Reading", "RecordStore", "Row", "Table", "Value", "Writing"]
