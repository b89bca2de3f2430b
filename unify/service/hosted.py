"""One instance, served: its store, its name, and the ways to ask it."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeVar

from unify.instance import Instance
from unify.service.access.classes import Schema
from unify.service.access.guard import Guard
from unify.service.access.restricted import Seen, schema_on
from unify.service.access.visibility import EVERYTHING, Policy, Visibility, visibility_of
from unify.service.caller import Caller
from unify.service.hot.states import State, state_of
from unify.service.pool import Pool
from unify.spec import Project
from unify.store import Store
from unify.verbs.draft import Draft

T = TypeVar("T")
MOST_KNOWN: Final = 256
"""Policies whose visibility is remembered."""


class Hosted:
    """An instance under the root. The same object for all requests of a process, for as long as the instance is there.

    id     the name of its directory, and the `instanceId` on the wire
    """

    def __init__(self, id_: str, store: Store, pool: Pool, guard: Guard) -> None:
        self.id, self.store, self._pool, self._guard = id_, store, pool, guard
        self._schema: tuple[int, Schema] | None = None
        self._visible: tuple[Schema, dict[Policy, Visibility]] | None = None
        self._state: tuple[tuple[object, ...], State] | None = None

    async def ask(self, work: Callable[[Instance], T], *, seconds: float | None = None) -> T:
        """What `work` gives on this instance, in the pool; see Pool.ask. Blocking work belongs there, SQLite too."""
        return await self._pool.ask(self.store, work, seconds=seconds)

    async def ask_as(self, caller: Caller, work: Callable[[Instance], T], *, seconds: float | None = None) -> T:
        """The same on an engine that shows only what the caller may see: for every answer with customers in it."""
        policy = self.policy(caller)
        seen = None if policy.everything else Seen(policy, self._guard.mask_key(self.id))
        return await self._pool.ask(self.store, work, seconds=seconds, seen=seen)

    def policy(self, caller: Caller) -> Policy:
        """What was said of the caller here. `policy(caller).everything`: nothing is withheld, whatever is published."""
        return self._guard.registry.now.policy(caller, self.id)

    def visibility(self, caller: Caller) -> Visibility:
        """What the caller may see of the published generation; EVERYTHING before there is one.

        Nothing to look up where nothing is withheld; else blocking (DuckDB, 50 ms) once for each generation.
        """
        policy = self.policy(caller)
        schema = None if policy.everything else self.schema()
        if schema is None:
            return EVERYTHING
        visible = self._visible
        if visible is None or visible[0] is not schema or len(visible[1]) >= MOST_KNOWN:
            visible = self._visible = (schema, {})
        found = visible[1].get(policy)
        if found is None:
            found = visible[1][policy] = visibility_of(schema, policy)
        return found

    def schema(self) -> Schema | None:
        """The columns of the published generation and what they tell; None before there is one. As blocking."""
        number = self.generation()
        if number is not None and (self._schema is None or self._schema[0] != number):
            generation, pin = self.store.pin_published()
            with pin:
                self._schema = (generation.number, schema_on(generation))
        return self._schema[1] if self._schema is not None and number is not None else None

    def state(self, generation: int, project: Project) -> str:
        """Names the members that are in force on a generation at this moment. Blocking: a millisecond at first.

        project   of that generation
        """
        key = (generation, self.store.segment_state())
        known = self._state
        if known is None or known[0] != key:
            known = self._state = (key, state_of(self.store, generation, project))
        return known[1].key_at(time.time())

    @cached_property
    def draft(self) -> Draft:
        """The project as the management API edits it; blocking (SQLite), a millisecond."""
        return Draft(self.store)

    def generation(self) -> int | None:
        """Number of the published generation; None before the first run. Two `stat` calls while nothing changed."""
        published = self.store.published()
        return published.number if published else None

    def close(self) -> None:
        """Let go of all that is open."""
        self._pool.forget(self.store)
