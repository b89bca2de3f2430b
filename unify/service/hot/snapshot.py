"""A snapshot: customers of one generation and members of one moment, mapped. It never changes."""

import math
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from unify.service.access.visibility import Visibility
from unify.service.hot.heads import Heads
from unify.service.hot.members import Everybody, Marked, Members, intersection, read_members, union
from unify.service.hot.packed import Pack
from unify.service.hot.rows import Rows
from unify.service.hot.states import InForce, key_of, moment_of, tag_of
from unify.service.hot.texts import Texts

WORKED_OUT: Final = 64
"""Sets worked out of others that are kept, for callers who see some segments only: 125 kB each of a million."""


class Snapshot:
    """What a hot route answers from, one for the whole of an answer.

    segments  name → members, of those in force
    state     names the state of membership that was packed
    """

    def __init__(self, rows: Rows, members: Path, changed: datetime) -> None:
        """FileNotFoundError when a newer one has taken its place."""
        pack = Pack(members)
        self.rows, self.texts, self.everybody = rows, Texts(rows.columns), Everybody(rows.count)
        self.generation, self.state = rows.generation, members.stem.rpartition("-")[2]
        self.segments: dict[str, Members] = {}
        self._in_force: list[InForce] = []
        self._ends: dict[str, float] = {}
        for number, (name, said) in enumerate(pack.facts["segments"].items()):
            self.segments[name] = read_members(pack, number, said)
            self._in_force.append(InForce(name, said["file"], said["ends"]))
            if said["ends"] is not None:
                self._ends[name] = moment_of(said["ends"])
        self._changed = (b"last-modified", format_datetime(changed.astimezone(UTC), usegmt=True).encode())
        self._until = 0.0
        self._heads: dict[Visibility | None, Heads] = {}
        self._sets: dict[Hashable, Marked] = {}

    def members(self, segment: str, now: float) -> Members | None:
        """The members of a segment; None when it is not in force. `now`: seconds since 1970."""
        if self._ends and now >= self._ends.get(segment, now + 1):
            return None
        return self.segments.get(segment)

    def in_force(self, now: float) -> list[str]:
        """Names of the segments that are in force, sorted."""
        return [name for name in self.segments if self.members(name, now) is not None]

    def seen(self, segments: tuple[str, ...]) -> Members:
        """The customers in one of some segments, all of which are in force."""
        return self._set(segments, lambda: union([self.segments[name] for name in segments]))

    def within(self, segments: tuple[str, ...], segment: str) -> Members:
        """The members of a segment who are in one of some segments."""
        return self._set((segments, segment), lambda: intersection([self.seen(segments), self.segments[segment]]))

    def heads(self, now: float, seen: Visibility | None = None) -> Heads:
        """Of answers at a moment, seconds since 1970; `seen`: to somebody from whom something is withheld."""
        if now >= self._until:
            self._heads = {}
            self._until = min((end for end in self._ends.values() if end > now), default=math.inf)
        found = self._heads.get(seen)
        if found is None:
            state = key_of(one for one in self._in_force if one.at(now))
            etag = tag_of(self.generation, state, seen)
            found = self._heads[seen] = Heads(state, etag, self._changed)
        return found

    def _set(self, key: Hashable, make: Callable[[], Marked]) -> Marked:
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) >= WORKED_OUT:
                self._sets.clear()
            found = self._sets[key] = make()
        return found
