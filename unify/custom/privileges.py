"""Privileges by name, and the least role that holds each. Dataverse has no way to make new ones, and nor has this.

prvReadContact, prvCreateacme_Visit …   of a table, for each verb: whoever may write record tables, steward
prvUnifyRead, prvUnifyAnalyze, prvUnifySteward, prvUnifyAdmin   the four roles themselves
prvUnifySystem                                                  nobody's: what only the product does
"""

from collections.abc import Iterable
from typing import Final, Literal

from unify.core.errors import did_you_mean
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
