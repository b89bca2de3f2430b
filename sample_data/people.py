"""Person and Record: who somebody is, and how a source spells it."""

import random
import unicodedata
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sample_data import words

CRM, LOYALTY, WEB = "crm.Contacts", "loyalty.Members", "web.SignUps"
STORE, ORDERS, REVIEWS = "pos.Purchases", "web.Orders", "web.Reviews"
PREFIX = {CRM: "C", LOYALTY: "L", WEB: "U", STORE: "S", ORDERS: "O", REVIEWS: "R"}
KEYS = {
    CRM: "ContactId", LOYALTY: "LoyaltyId", WEB: "UserId", STORE: "PurchaseId", ORDERS: "OrderId", REVIEWS: "ReviewId",
}  # fmt: skip

T = TypeVar("T")
Ref = tuple[str, str]
"""A record: entity and key."""


class Dice:
    """Draws from random() alone: the one method whose sequence Python promises for all versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self._random() * n)

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self._random() < share

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Fisher-Yates, in place."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


@dataclass(frozen=True)
class Person:
    """One invented person as they would describe themselves."""

    number: int
    first: str
    last: str
    born: date
    email: str
    phone: str
    """Ten digits: an area code and 555-01xx, lines kept for fiction."""
    street: str
    city: str
    state: str
    postcode: str

    @property
    def id(self) -> str:
        """What the truth file calls this person."""
        return f"P{self.number:04d}"

    def but(self, **changes: Any) -> "Person":
        """The same person with other details."""
        return replace(self, **changes)


@dataclass
class Record:
    """One row to be written: the fields as text (or None), who it truly is, and whether it will be accepted."""

    entity: str
    key: str
    fields: dict[str, Any]
    person: str | None
    kept: bool = True
    raw: str | None = None
    """The whole line as written, for rows that no writer would produce."""


@dataclass
class World:
    """Everything generated so far."""

    dice: Dice
    records: dict[str, list[Record]] = field(default_factory=lambda: {entity: [] for entity in KEYS})
    people: int = 0
    names: set[tuple[str, str]] = field(default_factory=set)

    def person(self, first: str | None = None, last: str | None = None, **changes: Any) -> Person:
        """Somebody new. Full names do not repeat unless a trap asks for it by naming both parts."""
        dice = self.dice
        while True:
            name = first or dice.pick(words.GIVEN), last or dice.pick(words.FAMILY)
            if (first and last) or name not in self.names:
                break
        self.names.add(name)
        self.people += 1
        n = self.people
        born = date(1940, 1, 1) + timedelta(days=dice.below(23_000))
        person = Person(n, *name, born, mailbox(*name, n, dice), new_phone(n), *self.address())
        return person.but(**changes)

    def address(self) -> tuple[str, str, str, str]:
        """Street, city, state, post code."""
        city, state, area = self.dice.pick(words.CITIES)
        street = f"{1 + self.dice.below(899)} {self.dice.pick(words.STREETS)} {self.dice.pick(words.STREET_KINDS)[0]}"
        return street, city, state, f"{area * 100 + self.dice.below(100):05d}"

    def add(self, entity: str, person: Person, *, key: str | None = None, kept: bool = True, **changes: Any) -> Ref:
        """A record of this person in this source; `changes` are columns as they shall be written."""
        key = key or f"{PREFIX[entity]}-{len(self.records[entity]) + 1001}"
        fields = {**_SPELT[entity](person, self.dice), **changes}
        unknown = set(changes) - set(_SPELT[entity](person, Dice(0)))
        if unknown:
            raise KeyError(f"{entity} has no column {unknown}")
        who = person.id if kept else None
        self.records[entity].append(Record(entity, key, {KEYS[entity]: key, **fields}, who, kept))
        return entity, key


def mailbox(first: str, last: str, n: int, dice: Dice) -> str:
    """An address nobody else has: the number is in it."""
    local = "".join(c for c in unicodedata.normalize("NFKD", f"{first}.{last}").lower() if c.isascii() and c != " ")
    return f"{local if len(local) > 3 else 'customer'}{n}@{dice.pick(words.MAIL_HOSTS)}"


def new_phone(n: int) -> str:
    """The n-th phone number: area codes 201.., exchange 555, line 0100-0199 (numbers set aside for fiction)."""
    return f"{201 + n // 100:03d}55501{n % 100:02d}"


def dashed(phone: str) -> str:
    """`201-555-0100`."""
    return f"{phone[:3]}-{phone[3:6]}-{phone[6:]}"


def us_date(day: date) -> str:
    """`m/d/yyyy`, as en-US writes it."""
    return f"{day.month}/{day.day}/{day.year}"


def _moment(dice: Dice, first_year: int, years: int) -> datetime:
    return datetime(first_year, 1, 1) + timedelta(minutes=dice.below(years * 365 * 24 * 60))  # noqa: DTZ001 - local shop time, no zone in the data


def _us_moment(moment: datetime) -> str:
    return f"{us_date(moment.date())} {moment.hour}:{moment.minute:02d}"


def _crm(p: Person, dice: Dice) -> dict[str, Any]:
    created = _moment(dice, 2016, 3)
    modified = created + timedelta(days=30 + dice.below(300))
    return {
        "FirstName": p.first, "LastName": p.last, "FullName": f"{p.first} {p.last}", "DateOfBirth": us_date(p.born),
        "EMail": p.email, "Telephone": dashed(p.phone), "Mobile": None, "Street": p.street, "City": p.city,
        "State": p.state, "PostCode": p.postcode, "CreatedOn": us_date(created.date()),
        "ModifiedOn": _us_moment(modified),
    }  # fmt: skip


def _loyalty(p: Person, dice: Dice) -> dict[str, Any]:
    joined = _moment(dice, 2020, 2)
    modified = joined + timedelta(days=dice.below(300))
    return {
        "FirstName": p.first, "LastName": p.last, "FullName": f"{p.first} {p.last}", "DateOfBirth": p.born.isoformat(),
        "EMail": p.email, "Telephone": f"({p.phone[:3]}) {p.phone[3:6]}-{p.phone[6:]}", "Street": p.street,
        "City": p.city, "State": p.state, "PostCode": p.postcode, "Tier": dice.pick(("bronze", "silver", "gold")),
        "RewardPoints": str(dice.below(5000)), "JoinedOn": joined.date().isoformat(),
        "ModifiedOn": modified.isoformat(sep=" "),
    }  # fmt: skip


def _web(p: Person, dice: Dice) -> dict[str, Any]:
    signed_up = _moment(dice, 2022, 2)
    modified = signed_up + timedelta(days=dice.below(300))
    return {
        "FirstName": p.first, "LastName": p.last, "FullName": f"{p.first} {p.last}", "DateOfBirth": p.born.isoformat(),
        "EMail": p.email, "Telephone": p.phone, "Street": p.street, "City": p.city, "State": p.state,
        "PostCode": p.postcode, "Newsletter": dice.chance(0.4), "SignedUpOn": signed_up.isoformat(),
        "ModifiedOn": modified.isoformat(),
    }  # fmt: skip


def _plain(*columns: str) -> Any:
    return lambda _person, _dice: dict.fromkeys(columns)


_SPELT = {
    CRM: _crm,
    LOYALTY: _loyalty,
    WEB: _web,
    STORE: _plain("LoyaltyId", "Product", "Total", "PurchasedOn"),
    ORDERS: _plain("UserId", "Product", "Quantity", "Total", "OrderedOn"),
    REVIEWS: _plain("UserId", "Product", "Rating", "Text", "ReviewedOn"),
}
