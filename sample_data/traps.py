"""The people something special happens to: each trap builds its cases and says how they must end.

A case is `{note, records, expect}`; `expect` is one of

    customers    groups of records: one group = one customer, another group = another customer
    value        the customer of `record` shows these values in these columns
    household    all records belong to different customers of one household
    activity     the activity row belongs to the customer of `record`
    orphan       the activity row is kept and belongs to nobody
    quarantined  the row is in the corrupt table, not in the entity (see broken.py)
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from sample_data import words
from sample_data.ordinary import order, purchase, review
from sample_data.people import CRM, LOYALTY, ORDERS, REVIEWS, STORE, WEB, Person, Ref, World, dashed, us_date

Case = dict[str, Any]


def same(note: str, *refs: Ref) -> Case:
    """All these records are one customer."""
    return apart(note, refs)


def apart(note: str, *groups: tuple[Ref, ...]) -> Case:
    """Each group is one customer, no two groups are."""
    return {"note": note, "expect": {"kind": "customers", "groups": [[list(ref) for ref in group] for group in groups]}}


def value(note: str, ref: Ref, **columns: str) -> Case:
    """The customer of this record shows these values."""
    return {"note": note, "expect": {"kind": "value", "record": list(ref), "columns": columns}}


def named(person: Person, first: str | None = None, last: str | None = None, full: str | None = None) -> dict[str, str]:
    """The three name columns, with parts exchanged."""
    first, last = first or person.first, last or person.last
    return {"FirstName": first, "LastName": last, "FullName": full or f"{first} {last}"}


NO_ADDRESS = {"Street": None, "City": None, "State": None, "PostCode": None}


def typos(w: World) -> None:
    cases = []
    for first, last, wrong_first, wrong_last in (
        ("Patricia", "Thornbury", "Patrcia", "Thornbury"), ("Jonathan", "Ellsworth", "Jonathan", "Elsworth"),
        ("Stephanie", "Marlborough", "Stephanei", "Marlborough"), ("Frederick", "Osterman", "Frederick", "Osterlan"),
    ):  # fmt: skip
        p = w.person(first, last)
        a = w.add(CRM, p)
        b = w.add(LOYALTY, p, **named(p, wrong_first, wrong_last), EMail=None, Telephone=None, **NO_ADDRESS)
        cases.append(same(f"{first} {last} is {wrong_first} {wrong_last} on the card; only the birth date agrees", a, b))
    w.trap("typos", "A letter lost, doubled, exchanged or mistyped in a name.", cases)


def nicknames(w: World) -> None:
    cases = []
    for i, (formal, short) in enumerate(words.NICKNAMES):
        p = w.person(formal)
        a = w.add(CRM, p)
        missing = {"EMail": None} if i % 2 else {"Telephone": None}
        b = w.add((LOYALTY, WEB)[i % 2], p, **named(p, short), **missing, **NO_ADDRESS)
        cases.append(same(f"{formal} signs up as {short}", a, b))
    w.trap("nicknames", "The formal name in one source, the everyday one in another.", cases)


def swapped_names(w: World) -> None:
    cases = []
    for i in range(4):
        p = w.person()
        a = w.add(CRM, p)
        evidence: dict[str, Any] = ({"EMail": None}, {"Telephone": None}, {"EMail": None, "Telephone": None})[i % 3]
        b = w.add((WEB, LOYALTY)[i % 2], p, **named(p, p.last, p.first), **evidence)
        cases.append(same(f"{p.first} {p.last} typed {p.last} as first name", a, b))
    w.trap("swapped_names", "First and last name in each other's field.", cases)


def moved(w: World) -> None:
    cases = []
    for i in range(4):
        p = w.person()
        a = w.add(CRM, p)
        street, city, state, postcode = w.address()
        new = {"Street": street, "City": city, "State": state, "PostCode": postcode}
        if i == 3:
            new["State"] = None
        b = w.add(WEB, p, **new)
        cases += [
            same(f"{p.first} {p.last} moved to {city}", a, b),
            value("the newest address, all of it from one record", a, **{c: v for c, v in new.items() if v}),
        ]
        if i == 3:
            cases.append({
                "note": "the new record has no state: the old state is not mixed in",
                "expect": {"kind": "value", "record": list(a), "columns": {"State": None}},
            })  # fmt: skip
    w.trap("moved", "Another address in the newer source; the address is resolved as a unit.", cases)


def phone_formats(w: World) -> None:
    cases = []
    for write in (
        lambda d: f"+1-{dashed(d)}", lambda d: f"001-{dashed(d)}", lambda d: f"{d[:3]}.{d[3:6]}.{d[6:]}",
        lambda d: f"{dashed(d)}x4711", lambda d: f"1 {d[:3]} {d[3:6]} {d[6:]}",
    ):  # fmt: skip
        p = w.person()
        a = w.add(CRM, p, DateOfBirth=None)
        b = w.add(LOYALTY, p, Telephone=write(p.phone), EMail=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same(f"{dashed(p.phone)} written as {write(p.phone)}; nothing else but the name agrees", a, b))
    w.trap("phone_formats", "Country code with + or 00, dots, blanks, an extension.", cases)


def _family(w: World, firsts: tuple[str, ...], births: tuple[date, ...]) -> list[Person]:
    head = w.person(firsts[0], born=births[0])
    rest = [
        w.person(first, head.last, born=born, **_home(head)) for first, born in zip(firsts[1:], births[1:], strict=True)
    ]
    return [head, *rest]


def _home(p: Person) -> dict[str, str]:
    return {"street": p.street, "city": p.city, "state": p.state, "postcode": p.postcode}


_FAMILIES = (("Leonard", "Monica", "Tobias"), ("Graham", "Beatrice", "Naomi"), ("Victor", "Fiona", "Otto"))
_BIRTHS = (date(1971, 3, 9), date(1973, 11, 21), date(2003, 6, 2))


def shared_email(w: World) -> None:
    cases = []
    for firsts in _FAMILIES:
        family = _family(w, firsts, _BIRTHS)
        family = [p.but(email=f"family.{p.last.lower()}{family[0].number}@mail.example") for p in family]
        groups = tuple((w.add(CRM, p, DateOfBirth=None), w.add(WEB, p, DateOfBirth=None)) for p in family)
        cases += [apart("one mailbox, three people, no birth dates", *groups), _household("one roof", *groups)]
    w.trap("shared_email", "A family uses one e-mail address.", cases)


def shared_phone(w: World) -> None:
    cases = []
    for firsts in _FAMILIES:
        family = _family(w, firsts, _BIRTHS)
        family = [p.but(phone=family[0].phone) for p in family]
        groups = tuple((w.add(CRM, p), w.add(LOYALTY, p, EMail=None, DateOfBirth=None)) for p in family)
        cases += [apart("one land line, three people", *groups), _household("one roof", *groups)]
    w.trap("shared_phone", "A family uses one phone number.", cases)


def _household(note: str, *groups: tuple[Ref, ...]) -> Case:
    return {"note": note, "expect": {"kind": "household", "records": [list(group[0]) for group in groups]}}


def placeholder_email(w: World) -> None:
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
    w.trap("placeholder_email", "noreply@… typed where an e-mail was required.", cases)


def placeholder_phone(w: World) -> None:
    cases = []
    for first in ("Amber", "Simon", "Nora"):
        namesakes = [w.person(first, "Hallowell") for _ in range(3)]
        cases.append(apart(f"three strangers called {first} Hallowell", *(
            (w.add((CRM, LOYALTY, WEB)[i], p, Telephone="000-000-0000"),) for i, p in enumerate(namesakes)
        )))  # fmt: skip
    p = w.person()
    a = w.add(CRM, p, Telephone="000-000-0000")
    b = w.add(LOYALTY, p, EMail=None, Telephone="000-000-0000", **NO_ADDRESS)
    cases.append(same("a real person behind a placeholder, met by birth date", a, b))
    w.trap("placeholder_phone", "000-000-0000 typed where a phone number was required.", cases)


def default_birth_date(w: World) -> None:
    default = date(1900, 1, 1)
    cases = []
    for first, last in (("Laura", "Sheffield"), ("Brian", "Hartwell"), ("Julia", "Kingsbury")):
        one, other = w.person(first, last, born=default), w.person(first, last, born=default)
        cases.append(apart(f"two strangers called {first} {last}, both 'born' 1900", (w.add(CRM, one),), (w.add(LOYALTY, other),)))
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p, DateOfBirth="1/1/1900")
        b = w.add(LOYALTY, p)
        cases.append(same("the default in one source does not contradict the birth date in the other", a, b))
    w.trap("default_birth_date", "1900-01-01 where nobody asked.", cases)


def twins(w: World) -> None:
    cases = []
    for firsts in (("Hannah", "Miriam"), ("Edgar", "Julian"), ("Clarice", "Yvette")):
        born = date(1990 + len(cases), 5, 17)
        pair = _family(w, firsts, (born, born))
        shared = pair[0].email
        groups = tuple((w.add(CRM, p, EMail=shared), w.add(LOYALTY, p, EMail=shared), w.add(WEB, p, Telephone=None)) for p in pair)
        cases += [apart(f"{firsts[0]} and {firsts[1]}, one birthday, one roof, one mailbox", *groups), _household("one roof", *groups)]
    w.trap("twins", "Same surname, birthday and address, another first name.", cases)


def father_and_son(w: World) -> None:
    cases = []
    for i, first in enumerate(("Harold", "Conrad", "Lionel")):
        father, son = _family(w, (first, first), (date(1948 + i, 2, 11), date(1979 + i, 8, 30)))
        groups = tuple((w.add(CRM, p, EMail=father.email), w.add(LOYALTY, p, EMail=father.email)) for p in (father, son))
        cases += [apart("one name, mailbox and address, two birth dates", *groups), _household("one roof", *groups)]
    w.trap("father_and_son", "Father and son with one name.", cases)


def bridge(w: World) -> None:
    cases = []
    for i, first in enumerate(("Clement", "Everett", "Rudolph")):
        father, son = _family(w, (first, first), (date(1950 + i, 4, 1), date(1983 + i, 9, 12)))
        a = w.add(CRM, father, **named(father, full=f"{first} B {father.last}"))
        b = w.add(CRM, son)
        bridging = w.add(WEB, father, **named(father, first, full=f"{first} B {father.last}"),
                         EMail=None, Telephone=None, DateOfBirth=None)  # fmt: skip
        cases.append(apart("the record without a birth date fits both; the middle initial decides", (a, bridging), (b,)))
    w.trap("bridge", "A record without birth date links father and son; the limit `never two DateOfBirth` cuts the weaker link.", cases)


def one_card_each(w: World) -> None:
    cases = []
    for i, first in enumerate(("Ambrose", "Bertram", "Casper")):
        father, son = _family(w, (first, first), (date(1951 + i, 6, 6), date(1986 + i, 1, 5)))
        a, b = w.add(CRM, father), w.add(LOYALTY, father)
        c = w.add(LOYALTY, son.but(phone=father.phone), DateOfBirth=None, **NO_ADDRESS)
        cases.append(apart("the son's card has the land line and no birth date", (a, b), (c,)))
    w.trap("one_card_each", "Two cards would meet in one customer; the limit `at most one loyalty.Members` cuts the later rule's link.", cases)


def two_cards(w: World) -> None:
    cases = []
    for _ in range(3):
        p = w.person()
        a, b, c = w.add(CRM, p), w.add(LOYALTY, p), w.add(LOYALTY, p, Telephone=None, **NO_ADDRESS)
        spent = purchase(w, c)
        cases += [
            same("a deduplicated group counts as one card", a, b, c),
            {"note": "what was bought on the second card stays with the customer",
             "expect": {"kind": "activity", "activity": list(spent), "record": list(a)}},
        ]  # fmt: skip
    w.trap("two_cards", "One person with two loyalty cards, with purchases on the one that lost.", cases)


def crm_duplicates(w: World) -> None:
    cases = []
    for _ in range(3):
        p = w.person()
        old_phone = dashed(w.person().phone)
        a = w.add(CRM, p)
        b = w.add(CRM, p, Telephone=old_phone, Mobile=None, **NO_ADDRESS)
        c = w.add(LOYALTY, p, Telephone=old_phone, EMail=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same("the card has the old number: the alternate is evidence", a, b, c))
    w.trap("crm_duplicates", "A person entered twice in CRM; the fuller row wins, the other still counts as evidence.", cases)


def alternate_orders(w: World) -> None:
    cases = []
    for _ in range(3):
        p = w.person()
        a = w.add(CRM, p)
        b, c = w.add(WEB, p), w.add(WEB, p, Telephone=None, DateOfBirth=None, **NO_ADDRESS)
        bought, said = order(w, c), review(w, c)
        cases += [same("two web accounts with one mailbox", a, b, c)]
        cases += [
            {"note": "what hangs on the alternate account belongs to the customer",
             "expect": {"kind": "activity", "activity": list(thing), "record": list(a)}}
            for thing in (bought, said)
        ]  # fmt: skip
    w.trap("alternate_orders", "Orders and reviews of a web account that lost to another one.", cases)


def orphans(w: World) -> None:
    things = [
        purchase(w, (LOYALTY, "L-9999")), purchase(w, (LOYALTY, "L-0")), order(w, (WEB, "U-9999")),
        order(w, (WEB, "GUEST")), review(w, (WEB, "U-8888")), review(w, (WEB, "")),
    ]  # fmt: skip
    cases = [
        {"note": "no such card or account", "expect": {"kind": "orphan", "activity": list(thing)}} for thing in things
    ]
    w.trap("orphans", "Purchases, orders and reviews of nobody we know.", cases)


def mixed_date_formats(w: World) -> None:
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
    w.trap("mixed_date_formats", "m/d/yyyy and yyyy-mm-dd in CRM, yyyy-mm-dd and dd.mm.yyyy in loyalty.", cases)


_SCRIPTS = (
    ("Γιώργος", "Νικολαΐδης", "Giorgos", "Nikolaidis"), ("Ελένη", "Καρρά", "Eleni", "Karra"),
    ("Дмитрий", "Соколов", "Dmitrii", "Sokolov"), ("Светлана", "Морозова", "Svetlana", "Morozova"),
    ("伟", "林", "Wei", "Lin"), ("静", "高", "Jing", "Gao"),
    ("فاطمة", "منصور", "Fatima", "Mansour"), ("كريم", "حداد", "Karim", "Haddad"),
)  # fmt: skip


def non_latin(w: World) -> None:
    cases = []
    for first, last, latin_first, latin_last in _SCRIPTS:
        p = w.person(first, last)
        p = p.but(email=f"{latin_first}.{latin_last}{p.number}@post.example".lower())
        a, b = w.add(CRM, p), w.add(WEB, p, **named(p, latin_first, latin_last), Telephone=None, **NO_ADDRESS)
        c = w.add(LOYALTY, p, EMail=None, Telephone=None)
        cases.append(same(f"{first} {last} is {latin_first} {latin_last} on the web", a, b, c))
    w.trap("non_latin", "Greek, Cyrillic, Chinese and Arabic names, in Latin letters elsewhere.", cases)


def accents(w: World) -> None:
    cases = []
    for first, last, plain_first, plain_last in (
        ("José", "Muñoz", "Jose", "Munoz"), ("Zoë", "Müller", "Zoe", "Muller"), ("Łukasz", "Żak", "Lukasz", "Zak"),
        ("Søren", "Ångström", "Soren", "Angstrom"), ("Renée", "Lefèvre", "RENEE", "LEFEVRE"),
    ):  # fmt: skip
        p = w.person(first, last)
        a = w.add(CRM, p)
        b = w.add(LOYALTY, p, **named(p, plain_first, plain_last), EMail=None, Telephone=None)
        cases.append(same(f"{first} {last} without accents", a, b))
    w.trap("accents", "Accented letters in one source, plain ones in another.", cases)


def married_names(w: World) -> None:
    cases = []
    for i in range(4):
        p = w.person()
        new_last = w.dice.pick(words.FAMILY)
        a = w.add(CRM, p)
        missing: dict[str, Any] = ({"Telephone": None}, {"EMail": None, "Telephone": None})[i % 2]
        b = w.add(WEB, p, **named(p, last=new_last), **missing)
        cases.append(same(f"{p.first} {p.last} became {p.first} {new_last}", a, b))
    w.trap("married_names", "Another surname; e-mail, or birth date and address, stay.", cases)


def same_name_strangers(w: World) -> None:
    cases = []
    for i, (first, last) in enumerate((("Thomas", "Greenwood"), ("Susan", "Fairchild"), ("Peter", "Lockwood"), ("Anna", "Whitfield"))):
        one = w.person(first, last)
        other = w.person(first, last)
        other = other.but(city=one.city, state=one.state, postcode=one.postcode)
        blank = {"DateOfBirth": None} if i % 2 else {}
        cases.append(apart(f"two people called {first} {last} in {one.city}",
                           (w.add(CRM, one, **blank), w.add(WEB, one)), (w.add(LOYALTY, other, **blank),)))  # fmt: skip
    w.trap("same_name_strangers", "Two strangers with the same name in one town.", cases)


def everywhere(w: World) -> None:
    cases = []
    for _ in range(3):
        p = w.person()
        a, b, c = w.add(CRM, p, EMail=None), w.add(LOYALTY, p, DateOfBirth=None, **NO_ADDRESS), w.add(WEB, p, Telephone=None, DateOfBirth=None, **NO_ADDRESS)
        cases.append(same("CRM knows the phone, the web the e-mail; the card knows both", a, b, c))
    w.trap("everywhere", "A person in all three sources, where only the middle one joins the other two.", cases)


def one_source_only(w: World) -> None:
    cases = [apart(f"only {source} knows them", (w.add(source, w.person()),)) for source in (CRM, LOYALTY, WEB)]
    w.trap("one_source_only", "A person one source knows: a customer of one record.", cases)


def always_list(w: World) -> list[list[str]]:
    rows, cases = [], []
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p)
        new = w.person(p.first)
        b = w.add(LOYALTY, new.but(number=p.number), DateOfBirth=None)
        rows.append([*a, *b])
        cases.append(same("nothing agrees but the first name; a clerk checked", a, b))
    w.trap("always_list", "lists/always.csv: a clerk knows that two records are one customer.", cases)
    return rows


def never_list(w: World) -> list[list[str]]:
    rows, cases = [], []
    for _ in range(2):
        p = w.person()
        impostor = w.person(p.first, p.last, born=p.born, email=p.email)
        a, b = w.add(CRM, p), w.add(LOYALTY, impostor)
        rows.append([*a, *b])
        cases.append(apart("name, birth date and e-mail agree; a clerk checked", (a,), (b,)))
    w.trap("never_list", "lists/never.csv: a clerk knows that two records are not one customer.", cases)
    return rows


def nothing_left(w: World) -> None:
    cases = []
    for _ in range(2):
        p = w.person()
        a = w.add(CRM, p, DateOfBirth=None)
        new = w.person(p.first, p.last).but(number=p.number)
        b = w.add(WEB, new, DateOfBirth=None)
        cases.append(apart("in truth one person, with new e-mail, phone and address: no rule could know", (a,), (b,)))
    w.trap("nothing_left", "A person who changed everything. An honest miss: the truth file says one, the engine two.", cases)


STORIES: tuple[Callable[[World], None], ...] = (
    typos, nicknames, swapped_names, moved, phone_formats, shared_email, shared_phone, placeholder_email,
    placeholder_phone, default_birth_date, twins, father_and_son, bridge, one_card_each, two_cards, crm_duplicates,
    alternate_orders, orphans, mixed_date_formats, non_latin, accents, married_names, same_name_strangers, everywhere,
    one_source_only, nothing_left,
)  # fmt: skip

__all__ = ["STORIES", "ORDERS", "REVIEWS", "STORE", "always_list", "never_list"]
