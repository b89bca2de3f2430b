"""Whether the service can answer: for load balancers and for people.

Neither names an instance: these routes are open to everybody who reaches the port.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unify.core.errors import UnifyError

if TYPE_CHECKING:
    from unify.service.app import Service


@dataclass(frozen=True)
class Readiness:
    """ready: every instance that has something published can be asked. problems: what is wrong, and how often."""

    instances: int
    published: int
    problems: dict[str, int]

    @property
    def ready(self) -> bool:
        """No problem at all."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """For the wire."""
        return {
            "ready": self.ready,
            "instances": self.instances,
            "published": self.published,
            "problems": self.problems,
        }


def readiness(service: "Service") -> Readiness:
    """Look at every instance. Blocking: a few file system calls each."""
    problems: dict[str, int] = {}

    def note(problem: str) -> None:
        problems[problem] = problems.get(problem, 0) + 1

    ids, published = service.roof.ids(), 0
    for id_ in ids:
        try:
            generation = service.roof.get(id_).store.published()
        except UnifyError:
            note("an instance cannot be read")
            continue
        if generation is None:
            continue
        published += 1
        if not generation.path.is_file():
            note("the file of a published generation is missing")
        limit = service.settings.stale_seconds
        if limit is not None and time.time() - generation.published.timestamp() > limit:
            note("a published generation is older than stale_seconds")
    return Readiness(len(ids), published, problems)
