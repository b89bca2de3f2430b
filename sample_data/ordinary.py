"""The many people nothing special happens to, with the everyday dirt of any export, and what they bought."""

from datetime import date, timedelta
from typing import Any

from sample_data import words
from sample_data.people import CRM, LOYALTY, ORDERS, REVIEWS, STORE, WEB, Person, Ref, World, dashed, us_date

PEOPLE = 560
SHARES = {CRM: 0.80, LOYALTY: 0.45, WEB: 0.40}
"""Share of people a source knows; about half of them are in one source only."""

EVIDENCE = ("EMail", "Telephone", "DateOfBirth", "Address")


def populate(world: World) -> None:
    """Ordinary people: a record in one to three sources, each with two or more of the four kinds of evidence."""
    for _ in range(PEOPLE):
        person = world.person()
        dice = world.dice
        sources = [source for source, share in SHARES.items() if dice.chance(share)]
        for source in sources or [CRM]:
            world.add(source, person, **_everyday_dirt(world, person, source))


def _everyday_dirt(world: World, person: Person, source: str) -> dict[str, Any]:
    """Blanks, capitals, abbreviated streets, another way to write a phone number.

    CRM is complete but for a birth date or phone; the others lose up to two of the four kinds of evidence, never the
    e-mail and the phone at once, so that what is left always meets something CRM has.
    """
    dice = world.dice
    changes: dict[str, Any] = {}
    if source == CRM:
        if dice.chance(0.1):
            changes["DateOfBirth"] = None
        if dice.chance(0.1):
            changes["Mobile"], changes["Telephone"] = dashed(person.phone), None
    else:
        lost = {dice.pick(("EMail", "Telephone")), dice.pick(EVIDENCE[2:])} if dice.chance(0.35) else set()
        changes |= dict.fromkeys(lost - {"Address"})
        if "Address" in lost:
            changes |= {"Street": None, "City": None, "State": None, "PostCode": None}
    if dice.chance(0.12):
        changes |= {c: getattr(person, a).upper() for c, a in (("FirstName", "first"), ("LastName", "last"))}
        changes["FullName"] = f"{person.first} {person.last}".upper()
    if dice.chance(0.08) and "EMail" not in changes:
        changes["EMail"] = person.email.upper() if dice.chance(0.5) else f" {person.email} "
    if dice.chance(0.2) and "Street" not in changes:
        long, short = next(kinds for kinds in words.STREET_KINDS if person.street.endswith(kinds[0]))
        changes["Street"] = person.street.removesuffix(long) + short + "."
    return changes


def shop(world: World) -> None:
    """In-store and online purchases and reviews of whoever has a card or an account by now."""
    dice = world.dice
    for record in list(world.records[LOYALTY]):
        if record.kept:
            for _ in range(dice.below(4)):
                purchase(world, (LOYALTY, record.key))
    for record in list(world.records[WEB]):
        if record.kept:
            for _ in range(dice.below(3)):
                order(world, (WEB, record.key))
            if dice.chance(0.4):
                review(world, (WEB, record.key))


def purchase(world: World, member: Ref) -> Ref:
    """A store purchase on a loyalty card."""
    product, price = world.dice.pick(words.PRODUCTS)
    return _activity(
        world, STORE, LoyaltyId=member[1], Product=product, Total=f"{price * (1 + world.dice.below(3))}.50",
        PurchasedOn=_day(world).isoformat(),
    )  # fmt: skip


def order(world: World, account: Ref) -> Ref:
    """An online order of a web account."""
    product, price = world.dice.pick(words.PRODUCTS)
    quantity = 1 + world.dice.below(3)
    return _activity(
        world, ORDERS, UserId=account[1], Product=product, Quantity=str(quantity), Total=f"{price * quantity}.00",
        OrderedOn=us_date(_day(world)),
    )  # fmt: skip


def review(world: World, account: Ref) -> Ref:
    """A product review of a web account."""
    rating, text = world.dice.pick(words.REVIEWS)
    return _activity(
        world, REVIEWS, UserId=account[1], Product=world.dice.pick(words.PRODUCTS)[0], Rating=str(rating), Text=text,
        ReviewedOn=_day(world).isoformat(),
    )  # fmt: skip


def _day(world: World) -> date:
    return date(2024, 1, 1) + timedelta(days=world.dice.below(700))


NOBODY = Person(0, "", "", date(1970, 1, 1), "", "", "", "", "", "")


def _activity(world: World, entity: str, **fields: Any) -> Ref:
    return world.add(entity, NOBODY, **fields)
