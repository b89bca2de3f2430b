"""Who asks: the same value whatever proved it, a key, a token or a loopback address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

EVERYWHERE: Final = "*"
"""In the roles of a caller: every instance, also those that will be made."""


class Role(IntEnum):
    """What somebody may do; each may do all that those before it may. Wire names: `Role.READER.name.lower()`."""

    READER = 1
    """Ask for data."""
    ANALYST = 2
    """Also definitions, profiles and job history; make segments and measures."""
    STEWARD = 3
    """Also sources, plans, relationships, jobs; unmasked data."""
    ADMIN = 4
    """Also instances, roles, keys, schedules, erasure."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One principal.

    principal   stable id, in the audit log
    kind        user, group or app, as role assignments say
    roles       instance → role; `EVERYWHERE` for all
    columns     names of column classes that are shown unmasked to this caller beside what the role allows
    segments    only customers in one of these segments, by instance; an instance that is not named: all customers
    """

    principal: str
    kind: str = "app"
    roles: Mapping[str, Role] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def role(self, instance: str) -> Role | None:
        """In an instance: the higher of what is said for it and for all; None when neither says anything."""
        said = [self.roles[name] for name in (instance, EVERYWHERE) if name in self.roles]
        return max(said, default=None)

    def may(self, instance: str, role: Role) -> bool:
        """Whether the role, or a higher one, is held."""
        held = self.role(instance)
        return held is not None and held >= role


OPEN: Final = Caller("loopback", "app", {EVERYWHERE: Role.ADMIN})
"""Everybody, where the service runs open on loopback."""
