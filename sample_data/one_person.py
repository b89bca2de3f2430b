"""One person who looks like several. Each function sets one trap; its docstring is the trap's story."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sample_data import words
from sample_data.cases import NO_ADDRESS, Case, apart, belongs, named, only, orphan, same, value
from sample_data.ordinary import order, purchase, review
from sample_data.people import CRM, LOYALTY, WEB, World, dashed, us_date

_SCRIPTS = (
    ("Γιώργος", "Νικολαΐδης", "Giorgos", "Nikolaidis"), ("Ελένη", "Καρρά", "Eleni", "Karra"),
    ("Дмитрий", "Соколов", "Dmitrii", "Sokolov"), ("Светлана", "Морозова", "Svetlana", "Morozova"),
    ("伟", "林", "Wei", "Lin"), ("静", "高", "Jing", "Gao"),
    ("فاطمة", "منصور", "Fatima", "Mansour"), ("كريم", "حداد", "Karim", "Haddad"),
)  # fmt: skip


def typos(w: World) -> list[Case]:
    """A letter lost, doubled, exchanged or mistyped in a name."""
    cases = []
    for wrong_first, first, wrong_last, last, evidence in (
        ("Mrtin", "Martin", "Kembal", "Kemball", "DateOfBirth"),
        ("Jonathan", "Jonathan", "Elsworth", "Ellsworth", "DateOfBirth"),
        ("Stephanei", "Stephanie", "Marlborough", "Marlborough", "EMail"),
        ("Frederik", "Frederick", "Osterlan", "Osterman", "EMail"),
        ("Gorge", "George", "Harmn", "Harman", "Telephone"),
        ("Genevive", "Genevieve", "Holingsworth", "Hollingsworth", "Telephone"),
    ):
        p = w.person(first, last)
        a = w.add(CRM, p)
        b = w.add(LOYALTY, p, **named(p, wrong_first, wrong_last), **only(evidence))
        cases.append(same(f"{first} {last} is {wrong_first} {wrong_last} on the card; only {evidence} agrees", a, b))
    return cases


def nicknames(w: World) -> list[Case]:
    """The formal name in one source, the everyday one in another."""
    cases = []
    for i, (formal, short) in enumerate(words.NICKNAMES):
        p = w.person(formal)
        evidence = ("EMail", "Telephone", "DateOfBirth")[i % 3]
        a = w.add(CRM, p)
        b = w.add((LOYALTY, WEB)[i % 2], p, **named(p, short), **only(evidence))
        cases.append(same(f"{formal} signs up as {short}; only {evidence} agrees", a, b))
    return cases


def swapped_names(w: World) -> list[Case]:
    """First and last name in each other's field."""
    cases = []
    for i in range(6):
        p = w.person()
        evidence = ("EMail", "Telephone", "DateOfBirth")[i % 3]
        a = w.add(CRM, p)
        b = w.add((WEB, LOYALTY)[i % 2], p, **named(p, p.last, p.first), **only(evidence))
        cases.append(same(f"{p.first} {p.last} typed {p.last} as first name; only {evidence} agrees", a, b))
    return cases


def moved(w: World) -> list[Case]:
    """Another address in the newer source; the address is resolved as a unit."""
    cases = []
    for i in range(4):
        p = w.person()
        a = w.add(CRM, p)
        street, city, state, postcode = w.address()
        new: dict[str, Any] = {"Street": street, "City": city, "State": state, "PostCode": postcode}
        if i == 3:
            new["State"] = None
        b = w.add(WEB, p, **new)
        cases += [
            same(f"{p.first} {p.last} moved to {city}", a, b),
            value("the newest address, all of it from one record", a, **{c: v for c, v in new.items() if v}),
        ]
        if i == 3:
            cases.append(value("the new record has no state: the old state is not mixed in", a, State=None))
    return cases


def phone_formats(w: World) -> list[Case]:
    """Country code with + or 00, dots, blanks, an extension."""
    cases = []
    formats = "+1-{}-{}-{}", "001-{}-{}-{}", "{}.{}.{}", "{}-{}-{}x4711", "1 {} {} {}"
    for form in formats:
        p = w.person()
        a = w.add(CRM, p, DateOfBirth=None)
        written = form.format(p.phone[:3], p.phone[3:6], p.phone[6:])
        b = w.add(LOYALTY, p, Telephone=written, EMail=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same(f"{dashed(p.phone)} written as {written}; nothing else but the name agrees", a, b))
    return cases


def two_cards(w: World) -> list[Case]:
    """One person with two loyalty cards, with purchases on the one that lost."""
    cases = []
    for _ in range(3):
        p = w.person()
        a, b, c = w.add(CRM, p), w.add(LOYALTY, p), w.add(LOYALTY, p, Telephone=None, **NO_ADDRESS)
        spent = purchase(w, c)
        cases += [
            same("a deduplicated group counts as one card", a, b, c),
            belongs("what was bought on the second card stays with the customer", spent, a),
        ]
    return cases


def crm_duplicates(w: World) -> list[Case]:
    """A person entered twice in CRM; the fuller row wins, the other still counts as evidence."""
    cases = []
    for _ in range(3):
        p = w.person()
        old_phone = dashed(w.person().phone)
        a = w.add(CRM, p)
        b = w.add(CRM, p, Telephone=old_phone, Mobile=None, **NO_ADDRESS)
        c = w.add(LOYALTY, p, Telephone=old_phone, EMail=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same("the card has the old number: the alternate is evidence", a, b, c))
    return cases


def alternate_orders(w: World) -> list[Case]:
    """Orders and reviews of a web account that lost to another one."""
    cases = []
    for _ in range(3):
        p = w.person()
        a = w.add(CRM, p)
        b, c = w.add(WEB, p), w.add(WEB, p, Telephone=None, DateOfBirth=None, **NO_ADDRESS)
        bought, said = order(w, c), review(w, c)
        cases += [same("two web accounts with one mailbox", a, b, c)]
        cases += [
            belongs("what hangs on the alternate account belongs to the customer", thing, a) for thing in (bought, said)
        ]
    return cases


def orphans(w: World) -> list[Case]:
    """Purchases, orders and reviews of nobody we know."""
    things = [
        purchase(w, (LOYALTY, "L-9999")), purchase(w, (LOYALTY, "L-0")), order(w, (WEB, "U-9999")),
        order(w, (WEB, "GUEST")), review(w, (WEB, "U-8888")), review(w, (WEB, "")),
    ]  # fmt: skip
    return [orphan("no such card or account", thing) for thing in things]


def mixed_date_formats(w: World) -> list[Case]:
    """m/d/yyyy and yyyy-mm-dd in CRM, yyyy-mm-dd and dd.mm.yyyy in loyalty."""
    cases = []
    for i, day in enumerate((date(1980, 12, 4), date(1975, 3, 2), date(1992, 11, 10), date(1968, 1, 9))):
        p = w.person(born=day)
        a = w.add(CRM, p, DateOfBirth=(us_date(day), day.isoformat())[i % 2])
        b = w.add(LOYALTY, p, DateOfBirth=(f"{day:%d.%m.%Y}", day.isoformat())[i // 2],
                  EMail=None, Telephone=None, **NO_ADDRESS)  # fmt: skip
        cases += [
            same("the birth date is the evidence", a, b),
            value("read as the same day", a, DateOfBirth=day.isoformat()),
        ]
    return cases


def non_latin(w: World) -> list[Case]:
    """Greek, Cyrillic, Chinese and Arabic names, in Latin letters elsewhere."""
    cases = []
    for first, last, latin_first, latin_last in _SCRIPTS:
        p = w.person(first, last)
        p = p.but(email=f"{latin_first}.{latin_last}{p.number}@post.example".lower())
        a, b = w.add(CRM, p), w.add(WEB, p, **named(p, latin_first, latin_last), Telephone=None, **NO_ADDRESS)
        c = w.add(LOYALTY, p, EMail=None, Telephone=None)
        cases.append(same(f"{first} {last} is {latin_first} {latin_last} on the web", a, b, c))
    return cases


def accents(w: World) -> list[Case]:
    """Accented letters in one source, plain ones in another."""
    cases = []
    for first, last, plain_first, plain_last in (
        ("José", "Muñoz", "Jose", "Munoz"), ("Zoë", "Müller", "Zoe", "Muller"), ("Łukasz", "Żak", "Lukasz", "Zak"),
        ("Søren", "Ångström", "Soren", "Angstrom"), ("Renée", "Lefèvre", "RENEE", "LEFEVRE"),
    ):  # fmt: skip
        p = w.person(first, last)
        a = w.add(CRM, p)
        b = w.add(LOYALTY, p, **named(p, plain_first, plain_last), EMail=None, Telephone=None)
        cases.append(same(f"{first} {last} without accents", a, b))
    return cases


def married_names(w: World) -> list[Case]:
    """Another surname; the e-mail, or birth date and address, stay."""
    cases = []
    for i in range(4):
        p = w.person()
        new_last = w.dice.pick(words.FAMILY)
        missing: dict[str, Any] = (only("EMail"), {"EMail": None, "Telephone": None})[i % 2]
        a = w.add(CRM, p)
        b = w.add(WEB, p, **named(p, last=new_last), **missing)
        cases.append(same(f"{p.first} {p.last} became {p.first} {new_last}", a, b))
    return cases


def everywhere(w: World) -> list[Case]:
    """A person in all three sources, where only the middle one joins the other two."""
    cases = []
    for _ in range(3):
        p = w.person()
        a, b = w.add(CRM, p, EMail=None), w.add(LOYALTY, p, DateOfBirth=None, **NO_ADDRESS)
        c = w.add(WEB, p, Telephone=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same("CRM knows the phone, the web the e-mail; the card knows both", a, b, c))
    return cases


def always_list(w: World) -> list[Case]:
    """lists/always.csv: a clerk knows that two records are one customer."""
    cases = []
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p)
        new = w.person(p.first)
        b = w.add(LOYALTY, new.but(number=p.number), DateOfBirth=None)
        cases.append(same("nothing agrees but the first name; a clerk checked", a, b))
    return cases


def nothing_left(w: World) -> list[Case]:
    """A person who changed everything. An honest miss: the truth file says one, the engine two."""
    cases = []
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p, DateOfBirth=None)
        new = w.person(p.first, p.last).but(number=p.number)
        b = w.add(WEB, new, DateOfBirth=None)
        cases.append(apart("in truth one person, with new e-mail, phone and address: no rule could know", (a,), (b,)))
    return cases


STORIES: tuple[Callable[[World], list[Case]], ...] = (
    typos, nicknames, swapped_names, moved, phone_formats, two_cards, crm_duplicates, alternate_orders, orphans,
    mixed_date_formats, non_latin, accents, married_names, everywhere, always_list, nothing_left,
)  # fmt: skip
