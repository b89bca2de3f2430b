"""What the wire says about an entity of a source: primary key, type, timestamp, semantic labels."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from ingest.labels import canonical
from unify.core.errors import did_you_mean
from unify.core.problems import Problem, family
from unify.service.management.documented import Documented
from unify.service.management.telling import told
from unify.spec import Entity
from unify.spec.wire import No


def _capitalised(value: Any) -> Any:
    return value[:1].upper() + value[1:] if isinstance(value, str) else value


WireEntityType = Annotated[Literal["Activity", "Unspecified", "Profile"], BeforeValidator(_capitalised)]
ANNOUNCED: Final = ("Activity", "Unspecified")
"""The only types that may be said (limit 3); which entities are profiles, the conflation plan says."""
TIMES: Final = ("date", "datetime", "integer")
"""What a timestamp may be (limit 5): DateTime or long."""


class AttributeSemanticInformation(Documented):
    """What a column means, `Identity.Service.Email`; the vendor's spelling `IdentityServiceEmail` is the same label."""

    attribute_name: str
    label: str | None = None


class DatasourceEntityInformation(Documented):
    """Facts of one entity. Those that are left out stay as they are; a label of null is taken away."""

    entity_name: str
    primary_key: str | None = Field(default=None, min_length=1)
    entity_type: WireEntityType | None = None
    timestamp_field_name: str | None = Field(default=None, min_length=1)
    semantic_labels: tuple[AttributeSemanticInformation, ...] | None = None
    delta_table_version: None = None
    auto_generate_cdm_definition: Annotated[No | None, Field(alias="autoGenerateCDMDefinition")] = None


def info_of(name: str, entity: Entity) -> DatasourceEntityInformation:
    """As the wire has it. `name`: without the source."""
    return told(
        DatasourceEntityInformation,
        entity_name=name,
        primary_key=entity.key,
        entity_type=entity.type.capitalize(),
        timestamp_field_name=entity.timestamp,
        semantic_labels=tuple(
            told(AttributeSemanticInformation, attribute_name=column, label=label)
            for column, label in entity.labels.items()
        ),
    )


def apply_info(entity: dict[str, Any], info: DatasourceEntityInformation) -> None:
    """Change an entity of a draft, written out whole."""
    if info.primary_key is not None:
        entity["key"] = info.primary_key
    if info.entity_type is not None:
        entity["type"] = info.entity_type.lower()
    if info.timestamp_field_name is not None:
        entity["timestamp"] = info.timestamp_field_name
    for said in info.semantic_labels or ():
        if said.label is None:
            entity["labels"].pop(said.attribute_name, None)
        else:
            entity["labels"][said.attribute_name] = canonical(said.label)


def info_problems(place: str, info: DatasourceEntityInformation, columns: Mapping[str, str]) -> list[Problem]:
    """Limits 2, 3 and 5 against the columns that were ingested; limit 4 needs the whole draft."""
    named = [(f"{place}.primaryKey", info.primary_key), (f"{place}.timestampFieldName", info.timestamp_field_name)]
    named += [(f"{place}.semanticLabels.{i}", s.attribute_name) for i, s in enumerate(info.semantic_labels or ())]
    found = [
        Problem(where, f"{info.entity_name} has no attribute {column!r}", did_you_mean(column, columns))
        for where, column in named
        if column is not None and column not in columns
    ]
    if info.entity_type is not None and info.entity_type not in ANNOUNCED:
        words = " and ".join(ANNOUNCED)
        found.append(Problem(f"{place}.entityType", f"{info.entity_type} cannot be said here", f"{words} can"))
    stamp = info.timestamp_field_name
    if stamp is not None and stamp in columns and family(columns[stamp]) not in TIMES:
        what = f"{stamp} is {family(columns[stamp])}, no DateTime and no long"
        found.append(Problem(f"{place}.timestampFieldName", what, "name a column of dates, times or whole numbers"))
    return found
