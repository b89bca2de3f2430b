"""The people behind the messy records: who they are, who they live with, what they share. Whole columns at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks import messy_names as spelled
from benchmarks import names
from benchmarks.fields import Bools, Draws, Ints
from benchmarks.messy_rates import HOUSEHOLDS, RATE

HOSTS = (
    "mail.example", "post.example", "inbox.example", "webmail.example", "letters.example", "quickmail.example",
    "mymail.example", "home.example", "fastpost.example", "box.example",
)  # fmt: skip
_HOST_SHARES = names.cumulative(len(HOSTS), 0.7)
N_STREETS, N_KINDS, N_CITIES, POSTCODES_OF_CITY = 420, 5, 1_200, 12
CITY_SHARES = names.cumulative(N_CITIES, 6)
"""The largest town has 3 % of the people."""
HOMES_IN_A_BLOCK = 20
PEOPLE_IN_AN_OFFICE = 8
YEAR = 365
FIRST_DAY, DAYS = -12_784, 25_500
"""Births from 1935-01-01 on, over 70 years, as days from 1970-01-01."""
LAST_DAY = FIRST_DAY + DAYS
OFFICE, PATTERNS = 4, 5
"""Mailboxes are first.last, flast, firstlast, first.yy; the fifth pattern is an office's info@."""


@dataclass(frozen=True)
class Mailboxes:
    """One mailbox a person: `pattern` of names, `number` that the provider made them add (0: none), `host`."""

    pattern: Ints
    first: Ints
    last: Ints
    year: Ints
    host: Ints
    number: Ints

    def take(self, which: Ints) -> "Mailboxes":
        return Mailboxes(*(getattr(self, c)[which] for c in Mailboxes.__dataclass_fields__))

    def where(self, condition: Bools, other: "Mailboxes") -> "Mailboxes":
        """Own where the condition holds, the other's elsewhere."""
        columns = Mailboxes.__dataclass_fields__
        return Mailboxes(*(np.where(condition, getattr(self, c), getattr(other, c)) for c in columns))


@dataclass(frozen=True)
class Homes:
    """An address a person: house number, street, kind of street, town, post code; whether it is a block's."""

    house: Ints
    street: Ints
    kind: Ints
    city: Ints
    postcode: Ints
    block: Ints

    def take(self, which: Ints) -> "Homes":
        return Homes(*(getattr(self, c)[which] for c in Homes.__dataclass_fields__))

    def where(self, condition: Bools, other: "Homes") -> "Homes":
        return Homes(*(np.where(condition, getattr(self, c), getattr(other, c)) for c in Homes.__dataclass_fields__))


@dataclass(frozen=True)
class People:
    """One entry a person; `second_…` is what newer records say. Names are rows of messy_names.GIVEN and FAMILY."""

    head: Ints
    first: Ints
    last: Ints
    second_last: Ints
    born: Ints
    mobile: Ints
    second_mobile: Ints
    land_line: Ints
    mailbox: Mailboxes
    second_mailbox: Mailboxes
    home: Homes
    second_home: Homes
    own_letters: Bools
    lost: Bools
    twin: Bools
    namesake: Bools
    married: Bools
    reissued: Bools
    office: Bools
    family_mailbox: Bools

    def __len__(self) -> int:
        return len(self.first)


def people(draws: Draws, n: int) -> People:
    """n people, those of one home beside each other; the first of a home is its head."""
    sizes = 1 + np.searchsorted(np.cumsum(HOUSEHOLDS)[:-1], draws.random(n))
    starts = np.cumsum(sizes) - sizes
    head = np.repeat(starts, sizes)[:n]
    place = np.arange(n) - head
    script = np.where(draws.happens(RATE["other script"], n), 1 + draws.below(spelled.SCRIPTS, n), 0)[head]
    first, last = _of_script(script, _pick(names.GIVEN_SHARES, draws, n), _pick(names.FAMILY_SHARES, draws, n), draws)
    namesake = (place > 0) & draws.happens(RATE["same first name"], n)
    twin = (place == 2) & draws.happens(RATE["twin"], n)
    one_name = namesake | twin | ((place > 0) & draws.happens(RATE["same surname"], n))
    last = np.where(one_name, last[head], last)
    last = np.where(twin, last[np.maximum(np.arange(n) - 1, 0)], last)
    first = np.where(namesake & ~twin, first[head], first)
    first = _not_the_same(first, twin, script)
    born = _births(draws, n, head, place, namesake)
    born = np.where(twin, born[np.maximum(np.arange(n) - 1, 0)], born)
    married = draws.happens(RATE["married name"], n)
    second_last = np.where(married, _pick(names.FAMILY_SHARES, draws, n), last)
    family_mailbox = (place > 0) & draws.happens(RATE["family mailbox"], n)
    office = draws.happens(RATE["office mailbox"], n)
    mailbox = _mailboxes(draws, first, last, born, office, 0)
    second_mailbox = _mailboxes(draws, first, second_last, born, np.zeros(n, bool), 1)
    mailbox = mailbox.take(np.where(family_mailbox, head, np.arange(n)))
    mobile, second_mobile, reissued = _mobiles(draws, n)
    return People(
        head, first, last, second_last, born, mobile, second_mobile,
        np.where(draws.happens(RATE["land line"], n), _numbers(draws, n), 0)[head],
        mailbox, second_mailbox, _homes(draws, n).take(head), _homes(draws, n),
        (script > 0) | draws.happens(RATE["accents"], n), draws.happens(RATE["nothing left"], n),
        twin, namesake & ~twin, married, reissued, office, family_mailbox,
    )  # fmt: skip


def _pick(shares: npt.NDArray[np.float64], draws: Draws, n: int) -> Ints:
    return np.searchsorted(shares[:-1], draws.random(n)).astype(np.int64)


def _of_script(script: Ints, first: Ints, last: Ints, draws: Draws) -> tuple[Ints, Ints]:
    """Names of the home's script: behind the Latin ones, a block for each script."""
    g, f = spelled.GIVEN_OF_SCRIPT, spelled.FAMILY_OF_SCRIPT
    given = len(names.GIVEN) + (script - 1) * g + draws.below(g, len(script))
    family = len(names.FAMILY) + (script - 1) * f + draws.below(f, len(script))
    return np.where(script > 0, given, first), np.where(script > 0, family, last)


def _not_the_same(first: Ints, twin: Bools, script: Ints) -> Ints:
    """Parents give twins two names: where chance gave one, the second gets the next of its block."""
    before = np.roll(first, 1)
    g = spelled.GIVEN_OF_SCRIPT
    base = np.where(script > 0, len(names.GIVEN) + (script - 1) * g, 0)
    size = np.where(script > 0, g, len(names.GIVEN))
    return np.where(twin & (first == before), base + (first - base + 1) % size, first)


def _births(draws: Draws, n: int, head: Ints, place: Ints, namesake: Bools) -> Ints:
    """Heads any day; the second of a home within ten years of the head; children, and all namesakes, 20 to 40 later."""
    own = FIRST_DAY + draws.below(DAYS, n)
    partner = own[head] - 5 * YEAR + draws.below(10 * YEAR, n)
    child = own[head] + 20 * YEAR + draws.below(20 * YEAR, n)
    born = np.where(place == 0, own, np.where((place == 1) & ~namesake, partner, child))
    young = LAST_DAY - draws.below(10 * YEAR, n)
    return np.where(born > LAST_DAY, young, np.where(born < FIRST_DAY, own, born))


def _numbers(draws: Draws, n: int) -> Ints:
    """Ten digits, area codes from 201 to 980."""
    return (201 + draws.below(780, n)) * 10_000_000 + draws.below(10_000_000, n)


def _mobiles(draws: Draws, n: int) -> tuple[Ints, Ints, Bools]:
    first = _numbers(draws, n)
    reissued = draws.happens(RATE["reissued number"], n)
    return first, np.where(reissued, first[draws.below(n, n)], _numbers(draws, n)), reissued


def _homes(draws: Draws, n: int) -> Homes:
    """A door of one's own, or one of a block's: blocks are few, so strangers share theirs."""
    block = np.where(draws.happens(RATE["block of flats"], n), 1, 0)
    blocks = max(1, int(n * RATE["block of flats"] / HOMES_IN_A_BLOCK))
    which = np.where(block, draws.below(blocks, n), blocks + np.arange(n))
    order = np.unique(which, return_inverse=True)[1].reshape(-1)  # one row of numbers a door
    doors = int(order.max(initial=0)) + 1
    blocks_with_people = len(np.unique(which[which < blocks]))
    city = _pick(CITY_SHARES, draws, doors)
    homes = Homes(
        1 + draws.below(400, doors), draws.below(N_STREETS, doors), draws.below(N_KINDS, doors), city,
        10_000 + city * 70 + draws.below(POSTCODES_OF_CITY, doors),
        (np.arange(doors) < blocks_with_people).astype(np.int64),
    )  # fmt: skip
    return homes.take(order)


def _mailboxes(draws: Draws, first: Ints, last: Ints, born: Ints, office: Bools, which: int) -> Mailboxes:
    """One of its own each: who comes later to a name that is taken at a host gets a number there.

    `which` keeps first and second mailboxes of a person apart: a second one is at another host.
    """
    n = len(first)
    pattern = np.searchsorted(np.cumsum([0.45, 0.20, 0.20]), draws.random(n)).astype(np.int64)
    host = (_pick(_HOST_SHARES, draws, n) * 2 + which) % len(HOSTS)
    year = (born // YEAR + 1970) % 100
    offices = max(1, int(n * RATE["office mailbox"] / PEOPLE_IN_AN_OFFICE))
    pattern, year = np.where(office, OFFICE, pattern), np.where(office, draws.below(offices, n), year)
    initial = _INITIALS[first]
    given = np.select([pattern == OFFICE, pattern == 1], [0, initial], first)
    family = np.select([pattern == OFFICE, pattern == 3], [0, 0], last)
    told = np.where((pattern == 3) | (pattern == OFFICE), year, 0)
    code = (((pattern * spelled.N_GIVEN + given) * spelled.N_FAMILY + family) * (offices + 100) + told) * len(
        HOSTS
    ) + host
    number = np.where(office, 0, _rank_among_equals(code))
    return Mailboxes(pattern, given, family, told, np.where(office, 0, host), number)


_INITIALS = np.array([ord(name[0]) - ord("A") for name in spelled.GIVEN], dtype=np.int64)


def _rank_among_equals(code: Ints) -> Ints:
    """How many equal ones stand before each: 0 for the first."""
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    begin = np.maximum.accumulate(np.where(starts, np.arange(len(code)), 0))
    rank = np.empty(len(code), dtype=np.int64)
    rank[order] = np.arange(len(code)) - begin
    return rank
