"""The columns of generated customers: people first, then what each of their records says of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import names

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOUSEHOLD_SHARES = np.cumsum([0.87, 0.075, 0.035, 0.02])
"""Of households with 1, 2, 3, 4 people: 28 % of the people live with another customer."""
SAME_SURNAME, SAME_PHONE, SAME_EMAIL, SAME_FIRST, SAME_BIRTHDAY = 0.80, 0.50, 0.30, 0.02, 0.015
MISSING_BIRTH, MISSING_PHONE, MISSING_EMAIL, MISSING_ADDRESS = 0.26, 0.21, 0.18, 0.08
NICKNAME, INITIAL, TYPO_FIRST, TYPO_LAST, SWAPPED, MARRIED = 0.15, 0.02, 0.03, 0.04, 0.015, 0.03
MOVED, NEW_EMAIL, NEW_PHONE, DEFAULT, BIRTH_SLIP, PHONE_SLIP, EMAIL_SLIP, STREET_SLIP = (
    0.10, 0.18, 0.12, 0.007, 0.015, 0.015, 0.015, 0.03,
)  # fmt: skip
"""Shares of records (MARRIED: of people) to which it happens."""

HOSTS = pa.array([
    "mail.example", "post.example", "inbox.example", "webmail.example", "letters.example", "quickmail.example",
    "mymail.example", "home.example", "fastpost.example", "box.example",
])  # fmt: skip
HOST_SHARES = names.cumulative(len(HOSTS), 0.7)
_STREETS = [s.removesuffix("er") for s in names.FAMILY[200:620]]
_KINDS = ("Street", "St", "Avenue", "Ave", "Road", "Rd", "Lane", "Ln", "Drive", "Dr")
N_CITIES, POSTCODES_PER_CITY = 400, 40

_NICK = {i: names.NICKNAMES[name] for i, name in enumerate(names.GIVEN) if name in names.NICKNAMES}
_FIRST = pa.array([
    *names.GIVEN, *names.typos(names.GIVEN), *(_NICK.get(i, n) for i, n in enumerate(names.GIVEN)),
    *(f"{n[0]}." for n in names.GIVEN),
])  # fmt: skip
_LAST = pa.array([*names.FAMILY, *names.typos(names.FAMILY)])
_STREET = pa.array([*_STREETS, *names.typos(_STREETS)])
_KIND = pa.array(_KINDS)
_CITY_ENDS = ("Falls", "City", "Park", "Springs")
_CITY = pa.array([f"{names.FAMILY[700 + i].removesuffix('son')} {_CITY_ENDS[i % 4]}" for i in range(N_CITIES)])
_TIER = pa.array(["bronze", "silver", "gold"])
_EPOCH_1935, _EPOCH_DEFAULT, _BIRTH_DAYS = -12_784, -25_567, 26_000
"""Days from 1970-01-01 to 1935-01-01 and to 1900-01-01; birth dates span 71 years."""
_2015 = 1_420_070_400
_TEN_YEARS = 315_000_000


class Draws:
    """Random numbers of one chunk. Only `random()` is used: its stream is the steadiest part of numpy."""

    def __init__(self, seed: int, chunk: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64([seed, chunk + 1]))

    def random(self, n: int) -> npt.NDArray[np.float64]:
        return self._generator.random(n)

    def below(self, top: int, n: int) -> Ints:
        """Whole numbers from 0 to top - 1."""
        return (self._generator.random(n) * top).astype(np.int64)

    def happens(self, share: float, n: int) -> Bools:
        return np.asarray(self._generator.random(n) < share)


@dataclass(frozen=True)
class Address:
    """House number, street and its kind, city, post code, as numbers."""

    house: Ints
    street: Ints
    kind: Ints
    city: Ints
    postcode: Ints


@dataclass(frozen=True)
class People:
    """A chunk of people: one entry per person. `second_…` is what some of their records say instead."""

    first: Ints
    last: Ints
    second_last: Ints
    born: Ints
    phone: Ints
    second_phone: Ints
    email: pa.Array
    second_email: pa.Array
    address: Address
    second_address: Address


def join(*parts: Any) -> pa.Array:
    """Row-wise concatenation; null when a part is."""
    return pc.binary_join_element_wise(*parts, "")


def digits(numbers: npt.NDArray[Any], width: int) -> pa.Array:
    """Whole numbers as text, zeros in front."""
    return pc.utf8_lpad(pa.array(numbers.astype(np.int64)).cast(pa.string()), width, "0")


def tiers(draws: Draws, n: int) -> pa.Array:
    """A loyalty tier a row."""
    return _TIER.take(pa.array(draws.below(3, n)))


def people(draws: Draws, n: int) -> People:
    """n people, households next to each other."""
    sizes = 1 + np.searchsorted(HOUSEHOLD_SHARES[:-1], draws.random(n))
    starts = np.cumsum(sizes) - sizes
    head = np.repeat(starts, sizes)[:n]
    others = head != np.arange(n)

    def shared(own: Ints, share: float) -> Ints:
        return np.where(others & draws.happens(share, n), own[head], own)

    first = shared(_pick(names.GIVEN_SHARES, draws, n), SAME_FIRST)
    last = shared(_pick(names.FAMILY_SHARES, draws, n), SAME_SURNAME)
    married = draws.happens(MARRIED, n)
    second_last = np.where(married, _pick(names.FAMILY_SHARES, draws, n), last)
    born = shared(_EPOCH_1935 + draws.below(_BIRTH_DAYS, n), SAME_BIRTHDAY)
    phone = shared(_phones(draws, n), SAME_PHONE)
    address = _addresses(draws, n)
    address = Address(*(getattr(address, c)[head] for c in Address.__dataclass_fields__))
    email = _emails(draws, first, last, born)
    family_mail = np.where(others & draws.happens(SAME_EMAIL, n), head, np.arange(n))
    return People(
        first, last, second_last, born, phone, _phones(draws, n), email.take(pa.array(family_mail)),
        _emails(draws, first, second_last, born), address, _addresses(draws, n),
    )  # fmt: skip


def _pick(shares: npt.NDArray[np.float64], draws: Draws, n: int) -> Ints:
    return np.searchsorted(shares[:-1], draws.random(n)).astype(np.int64)


def _phones(draws: Draws, n: int) -> Ints:
    """Ten digits, area codes from 201 to 980."""
    return (201 + draws.below(780, n)) * 10_000_000 + draws.below(10_000_000, n)


def _addresses(draws: Draws, n: int) -> Address:
    city = draws.below(N_CITIES, n)
    postcode = 10_000 + city * 200 + draws.below(POSTCODES_PER_CITY, n)
    kind = 2 * draws.below(len(_KINDS) // 2, n)
    return Address(1 + draws.below(400, n), draws.below(len(_STREETS), n), kind, city, postcode)


def _emails(draws: Draws, first: Ints, last: Ints, born: Ints) -> pa.Array:
    """Made from the name, as people do, so that namesakes can ask for the same one.

    15 % have no number in it, 20 % the year of birth, the others a number below 10,000.
    """
    n = len(first)
    given, family = pc.utf8_lower(_FIRST.take(pa.array(first))), pc.utf8_lower(_LAST.take(pa.array(last)))
    initial = pc.utf8_slice_codeunits(given, 0, 1)
    local = pc.choose(pa.array(draws.below(4, n)), join(given, ".", family), join(given, family), join(initial, family),
                      join(given, "_", family))  # fmt: skip
    year = digits(1970 + np.floor_divide(born, 365.2425), 4)
    number = pa.array(draws.below(10_000, n)).cast(pa.string())
    u = draws.random(n)
    tail = pc.choose(pa.array(np.where(u < 0.15, 0, np.where(u < 0.35, 1, 2))), pa.scalar(""), year, number)
    return join(local, tail, "@", HOSTS.take(pa.array(np.searchsorted(HOST_SHARES[:-1], draws.random(n)))))


def records(draws: Draws, of: People, person: Ints) -> pa.Table:
    """What each record says; `person` is the index of its person, one entry per record."""
    n = len(person)
    first, last = _names(draws, of, person)
    order = draws.random(n)
    full = pc.choose(pa.array(np.where(order < 0.03, 1, 0)), join(first, " ", last), join(last, ", ", first))
    created = _2015 + draws.below(_TEN_YEARS, n)
    modified = created + draws.below(_TEN_YEARS // 5, n)
    return pa.table({
        "FirstName": first, "LastName": last, "FullName": full, "BirthDate": _births(draws, of, person),
        "EMail": _record_emails(draws, of, person), "Telephone": _record_phones(draws, of, person),
        **_record_addresses(draws, of, person),
        "CreatedOn": pa.array(created, pa.timestamp("s")).cast(pa.timestamp("us")),
        "ModifiedOn": pa.array(modified, pa.timestamp("s")).cast(pa.timestamp("us")),
    })  # fmt: skip


def _names(draws: Draws, of: People, person: Ints) -> tuple[pa.Array, pa.Array]:
    n, given = len(person), of.first[person]
    u = draws.random(n)
    typo = len(names.GIVEN) + given * names.VARIANTS + draws.below(names.VARIANTS, n)
    nick = len(names.GIVEN) * (1 + names.VARIANTS) + given
    code = np.select(
        [u < TYPO_FIRST, u < TYPO_FIRST + INITIAL, u < TYPO_FIRST + INITIAL + NICKNAME],
        [typo, nick + len(names.GIVEN), nick], given,
    )  # fmt: skip
    family = np.where(draws.happens(0.5, n), of.second_last[person], of.last[person])
    slip = len(names.FAMILY) + family * names.VARIANTS + draws.below(names.VARIANTS, n)
    first = _FIRST.take(pa.array(code))
    last = _LAST.take(pa.array(np.where(draws.happens(TYPO_LAST, n), slip, family)))
    swapped = pa.array(draws.happens(SWAPPED, n))
    first, last = pc.if_else(swapped, last, first), pc.if_else(swapped, first, last)
    loud = pa.array(draws.happens(0.05, n))
    return pc.if_else(loud, pc.utf8_upper(first), first), pc.if_else(loud, pc.utf8_upper(last), last)


def _births(draws: Draws, of: People, person: Ints) -> pa.Array:
    n, born = len(person), of.born[person]
    slips = np.array([1, -1, 10, -10, 365, -365, 31, -31])[draws.below(8, n)]
    born = np.where(draws.happens(BIRTH_SLIP, n), born + slips, born)
    born = np.where(draws.happens(DEFAULT, n), _EPOCH_DEFAULT, born)
    return pa.array(born.astype(np.int32), mask=draws.happens(MISSING_BIRTH, n)).cast(pa.date32())


def _record_emails(draws: Draws, of: People, person: Ints) -> pa.Array:
    n, index = len(person), pa.array(person)
    email = pc.if_else(pa.array(draws.happens(NEW_EMAIL, n)), of.second_email.take(index), of.email.take(index))
    slipped = pc.replace_substring(email, "mail", "mial", max_replacements=1)
    email = pc.if_else(pa.array(draws.happens(EMAIL_SLIP, n)), slipped, email)
    email = pc.if_else(pa.array(draws.happens(0.03, n)), pc.utf8_upper(email), email)
    email = pc.if_else(pa.array(draws.happens(DEFAULT, n)), pa.scalar("noreply@store.example"), email)
    return pc.if_else(pa.array(draws.happens(MISSING_EMAIL, n)), pa.scalar(None, pa.string()), email)


def _record_phones(draws: Draws, of: People, person: Ints) -> pa.Array:
    n = len(person)
    number = np.where(draws.happens(NEW_PHONE, n), of.second_phone[person], of.phone[person])
    slip = (1 + draws.below(9, n)) * 10 ** draws.below(7, n)
    number = np.where(
        draws.happens(PHONE_SLIP, n), number // 10_000_000 * 10_000_000 + (number + slip) % 10_000_000, number
    )
    plain = pa.array(number).cast(pa.string())
    a, b, c = (pc.utf8_slice_codeunits(plain, i, j) for i, j in ((0, 3), (3, 6), (6, 10)))
    written = pc.choose(pa.array(draws.below(5, n)), plain, join(a, "-", b, "-", c), join("(", a, ") ", b, "-", c),
                        join("+1-", a, "-", b, "-", c), join(a, ".", b, ".", c))  # fmt: skip
    written = pc.if_else(pa.array(draws.happens(DEFAULT, n)), pa.scalar("000-000-0000"), written)
    return pc.if_else(pa.array(draws.happens(MISSING_PHONE, n)), pa.scalar(None, pa.string()), written)


def _record_addresses(draws: Draws, of: People, person: Ints) -> dict[str, pa.Array]:
    n = len(person)
    moved = draws.happens(MOVED, n)

    def of_record(part: str) -> Ints:
        stay, new = getattr(of.address, part), getattr(of.second_address, part)
        return np.asarray(np.where(moved, new[person], stay[person]))

    street = of_record("street")
    slip = len(_STREETS) + street * names.VARIANTS + draws.below(names.VARIANTS, n)
    street = np.where(draws.happens(STREET_SLIP, n), slip, street)
    kind = of_record("kind") + draws.happens(0.3, n)  # the abbreviation stands after the word
    missing = pa.array(draws.happens(MISSING_ADDRESS, n))
    columns = {
        "HouseNumber": pa.array(of_record("house")).cast(pa.string()),
        "Street": join(_STREET.take(pa.array(street)), " ", _KIND.take(pa.array(kind))),
        "City": _CITY.take(pa.array(of_record("city"))),
        "PostCode": digits(of_record("postcode"), 5),
    }
    return {name: pc.if_else(missing, pa.scalar(None, pa.string()), column) for name, column in columns.items()}
