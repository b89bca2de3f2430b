"""Several people who look like one. Each function sets one trap; its docstring is the trap's story."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sample_data.cases import NO_ADDRESS, Case, apart, family, household, named, same
from sample_data.people import CRM, LOYALTY, WEB, World

_FAMILIES = (("Leonard", "Monica", "Tobias"), ("Graham", "Beatrice", "Naomi"), ("Victor", "Fiona", "Otto"))
_BIRTHS = (date(1971, 3, 9), date(1973, 11, 21), date(2003, 6, 2))


def shared_email(w: World) -> list[Case]:
    """A family uses one e-mail address."""
    cases = []
    for firsts in _FAMILIES:
        people = family(w, firsts, _BIRTHS)
        people = [p.but(email=f"family.{p.last.lower()}{people[0].number}@mail.example") for p in people]
        groups = tuple((w.add(CRM, p, DateOfBirth=None), w.add(WEB, p, DateOfBirth=None)) for p in people)
        cases += [apart("one mailbox, three people, no birth dates", *groups), household("one roof", *groups)]
    return cases


def shared_phone(w: World) -> list[Case]:
    """A family uses one phone number."""
    cases = []
    for firsts in _FAMILIES:
        people = family(w, firsts, _BIRTHS)
        people = [p.but(phone=people[0].phone) for p in people]
        groups = tuple((w.add(CRM, p), w.add(LOYALTY, p, EMail=None, DateOfBirth=None)) for p in people)
        cases += [apart("one land line, three people", *groups), household("one roof", *groups)]
    return cases


def placeholder_email(w: World) -> list[Case]:
    """noreply@… typed where an e-mail was required."""
    cases = []
    for first in ("Dennis", "Sandra", "Kevin"):
        strangers = [w.person(first).but(email="noreply@store.example") for _ in range(3)]
        cases.append(apart(f"three strangers called {first}", *(
            (w.add((CRM, LOYALTY, WEB)[i], p, DateOfBirth=None),) for i, p in enumerate(strangers)
        )))  # fmt: skip
    p = w.person()
    a = w.add(CRM, p)
    b = w.add(WEB, p, EMail="NoReply@store.example", DateOfBirth=None)
    cases += [
        same("a real person behind a placeholder, met by phone", a, b),
    ]
    return cases


def placeholder_phone(w: World) -> list[Case]:
    """000-000-0000 or 999-999-9999 typed where a phone number was required."""
    cases = []
    for first, typed in (("Amber", "000-000-0000"), ("Simon", "999-999-9999"), ("Nora", "999-999-9999")):
        namesakes = [w.person(first, "Hallowell") for _ in range(3)]
        refs = [
            w.add(entity, p, Telephone=typed, DateOfBirth=None)
            for entity, p in zip((CRM, LOYALTY, WEB), namesakes, strict=True)
        ]
        cases.append(apart(f"three strangers called {first} Hallowell", *((ref,) for ref in refs)))
    p = w.person()
    a = w.add(CRM, p, Telephone="000-000-0000")
    b = w.add(LOYALTY, p, EMail=None, Telephone="000-000-0000", **NO_ADDRESS)
    cases.append(same("a real person behind a placeholder, met by birth date", a, b))
    return cases


def default_birth_date(w: World) -> list[Case]:
    """1900-01-01 where nobody asked."""
    default = date(1900, 1, 1)
    cases: list[Case] = []
    for first, last in (("Laura", "Sheffield"), ("Brian", "Hartwell"), ("Julia", "Kingsbury")):
        one, other = w.person(first, last, born=default), w.person(first, last, born=default)
        a, b = w.add(CRM, one), w.add(LOYALTY, other)
        cases.append(apart(f"two strangers called {first} {last}, both 'born' 1900", (a,), (b,)))
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p, DateOfBirth="1/1/1900")
        b = w.add(LOYALTY, p)
        cases.append(same("the default in one source does not contradict the birth date in the other", a, b))
    return cases


def twins(w: World) -> list[Case]:
    """Same surname, birthday and address, another first name."""
    cases: list[Case] = []
    for firsts in (("Hannah", "Miriam"), ("Edgar", "Julian"), ("Clarice", "Yvette")):
        born = date(1990 + len(cases), 5, 17)
        pair = family(w, firsts, (born, born))
        shared = pair[0].email
        groups = tuple(
            (w.add(CRM, p, EMail=shared), w.add(LOYALTY, p, EMail=shared), w.add(WEB, p, Telephone=None)) for p in pair
        )
        cases.append(apart(f"{firsts[0]} and {firsts[1]}, one birthday, one roof, one mailbox", *groups))
        cases.append(household("one roof", *groups))
    return cases


def father_and_son(w: World) -> list[Case]:
    """Father and son with one name; the son uses his father's mailbox."""
    cases = []
    for i, first in enumerate(("Harold", "Conrad", "Lionel")):
        father, son = family(w, (first, first), (date(1948 + i, 2, 11), date(1979 + i, 8, 30)))
        shared = father.email
        groups = (
            (w.add(CRM, father), w.add(LOYALTY, father)),
            (w.add(CRM, son, EMail=None), w.add(LOYALTY, son, EMail=shared)),
        )
        note = "the e-mail would lead the son's card to the father; two birth dates say no, so the phone may say yes"
        cases += [apart(note, *groups), household("one roof", *groups)]
    return cases


def bridge(w: World) -> list[Case]:
    """A record without birth date links father and son; the limit `never two DateOfBirth` cuts the weaker link."""
    cases = []
    for i, first in enumerate(("Clement", "Everett", "Rudolph")):
        father, son = family(w, (first, first), (date(1950 + i, 4, 1), date(1983 + i, 9, 12)))
        a = w.add(CRM, father, **named(father, full=f"{first} B {father.last}"))
        b = w.add(CRM, son)
        bridging = w.add(WEB, father, **named(father, first, full=f"{first} B {father.last}"),
                         EMail=None, Telephone=None, DateOfBirth=None)  # fmt: skip
        note = "the record without a birth date fits both; the middle initial decides"
        cases.append(apart(note, (a, bridging), (b,)))
    return cases


def one_card_each(w: World) -> list[Case]:
    """Two cards would meet in one customer; the limit `at most one loyalty.Members` cuts the later rule's link."""
    cases = []
    for i, first in enumerate(("Ambrose", "Bertram", "Casper")):
        father, son = family(w, (first, first), (date(1951 + i, 6, 6), date(1986 + i, 1, 5)))
        a, b = w.add(CRM, father), w.add(LOYALTY, father)
        c = w.add(LOYALTY, son.but(phone=father.phone), DateOfBirth=None, **NO_ADDRESS)
        cases.append(apart("the son's card has the land line and no birth date", (a, b), (c,)))
    return cases


def same_name_strangers(w: World) -> list[Case]:
    """Two strangers with the same name in one town."""
    cases = []
    names = ("Thomas", "Greenwood"), ("Susan", "Fairchild"), ("Peter", "Lockwood"), ("Anna", "Whitfield")
    for i, (first, last) in enumerate(names):
        one = w.person(first, last)
        other = w.person(first, last)
        other = other.but(city=one.city, state=one.state, postcode=one.postcode)
        blank: dict[str, Any] = {"DateOfBirth": None} if i % 2 else {}
        cases.append(apart(f"two people called {first} {last} in {one.city}",
                           (w.add(CRM, one, **blank), w.add(WEB, one)), (w.add(LOYALTY, other, **blank),)))  # fmt: skip
    return cases


def one_source_only(w: World) -> list[Case]:
    """A person one source knows: a customer of one record."""
    return [apart(f"only {source} knows them", (w.add(source, w.person()),)) for source in (CRM, LOYALTY, WEB)]


def never_list(w: World) -> list[Case]:
    """lists/never.csv: a clerk knows that two records are not one customer."""
    cases = []
    for _ in range(2):
        p = w.person()
        impostor = w.person(p.first, p.last, born=p.born, email=p.email)
        a, b = w.add(CRM, p), w.add(LOYALTY, impostor)
        cases.append(apart("name, birth date and e-mail agree; a clerk checked", (a,), (b,)))
    return cases


STORIES: tuple[Callable[[World], list[Case]], ...] = (
    shared_email, shared_phone, placeholder_email, placeholder_phone, default_birth_date, twins, father_and_son,
    bridge, one_card_each, same_name_strangers, one_source_only, never_list,
)  # fmt: skip
