"""Who made and changed what, for the tail of metadata objects: version, createdBy, createdUtc, updatedBy, updatedUtc.

What the command line or a project file made has no author here; its tail is shorter.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from unify.service.database import ServiceDatabase
from unify.service.jobs.nouns import stamp


@dataclass(frozen=True)
class Author:
    """One row. `said`: the definition as the client sent it."""

    version: int
    created_by: str
    created: datetime
    updated_by: str
    updated: datetime
    said: Any

    def tail(self, instance: str) -> dict[str, Any]:
        """The keys of the vendor's AuditedWire."""
        return {
            "version": self.version,
            "createdBy": self.created_by,
            "createdUtc": self.created,
            "updatedBy": self.updated_by,
            "updatedUtc": self.updated,
            "instanceId": instance,
        }


class Authors:
    """Of one kind of thing (`segment`, `measure`, `hierarchy`) in one instance. Blocking: SQLite."""

    def __init__(self, database: ServiceDatabase, instance: str, kind: str) -> None:
        self._database, self._key = database, {"instance": instance, "kind": kind}

    def all(self) -> dict[str, Author]:
        """By name."""
        sql = "SELECT * FROM authors WHERE instance = $instance AND kind = $kind"
        return {
            row["name"]: Author(
                version=row["version"],
                created_by=row["created_by"],
                created=datetime.fromisoformat(row["created"]),
                updated_by=row["updated_by"],
                updated=datetime.fromisoformat(row["updated"]),
                said=json.loads(row["said"]) if row["said"] else None,
            )
            for row in self._database.rows(sql, self._key)
        }

    def note(self, name: str, by: str, said: Any = None) -> None:
        """Somebody made or changed it. `said` None: as it was sent before."""
        values = {**self._key, "name": name, "by": by, "now": stamp(), "said": json.dumps(said) if said else None}
        with self._database.write() as rows:
            rows.execute(
                "INSERT INTO authors (instance, kind, name, version, created_by, created, updated_by, updated, said)"
                " VALUES ($instance, $kind, $name, 1, $by, $now, $by, $now, $said)"
                " ON CONFLICT (instance, kind, name) DO UPDATE SET version = version + 1,"
                " updated_by = excluded.updated_by, updated = excluded.updated, said = coalesce(excluded.said, said)",
                values,
            )

    def gone(self, name: str) -> None:
        """It was deleted; one of the same name begins anew."""
        sql = "DELETE FROM authors WHERE instance = $instance AND kind = $kind AND name = $name"
        with self._database.write() as rows:
            rows.execute(sql, {**self._key, "name": name})
