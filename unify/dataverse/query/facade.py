"""The questions that are asked of Dataverse tables: one object a request."""

from typing import Any

from unify.dataverse.errors import no_record
from unify.dataverse.model import Model, Navigation
from unify.dataverse.query import changed, fetching, pages
from unify.dataverse.query.fragments import bound, sql
from unify.dataverse.query.nouns import SECONDS, Asker, Options, Page, Preferences, Single
from unify.dataverse.query.options import refused
from unify.dataverse.query.pages import Parent, owned
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Scope, Setting, Tables, pointing
from unify.dataverse.query.shown import wire
from unify.records import Reading
from unify.records.definitions import place

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
        if options.fetch_xml is not None:
            pages.only(options, {"$count", "$skiptoken"}, "fetchXml")
            return self.fetch_xml(table, options.fetch_xml, options, preferences)
        if options.sql is not None:
            pages.only(options, {"$count", "$skiptoken"}, "sql")
            return self.sql(table, options.sql, options, preferences)
        if options.delta_token is not None or preferences.track_changes or changed.goes_on(options):
            return changed.page(self._setting(), self._running(), table, options, preferences, self.root)
        if options.apply:
            pages.only(options, {"$apply", "$orderby", "$top", "$count", "$skiptoken"}, "$apply")
            return fetching.applied(self._setting(), self._running(), table, options, preferences)
        return pages.page(self._setting(), self._running(), table, options, preferences, self.root)

    def one(self, table: str, key: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Single:
        """GET accounts(key)?$select=…&$expand=…; 404 when there is none."""
        return pages.single(self._setting(), self._running(), table, key, options, preferences, self.root)

    def count(self, table: str, options: Options = ALL) -> int:
        """GET accounts/$count?$filter=…, at most 5,000; with $deltatoken the number of changes."""
        if options.delta_token is not None:
            return changed.count(self._setting(), self._running(), table, options)
        return pages.count(self._setting(), self._running(), table, options)

    def value(self, table: str, key: str, name: str) -> Any:
        """GET accounts(key)/name: as it goes over the wire; None is 204."""
        scope = self._setting().scope(table)
        ref = scope.wire(name)
        found = self._of_row(scope, key, ref.sql)
        return None if found is None else wire(ref)(found)

    def step(self, table: str, key: str, navigation: str, target: str | None = None) -> tuple[str, str] | None:
        """Table and key one step on: a single-valued navigation (None: it is empty), or `target` of a collection."""
        found = self.model.navigation(table, navigation)
        if found.collection != (target is not None):
            shape = "a key in parentheses" if found.collection else "no key"
            raise refused(f"The navigation property '{navigation}' is to be followed by {shape}.", where=navigation)
        return self._member(found, key, target) if target is not None else self._pointed(found, key)

    def related(
        self, table: str, key: str, navigation: str, options: Options = ALL, preferences: Preferences = PLAIN
    ) -> Page:
        """GET accounts(key)/contact_customer_accounts?…; of a single-valued navigation use `step` and `one`."""
        parent = self._parent(table, key, navigation)
        pages.only(options, pages.OF_COLLECTION, "a related collection")
        setting, running, target = self._setting(), self._running(), parent.navigation.target
        return pages.page(setting, running, target, options, preferences, self.root, parent)

    def related_count(self, table: str, key: str, navigation: str, options: Options = ALL) -> int:
        """GET accounts(key)/contact_customer_accounts/$count?$filter=…."""
        parent = self._parent(table, key, navigation)
        return pages.count(self._setting(), self._running(), parent.navigation.target, options, parent)

    def references(
        self, table: str, key: str, navigation: str, options: Options = ALL, preferences: Preferences = PLAIN
    ) -> Page:
        """GET accounts(key)/contact_customer_accounts/$ref: rows of `@odata.id`. Of a single-valued one: 0 or 1 row."""
        found = self.model.navigation(table, navigation)
        if not found.collection:
            pages.only(options, set(), "$ref")
            at = self.step(table, key, navigation)
            return Page([{"@odata.id": self._address(*at)}] if at else [], "$ref")
        pages.only(options, pages.OF_COLLECTION - {"$select", "$expand"}, "$ref")
        whole = self.related(table, key, navigation, options, preferences)
        id_ = self.model.table(found.target).id_attribute
        rows = [{"@odata.id": self._address(found.target, row[id_])} for row in whole.rows]
        return Page(rows, "Collection($ref)", whole.annotations, whole.next)

    def fetch_xml(self, table: str, text: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Page:
        """GET accounts?fetchXml=…. The entity must be the table."""
        return fetching.fetched(self._setting(), self._running(), table, text, options, preferences)

    def sql(self, table: str, text: str, options: Options = ALL, preferences: Preferences = PLAIN) -> Page:
        """GET accounts?sql=SELECT …. The first table must be the table."""
        return fetching.selected(self._setting(), self._running(), table, text, options, preferences)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _setting(self) -> Setting:
        return Setting(self.reading, self.model, self.asker)

    def _running(self) -> Running:
        return Running(self.reading.connection, self.seconds)

    def _address(self, table: str, key: str) -> str:
        return f"{self.root}{self.model.table(table).set_name}({key})"

    def _of_row(self, scope: Scope, key: str, expression: str) -> Any:
        text = f"SELECT {expression} FROM {place(scope.table.name)} {scope.alias} WHERE {scope.id.sql} = ?"
        found = self._running().rows(bound(text, key))
        if not found:
            raise no_record(scope.table.name, key)
        return found[0][0]

    def _parent(self, table: str, key: str, navigation: str) -> Parent:
        found = self.model.navigation(table, navigation)
        if not found.collection:
            raise refused(f"The navigation property '{navigation}' is no collection.", where=navigation)
        scope = self._setting().scope(table)
        self._of_row(scope, key, "1")
        return Parent(found, key)

    def _pointed(self, navigation: Navigation, key: str) -> tuple[str, str] | None:
        setting = self._setting()
        scope, target = setting.scope(navigation.table), setting.scope(navigation.target)
        tables = Tables(setting, scope)
        tables.join("LEFT JOIN", target, pointing(scope, navigation, target))
        where = bound(f"{scope.id.sql} = ?", key)
        found = self._running().rows(sql("SELECT {} {} WHERE {}", target.id.sql, tables.sql, where))
        if not found:
            raise no_record(navigation.table, key)
        return None if found[0][0] is None else (navigation.target, str(found[0][0]))

    def _member(self, navigation: Navigation, key: str, target: str) -> tuple[str, str]:
        parent = self._parent(navigation.table, key, navigation.name)
        scope = self._setting().scope(navigation.target)
        there = bound(f"{scope.id.sql} = ?", target)
        text = f"SELECT 1 FROM {place(scope.table.name)} {scope.alias}"
        found = self._running().rows(sql("{} WHERE {} AND {}", text, there, owned(scope, parent)))
        if not found:
            raise no_record(scope.table.name, target)
        return navigation.target, target
