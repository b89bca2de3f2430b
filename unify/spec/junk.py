"""Which values are no evidence: found by how many different people carry them."""

from pydantic import Field

from unify.spec.base import Noun, Strings


class JunkSpec(Noun):
    """How values that lie are found. Written short as `junk: detect` or `junk: off`.

    detect      whether they are looked for at all
    more_than   a value is junk when more different people carry it than this, times what is usual in its column
    names       columns that name a person, to tell people apart by; default: those labelled Person.FullName, FirstName,
                MiddleName or LastName, and those that a rule compares with the `name` normaliser
    births      columns that hold a birth date; default: those labelled Person.BirthDate, and DATE columns in rules
    contacts    columns to judge beside those labelled Identity.… and those that nearly always belong to one person
    """

    detect: bool = True
    more_than: int = Field(default=10, ge=2)
    names: Strings = ()
    births: Strings = ()
    contacts: Strings = ()


def short_junk(value: object) -> object:
    """`detect` and `off`, which YAML reads as false, mean a whole spec."""
    if value in ("detect", True):
        return {"detect": True}
    if value in ("off", False):
        return {"detect": False}
    return value
