"""How an instance is doing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unify.store import Generation, Holder, Run


@dataclass(frozen=True)
class Status:
    """What is published, who is writing, and how the last run ended."""

    path: Path
    published: Generation | None
    writer: Holder | None
    last_run: Run | None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        p, w, r = self.published, self.writer, self.last_run
        return {
            "path": str(self.path),
            "generation": p.number if p else None,
            "published": p.published.isoformat() if p else None,
            "customers": p.rows.get("Customer") if p else None,
            "writer": {"pid": w.pid, "host": w.host, "purpose": w.purpose, "since": w.started.isoformat()}
            if w
            else None,
            "last_run": {"run": r.number, "state": r.state, "purpose": r.purpose, "error": r.error} if r else None,
        }
