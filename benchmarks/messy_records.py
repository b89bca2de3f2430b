"""What the messy records say of their people, source by source, and which trap each of them sets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import messy_names as spelled
from benchmarks import names
from benchmarks.fields import Bools, Draws, Ints, digits, join
from benchmarks.messy_people import HOSTS, N_CITIES, N_KINDS, N_STREETS, OFFICE, Homes, Mailboxes, People
from benchmarks.messy_rates import RATE, SOURCES

_STREETS = [name.removesuffix("er") for name in names.FAMILY[200 : 200 + N_STREETS]]
_STREET = pa.array([*_STREETS, *names.typos(_STREETS)])
_KIND = pa.array(["Street", "Avenue", "Road", "Lane", "Drive", "St", "Ave", "Rd", "Ln", "Dr"])
_TOWN_ENDS = ("Falls", "City", "Park", "Springs", "Heights", "Ferry")
_TOWN = pa.array([f"{names.FAMILY[700 + i].removesuffix('son')} {_TOWN_ENDS[i % 6]}" for i in range(N_CITIES)])
_HOST, _HOST_SLIP = pa.array(HOSTS), pa.array([host.replace(".example", ".exmaple") for host in HOSTS])
_LOCAL_FIRST = pc.utf8_lower(pa.array(spelled.GIVEN))
_LOCAL_LAST = pc.utf8_lower(pa.array(spelled.FAMILY))
_LETTER = pa.array([chr(ord("a") + i) for i in range(26)])
_NO_MAIL = pa.array(["noreply@store.example", "none@none.example", "customer@store.example"])
_NO_PHONE = pa.array(["000-000-0000", "999-999-9999", "123-456-7890", "1111111111"])
CALL_CENTRE = (2_025_550_100, 2_025_550_101, 2_025_550_102)
"""Lines of the agents: reserved for fiction."""
_DEFAULT_BIRTHS = (-25_567, -25_567, -25_567, 0)
"""1900-01-01, and once in four 1970-01-01, as days from 1970-01-01."""
_SLIPS = np.array([1, -1, 10, -10, 365, -365, 31, -31])
_SHOUTED = {"pos.Customers"}
_NO_OTHER_LETTERS = {"support.Callers", "pos.Customers", "web.Accounts"}
"""Systems that keep Latin letters without accents only."""

TRAPS = (
    "nickname", "initial", "typo in first name", "typo in last name", "names exchanged", "capitals", "last, first",
    "own letters", "married name", "moved", "other mailbox", "other mobile", "reissued number", "mistyped mailbox",
    "number forgotten", "capital mailbox", "mistyped phone", "call centre's phone", "placeholder mailbox",
    "placeholder phone", "default birth date", "wrong birth date", "day and month exchanged", "impossible birth date",
    "other date format", "typo in street", "street abbreviated", "extension", "nothing left", "twin",
    "same first name", "office mailbox", "family mailbox", "land line", "block of flats",
)  # fmt: skip
"""What can be wrong with a record, or true of its person: the truth has one bit each, the first is 1."""
_BIT = {name: np.int64(1) << np.int64(i) for i, name in enumerate(TRAPS)}


class Records:
    """Records of one source in the making: whose they are, the values so far, the traps set."""

    def __init__(self, draws: Draws, of: People, person: Ints, source: str) -> None:
        self.draws, self.of, self.person, self.source = draws, of, person, source
        self.n = len(person)
        self.traps = np.zeros(self.n, dtype=np.int64)
        self.values: dict[str, pa.Array] = {}
        self.lost = self.mark("nothing left", of.lost[person] & draws.happens(0.5, self.n))
        self._say()

    def mark(self, trap: str, where: Bools) -> Bools:
        """Notes the trap on these records and hands the condition back."""
        self.traps |= np.where(where, _BIT[trap], np.int64(0))
        return where

    def happens(self, what: str, share: float | None = None) -> Bools:
        return self.draws.happens(RATE[what] if share is None else share, self.n)

    def _say(self) -> None:
        told = SOURCES[self.source][1]
        self.mark("twin", self.of.twin[self.person])
        self.mark("same first name", self.of.namesake[self.person])
        _names(self)
        for what, share in told.items():
            self._tell(share, _COLUMNS[what])

    def _tell(self, share: float, columns: "Callable[[Records], dict[str, pa.Array]]") -> None:
        """Columns in the share of records that have them; a trap that sits in a value nobody told is no trap."""
        before = self.traps.copy()
        made = columns(self)
        known = self.draws.happens(share, self.n)
        self.traps = np.where(known, self.traps, before)
        self.values |= {name: _chosen(known, column, pa.scalar(None, column.type)) for name, column in made.items()}


def _take(strings: pa.Array, codes: npt.NDArray[Any]) -> pa.Array:
    return strings.take(pa.array(codes))


def _chosen(where: Bools, yes: Any, no: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(where), yes, no)


def _names(r: Records) -> None:
    """values first, last, full, in the letters and the case of the source."""
    given, g = r.of.first[r.person], spelled.N_GIVEN
    initial = RATE["initial"] if r.source != "pos.Customers" else 0.20
    u = r.draws.random(r.n)
    steps = np.cumsum([RATE["typo in first name"], initial, RATE["nickname"]])
    typo = r.mark("typo in first name", u < steps[0])
    letter = r.mark("initial", (u >= steps[0]) & (u < steps[1]))
    short = r.mark("nickname", (u >= steps[1]) & (u < steps[2]) & spelled.HAS_SHORT[given])
    can = r.source not in _NO_OTHER_LETTERS
    native = r.of.own_letters[r.person] & r.draws.happens(0.6, r.n) & can
    slip = spelled.TYPO * g + given * names.VARIANTS + r.draws.below(names.VARIANTS, r.n)
    code = np.select(
        [typo, letter, short, native],
        [slip, spelled.INITIAL * g + given, spelled.SHORT * g + given, spelled.NATIVE * g + given], given,
    )  # fmt: skip
    newer = r.draws.happens(0.5, r.n)
    r.mark("married name", newer & r.of.married[r.person])
    family, f = np.where(newer, r.of.second_last[r.person], r.of.last[r.person]), spelled.N_FAMILY
    wrong = r.mark("typo in last name", r.happens("typo in last name"))
    slip = spelled.TYPO_LAST * f + family * names.VARIANTS + r.draws.below(names.VARIANTS, r.n)
    r.mark("own letters", native & ~(typo | letter | short) | native & ~wrong)
    first = _take(spelled.FIRST, code)
    last = _take(spelled.LAST, np.select([wrong, native], [slip, f + family], family))
    exchanged = r.mark("names exchanged", r.happens("names exchanged"))
    first, last = _chosen(exchanged, last, first), _chosen(exchanged, first, last)
    loud = r.mark("capitals", np.ones(r.n, bool) if r.source in _SHOUTED else r.happens("capitals"))
    first, last = (_chosen(loud, pc.utf8_upper(name), name) for name in (first, last))
    comma = np.ones(r.n, bool) if r.source == "support.Callers" else r.happens("last, first")
    if r.source in ("loyalty.Members", "web.Accounts", "support.Callers"):
        r.mark("last, first", comma)
    full = _chosen(comma, join(last, ", ", first), join(first, " ", last))
    r.values |= {"first": first, "last": last, "full": full}


def _births(r: Records) -> pa.Array:
    """Days, as date32; null where everything about a person changed."""
    born = r.of.born[r.person]
    wrong = r.mark("wrong birth date", r.happens("wrong birth date"))
    born = np.where(wrong, born + _SLIPS[r.draws.below(8, r.n)], born)
    born = _day_and_month_exchanged(r, born)
    default = r.mark("default birth date", r.happens("default birth date"))
    born = np.where(default, np.array(_DEFAULT_BIRTHS)[r.draws.below(4, r.n)], born)
    return pa.array(born.astype(np.int32), mask=r.lost).cast(pa.date32())


def _day_and_month_exchanged(r: Records, born: Ints) -> Ints:
    days = born.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    day, month = (days - months).astype(np.int64), months.astype(np.int64) % 12
    can = (day < 12) & (day != month)
    where = r.mark("day and month exchanged", can & r.happens("day and month exchanged"))
    turned = (months - month + day).astype("datetime64[D]") + month
    return np.where(where, turned.astype(np.int64), born)


def _emails(r: Records) -> pa.Array:
    of = r.of
    other = r.mark("other mailbox", r.happens("other mailbox") | r.lost)
    box: Mailboxes = of.second_mailbox.take(r.person).where(other, of.mailbox.take(r.person))
    r.mark("office mailbox", ~other & (box.pattern == OFFICE))
    r.mark("family mailbox", ~other & of.family_mailbox[r.person])
    forgotten = r.mark("number forgotten", (box.number > 0) & r.happens("number forgotten"))
    number = np.where(forgotten, 0, box.number)
    first, last = _take(_LOCAL_FIRST, box.first), _take(_LOCAL_LAST, box.last)
    initial = _take(_LETTER, np.where(box.pattern == 1, box.first % 26, 0))
    local = pc.choose(
        pa.array(box.pattern), join(first, ".", last), join(initial, last), join(first, last),
        join(first, ".", digits(box.year, 2)), pa.array(["info"]).take(pa.array(np.zeros(r.n, np.int8))),
    )  # fmt: skip
    counted = pa.array(np.where(number > 0, number.astype(str), "").astype(object), pa.string())
    slipped = r.mark("mistyped mailbox", r.happens("mistyped mailbox"))
    host = _chosen(slipped, _take(_HOST_SLIP, box.host), _take(_HOST, box.host))
    firm = join("firm", pa.array(box.year).cast(pa.string()), ".example")
    host = _chosen(box.pattern == OFFICE, firm, host)
    email = join(local, counted, "@", host)
    loud = r.mark("capital mailbox", r.happens("capital mailbox"))
    email = _chosen(loud, pc.utf8_upper(email), email)
    junk = r.mark("placeholder mailbox", r.happens("placeholder mailbox"))
    return _chosen(junk, _take(_NO_MAIL, r.draws.below(len(_NO_MAIL), r.n)), email)


def _phones(r: Records, column: str) -> pa.Array:
    """The mobile; in a CRM's other phone column the land line where there is one, elsewhere now and then."""
    of = r.of
    other = r.happens("other mobile") | r.lost
    at_home = r.draws.happens(0.7 if r.source == "crm.Contacts" else 0.2, r.n) & (of.land_line[r.person] > 0) & ~r.lost
    at_home &= column == "phone"
    r.mark("land line", at_home)
    r.mark("other mobile", other & ~at_home)
    r.mark("reissued number", other & ~at_home & of.reissued[r.person])
    number = np.where(other, of.second_mobile[r.person], of.mobile[r.person])
    number = np.where(at_home, of.land_line[r.person], number)
    wrong = r.mark("mistyped phone", r.happens("mistyped phone"))
    slip = (1 + r.draws.below(9, r.n)) * 10 ** r.draws.below(7, r.n)
    number = np.where(wrong, number // 10_000_000 * 10_000_000 + (number + slip) % 10_000_000, number)
    if r.source in ("support.Callers", "crm.Contacts") and column == "phone":
        agent = r.mark("call centre's phone", r.happens("call centre's phone"))
        number = np.where(agent, np.array(CALL_CENTRE)[r.draws.below(3, r.n)], number)
    written = _written(r, number)
    junk = r.mark("placeholder phone", r.happens("placeholder phone"))
    return _chosen(junk, _take(_NO_PHONE, r.draws.below(len(_NO_PHONE), r.n)), written)


def _written(r: Records, number: Ints) -> pa.Array:
    """Five ways to write a number; the till has digits only, a CRM an extension now and then."""
    plain = pa.array(number).cast(pa.string())
    if r.source == "pos.Customers":
        return plain
    a, b, c = (pc.utf8_slice_codeunits(plain, i, j) for i, j in ((0, 3), (3, 6), (6, 10)))
    written = pc.choose(pa.array(r.draws.below(5, r.n)), plain, join(a, "-", b, "-", c), join("(", a, ") ", b, "-", c),
                        join("+1-", a, "-", b, "-", c), join("001 ", a, ".", b, ".", c))  # fmt: skip
    if r.source != "crm.Contacts":
        return written
    more = r.mark("extension", r.happens("extension"))
    return _chosen(more, join(written, "x", digits(r.draws.below(9_000, r.n), 4)), written)


def _addresses(r: Records) -> dict[str, pa.Array]:
    """street with the house number, city, postcode."""
    moved = r.mark("moved", r.happens("moved") | r.lost)
    home = _home(r, moved)
    r.mark("block of flats", home.block > 0)
    wrong = r.mark("typo in street", r.happens("typo in street"))
    slip = N_STREETS + home.street * names.VARIANTS + r.draws.below(names.VARIANTS, r.n)
    short = r.mark("street abbreviated", r.happens("street abbreviated"))
    street = _take(_STREET, np.where(wrong, slip, home.street))
    kind = _take(_KIND, home.kind + np.where(short, N_KINDS, 0))
    return {
        "street": join(pa.array(home.house).cast(pa.string()), " ", street, " ", kind),
        "city": _take(_TOWN, home.city),
        "postcode": digits(home.postcode, 5),
    }


def _postcode(r: Records) -> dict[str, pa.Array]:
    """The post code alone, where no address is asked for."""
    return {"postcode": digits(_home(r, r.mark("moved", r.happens("moved") | r.lost)).postcode, 5)}


def _home(r: Records, moved: Bools) -> Homes:
    return r.of.second_home.take(r.person).where(moved, r.of.home.take(r.person))


_COLUMNS: "dict[str, Callable[[Records], dict[str, pa.Array]]]" = {
    "birth": lambda r: {"birth": _births(r)},
    "email": lambda r: {"email": _emails(r)},
    "phone": lambda r: {"phone": _phones(r, "phone")},
    "mobile": lambda r: {"mobile": _phones(r, "mobile")},
    "address": _addresses,
    "postcode": _postcode,
}
"""What a source may be told, and the columns it makes."""
