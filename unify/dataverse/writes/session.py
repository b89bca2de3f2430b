"""What the writes of one transaction share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from unify.dataverse.errors import BAD_INPUT, DUPLICATE, KEY_TAKEN, NO_METHOD, DataverseError, no_record
from unify.dataverse.model import Model, TableModel, model_of
from unify.dataverse.writes.keys import Reference, located, missing
from unify.dataverse.writes.nouns import Writer
from unify.records import Writing
from unify.records.errors import KeyTakenError, RecordError


@dataclass
class Session:
    """A transaction, its writer, and the rows that lookups point at: they must be there when a write is done."""

    writing: Writing
    writer: Writer
    pointed: dict[str, set[str]] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """As it is in this transaction."""
        return model_of(self.writing)

    def table(self, name: str, verb: str) -> TableModel:
        """A table that clients may write; `verb`: Create, Update, Delete. DataverseError."""
        found = self.model.table(name)
        if not found.writable:
            raise DataverseError(
                f"The '{verb}' method does not support entities of type '{name}'.",
                code=NO_METHOD,
                status=HTTPStatus.METHOD_NOT_ALLOWED,
                where=name,
                hint="write a task, phone call, e-mail or appointment" if name == "activitypointer" else "",
            )
        return found

    def point(self, reference: Reference) -> str:
        """The id that a reference means; whether a guid is there is seen when the write is done."""
        table = self.model.table(reference.table)
        if isinstance(reference.key, str):
            self.pointed.setdefault(table.name, set()).add(reference.key)
            return reference.key
        found = located(self.writing, self.model, table.name, reference.key)
        if found is None:
            raise missing(table, reference.key)
        return found

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One write: done with all it entails, or not at all, whatever the caller makes of the refusal."""
        connection = self.writing.connection
        connection.execute("SAVEPOINT one_write")
        try:
            with self._in_words():
                yield
            self._see_pointed()
        except BaseException:
            self.pointed.clear()
            connection.execute("ROLLBACK TO one_write")
            connection.execute("RELEASE one_write")
            raise
        connection.execute("RELEASE one_write")

    def _see_pointed(self) -> None:
        for name, ids in self.pointed.items():
            table = self.model.table(name)
            absent = self.writing.absent(name, table.id_attribute, ids)
            if absent is not None:
                raise no_record(name, str(absent))
        self.pointed.clear()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except KeyTakenError as error:
            raise self._taken(error) from error
        except RecordError as error:
            raise DataverseError(error.message, code=BAD_INPUT, where=error.where, hint=error.hint) from error

    def _taken(self, error: KeyTakenError) -> DataverseError:
        table = self.model.tables.get(error.table)
        key = None if table is None else table.keys.get(error.where)
        if table is None or key is None:
            message = "A record with matching key values already exists."
            return DataverseError(message, code=DUPLICATE, status=HTTPStatus.PRECONDITION_FAILED, where=error.table)
        labels = ", ".join(table.attributes[name].label for name in key.attributes)
        message = (
            f"A record that has the attribute values {labels} already exists. The entity key {key.label} requires that "
            "this set of attributes contains unique values. Select unique values and try again."
        )
        return DataverseError(message, code=KEY_TAKEN, status=HTTPStatus.PRECONDITION_FAILED, where=key.name)
