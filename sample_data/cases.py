"""A case: some records, and how they must end.

A case is `{note, expect}`; `expect.kind` is one of

    customers    groups of records: one group = one customer, another group = another customer
    value        the customer of `record` shows these values in these columns
    household    all records belong to different customers of one household
    activity     the activity row belongs to the customer of `record`
    orphan       the activity row is kept and belongs to nobody
    quarantined  this line is in the corrupt table, not in the entity (broken.py)
    duplicate    of the rows with this key one is kept, so many are in the corrupt table (broken.py)
"""

from datetime import date
from typing import Any

from sample_data.people import Person, Ref, World

Case = dict[str, Any]


def same(note: str, *refs: Ref) -> Case:
    """All these records are one customer."""
    return apart(note, refs)


def apart(note: str, *groups: tuple[Ref, ...]) -> Case:
    """Each group is one customer, no two groups are."""
    return {"note": note, "expect": {"kind": "customers", "groups": [[list(ref) for ref in group] for group in groups]}}


def value(note: str, ref: Ref, **columns: str | None) -> Case:
    """The customer of this record shows these values."""
    return {"note": note, "expect": {"kind": "value", "record": list(ref), "columns": columns}}


def household(note: str, *groups: tuple[Ref, ...]) -> Case:
    """The first records of the groups belong to different customers of one household."""
    return {"note": note, "expect": {"kind": "household", "records": [list(group[0]) for group in groups]}}


def belongs(note: str, activity: Ref, ref: Ref) -> Case:
    """The activity row belongs to the customer of this record."""
    return {"note": note, "expect": {"kind": "activity", "activity": list(activity), "record": list(ref)}}


def orphan(note: str, activity: Ref) -> Case:
    """The activity row is kept and belongs to nobody."""
    return {"note": note, "expect": {"kind": "orphan", "activity": list(activity)}}


NO_ADDRESS: dict[str, Any] = {"Street": None, "City": None, "State": None, "PostCode": None}


def only(*evidence: str) -> dict[str, Any]:
    """Changes that leave a record with these of EMail, Telephone, DateOfBirth, and without address."""
    return dict.fromkeys({"EMail", "Telephone", "DateOfBirth"} - set(evidence)) | NO_ADDRESS


def named(person: Person, first: str | None = None, last: str | None = None, full: str | None = None) -> dict[str, Any]:
    """The three name columns, with parts exchanged."""
    first, last = first or person.first, last or person.last
    return {"FirstName": first, "LastName": last, "FullName": full or f"{first} {last}"}


def family(w: World, firsts: tuple[str, ...], births: tuple[date, ...]) -> list[Person]:
    """People with one surname and one address; everything else is their own."""
    head = w.person(firsts[0], born=births[0])
    rest = [
        w.person(first, head.last, born=born, **_home(head)) for first, born in zip(firsts[1:], births[1:], strict=True)
    ]
    return [head, *rest]


def _home(p: Person) -> dict[str, str]:
    return {"street": p.street, "city": p.city, "state": p.state, "postcode": p.postcode}
