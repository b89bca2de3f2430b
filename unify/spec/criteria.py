"""Criteria: what a segment's `where` says, as OData filter text or as a mapping."""

from typing import Any

Criteria = str | dict[str, Any]
