"""The write API: one object a request."""

from collections.abc import Iterable, Sequence
from typing import Any

from unify.dataverse.model import Model
from unify.dataverse.writes import creating, deleting, filing, linking, updating, upserting
from unify.dataverse.writes.nouns import ANY, Body, Expect, Key, Writer, Written
from unify.dataverse.writes.session import Session
from unify.records import Writing


class Writes:
    """Writes of one transaction by one writer. All methods take logical names of tables; DataverseError.

    A write that is refused leaves nothing behind, so the transaction can go on without it. Read between writes with
    `writing`: it sees what was written so far.
    """

    def __init__(self, writing: Writing, writer: Writer) -> None:
        self.writing, self.writer = writing, writer
        self._session = Session(writing, writer)

    @property
    def model(self) -> Model:
        """As it is in this transaction."""
        return self._session.model

    # ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, table: str, body: Body) -> Written:
        """Make a row, and those nested in it (deep insert). Without an id it is drawn."""
        with self._session.whole():
            return creating.create(self._session, table, body)

    def update(self, table: str, key: Key, body: Body, *, expect: Expect = ANY) -> Written:
        """Set the properties that are named; the row must be there (404), at `expect` if that is a version (412)."""
        with self._session.whole():
            return updating.update(self._session, table, key, body, expect)

    def upsert(self, table: str, key: Key, body: Body, *, expect: Expect = None) -> Written:
        """PATCH: update the row, or make it with this key. `expect`: ANY and versions only update, NEW only makes."""
        with self._session.whole():
            return upserting.upsert(self._session, table, key, body, expect)

    def delete(self, table: str, key: Key, *, expect: Expect = ANY) -> None:
        """Delete a row, with what its relationships say of rows that point at it."""
        with self._session.whole():
            deleting.delete(self._session, table, key, expect)

    def set_property(self, table: str, key: Key, name: str, value: Any, *, expect: Expect = ANY) -> Written:
        """PUT …/name {"value": …}."""
        with self._session.whole():
            return updating.set_property(self._session, table, key, name, value, expect)

    def clear_property(self, table: str, key: Key, name: str, *, expect: Expect = ANY) -> Written:
        """DELETE …/name: null."""
        return self.set_property(table, key, name, None, expect=expect)

    # ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def associate(self, table: str, key: Key, navigation: str, target: str) -> None:
        """POST or PUT …/navigation/$ref: `target` is an @odata.id (relative, with `/`, or a whole address)."""
        with self._session.whole():
            linking.associate(self._session, table, key, navigation, target)

    def disassociate(self, table: str, key: Key, navigation: str, target: str | None = None) -> None:
        """DELETE …/navigation/$ref; of a collection, which row: an @odata.id or a guid."""
        with self._session.whole():
            linking.disassociate(self._session, table, key, navigation, target)

    # ── many rows: all or none ───────────────────────────────────────────────────────────────────────────────────────

    def create_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """CreateMultiple: like `create` for each, in one go."""
        with self._session.whole():
            return creating.create_multiple(self._session, table, targets)

    def update_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """UpdateMultiple. Each says its row: the id property, `@odata.id`, or the attributes of an alternate key."""
        with self._session.whole():
            return upserting.update_multiple(self._session, table, targets)

    def upsert_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """UpsertMultiple. Each says its row, as for `update_multiple`; one that says none is new."""
        with self._session.whole():
            return upserting.upsert_multiple(self._session, table, targets)

    def delete_multiple(self, table: str, keys: Iterable[Key]) -> int:
        """Delete each that is there, with its relationships' consequences; how many. BulkDelete, DeleteMultiple."""
        with self._session.whole():
            return deleting.delete_multiple(self._session, table, keys)

    # ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_file(self, table: str, key: Key, column: str, name: str, content: bytes, kind: str = "") -> Written:
        """Set a file column. `kind`: media type."""
        with self._session.whole():
            return filing.put_file(self._session, table, key, column, name, content, kind)

    def file(self, table: str, key: Key, column: str) -> tuple[str, str, bytes] | None:
        """Name, media type and content of a file column; None: it is empty. In a Reading: `filing.content_of`."""
        model = self.model.table(table)
        return filing.content_of(self.writing, model, updating.find(self._session, model, key), column)

    def clear_file(self, table: str, key: Key, column: str) -> Written:
        """Empty a file column."""
        with self._session.whole():
            return filing.clear_file(self._session, table, key, column)
