"""Figures for Prometheus: rate, errors and duration per route; what is published, how old it is, how full the pool is.

Workers add up: each writes its own files in one folder (Prometheus' multiprocess mode), whichever is asked reads all.
That mode is chosen by the environment before prometheus_client is imported, hence `share`.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from unify.service.app import Service

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds: hot answers take a tenth of a millisecond, questions to DuckDB up to the limit."""


def share(folder: Path) -> None:
    """Let the processes that are started from here on add up in a folder, which is emptied. Before any of them asks."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ[VARIABLE] = str(folder)


class Meter:
    """Counts requests of this process. One observation costs about 2 µs."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._registry = CollectorRegistry()
        self._requests = Counter(
            "unify_requests", "Answers given", ["room", "route", "method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "unify_request_seconds",
            "From request to answer",
            ["room", "route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._of: dict[tuple[str, str, str, int], tuple[Any, Any]] = {}

    def observe(self, room: str, route: str, method: str, status: int, seconds: float) -> None:
        """One answer. `route` is a template, never a path: a path has ids in it, and no end of different ones."""
        key = (room, route, method, status)
        found = self._of.get(key)
        if found is None:
            labels = (room, route, method if method in METHODS else "other", str(status))
            found = self._of[key] = self._requests.labels(*labels), self._seconds.labels(room, route)
        found[0].inc()
        found[1].observe(seconds)

    def text(self, service: "Service") -> tuple[bytes, str]:
        """All figures of all workers, and their content type. Blocking: reads files."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        own.register(_Published(service))
        return generate_latest(registry) + generate_latest(own), CONTENT_TYPE_LATEST


METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


class _Published:
    """What is published now: read when asked, the same whichever worker is."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        generation = GaugeMetricFamily("unify_generation", "Number of the published generation", labels=["instance"])
        age = GaugeMetricFamily("unify_generation_age_seconds", "Since it was published", labels=["instance"])
        running = GaugeMetricFamily("unify_writer", "1 while somebody holds the writer's lease", labels=["instance"])
        now = time.time()
        for id_ in self._service.roof.ids():
            store = self._service.roof.get(id_).store
            running.add_metric([id_], float(store.lease_holder() is not None))
            if (published := store.published()) is not None:
                generation.add_metric([id_], published.number)
                age.add_metric([id_], max(0.0, now - published.published.timestamp()))
        yield from (generation, age, running)
        questions = GaugeMetricFamily("unify_questions", "Questions to DuckDB at work or waiting in this worker")
        questions.add_metric([], self._service.pool.taken)
        yield questions
