"""A project: everything one file declares."""

import re
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from unify.spec.base import EntityName, Name, Noun, known_zone
from unify.spec.conflation import ClusterSpec, ConflationPlan
from unify.spec.entities import Entity
from unify.spec.lists import ValueList
from unify.spec.measure import Measure, short_measure
from unify.spec.relationship import Activity, Relationship, RelationshipName, short_relationship
from unify.spec.resolution import MAX_GROUPS, CustomerTable, Resolution, short_resolution
from unify.spec.segment import SegmentLike

RESERVED = re.compile(
    "customer_(ids|changes|sources|lineage|values|cluster_.*)|override_(pairs|rids)|list_values|record_rows|previous_ids"
    "|dedupe_groups|deduplication_.*|(values|merge|ignored|links|star|stars|left|right|groups|similar|limit|prepared)_.*"
    "|unifiedactivity|customer_measure|measure_.*|measuring_.*|segment_.*|listed_customers|orphan_activities|activity_reach_.*|cut_links|doubtful_links|override_decisions|left_out|left_out_.*|evidence_.*|.*_corrupt|arrow_.*"
    "|junk_.*|value_verdicts|shared_values|judged_.*"
)
"""Tables of ours that `<source>_<entity>` could collide with: those of docs/tables.md and the scratch ones of a run."""


class Project(Noun):
    """What `unify run project.yaml` reads. `instance` is where the result goes, relative to the project file."""

    name: Name = "customers"
    instance: str | None = None
    keep: int = Field(default=5, ge=1)
    """Published generations to keep for rollback and comparison."""
    sources: dict[Name, dict[Name, Entity]] = Field(min_length=1)
    lists: dict[Name, ValueList] = {}
    conflation: ConflationPlan | None = None
    resolution: dict[str, Annotated[Resolution, BeforeValidator(short_resolution)]] = {}
    customer: CustomerTable = CustomerTable()
    clusters: dict[Name, ClusterSpec] = {}
    relationships: dict[RelationshipName, Annotated[Relationship, BeforeValidator(short_relationship)]] = {}
    activities: dict[Name, Activity] = {}
    measures: dict[Name, Annotated[Measure, BeforeValidator(short_measure)]] = {}
    segments: dict[Name, SegmentLike] = {}
    timezone: str = "UTC"
    """Of dates and times of day in segments and measures: an IANA name, e.g. Europe/Berlin."""
    keep_members: int = Field(default=100, ge=1)
    """Runs whose members of segments are kept, for who entered and left; sizes are kept for ever."""

    @property
    def entities(self) -> dict[str, Entity]:
        """All entities by qualified name, e.g. `crm.Contacts`."""
        return {f"{source}.{name}": e for source, group in self.sources.items() for name, e in group.items()}

    def entity(self, name: EntityName) -> Entity:
        """One entity by qualified name; KeyError if it is not declared."""
        return self.entities[name]

    @field_validator("timezone")
    @classmethod
    def _a_known_zone(cls, zone: str) -> str:
        return known_zone(zone)

    @model_validator(mode="after")
    def _tables_do_not_collide(self) -> Self:
        seen: dict[str, str] = {}
        for name in self.entities:
            folded = name.replace(".", "_").casefold()
            if RESERVED.fullmatch(folded):
                raise ValueError(f"entity {name} would use the table {folded}, which is one of ours: rename the source")
            if (other := seen.setdefault(folded, name)) != name:
                raise ValueError(f"entities {other} and {name} would share the table {name.replace('.', '_')}")
        if sum(bool(r.group) for r in self.resolution.values()) > MAX_GROUPS:
            raise ValueError(f"at most {MAX_GROUPS} groups of columns")
        return self
