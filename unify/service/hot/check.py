"""Many customers against many segments, in one look at one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unify.core.errors import NotFoundError
from unify.service.errors import ServiceError
from unify.service.hot.asked import CUSTOMER_ID
from unify.service.hot.rows import GONE
from unify.service.hot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `places`: of the customers as they were asked for, None: there is nobody of that name.

    state   names the members in force
    """

    snapshot: Snapshot
    state: str
    customers: Sequence[str]
    places: Sequence[int | None]
    found: Sequence[Sequence[str]]

    def one(self) -> dict[str, Any]:
        """The answer about one customer; NotFoundError when there is none."""
        [customer], [place], [segments] = self.customers, self.places, self.found
        if place is None:
            raise NotFoundError(f"there is no customer {customer[:128]!r}", where="path", hint="check the id")
        return {**self._about(), "customerId": self.snapshot.rows.ids.digits(place), "segments": segments}

    def many(self) -> dict[str, Any]:
        """The answer about many, in the order in which they were asked for; `customerId` null: there is nobody."""
        digits = self.snapshot.rows.ids.digits
        rows = [
            {"customer": customer, "customerId": None if place is None else digits(place), "segments": segments}
            for customer, place, segments in zip(self.customers, self.places, self.found, strict=True)
        ]
        return {**self._about(), "value": rows}

    def _about(self) -> dict[str, Any]:
        return {"generation": self.snapshot.generation, "state": self.state}


def check(
    snapshot: Snapshot,
    state: str,
    customers: Sequence[str],
    segments: Sequence[str],
    seen: tuple[str, ...] | None,
    *,
    records: bool,
) -> Checked:
    """Each customer's segments among those named, all of which are in force.

    state    as in Checked
    seen     only members of these are seen; None: everybody
    records  whether customers may be asked for by a record; ServiceError 403 otherwise
    """
    places = [_place(snapshot, customer, records=records) for customer in customers]
    if seen is not None:
        visible = snapshot.seen(tuple(name for name in seen if name in snapshot.segments))
        places = [place if place is not None and visible.has(place) else None for place in places]
    if len(places) == 1:
        found = [[] if p is None else [s for s in segments if snapshot.segments[s].has(p)] for p in places]
    else:
        found = _of_many(snapshot, places, segments)
    return Checked(snapshot, state, customers, places, found)


def _of_many(snapshot: Snapshot, places: Sequence[int | None], segments: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in places]
    there = [n for n, place in enumerate(places) if place is not None]
    at = np.array([places[n] for n in there], np.int64)
    for name in segments:
        bits = snapshot.segments[name].bits()
        inside = at >> 3 < len(bits)
        hit = np.zeros(len(at), bool)
        hit[inside] = bits[at[inside] >> 3] >> (at[inside] & 7).astype(np.uint8) & 1 == 1
        for n in np.flatnonzero(hit):
            found[there[n]].append(name)
    return found


def _place(snapshot: Snapshot, customer: str, *, records: bool) -> int | None:
    rows = snapshot.rows
    if CUSTOMER_ID.match(customer):
        place = rows.ids.find(customer)
        if place is None:
            place = rows.heir(customer)
        return None if place == GONE else place
    entity, colon, key = customer.partition(":")
    if not colon:
        return None
    if not records:
        message = "a customer is named by CustomerId here: what records hold is withheld from you in part"
        raise ServiceError(403, message, where="customers")
    known = rows.entities.get(entity)
    return rows.of_record(known, key) if known else None
