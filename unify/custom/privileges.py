"""Privileges by name, and the least role that holds each. Dataverse has no way to make new ones, and nor has this.

prvReadContact, prvCreateacme_Visit …   of a table, for each verb: whoever may write record tables, steward
prvUnifyRead, prvUnifyAnalyze, prvUnifySteward, prvUnifyAdmin   the four roles themselves
prvUnifySystem                                                  nobody's: what only the product does
"""

from collections.abc import Iterable
from typing import Final, Literal

from unify.core.errors import did_you_mean
from unify.custom.context import Who
from unify.custom.errors import invalid
from unify.dataverse.model import Model

Level = Literal["reader", "analyst", "steward", "admin", "nobody"]
OWN: Final[dict[str, Level]] = {
    "prvUnifyRead": "reader",
    "prvUnifyAnalyze": "analyst",
    "prvUnifySteward": "steward",
    "prvUnifyAdmin": "admin",
    "prvUnifySystem": "nobody",
}
SYSTEM: Final = "prvUnifySystem"
VERBS: Final = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")


def level_of(privilege: str, model: Model) -> Level | None:
    """The least role that holds it; None: there is no such privilege. Names are told apart by case, but tables not."""
    if privilege in OWN:
        return OWN[privilege]
    return "steward" if privilege.casefold() in {name.casefold() for name in of_tables(model)} else None


def level_held(who: Who) -> str:
    """The highest role whose privilege somebody holds; "" for who may not see record tables, whatever the role."""
    held = [level for privilege, level in OWN.items() if level != "nobody" and who.may(privilege)]
    return held[-1] if held and who.records else ""


def holds(level: str, privilege: str, model: Model) -> bool:
    """Whether a role holds a privilege; roles by the names of `level_held`."""
    needed = level_of(privilege, model)
    order = ("reader", "analyst", "steward", "admin")
    return needed in order and level in order and order.index(level) >= order.index(needed)


def of_tables(model: Model) -> Iterable[str]:
    """Of all tables."""
    return (f"prv{verb}{table.schema_name}" for table in model.tables.values() for verb in VERBS)


def check_privilege(privilege: str, model: Model) -> None:
    """DataverseError for one that is not there: an API that nobody could call."""
    if level_of(privilege, model) is None:
        raise invalid(
            f"Privilege with name '{privilege[:100]}' does not exist.",
            where="executeprivilegename",
            hint=did_you_mean(privilege, [*OWN, *of_tables(model)]),
        )
