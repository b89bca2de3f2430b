"""Which members are in force, and the name of that state: the same for whoever answers, memory or DuckDB.

W/"42-9f31c0…"          generation 42, members of state 9f31c0…
W/"42-9f31c0…-5d02…"    as somebody sees it from whom something is withheld, or in another form than plain JSON
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import orjson

from unify.service.access.visibility import Visibility
from unify.spec import Project
from unify.store import Store
from unify.verbs.segment_stage import declared_in, usable_of

DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class InForce:
    """One segment whose members are in force. `ends`: when they no longer are, ISO 8601; None: never."""

    segment: str
    file: str
    ends: str | None

    def at(self, now: float) -> bool:
        """Whether they still are. `now`: seconds since 1970."""
        return self.ends is None or moment_of(self.ends) > now


def moment_of(ends: str) -> float:
    """Seconds since 1970; a moment without an offset is one of UTC."""
    moment = datetime.fromisoformat(ends)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def key_of(segments: Iterable[InForce]) -> str:
    """Names a state: equal members, equal key. The segments sorted by name."""
    said = orjson.dumps([(s.segment, s.file, s.ends) for s in segments])
    return sha256(said).hexdigest()[:DIGITS]


@dataclass(frozen=True, slots=True)
class State:
    """What a snapshot of members is made of. `run`: the latest that looked at a segment, 0: none did."""

    segments: tuple[InForce, ...]
    run: int

    @property
    def key(self) -> str:
        """See key_of."""
        return key_of(self.segments)

    def key_at(self, now: float) -> str:
        """The key without those that have ended since."""
        return key_of(s for s in self.segments if s.at(now))


def state_of(store: Store, generation: int, project: Project) -> State:
    """The members in force on a generation now. Segments that are inactive, ended or never found are not in it."""
    declared, _ = declared_in(store, project)
    usable, moment = usable_of(store, declared), datetime.now(UTC)
    found, run = [], 0
    for name, row in sorted(store.memberships(generation).items()):
        run = max(run, row.run)
        d = declared.get(name)
        if d is None or row.file is None or not usable(row) or not d.in_force(moment):
            continue
        ends = d.segment.ends
        found.append(InForce(name, row.file, ends.isoformat() if ends else None))
    return State(tuple(found), run)


def tag_of(generation: int, state: str, seen: Visibility | None = None, form: object = None) -> str:
    """The ETag of an answer.

    seen   what is withheld of it; None: nothing
    form   what else its text hangs on, anything with a repr; None: no more than the address
    """
    parts = [str(generation), state]
    if seen is not None and not seen.everything:
        parts.append(_short((sorted(seen.hidden), sorted(seen.masked), seen.segments)))
    if form is not None:
        parts.append(_short(form))
    return f'W/"{"-".join(parts)}"'


def _short(said: object) -> str:
    return sha256(repr(said).encode("utf-8", "replace")).hexdigest()[:12]
