"""The questions that are asked of Dataverse tables: one object a request."""

from typing import Any

from unify.dataverse.model import Model
from unify.dataverse.query.nouns import SECONDS, Asker, Options, Page, Preferences, Single
from unify.records import Reading

PLAIN = Preferences()
ALL = Options()


class Questions:
    """Asked of one moment of the store. All methods take logical names of tables and guids of rows; DataverseError.

    root      address of the service with a slash at its end: links in rows begin with it
    seconds   that one question may take; then it is a DataverseError
    """

    def __init__(
        self, reading: Reading, model: Model, asker: Asker, *, root: str = "/api/data/v9.2/", seconds: float = SECONDS
    ) -> None:
        self.reading, self.model, self.asker, self.root, self.seconds = reading, model, asker, root, seconds

    def query(self, table: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Page:
        """GET accounts?…: rows, or what `$apply` makes of them; fetchXml, sql, track-changes and $deltatoken too."""
        raise NotImplementedError

    def one(self, table: str, key: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Single:
        """GET accounts(key)?$select=…&$expand=…; 404 when there is none."""
        raise NotImplementedError

    def count(self, table: str, options: Options = ALL) -> int:
        """GET accounts/$count?$filter=…, at most 5,000; with $deltatoken the number of changes."""
        raise NotImplementedError

    def value(self, table: str, key: str, name: str) -> Any:
        """GET accounts(key)/name: as it goes over the wire; None is 204."""
        raise NotImplementedError

    def step(self, table: str, key: str, navigation: str, target: str | None = None) -> tuple[str, str] | None:
        """Table and key one step on: a single-valued navigation (None: it is empty), or `target` of a collection."""
        raise NotImplementedError

    def related(
        self, table: str, key: str, navigation: str, options: Options = ALL, preferences: Preferences = PLAIN
    ) -> Page:
        """GET accounts(key)/contact_customer_accounts?…; of a single-valued navigation use `step` and `one`."""
        raise NotImplementedError

    def related_count(self, table: str, key: str, navigation: str, options: Options = ALL) -> int:
        """GET accounts(key)/contact_customer_accounts/$count?$filter=…."""
        raise NotImplementedError

    def references(
        self, table: str, key: str, navigation: str, options: Options = ALL, preferences: Preferences = PLAIN
    ) -> Page:
        """GET accounts(key)/contact_customer_accounts/$ref: rows of `@odata.id`. Of a single-valued one: 0 or 1 row."""
        raise NotImplementedError

    def fetch_xml(self, table: str, text: str, preferences: Preferences = PLAIN) -> Page:
        """GET accounts?fetchXml=…. The entity must be the table."""
        raise NotImplementedError

    def sql(self, table: str, text: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Page:
        """GET accounts?sql=SELECT …. The first table must be the table."""
        raise NotImplementedError
