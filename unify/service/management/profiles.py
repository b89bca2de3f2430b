"""Operations 17–18: what is in an entity, column by column; and 38: whether profiles can be asked for."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import math
from datetime import UTC, datetime
from typing import Any, Literal

from ingest.profiler import profile
from unify.core.engine import scalar
from unify.core.errors import did_you_mean
from unify.core.names import corrupt_table_of
from unify.core.steps import Query
from unify.instance import Instance
from unify.service.errors import not_found
from unify.service.management.depends import Asking, Reading, TheCaller
from unify.service.management.entities import entity_of
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import Wire

router = area("Data profile")


class ValueCount(Wire):
    """A frequent value, as text, and its rows."""

    value: str
    count: int


class HistogramBin(Wire):
    """Rows with lower ≤ value < upper: numbers, of times the seconds since 1970."""

    lower_bound: float
    upper_bound: float
    count: float


class Quantiles(Wire):
    """Numbers, of times the seconds since 1970."""

    p0_d1: float | None = None
    p1: float | None = None
    p5: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_d9: float | None = None


class Moments(Wire):
    """Of numbers. Kurtosis is 0 for a normal distribution."""

    mean: float | None = None
    standard_deviation: float | None = None
    variance: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None


class AttributeDataProfile(Wire):
    """A column. docs/profile.md says what each figure means."""

    qualified_entity_name: str
    attribute_name: str
    min: str | int | float | bool | None = None
    max: str | int | float | bool | None = None
    count: int
    missing_count: int
    error_count: int
    unique_value_count: int
    value_counts: tuple[ValueCount, ...] = ()
    histogram: tuple[HistogramBin, ...] = ()
    quantiles: Quantiles | None = None
    moments: Moments | None = None
    profiling_date: datetime
    is_suggested_primary_key: bool
    check_if_exact_stats: bool


class EntityDataProfile(Wire):
    """An entity: `profiledAttributes` and `corruptAttributes` are names with commas between."""

    qualified_entity_name: str
    row_count: int
    quarantine_row_count: int
    profiling_date: datetime
    profiled_attributes: str
    corrupt_attributes: str
    attribute_data_profiles: tuple[AttributeDataProfile, ...] | None = None


class ProfileStoreCollectionInfo(Wire):
    """Of the published customers."""

    current_state: Literal["empty", "inBuild", "queryable"]
    row_count: int
    size: int


class ProfileStoreStateInfo(Wire):
    """`secondaryInfo`: what is being built beside, while a job is at work."""

    ingestion_time: datetime | None = None
    primary_info: ProfileStoreCollectionInfo
    secondary_info: ProfileStoreCollectionInfo
    instance_id: str


@router.get("/dataprofile/{qualifiedEntityName}", operation_id="get_an_entity_profile", summary="What is in an entity")
async def get_an_entity_profile(
    hosted: Reading,
    caller: TheCaller,
    qualifiedEntityName: str,
    includeAttributeData: bool = False,
) -> EntityDataProfile:
    """Of an ingested one, counted now on the published generation. includeAttributeData: also every column's figures"""

    def look(acme: Instance) -> dict[str, Any]:
        entity = _ingested(acme, qualifiedEntityName)
        return profile(acme.engine(), entity).as_dict()

    made = await hosted.ask_as(caller, look)
    columns = made.pop("attributeDataProfiles")
    if includeAttributeData:
        made["attributeDataProfiles"] = [_numbers(column) for column in columns]
    return EntityDataProfile.model_validate(made)


@router.get(
    "/dataprofile/{qualifiedEntityName}/{attributeName}",
    operation_id="get_an_attribute_profile",
    summary="What is in a column",
)
async def get_an_attribute_profile(
    hosted: Reading,
    caller: TheCaller,
    qualifiedEntityName: str,
    attributeName: str,
) -> AttributeDataProfile:
    """Of an ingested entity."""

    def look(acme: Instance) -> dict[str, Any]:
        entity = _ingested(acme, qualifiedEntityName)
        columns = acme.engine().columns(entity.replace(".", "_", 1))
        if attributeName not in columns:
            hint = did_you_mean(attributeName, columns)
            raise not_found(f"{entity} has no attribute {attributeName[:200]!r}", where="attributeName", hint=hint)
        made = profile(acme.engine(), entity)  # of all columns: which one is the key shows beside the others
        return made[attributeName].as_dict(entity, made.profiled)

    return AttributeDataProfile.model_validate(_numbers(await hosted.ask_as(caller, look)))


@router.get("/profilestore/stateinfo", operation_id="get_profile_store_state", summary="Can profiles be asked for")
async def get_profile_store_state(hosted: Asking, caller: TheCaller) -> ProfileStoreStateInfo:
    """`queryable` from the first published conflation on; a job at work builds the next one beside."""

    def look(acme: Instance) -> ProfileStoreStateInfo:
        published, writer = acme.store.published(), acme.store.lease_holder()
        there = published is not None and "Customer" in published.rows
        rows = scalar(acme.engine(), Query("SELECT count(*) FROM Customer")) if there else 0  # that the caller may see
        primary = told(
            ProfileStoreCollectionInfo,
            current_state="queryable" if there else "empty",
            row_count=rows,
            size=published.bytes if published is not None and there else 0,
        )
        building: Literal["inBuild", "empty"] = "inBuild" if writer is not None else "empty"
        secondary = told(ProfileStoreCollectionInfo, current_state=building, row_count=0, size=0)
        return told(
            ProfileStoreStateInfo,
            ingestion_time=published.published if published else None,
            primary_info=primary,
            secondary_info=secondary,
            instance_id=hosted.id,
        )

    return await hosted.ask_as(caller, look)


def _ingested(acme: Instance, name: str) -> str:
    """The entity that a qualified name means; ServiceError 404 for one that is not there or was not ingested."""
    entity = entity_of(acme, name)
    if entity.data_source_name is None or entity.qualified_entity_name == corrupt_table_of(entity.name):
        raise not_found(f"{name} has no profile", hint="entities of data sources have one", where="qualifiedEntityName")
    if entity.entity_type == "corrupt":
        raise not_found(f"{name} has no profile", hint="profile the entity itself", where="qualifiedEntityName")
    return f"{entity.data_source_name}.{entity.name}"


def _numbers(column: dict[str, Any]) -> dict[str, Any]:
    """Bounds and quantiles as the vendor's client reads them: times as seconds since 1970, decimals as floats."""
    bins = [
        {"lowerBound": _number(b["lowerBound"]), "upperBound": _number(b["upperBound"]), "count": b["count"]}
        for b in column["histogram"]
    ]
    quantiles = {name: _number(value) for name, value in (column["quantiles"] or {}).items()}
    moments = {k: v for k, v in (column["moments"] or {}).items() if not isinstance(v, str)} or None
    return {**column, "histogram": bins, "quantiles": quantiles or None, "moments": moments}


def _number(value: Any) -> float | None:
    """None for what JSON has no number for.

    >>> _number("1970-01-02"), _number("1970-01-01T00:01:00"), _number("12.50"), _number("inf")
    (86400.0, 60.0, 12.5, None)
    """
    try:
        number = float(value)
    except ValueError:
        moment = datetime.fromisoformat(value)
        number = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return number if math.isfinite(number) else None
