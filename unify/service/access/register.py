"""The register: principals, roles, keys and rules in memory, as they stood at one stamp of the database.

They are thousands at most, and asked for at every request; so each worker has all of them, and looks twice a second
whether the stamp is still the same. A key that is revoked opens nothing half a second later, on any worker.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from unify.service.access.classes import Place
from unify.service.access.keys import ApiKey
from unify.service.access.visibility import UNRESTRICTED, Policy, Shown
from unify.service.caller import Caller, Role
from unify.service.database import ServiceDatabase

LOOK_S: Final = 0.5
CLEAR: Final[Mapping[Role, frozenset[str] | None]] = {
    Role.READER: frozenset(),
    Role.ANALYST: frozenset(),
    Role.STEWARD: None,
    Role.ADMIN: None,
}
"""Column classes that a role sees in clear; None: all."""


@dataclass(frozen=True)
class Principal:
    """One, with what it was given."""

    principal: str
    kind: str
    columns: frozenset[str]
    segments: Mapping[str, tuple[str, ...]]
    roles: Mapping[str, Role]

    @property
    def caller(self) -> Caller:
        """Who asks, when this one does."""
        return Caller(self.principal, self.kind, self.roles, self.columns, self.segments)


@dataclass(frozen=True)
class Register:
    """All of it at one stamp. `rules`: instance → place → audience → how it is shown."""

    stamp: int
    principals: Mapping[str, Principal] = field(default_factory=dict)
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    rules: Mapping[str, Mapping[Place, Mapping[str, Shown]]] = field(default_factory=dict)

    def policy(self, caller: Caller, instance: str) -> Policy:
        """What a caller may see in an instance. Admins see all: they could change the rules anyhow."""
        role = caller.role(instance)
        segments = caller.segments.get(instance)
        if role is None:  # whoever asks all the same sees nobody
            return Policy(frozenset(), (), ())
        if role is Role.ADMIN:
            return UNRESTRICTED
        clear = CLEAR[role]
        found: dict[Place, Shown] = {}
        for place, said in self.rules.get(instance, {}).items():
            for audience in (f"principal:{caller.principal}", f"role:{role.name.lower()}", ""):
                if audience in said:
                    found[place] = said[audience]
                    break
        rules = tuple(sorted(found.items()))
        return Policy(None if clear is None else clear | caller.columns, rules, segments)


class Registry:
    """The register of this moment."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database
        self.now = _read(database)
        self._looked = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to look whether the register is still the same."""
        return time.monotonic() - self._looked >= LOOK_S

    async def fresh(self) -> Register:
        """As it stands in the database, or stood there half a second ago."""
        if self.due:
            self._looked = time.monotonic()  # first, so that one request looks and the others go on
            await asyncio.to_thread(self.look)
        return self.now

    def look(self) -> Register:
        """The same at once; blocking, a millisecond. After a change of this process's own."""
        [row] = self._database.rows("SELECT value FROM access_stamp")
        if row["value"] != self.now.stamp:
            self.now = _read(self._database)
        return self.now


def _read(database: ServiceDatabase) -> Register:
    with database.read() as db:
        stamp = db.execute("SELECT value FROM access_stamp").fetchone()["value"]
        roles: dict[str, dict[str, Role]] = {}
        for row in db.execute("SELECT * FROM access_roles"):
            roles.setdefault(row["principal"], {})[row["instance"]] = Role(row["role"])
        segments: dict[str, dict[str, tuple[str, ...]]] = {}
        for row in db.execute("SELECT * FROM access_segments"):
            segments.setdefault(row["principal"], {})[row["instance"]] = tuple(json.loads(row["segments"]))
        principals = {
            row["principal"]: Principal(
                row["principal"],
                row["kind"],
                frozenset(json.loads(row["columns"])),
                segments.get(row["principal"], {}),
                roles.get(row["principal"], {}),
            )
            for row in db.execute("SELECT * FROM access_principals")
        }
        keys = {row["key"]: ApiKey(**dict(row)) for row in db.execute("SELECT * FROM access_keys")}
        rules: dict[str, dict[Place, dict[str, Shown]]] = {}
        for row in db.execute("SELECT * FROM access_columns"):
            place = (row["table_name"], row["column_name"])
            rules.setdefault(row["instance"], {}).setdefault(place, {})[row["audience"]] = row["shown"]
    return Register(stamp, principals, keys, rules)
