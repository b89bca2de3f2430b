"""Definitions as clients send them, the Web API's metadata in JSON, read into nouns.

What only concerns forms, solutions, auditing and search is passed over: there are none here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.dataverse.errors import BAD_INPUT, BAD_NAME, DataverseError
from unify.dataverse.model.nouns import (
    LANGUAGE,
    AttributeModel,
    Cascade,
    KeyModel,
    ManyToMany,
    OptionModel,
    Required,
    Type,
)
from unify.dataverse.model.shipped.making import INT32, MONEY_MOST

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_[A-Za-z0-9_]{1,90}", re.ASCII)
_FIRST_OPTION: Final = 100_000_000
_MADE: Final = (
    Type.STRING, Type.MEMO, Type.INTEGER, Type.BIGINT, Type.DECIMAL, Type.DOUBLE, Type.MONEY, Type.BOOLEAN,
    Type.DATETIME, Type.PICKLIST, Type.MULTISELECT, Type.FILE,
)  # fmt: skip
"""Types of columns that users make; lookups come with their relationship."""
_LENGTHS: Final = {Type.STRING: (100, 4000), Type.MEMO: (2000, 1_048_576), Type.FILE: (32_768, 131_072)}
"""Length unless said, and the most; of files in KB."""
_PRECISIONS: Final = {Type.DECIMAL: (2, 10), Type.DOUBLE: (2, 5), Type.MONEY: (2, 4)}
_BOUNDS: Final[Mapping[Type, tuple[int, int]]] = {
    Type.INTEGER: (-INT32, INT32 - 1), Type.DECIMAL: (-100_000_000_000, 100_000_000_000),
    Type.DOUBLE: (-100_000_000_000, 100_000_000_000), Type.MONEY: (-MONEY_MOST, MONEY_MOST),
}  # fmt: skip


def wrong(message: str, *, where: str = "", hint: str = "") -> DataverseError:
    """A definition that cannot be."""
    return DataverseError(message, code=BAD_INPUT, where=where, hint=hint)


def custom_name(said: Any, what: str) -> str:
    """A schema name with a publisher's prefix, `new_Product`; DataverseError."""
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        raise DataverseError(
            f"The schema name '{said!s:.100}' of the {what} is invalid: it needs the prefix of a publisher.",
            code=BAD_NAME,
            where="SchemaName",
            hint="two to eight letters and digits, an underscore, letters, digits and underscores: new_Product",
        )
    return said


def label(said: Any, otherwise: str = "") -> str:
    """The text of a Label, in English where it has that."""
    if not isinstance(said, Mapping):
        return otherwise
    found = {
        each.get("LanguageCode"): each.get("Label")
        for each in (*(said.get("LocalizedLabels") or ()), said.get("UserLocalizedLabel") or {})
        if isinstance(each, Mapping) and isinstance(each.get("Label"), str)
    }
    return str(found.get(LANGUAGE) or next(iter(found.values()), otherwise))


def attribute(said: Mapping[str, Any]) -> AttributeModel:
    """A new column, from AttributeMetadata; DataverseError."""
    schema_name = custom_name(said.get("SchemaName"), "column")
    kind = _type(said)
    if kind not in _MADE:
        hint = "a lookup is made with its relationship, POST RelationshipDefinitions" if kind is Type.LOOKUP else ""
        raise wrong(f"A column of type {kind.value} cannot be made.", where=schema_name, hint=hint)
    return AttributeModel(
        schema_name.lower(),
        schema_name,
        kind,
        label(said.get("DisplayName"), schema_name.partition("_")[2]),
        label(said.get("Description")),
        required=required(said),
        length=_within(said, "MaxSizeInKB" if kind is Type.FILE else "MaxLength", _LENGTHS.get(kind), 1),
        precision=_within(said, "Precision", _PRECISIONS.get(kind), 0),
        least=bound(said, "MinValue", kind, 0),
        most=bound(said, "MaxValue", kind, 1),
        format=_format(said, kind),
        behavior=_behavior(said) if kind is Type.DATETIME else "",
        options=options(said, kind),
        option_set=str((said.get("OptionSet") or {}).get("Name") or "") if kind is Type.PICKLIST else "",
        default=default(said, kind),
        create=kind is not Type.FILE,
        update=kind is not Type.FILE,
        custom=True,
        primary=said.get("IsPrimaryName") is True,
    )


def _type(said: Mapping[str, Any]) -> Type:
    name = str(said.get("@odata.type") or "").rpartition(".")[2]
    name = name.removeprefix("Complex").removesuffix("AttributeMetadata") or str(said.get("AttributeType") or "")
    known = {kind.value: kind for kind in Type} | {"UniqueIdentifier": Type.GUID}
    if name not in known:
        made = [f"Microsoft.Dynamics.CRM.{kind.value}AttributeMetadata" for kind in _MADE]
        raise wrong(f"'{name[:100]}' is no type of column.", where="@odata.type", hint=did_you_mean(name, made))
    return known[name]


def required(said: Mapping[str, Any]) -> Required:
    """RequiredLevel; DataverseError."""
    value = said.get("RequiredLevel")
    level = value.get("Value") if isinstance(value, Mapping) else value
    if level is None:
        return Required.NONE
    if level not in tuple(Required):
        raise wrong(
            f"'{level!s:.50}' is no level.", where="RequiredLevel", hint=did_you_mean(str(level), list(Required))
        )
    return Required(level)


def _within(said: Mapping[str, Any], name: str, bounds: tuple[int, int] | None, least: int) -> int | None:
    if bounds is None:
        return None
    value = said.get(name)
    if value is None:
        return bounds[0]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= bounds[1]:
        raise wrong(f"{name} is {value!s:.50}, and may be {least} to {bounds[1]:,}.", where=name)
    return value


def bound(said: Mapping[str, Any], name: str, kind: Type, side: int) -> int | float | None:
    """MinValue (side 0), MaxValue (side 1); DataverseError for one beyond what the type holds."""
    if kind not in _BOUNDS:
        return None
    value, most = said.get(name), _BOUNDS[kind]
    if value is None:
        return most[side]
    if isinstance(value, bool) or not isinstance(value, int | float) or not most[0] <= value <= most[1]:
        raise wrong(f"{name} is {value!s:.50}, and may be {most[0]:,} to {most[1]:,}.", where=name)
    return int(value) if value == int(value) else float(value)


def _format(said: Mapping[str, Any], kind: Type) -> str:
    named = said.get("FormatName")
    value = named.get("Value") if isinstance(named, Mapping) else said.get("Format")
    if kind is Type.DATETIME:
        return "DateAndTime" if value == "DateAndTime" else "DateOnly"
    if kind is Type.MEMO:
        return "TextArea"
    return str(value or "Text") if kind is Type.STRING else ""


def _behavior(said: Mapping[str, Any]) -> str:
    value = said.get("DateTimeBehavior")
    name = value.get("Value") if isinstance(value, Mapping) else value
    if name not in {None, "UserLocal", "DateOnly", "TimeZoneIndependent"}:
        raise wrong(f"'{name!s:.50}' is no behavior of a date.", where="DateTimeBehavior")
    return str(name or "UserLocal")


def options(said: Mapping[str, Any], kind: Type) -> tuple[OptionModel, ...]:
    """Of choices and booleans; DataverseError."""
    if said.get("GlobalOptionSet@odata.bind") is not None:
        raise wrong("Choices that tables share are not served.", where="GlobalOptionSet", hint="send an OptionSet")
    given = said.get("OptionSet")
    of = given if isinstance(given, Mapping) else {}
    if kind is Type.BOOLEAN:
        pair = ((0, "FalseOption", "No"), (1, "TrueOption", "Yes"))
        return tuple(OptionModel(v, label((of.get(name) or {}).get("Label"), text)) for v, name, text in pair)
    if kind not in {Type.PICKLIST, Type.MULTISELECT}:
        return ()
    listed = of.get("Options")
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise wrong("A choice needs its options.", where="OptionSet")
    found = [
        OptionModel(
            each.get("Value") if each.get("Value") is not None else _FIRST_OPTION + at, label(each.get("Label"))
        )
        for at, each in enumerate(listed)
    ]
    for each in found:
        if not isinstance(each.value, int) or isinstance(each.value, bool) or not 0 <= each.value < INT32:
            raise wrong(f"An option's value is {each.value!s:.50}, and is a whole number.", where="OptionSet")
    if len({each.value for each in found}) != len(found):
        raise wrong("Two options have one value.", where="OptionSet")
    return tuple(sorted(found, key=lambda option: option.value))


def default(said: Mapping[str, Any], kind: Type) -> int | bool | None:
    """What a new row has; None: null."""
    if kind is Type.BOOLEAN:
        return said.get("DefaultValue") is True
    value = said.get("DefaultFormValue") if kind is Type.PICKLIST else None
    return value if isinstance(value, int) and value >= 0 and not isinstance(value, bool) else None


def key(said: Mapping[str, Any]) -> KeyModel:
    """A new alternate key, from EntityKeyMetadata."""
    schema_name = custom_name(said.get("SchemaName"), "key")
    names = said.get("KeyAttributes")
    if not isinstance(names, list) or not names or len(set(map(str, names))) != len(names) or len(names) > 16:
        raise wrong("A key consists of 1 to 16 columns.", where="KeyAttributes")
    shown = label(said.get("DisplayName"), schema_name)
    return KeyModel(schema_name.lower(), schema_name, shown, tuple(map(str, names)))


def cascade(said: Mapping[str, Any]) -> Cascade:
    """What CascadeConfiguration says of Delete."""
    value = (said.get("CascadeConfiguration") or {}).get("Delete") or "RemoveLink"
    if value not in tuple(Cascade):
        raise wrong(f"'{value!s:.50}' is no way to delete.", where="CascadeConfiguration", hint=", ".join(Cascade))
    return Cascade(value)


def many_to_many(said: Mapping[str, Any], ids: Mapping[str, str]) -> ManyToMany:
    """From ManyToManyRelationshipMetadata. `ids`: of the tables there are, logical name to primary id."""
    name = schema(said)
    first, second = (table_name(said, f"Entity{n}LogicalName", ids) for n in (1, 2))
    collections = [str(said.get(f"Entity{n}NavigationPropertyName") or name) for n in (1, 2)]
    between = str(said.get("IntersectEntityName") or name).lower()
    return ManyToMany(
        name, between, first, ids[first], collections[0], second, ids[second], collections[1], custom=True
    )


def schema(said: Mapping[str, Any]) -> str:
    """The name of a relationship: letters, digits, underscores."""
    name = said.get("SchemaName")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w{0,99}", name, re.ASCII):
        raise DataverseError(f"'{name!s:.100}' is no name of a relationship.", code=BAD_NAME, where="SchemaName")
    return name


def table_name(said: Mapping[str, Any], where: str, known: Mapping[str, Any]) -> str:
    """A table that is named in a relationship."""
    name = str(said.get(where) or "").lower()
    if name not in known:
        raise wrong(f"There is no table '{name[:100]}'.", where=where, hint=did_you_mean(name, list(known)))
    return name
