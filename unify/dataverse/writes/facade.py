"""The write API: one object a request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unify.dataverse.model import Model, model_of
from unify.dataverse.writes.nouns import ANY, Body, Expect, Key, Writer, Written
from unify.records import Writing


class Writes:
    """Writes of one transaction by one writer. All methods take logical names of tables; DataverseError.

    Read between them with `writing`: it sees what was written so far.
    """

    def __init__(self, writing: Writing, writer: Writer) -> None:
        self.writing, self.writer = writing, writer

    @property
    def model(self) -> Model:
        """As it is in this transaction."""
        return model_of(self.writing)

    # ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, table: str, body: Body) -> Written:
        """Make a row, and those nested in it (deep insert). Without an id it is drawn."""
        raise NotImplementedError

    def update(self, table: str, key: Key, body: Body, *, expect: Expect = ANY) -> Written:
        """Set the properties that are named; the row must be there (404), at `expect` if that is a version (412)."""
        raise NotImplementedError

    def upsert(self, table: str, key: Key, body: Body, *, expect: Expect = None) -> Written:
        """PATCH: update the row, or make it with this key. `expect`: ANY and versions only update, NEW only makes."""
        raise NotImplementedError

    def delete(self, table: str, key: Key, *, expect: Expect = ANY) -> None:
        """Delete a row, with what its relationships say of rows that point at it."""
        raise NotImplementedError

    def set_property(self, table: str, key: Key, name: str, value: Any, *, expect: Expect = ANY) -> Written:
        """PUT …/name {"value": …}."""
        raise NotImplementedError

    def clear_property(self, table: str, key: Key, name: str, *, expect: Expect = ANY) -> Written:
        """DELETE …/name: null."""
        raise NotImplementedError

    # ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def associate(self, table: str, key: Key, navigation: str, target: str) -> None:
        """POST or PUT …/navigation/$ref: `target` is an @odata.id (relative, with `/`, or a whole address)."""
        raise NotImplementedError

    def disassociate(self, table: str, key: Key, navigation: str, target: str | None = None) -> None:
        """DELETE …/navigation/$ref; of a collection, which row: an @odata.id or a guid."""
        raise NotImplementedError

    # ── many rows: all or none ───────────────────────────────────────────────────────────────────────────────────────

    def create_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """CreateMultiple: like `create` for each, in one go."""
        raise NotImplementedError

    def update_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """UpdateMultiple. Each says its row: the id property, `@odata.id`, or the attributes of an alternate key."""
        raise NotImplementedError

    def upsert_multiple(self, table: str, targets: Sequence[Body]) -> list[Written]:
        """UpsertMultiple. Each says its row, as for `update_multiple`."""
        raise NotImplementedError

    def delete_multiple(self, table: str, keys: Iterable[Key]) -> int:
        """Delete each that is there, with its relationships' consequences; how many. BulkDelete, DeleteMultiple."""
        raise NotImplementedError

    # ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_file(self, table: str, key: Key, column: str, name: str, content: bytes, kind: str = "") -> Written:
        """Set a file column. `kind`: media type."""
        raise NotImplementedError

    def file(self, table: str, key: Key, column: str) -> tuple[str, str, bytes] | None:
        """Name, media type and content of a file column; None: it is empty."""
        raise NotImplementedError

    def clear_file(self, table: str, key: Key, column: str) -> Written:
        """Empty a file column."""
        raise NotImplementedError


_ = Mapping
