"""Semantic labels: what a column means. Known ones, checks of declared ones, suggestions from names and values.

    suggest_labels(engine, "crm_Contacts")   {"EMail": Suggestion("Identity.Service.Email", 0.98, "named …; 100 % …")}

A suggestion is never applied: the user confirms it by writing it under `labels:`. Free text is a label too; what nearly
is a known one gets a warning. The wire spells labels without dots (`PersonFullName`): canonical() reads both.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, NamedTuple

from ingest import label_values as tests
from ingest.kinds import Kind, kind_of
from ingest.label_words import LABEL_OF, NOTHING, QUALIFIERS, SURE
from ingest.words import words
from unify.core.engine import Engine
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query
from unify.spec import Entity


def _group(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


LABELS: tuple[str, ...] = (
    *_group("Person", "FullName FirstName MiddleName LastName BirthDate Gender ProfileImage"),
    *_group("Identity.Service", "Email Phone Facebook Twitter"),
    "Identity.GovernmentID",
    *_group("Location", "Address AddressStreet City County State Province Region Country Continent PostalCode"),
    *_group("Location", "Latitude Longitude Point Timezone"),
    *_group("Calendar", "Date Time Year Month Week Quarter DayOfMonth DayOfWeek DayOfYear"),
    *_group("Measurement", "DateCreation DateModify Status Version"),
    *_group("Reference", "URL ImageURL Description Phonetic"),
    *("Organization.Name", "Brand", "BarCode", "Image", "Place", "Product"),
)
"""Labels that rules, Customer and the card know about."""

_FOLDED = {label.replace(".", "").casefold(): label for label in LABELS}
NEAR = 0.84
"""How alike a free-text label must be to a known one to look like a slip: `Identity.Service.Mail` is 0.98."""

SAMPLE = 1000
"""Rows looked at. The share of values that pass a test is then known to ±3 %."""
CONFIRMED, REFUTED = 0.8, 0.3
"""Share of values that must pass a test to speak for a label; below the second they speak against it."""
ENOUGH = 5
"""Values that a column needs for its values alone to suggest a label."""


class Suggestion(NamedTuple):
    """A label, how sure it is (0 to 1) and why."""

    label: str
    confidence: float
    reason: str


def canonical(label: str) -> str:
    """The known label that is meant, in the spelling of LABELS; free text stays as it is.

    >>> canonical("PersonFullName"), canonical("person.fullname"), canonical("Shoe size")
    ('Person.FullName', 'Person.FullName', 'Shoe size')
    """
    return _FOLDED.get(label.replace(".", "").casefold(), label)


def check_labels(name: str, entity: Entity, columns: Iterable[str]) -> list[str]:
    """Warnings about declared labels that look like a slip of a known one.

    Raises SpecError, naming all of them, when a label or `pii` stands on a column that the entity does not have.
    """
    have = list(columns)
    for option, said in (("labels", entity.labels), ("pii", entity.pii)):
        unknown = [column for column in said if column not in have]
        if unknown:
            hints = "; ".join(f"{column}: {did_you_mean(column, have)}" for column in unknown)
            listed = ", ".join(repr(column) for column in unknown)
            raise SpecError(f"{option} on columns that are not there: {listed}", where=f"{name}.{option}", hint=hints)
    warnings = []
    for column, label in entity.labels.items():
        if canonical(label) == label:
            near = [] if label in LABELS else get_close_matches(label, LABELS, n=1, cutoff=NEAR)
        else:
            near = [canonical(label)] if "." in label else []
        if near:
            warnings.append(f"{name}.labels.{column}: {label!r} is not a known label; did you mean {near[0]}?")
    return warnings


def suggest_labels(
    engine: Engine, table: str, *, sample: int = SAMPLE, today: date | None = None
) -> dict[str, Suggestion]:
    """Labels for the columns of a table, from their names and a sample of their values.

    The sample is the rows with the smallest hashes, so the same rows give the same answer in any order. Columns about
    which there is nothing to say are not in the answer. KeyError if there is no such table.
    """
    columns = engine.columns(table)
    listed = ", ".join(quote(name) for name in columns)
    rows = engine.fetch(Query(f"SELECT {listed} FROM {quote(table)} ORDER BY hash({listed}) LIMIT {int(sample)}"))
    values = {name: [v for v in rows.column(i).to_pylist() if v is not None] for i, name in enumerate(columns)}
    return suggest(columns, values, today=today or datetime.now(UTC).date())


def suggest(columns: Mapping[str, str], values: Mapping[str, Sequence[Any]], *, today: date) -> dict[str, Suggestion]:
    """The same from SQL types and values per column, without an engine."""
    found = {}
    for name, sqltype in columns.items():
        some = [v for v in values.get(name, ()) if not (isinstance(v, str) and not v.strip())]
        kind = kind_of(sqltype)
        if kind in ("boolean", "other"):
            continue
        suggestion = _from_name(name, some, today) or _from_values(kind, some, today)
        if suggestion:
            found[name] = suggestion
    return found


def _from_name(name: str, values: Sequence[Any], today: date) -> Suggestion | None:
    label, phrase, whole = _named(words(name))
    if not label:
        return None
    confidence = 0.9 if whole else 0.7
    reason = f"named like {phrase!r}"
    passed = tests.share(values, _test(label, today))
    if not values:
        return Suggestion(label, confidence - 0.2, f"{reason}; no values to look at")
    if passed < REFUTED:
        return None
    if passed >= CONFIRMED:
        return Suggestion(label, round(confidence + 0.08, 2), f"{reason}; {passed:.0%} of the values fit")
    return Suggestion(label, round(confidence - 0.3, 2), f"{reason}; only {passed:.0%} of the values fit")


def label_by_name(column: str) -> str:
    """The label that the name of a column says, whole but for a qualifier (`billing_city`); "" when it says none.

    >>> label_by_name("PrivateEMail"), label_by_name("Total")
    ('Identity.Service.Email', '')
    """
    label, _, whole = _named(words(column))
    return label if whole else ""


def _named(parts: tuple[str, ...]) -> tuple[str, str, bool]:
    """Label, the phrase that gave it, and whether it is the whole name but for a qualifier (`billing_city`).

    The longest ending of the name that is known decides: `EmailAddress` is an e-mail, `IPAddress` nothing.
    """
    if len(parts) > 1 and parts[-1].isdigit() and "".join(parts) not in LABEL_OF:
        parts = parts[:-1]
    for start in range(len(parts)):
        phrase = "".join(parts[start:])
        if phrase in NOTHING:
            break
        whole = all(word in QUALIFIERS for word in parts[:start])
        if phrase in LABEL_OF and (whole or len(phrase) > 3 or phrase in SURE):
            return LABEL_OF[phrase], phrase, whole
    return "", "", False


def _test(label: str, today: date) -> Any:
    return tests.is_birth(today) if label == "Person.BirthDate" else tests.TESTS.get(label, tests.anything)


def _from_values(kind: Kind, values: Sequence[Any], today: date) -> Suggestion | None:
    """What values alone betray. Postcodes, cities and the like are too ambiguous without a name."""
    if len(values) < ENOUGH:
        return None
    if kind in ("date", "datetime"):
        return _births(values, today)
    if kind != "text":
        return None
    for label, test, needed, confidence, what in (
        ("Identity.Service.Email", tests.TESTS["Identity.Service.Email"], 0.8, 0.85, "are e-mail addresses"),
        ("Reference.ImageURL", tests.TESTS["Reference.ImageURL"], 0.8, 0.75, "are links to images"),
        ("Reference.URL", tests.TESTS["Reference.URL"], 0.8, 0.75, "are links"),
        ("Person.Gender", tests.is_gender, 0.95, 0.7, "are words for a gender"),
        ("Person.FirstName", tests.is_known_first_name, 0.7, 0.6, "are known first names"),
        ("Person.FullName", tests.holds_known_first_name, 0.6, 0.6, "hold a known first name"),
        ("Identity.Service.Phone", tests.is_phone, 0.9, 0.5, "are written like phone numbers"),
    ):
        passed = tests.share(values, test)
        if passed >= needed and (label != "Person.Gender" or len(set(values)) > 1):
            return Suggestion(label, confidence, f"{passed:.0%} of the values {what}")
    return None


def _births(values: Sequence[Any], today: date) -> Suggestion | None:
    """Dates of birth reach far back and none lies in the future; half of a customer file is older than 25."""
    if tests.share(values, tests.is_birth(today)) < 0.95:
        return None
    days = sorted(v.date() if isinstance(v, datetime) else v for v in values)
    middle, early = days[len(days) // 2], days[len(days) // 20]
    if today.year - middle.year < 25 or middle.year - early.year < 15:
        return None
    return Suggestion("Person.BirthDate", 0.5, f"dates from {days[0]} to {days[-1]}, half of them before {middle}")
