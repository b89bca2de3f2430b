"""A snapshot: customers of one generation and members of one moment, mapped. It never changes."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from segments.odata.answers.formats import Format
from unify.service.asgi import Headers
from unify.service.hot.members import Everybody, Marked, Members, intersection, read_members, union
from unify.service.hot.packed import Pack
from unify.service.hot.rows import Rows
from unify.service.hot.texts import Texts

WORKED_OUT: Final = 64
"""Sets worked out of others that are kept, for callers who see some segments only: 125 kB each of a million."""


class Snapshot:
    """What a hot route answers from, one for the whole of an answer.

    segments  name → members, of those in force
    state     names the state of membership
    etag      of generation and state
    headers   of an answer that nothing is withheld from
    """

    def __init__(self, rows: Rows, members: Path, changed: datetime) -> None:
        """FileNotFoundError when a newer one has taken its place."""
        pack = Pack(members)
        self.rows, self.texts, self.everybody = rows, Texts(rows.columns), Everybody(rows.count)
        self.generation, self.state = rows.generation, members.stem.rpartition("-")[2]
        self.segments: dict[str, Members] = {}
        self._ends: dict[str, float] = {}
        for number, (name, said) in enumerate(pack.facts["segments"].items()):
            self.segments[name] = read_members(pack, number, said)
            if said["ends"] is not None:
                self._ends[name] = _aware(datetime.fromisoformat(said["ends"])).timestamp()
        self.etag = f'W/"{rows.generation}-{self.state}"'.encode()
        self._changed = (b"last-modified", format_datetime(changed.astimezone(UTC), usegmt=True).encode())
        self.headers = self.headers_with(self.etag)
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

    def headers_with(self, etag: bytes) -> Headers:
        """The headers of an answer in JSON."""
        return [(b"content-type", Format().content_type.encode()), (b"etag", etag), self._changed]

    def _set(self, key: Hashable, make: Callable[[], Marked]) -> Marked:
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) >= WORKED_OUT:
                self._sets.clear()
            found = self._sets[key] = make()
        return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
