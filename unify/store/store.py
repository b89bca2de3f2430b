"""Store: an instance on disk. Reading takes no lease; writing needs one."""

import json
import os
from pathlib import Path
from typing import Any, Self

from unify.core.errors import InstanceNotFoundError, NotPublishedError, StoreError, did_you_mean
from unify.store.build import Build, begin
from unify.store.catalog import Catalog, Stamp
from unify.store.failpoints import failpoint
from unify.store.files import CATALOG, FOLDERS, Layout, Pin, fsync, refuse_foreign, refuse_unusable
from unify.store.lease import Lease, holder
from unify.store.memberships import OF_GENERATION, IdentityStep, Membership, membership, read_file
from unify.store.nouns import Definition, Generation, Holder, Run, now
from unify.store.opening import count_rows
from unify.store.rows import LIVE, PUBLISHED, definition, generation, run
from unify.store.trouble import trouble

CREATE_WAIT_SECONDS = 10.0
"""Two processes may create one instance at once; making a catalog takes milliseconds."""


class Store:
    """An instance directory. Holds no open file or connection: cheap to make, safe to share, nothing to close."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._layout = Layout(self.path)
        self._catalog = Catalog(self._layout.catalog)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The instance at `path`; InstanceNotFoundError when there is none. Takes no lease."""
        store = cls(path)
        with trouble(store.path, "open the instance"):
            found = store._layout.catalog.is_file()
        if not found:
            hint = "`unify run PROJECT.yaml` makes one; `unify init` writes a first project"
            raise InstanceNotFoundError("there is no instance here", where=str(store.path), hint=hint)
        return store

    @classmethod
    def create(cls, path: Path | str, *, after: int = 0) -> Self:
        """A new, empty instance. StoreError when there is one already or the directory holds other files.

        after   its runs are numbered from the next number on: for one in the place of another, so that nobody who
                remembers a generation of that one by its number takes a new one for it
        """
        store = cls(path)
        if not store._make(after):
            raise StoreError(
                "there is an instance already", where=str(store.path), hint="open it, or choose another path"
            )
        return store

    @classmethod
    def open_or_create(cls, path: Path | str) -> Self:
        """The instance at `path`, made when there is none."""
        store = cls(path)
        store._make()
        return store

    def _make(self, after: int = 0) -> bool:
        """Make the instance unless it exists: it does from the instant its catalog has its name. True: made here."""
        with trouble(self.path, "make the instance"):
            if self._layout.catalog.exists():
                return False
            refuse_unusable(self.path)
            refuse_foreign(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            with Lease(self._layout.lease, "create", CREATE_WAIT_SECONDS):
                if self._layout.catalog.exists():
                    return False
                self._make_catalog(after)
        return True

    def _make_catalog(self, after: int) -> None:
        for folder in FOLDERS:
            (self.path / folder).mkdir(exist_ok=True)
        for torn in self.path.glob(f"{CATALOG}.new*"):
            torn.unlink()
        temporary = self.path / f"{CATALOG}.new"
        Catalog(temporary).initialise(after)
        failpoint("create.before_rename")
        temporary.replace(self._layout.catalog)
        fsync(self.path)
        fsync(self.path.parent)
        failpoint("create.after_rename")

    # Writing

    def lease(self, purpose: str, wait: float | None = None) -> Lease:
        """The right to write, as a context manager. `wait`: seconds; None does not wait.

        Raises LeaseHeldError naming the holder, StoreError in a read-only directory.
        """
        return Lease(self._layout.lease, purpose, wait)

    def lease_holder(self) -> Holder | None:
        """Who is writing now; None when nobody is."""
        return holder(self._layout.lease)

    def begin(self, lease: Lease, *, project: str = "") -> Build:
        """A new run that builds the next generation. `project`: hash of the project file.

        Marks runs that died as killed and sweeps what they left.
        """
        return begin(self._layout, self._catalog, lease, project, lease.purpose)

    def rollback(self, number: int, wait: float | None = None) -> Generation:
        """Publish an older (or newer) kept generation again. Takes the lease; numbers of runs go on upward.

        Raises StoreError naming the known numbers when it is not kept, or when its file cannot be opened.
        """
        with self.lease(f"rollback to {number}", wait):
            wanted = self.generation(number)
            count_rows(wanted.path)
            if not wanted.current:
                with self._catalog.write("rollback") as catalog:
                    catalog.execute(
                        "INSERT INTO publications (number, at, why) VALUES ($number, $at, 'rollback')",
                        {"number": number, "at": now()},
                    )
        return self.generation(number)

    # Generations

    def published(self) -> Generation | None:
        """What readers see; None before the first run is published."""
        found = self._catalog.rows(PUBLISHED)
        return generation(found[0], self._layout) if found else None

    def generations(self) -> list[Generation]:
        """All that are kept, newest first."""
        return [generation(row, self._layout) for row in self._catalog.rows(f"{LIVE} ORDER BY g.number DESC")]

    def generation(self, number: int) -> Generation:
        """One that is kept; StoreError with the known numbers when it is not."""
        found = self._catalog.rows(f"{LIVE} AND g.number = $number", {"number": number})
        if not found:
            known = ", ".join(str(g.number) for g in self.generations())
            raise StoreError(
                f"there is no generation {number}",
                where=str(self.path),
                hint=f"kept are {known}" if known else "nothing has been published yet: `unify run PROJECT.yaml`",
            )
        return generation(found[0], self._layout)

    def pin(self, wanted: Generation) -> Pin:
        """Keep a generation's file from being removed while the block lasts. StoreError when it is gone already."""
        try:
            return Pin(wanted.path)
        except FileNotFoundError as error:
            known = ", ".join(str(g.number) for g in self.generations())
            raise StoreError(
                f"the file of generation {wanted.number} is gone",
                where=str(wanted.path),
                hint=f"kept are {known or 'none'}; ask for the published one again",
            ) from error

    def pin_published(self) -> tuple[Generation, Pin]:
        """The published generation, pinned; close the pin when done.

        A writer may replace it and remove its file before the pin holds: then the catalog is asked again.
        Raises StoreError when nothing is published or the file is missing.
        """
        while True:
            published = self.published()
            if published is None:
                raise NotPublishedError(
                    "nothing has been published yet", where=str(self.path), hint="run `unify run PROJECT.yaml`"
                )
            with trouble(published.path, "open the generation"):
                try:
                    return published, Pin(published.path)
                except FileNotFoundError as error:
                    if self._still_published(published):
                        raise self._missing(published) from error

    def _still_published(self, wanted: Generation) -> bool:
        again = self.published()
        return again is not None and again.number == wanted.number

    def _missing(self, wanted: Generation) -> StoreError:
        others = ", ".join(str(g.number) for g in self.generations() if g.number != wanted.number)
        hint = f"`unify rollback` to one of {others}, or run again" if others else "run again"
        return StoreError(f"the file of generation {wanted.number} is missing", where=str(wanted.path), hint=hint)

    def stamp(self) -> Stamp:
        """Changes when the catalog does: the cheap question before the exact one."""
        return self._catalog.stamp()

    def mark(self, name: str) -> int:
        """The highest value ever published under this name, whatever was rolled back since; 0 when none was."""
        found = self._catalog.rows("SELECT value FROM marks WHERE name = $name", {"name": name})
        return int(found[0]["value"]) if found else 0

    # Runs

    def runs(self, limit: int = 20) -> list[Run]:
        """The latest runs, newest first. One that says `running` while nobody holds the lease was killed."""
        found = self._catalog.rows("SELECT * FROM runs ORDER BY number DESC LIMIT $limit", {"limit": limit})
        return [run(row) for row in found]

    def run(self, which: int | str) -> Run:
        """One run by number or run id, with its report; StoreError when there is none."""
        column = "number" if isinstance(which, int) else "run_id"
        found = self._catalog.rows(f"SELECT * FROM runs WHERE {column} = $which", {"which": which})
        if not found:
            last = self._catalog.rows("SELECT max(number) AS last FROM runs")[0]["last"]
            hint = (
                f"runs go from 1 to {last}: `unify runs`" if last else "nothing has run yet: `unify run PROJECT.yaml`"
            )
            raise StoreError(f"there is no run {which}", where=str(self.path), hint=hint)
        return run(found[0])

    # Members of segments

    def memberships(self, generation: int, until: int | None = None) -> dict[str, Membership]:
        """Segment → its members in force on a generation: of the latest run that looked at it, or the latest up to
        run `until`."""
        found = self._catalog.rows(OF_GENERATION, {"generation": generation, "until": until})
        return {row["segment"]: membership(row) for row in found}

    def membership_history(self, segment: str | None = None, *, kept: bool = False) -> list[Membership]:
        """Every run that looked at a segment, or at any, oldest first; `kept`: those whose members still are."""
        found = self._catalog.rows(
            "SELECT * FROM memberships WHERE ($segment IS NULL OR segment = $segment)"
            " AND (NOT $kept OR file IS NOT NULL) ORDER BY run, segment",
            {"segment": segment, "kept": kept},
        )
        return [membership(row) for row in found]

    def members_file(self, name: str) -> bytes:
        """The content of a file that a row names; StoreError when it is missing or damaged."""
        return read_file(self._layout, name)

    def segment_state(self) -> tuple[int, ...]:
        """Another one whenever a publication, members or definitions of segments were added."""
        row = self._catalog.rows(
            "SELECT (SELECT coalesce(max(sequence), 0) FROM publications) AS published,"
            " (SELECT coalesce(max(run), 0) FROM memberships) AS run,"
            " (SELECT coalesce(max(rowid), 0) FROM definitions WHERE kind = 'segment') AS defined"
        )[0]
        return tuple(row)

    def identity_steps(self) -> dict[int, IdentityStep]:
        """Generation → how its customers came from those of the generation it was built on."""
        found = self._catalog.rows("SELECT run, parent, file FROM identity_changes")
        return {row["run"]: IdentityStep(row["run"], row["parent"], row["file"]) for row in found}

    def segment_text(self, key: str) -> Any:
        """A definition that was evaluated, by the hash that rows of members name it by; None when there is none."""
        found = self._catalog.rows("SELECT body FROM segment_texts WHERE hash = $key", {"key": key})
        return json.loads(found[0]["body"]) if found else None

    # Definitions

    def save_definition(self, kind: str, name: str, body: Any, *, after: int | None = None) -> int:
        """Keep a declared thing (JSON) and return its version. The newest version's content makes no new one.

        after   the version that must be the newest, 0 when there must be none; StoreError when another is
        """
        try:
            text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            hint = "pass numbers, text, lists and dicts (model_dump(mode='json') of a noun)"
            raise StoreError(f"the definition is not JSON: {error}", where=f"{kind} {name}", hint=hint) from error
        key = {"kind": kind, "name": name}
        with self._catalog.write("definition") as catalog:
            newest = catalog.execute(
                "SELECT version, body FROM definitions WHERE kind = $kind AND name = $name"
                " ORDER BY version DESC LIMIT 1",
                key,
            ).fetchone()
            there = int(newest["version"]) if newest is not None else 0
            if after is not None and after != there:
                hint = "look at it again, then repeat the change"
                raise StoreError(f"it is at version {there}, not {after}", where=f"{kind} {name}", hint=hint)
            if newest is not None and newest["body"] == text:
                return int(newest["version"])
            version = 1 + there
            catalog.execute(
                "INSERT INTO definitions (kind, name, version, body, saved)"
                " VALUES ($kind, $name, $version, $body, $at)",
                {**key, "version": version, "body": text, "at": now()},
            )
        return version

    def definition(self, kind: str, name: str, version: int | None = None) -> Definition:
        """One version of a declared thing, the newest as a rule; StoreError when there is none."""
        found = self._catalog.rows(
            "SELECT * FROM definitions WHERE kind = $kind AND name = $name AND ($version IS NULL OR version = $version)"
            " ORDER BY version DESC LIMIT 1",
            {"kind": kind, "name": name, "version": version},
        )
        if found:
            return definition(found[0])
        known = {d.name: d.version for d in self.definitions(kind)}
        if name in known:
            message, hint = f"there is no version {version} of {kind} {name}", f"versions go from 1 to {known[name]}"
        else:
            message, hint = f"there is no {kind} {name}", did_you_mean(name, known)
        raise StoreError(message, where=str(self.path), hint=hint)

    def definitions(self, kind: str) -> list[Definition]:
        """The newest version of every declared thing of a kind, by name."""
        found = self._catalog.rows(
            "SELECT d.* FROM definitions d WHERE kind = $kind AND version ="
            " (SELECT max(version) FROM definitions WHERE kind = d.kind AND name = d.name) ORDER BY name",
            {"kind": kind},
        )
        return [definition(row) for row in found]

    def versions(self, kind: str, name: str) -> list[Definition]:
        """Every version of a declared thing, oldest first; empty when there is none."""
        found = self._catalog.rows(
            "SELECT * FROM definitions WHERE kind = $kind AND name = $name ORDER BY version",
            {"kind": kind, "name": name},
        )
        return [definition(row) for row in found]

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"
