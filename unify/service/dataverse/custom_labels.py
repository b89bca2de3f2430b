"""Labels of custom APIs in further languages: SetLocLabels, RetrieveLocLabels."""

from collections.abc import Mapping
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.custom.errors import bad_input, invalid
from unify.custom.nouns import EntityReference, Field, FieldType
from unify.custom.pipeline import reference_at
from unify.custom.types import World, id_of, read
from unify.dataverse.errors import DataverseError, no_record
from unify.dataverse.model import LANGUAGE, Model, model_of
from unify.dataverse.writes import Writes
from unify.records import Reading, Value
from unify.service.caller import Role
from unify.service.dataverse.operations import Builtin, Call, Outcome, Parameter

LOCALIZABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "customapi": ("displayname", "description"),
    "customapirequestparameter": ("displayname", "description"),
    "customapiresponseproperty": ("displayname", "description"),
    "catalog": ("displayname", "description"),
}
"""Table → columns whose text is a label."""
MONIKER: Final = Field("EntityMoniker", FieldType.ENTITY_REFERENCE)
TABLE: Final = "localizedlabel"
LANGUAGES: Final = range(1025, 65_536)
"""Windows language ids."""


def set_labels(call: Call) -> Outcome:
    """SetLocLabels: labels of a column in some languages; those in others stay."""
    with call.transaction() as writing:
        model = model_of(writing)
        row = _row(call, writing, model)
        column = _column(row, call.parameters["AttributeName"])
        labels = _labels(call.parameters["Labels"], model, row.table, column)
        if LANGUAGE in labels:
            Writes(writing, call.writer(writing)).update(row.table, row.id, {column: labels[LANGUAGE]})
        for held in _held(writing, row, column):
            if held["languageid"] in labels:
                writing.delete(TABLE, (held["localizedlabelid"],))
        rows: list[dict[str, Value]] = [
            {
                "localizedlabelid": id_of(TABLE, row.id, column, str(language)), "objectid": row.id,
                "objectcolumnname": column, "languageid": language, "label": text, "ismanaged": False,
            }
            for language, text in sorted(labels.items()) if language != LANGUAGE
        ]  # fmt: skip
        writing.insert(TABLE, rows)
    return Outcome()


def retrieve_labels(call: Call) -> Outcome:
    """RetrieveLocLabels: the label of the base language first, then the others by language."""
    with call.reading() as reading:
        model = model_of(reading)
        row = _row(call, reading, model)
        column = _column(row, call.parameters["AttributeName"])
        held = reading.get(row.table, (row.id,))
        assert held is not None
        base = _label(held.values[column], LANGUAGE)
        others = sorted(_held(reading, row, column), key=lambda said: int(str(said["languageid"])))
        labels = [base, *(_label(said["label"], int(str(said["languageid"]))) for said in others)]
    return Outcome({"Label": {"LocalizedLabels": labels, "UserLocalizedLabel": base}})


def _label(text: Any, language: int) -> dict[str, Any]:
    return {"Label": text, "LanguageCode": language, "IsManaged": None, "MetadataId": None, "HasChanged": None}


def _held(reading: Reading, row: EntityReference, column: str) -> list[Mapping[str, Value]]:
    found = reading.many(TABLE, "objectid", [row.id])
    return [one.values for one in found if one.values["objectcolumnname"] == column]


def _row(call: Call, reading: Reading, model: Model) -> EntityReference:
    """The row that EntityMoniker means; it has to be there."""
    world = World(model, lambda text: reference_at(reading, text))
    found: EntityReference = read(MONIKER, call.parameters["EntityMoniker"], world)
    if reading.get(found.table, (found.id,)) is None:
        raise no_record(found.table, found.id)
    return found


def _column(row: EntityReference, said: Any) -> str:
    known = LOCALIZABLE.get(row.table, ())
    if said not in known:
        raise invalid(
            f"The attribute '{said!s:.60}' of '{row.table}' has no localizable labels.",
            where="AttributeName",
            hint=did_you_mean(str(said), known) if known else f"labels are on {', '.join(LOCALIZABLE)}",
        )
    return str(said)


def _labels(said: Any, model: Model, table: str, column: str) -> dict[int, str]:
    """Text by language; DataverseError for what is none."""
    if not isinstance(said, list) or not said:
        raise bad_input("Labels is a list of LocalizedLabel.", where="Labels")
    longest = model.table(table).attribute(column).length
    found: dict[int, str] = {}
    for one in said:
        text, language = (one.get("Label"), one.get("LanguageCode")) if isinstance(one, Mapping) else (None, None)
        if not isinstance(text, str) or not isinstance(language, int) or language not in LANGUAGES:
            hint = '{"Label": "Beispiel", "LanguageCode": 1031}'
            raise bad_input("A label has a Label and a LanguageCode.", where="Labels", hint=hint)
        if longest is not None and len(text) > longest:
            raise _too_long(column, table, longest)
        if language in found:
            raise bad_input(f"The language {language} stands twice.", where="Labels")
        found[language] = text
    return found


def _too_long(column: str, table: str, longest: int) -> DataverseError:
    return DataverseError(
        f"A validation error occurred. The length of the '{column}' attribute of the '{table}' entity exceeded the"
        f" maximum allowed length of '{longest}'.",
        code="0x80044331",
        where=column,
    )


LABELS: Final = {
    "SetLocLabels": Builtin(
        "SetLocLabels", set_labels, role=Role.STEWARD,
        parameters=(
            Parameter("EntityMoniker", "mscrm.crmbaseentity"), Parameter("AttributeName", "Edm.String"),
            Parameter("Labels", "Collection(mscrm.LocalizedLabel)"),
        ),
    ),
    "RetrieveLocLabels": Builtin(
        "RetrieveLocLabels", retrieve_labels, function=True, role=Role.STEWARD,
        parameters=(
            Parameter("EntityMoniker", "mscrm.crmbaseentity"), Parameter("AttributeName", "Edm.String"),
            Parameter("IncludeUnpublished", "Edm.Boolean", optional=True),
        ),
        returns=(Parameter("Label", "mscrm.Label"),),
    ),
}  # fmt: skip
