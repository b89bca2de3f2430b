"""Nouns as JSON, and back: what the columns `body` and `options` of packages.sqlite hold."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from unify.packages.nouns import (
    CompositePart,
    EntityDefinition,
    ExportOptions,
    ImportOptions,
    ProjectEntity,
)
from unify.records.nouns import Column, Kind


def dumped(noun: Any) -> str:
    """A noun of this package as JSON."""
    return json.dumps(asdict(noun), ensure_ascii=False, sort_keys=True)


def definition_of(said: Mapping[str, Any]) -> EntityDefinition:
    """From what `asdict` gave."""
    return EntityDefinition(
        **{
            **said,
            "columns": tuple(Column(**{**column, "kind": Kind(column["kind"])}) for column in said["columns"]),
            "key": tuple(said["key"]),
            "options": {name: tuple(values) for name, values in said["options"].items()},
            "read_only": tuple(said["read_only"]),
            "touched": tuple(said["touched"]),
            "parts": tuple(CompositePart(**part) for part in said["parts"]),
        }
    )


def project_entity_of(said: Mapping[str, Any], exported_version: int | None) -> ProjectEntity:
    """As above; the version stands in a column of its own."""
    return ProjectEntity(**{**said, "exported_version": exported_version})


def import_options_of(text: str) -> ImportOptions:
    """From `options` of an import."""
    said = json.loads(text)
    return ImportOptions(**{**said, "keys": {name: tuple(columns) for name, columns in said["keys"].items()}})


def export_options_of(text: str) -> ExportOptions:
    """From `options` of an export."""
    said = json.loads(text)
    return ExportOptions(**{**said, "entities": tuple(said["entities"])})
