"""The nouns: what a user declares. Frozen pydantic, no SQL, no files, no clock.

    Project
    ├── sources: {source: {name: Entity}}     entities.py     files, key, columns, labels, row filters
    ├── lists: {name: ValueList}              lists.py        always, never, bypass, alias, verdicts
    ├── conflation: ConflationPlan            conflation.py   order, dedupe, common and match rules, limits
    │   │   └── Rule                          conditions.py    conditions, exceptions, evidence
    │   └── junk: JunkSpec                    junk.py         values that too many different people carry
    ├── resolution: {column: Resolution}      resolution.py   which value wins
    ├── customer: CustomerTable               resolution.py   what the Customer table looks like
    ├── clusters: {name: ClusterSpec}         conflation.py   households and the like, over Customer
    ├── relationships: {name: Relationship}   relationship.py which column holds the key of which entity
    ├── activities: {name: Activity}          relationship.py what happened to customers
    ├── measures: {name: Measure}             measure.py      values worked out per customer, or over the business
    └── segments: {name: Segment}             segment.py      sets of customers

Words are settled in docs/glossary.md. Everything is checked twice: each noun alone when it is made (pydantic), and the
whole project against the real columns once the sources are known (checks.py).
"""

from unify.spec.bridges import BridgeSpec
from unify.spec.conditions import Compared as Compared
from unify.spec.conditions import Criterion, Evidence, Joined, NormalizeStep
from unify.spec.conditions import SourceColumn as SourceColumn
from unify.spec.conditions import parts as parts
from unify.spec.conflation import (
    ClusterSpec,
    ConflationPlan,
    DedupeSpec,
    Limit,
    MatchPair,
    OrderedEntity,
    Rule,
)
from unify.spec.entities import Column, CsvOptions, Entity, Incremental, RowFilter
from unify.spec.junk import JunkSpec
from unify.spec.lists import ValueList
from unify.spec.measure import Calculation, Dimension, Measure, Pick, Variable
from unify.spec.preference import Preference
from unify.spec.project import Project
from unify.spec.relationship import Activity, Relationship
from unify.spec.resolution import CustomerTable, Resolution
from unify.spec.segment import ListedCustomers, Projected, Segment, SegmentRule

# Compared, SourceColumn and parts are of use to whoever reads nouns; nobody declares them, so they are not below
__all__ = [
    "Activity",
    "BridgeSpec",
    "Calculation",
    "ClusterSpec",
    "Column",
    "ConflationPlan",
    "Criterion",
    "CsvOptions",
    "CustomerTable",
    "DedupeSpec",
    "Dimension",
    "Entity",
    "Evidence",
    "Incremental",
    "Joined",
    "JunkSpec",
    "Limit",
    "ListedCustomers",
    "MatchPair",
    "Measure",
    "NormalizeStep",
    "OrderedEntity",
    "Pick",
    "Preference",
    "Project",
    "Projected",
    "Relationship",
    "Resolution",
    "RowFilter",
    "Rule",
    "Segment",
    "SegmentRule",
    "ValueList",
    "Variable",
]
