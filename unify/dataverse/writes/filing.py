"""File columns: the content lies in a row of `fileattachment`, and the column holds that row's id."""

from http import HTTPStatus
from typing import Final

from unify.dataverse.errors import BAD_INPUT, DataverseError
from unify.dataverse.model import AttributeModel, TableModel, Type
from unify.dataverse.writes.ids import new_id
from unify.dataverse.writes.nouns import Key, Written
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.updating import find, set_values
from unify.dataverse.writes.values import to_second
from unify.records import Reading, Row

FILES: Final = "fileattachment"
LARGEST: Final = 128 * 2**20
"""Bytes: what Dataverse takes in one request."""


def put_file(session: Session, name: str, key: Key, column: str, file: str, content: bytes, kind: str) -> Written:
    """Set a file column. DataverseError 413 for one that is larger than the column takes."""
    table = session.table(name, "Update")
    attribute = file_column(table, column)
    row = find(session, table, key)
    most = min(LARGEST, (attribute.length or LARGEST // 1024) * 1024)
    if len(content) > most:
        message = f"The file has {len(content):,} bytes, and '{column}' takes {most:,} at most."
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise DataverseError(message, code=BAD_INPUT, status=status, where=column)
    if not 0 < len(file) <= 255 or "\0" in file:
        raise DataverseError("A file needs a name of 1 to 255 characters.", code=BAD_INPUT, where=column)
    _drop(session, table, row, column)
    made = new_id()
    session.writing.insert(FILES, [{
        "fileattachmentid": made, "filename": file, "mimetype": kind[:256] or "application/octet-stream",
        "objecttypecode": name, "regardingfieldname": column, "objectid": row.values[table.id_attribute],
        "filesizeinbytes": len(content), "body": content, "createdon": to_second(session.writer.now),
    }])  # fmt: skip
    return set_values(session, table, str(row.values[table.id_attribute]), {column: made, f"{column}_name": file})


def clear_file(session: Session, name: str, key: Key, column: str) -> Written:
    """Empty a file column."""
    table = session.table(name, "Update")
    file_column(table, column)
    row = find(session, table, key)
    _drop(session, table, row, column)
    return set_values(session, table, str(row.values[table.id_attribute]), {column: None, f"{column}_name": None})


def content_of(reading: Reading, table: TableModel, row: Row, column: str) -> tuple[str, str, bytes] | None:
    """Name, media type and content; None: the column is empty."""
    file_column(table, column)
    held = row.values[column]
    found = None if held is None else reading.get(FILES, [held])
    if found is None:
        return None
    body = found.values["body"]
    content = body if isinstance(body, bytes) else b""
    return str(found.values["filename"]), str(found.values["mimetype"]), content


def file_column(table: TableModel, column: str) -> AttributeModel:
    """DataverseError when the column is not for files."""
    attribute = table.attribute(column)
    if attribute.type is not Type.FILE:
        raise DataverseError(f"'{column}' of '{table.name}' holds no files.", code=BAD_INPUT, where=column)
    return attribute


def _drop(session: Session, table: TableModel, row: Row, column: str) -> None:
    if row.values[column] is not None:
        session.writing.delete_many(FILES, [[row.values[column]]])
