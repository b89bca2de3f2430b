"""What `$metadata` says of what is answered and what is not: annotations of the published vocabularies, as plain data.

A client that reads them asks for nothing that ends in 501. Values are bool, str, int, list and dict as CSDL JSON has
them; csdl.py writes both forms from here.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from segments.odata.answers.entity_sets import EntitySet
from segments.odata.answers.search_words import searchable

Annotations = Mapping[str, Any]
"""Term with its alias → value, e.g. `{"Core.ODataVersions": "4.0 4.01"}`."""

VOCABULARIES: Final = {
    "Org.OData.Core.V1": "Core",
    "Org.OData.Capabilities.V1": "Capabilities",
    "Org.OData.Aggregation.V1": "Aggregation",
}
"""Namespace → alias; all of them stand under one address."""
VOCABULARY_URL: Final = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/{}.xml"

FUNCTIONS: Final = (
    "concat", "contains", "endswith", "indexof", "length", "matchesPattern", "startswith", "substring", "tolower",
    "toupper", "trim", "date", "day", "fractionalseconds", "hour", "maxdatetime", "mindatetime", "minute", "month",
    "now", "second", "time", "totaloffsetminutes", "totalseconds", "year", "ceiling", "floor", "round", "case", "cast",
)  # fmt: skip
"""Of `$filter`; geo functions, isof, hassubset and hassubsequence are not answered."""

READ_ONLY: Final[Annotations] = {
    "Capabilities.InsertRestrictions": {"Insertable": False},
    "Capabilities.UpdateRestrictions": {"Updatable": False},
    "Capabilities.DeleteRestrictions": {"Deletable": False},
    "Capabilities.ChangeTracking": {"Supported": False},
}
TRANSFORMATIONS: Final = (
    "aggregate", "topcount", "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent", "identity", "concat",
    "groupby", "filter", "search", "compute", "orderby", "top", "skip",
)  # fmt: skip

ROLLUP: Final = "Aggregation.RollupType/MultipleHierarchies"


def of_container(model_version: str) -> Annotations:
    """Of the whole service."""
    return {
        "Core.ODataVersions": "4.0 4.01",
        "Core.SchemaVersion": model_version,
        "Core.ConventionalIDs": True,
        "Core.DereferenceableIDs": True,
        "Capabilities.ConformanceLevel": {"$Enum": "Capabilities.ConformanceLevelType/Intermediate"},
        "Capabilities.SupportedFormats": [
            "application/json;odata.metadata=minimal;IEEE754Compatible=false",
            "application/json;odata.metadata=minimal;IEEE754Compatible=true",
            "application/json;odata.metadata=none",
            "text/csv",
        ],
        "Capabilities.SupportedMetadataFormats": ["application/xml", "application/json"],
        "Capabilities.AsynchronousRequestsSupported": False,
        "Capabilities.BatchContinueOnErrorSupported": True,
        "Capabilities.BatchSupport": {
            "Supported": True,
            "ContinueOnErrorSupported": True,
            "ReferencesInRequestBodiesSupported": False,
            "ReferencesAcrossChangeSetsSupported": False,
            "EtagReferencesSupported": False,
            "RequestDependencyConditionsSupported": False,
            "SupportedFormats": ["multipart/mixed", "application/json"],
        },
        "Capabilities.CrossJoinSupported": False,
        "Capabilities.KeyAsSegmentSupported": False,
        "Capabilities.QuerySegmentSupported": True,
        "Capabilities.FilterFunctions": list(FUNCTIONS),
        "Capabilities.DeepInsertSupport": {"Supported": False, "ContentIDSupported": False},
        "Capabilities.AnnotationValuesInQuerySupported": False,
        "Aggregation.ApplySupported": {"Transformations": list(TRANSFORMATIONS), "Rollup": {"$Enum": ROLLUP}},
    }


def of_set(set_: EntitySet) -> Annotations:
    """Of one entity set."""
    return {
        **READ_ONLY,
        "Capabilities.SearchRestrictions": {"Searchable": bool(searchable(set_))},
        "Capabilities.IndexableByKey": bool(set_.key),
        "Capabilities.TopSupported": True,
        "Capabilities.SkipSupported": True,
        "Capabilities.ComputeSupported": True,
        "Capabilities.CountRestrictions": {"Countable": True},
        "Capabilities.FilterRestrictions": {"Filterable": True},
        "Capabilities.SortRestrictions": {"Sortable": True},
        "Capabilities.ExpandRestrictions": {"Expandable": bool(set_.relations), "MaxLevels": 10},
        "Capabilities.SelectSupport": {
            "Supported": True,
            "InstanceAnnotationsSupported": False,
            "Expandable": False,
            "Filterable": False,
            "Searchable": False,
            "TopSupported": False,
            "SkipSupported": False,
            "ComputeSupported": False,
            "Countable": False,
            "Sortable": False,
        },
    }


def version_of(text: str) -> str:
    """What a model is called in `$schemaversion`: another one whenever a name or a type in it is another."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
