"""Building generations: the verbs that take the writer's lease."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unify.core.documents import project_of, read_project
from unify.core.errors import SpecError
from unify.core.progress import Progress, silent
from unify.opened import Opened
from unify.records import RecordStore
from unify.spec import Project
from unify.store import Generation

if TYPE_CHECKING:
    from unify.core.reports import RunReport
    from unify.core.suggestions import Suggestion

AMOUNT_OF_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?)?B\Z", re.IGNORECASE)
"""As DuckDB reads it."""
ProjectLike = Project | Mapping[str, Any] | str | Path
"""A project, the same as a dict, or the path of its file."""


class Building(Opened):
    """Each of them builds a generation beside the published one and publishes it, or leaves all as it was."""

    def run(self, project: ProjectLike, **options: Any) -> "RunReport":
        """Ingest, conflate and publish. Options: frames, base, full, wait, progress, memory_limit, threads.

        What is as it was in the published generation is carried over: docs/incremental-runs.md.

        frames        {"crm.Contacts": a pandas, polars or Arrow table, ...} instead of files
        base          folder that paths in the project are relative to; default: the project file's, else the current
        full          read, compare and write everything anew
        wait          seconds to wait for another writer; default: LeaseHeldError at once
        Raises SpecError, SourceError, OverloadError, LeaseHeldError, StoreError; then nothing was published.
        """
        return self._job(project, ingest=True, conflate=True, **options)

    def ingest(self, project: ProjectLike, **options: Any) -> "RunReport":
        """Ingest only; customers stay as they are until the next conflate. Options as for `run`."""
        return self._job(project, ingest=True, conflate=False, **options)

    def conflate(self, project: ProjectLike | None = None, **options: Any) -> "RunReport":
        """Conflate what was ingested, by another plan or the last one; of the files only those of lists are read."""
        if project is None:
            return self._job(self.project(), ingest=False, conflate=True, lists=False, **options)
        return self._job(project, ingest=False, conflate=True, **options)

    def refresh(self, project: ProjectLike | None = None, **options: Any) -> "RunReport":
        """Measures and segments anew, by the project given or the last one, over the customers that are there."""
        given = self.project() if project is None else project
        return self._job(given, ingest=False, conflate=False, lists=project is not None, **options)

    def suggest(self, project: ProjectLike | None = None, **options: Any) -> "Suggestion":
        """A conflation plan worked out from the data; nothing is published, no lease is taken.

        project       which entities there are and where their data is; None: what was ingested last
        Options: frames and base as for `run`, memory_limit, threads, progress, and
        labels        pairs of records of which somebody said whether they are one customer: the path of a CSV file,
                      rows or a frame with entity1, key1, entity2, key2, match
        splink        settings of Splink to carry over instead: the path of a JSON file, or a dict
        Raises SpecError, SourceError, StoreError.
        """
        from unify.verbs.suggest import suggest

        if project is None:
            check_means(options.get("memory_limit"), options.get("threads"))
            return suggest(self.project(), base=Path.cwd(), store=self.store, **options)
        return suggest_plan(project, records=RecordStore(self.path), **options)

    def rollback(self, generation: int, *, wait: float | None = None) -> Generation:
        """Publish a kept generation again; StoreError naming the kept ones when it is not kept."""
        return self.store.rollback(generation, wait)

    def _job(
        self,
        project: ProjectLike,
        *,
        ingest: bool,
        conflate: bool,
        lists: bool = True,
        frames: Mapping[str, Any] | None = None,
        base: str | Path | None = None,
        full: bool = False,
        wait: float | None = None,
        progress: Progress = silent,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> "RunReport":
        from unify.batch import Job, run_job  # the whole pipeline: half a second that readers need not wait

        read, folder = load_project(project)
        check_means(memory_limit, threads)
        job = Job(
            project=read,
            base=Path(base) if base is not None else folder,
            ingest=ingest,
            conflate=conflate,
            lists=lists,
            full=full,
            frames=frames or {},
            memory_limit=memory_limit,
            threads=threads,
        )
        return run_job(self.store, job, wait=wait, progress=progress)


def suggest_plan(project: ProjectLike, *, base: str | Path | None = None, **options: Any) -> "Suggestion":
    """A conflation plan for a project, without an instance; see `Building.suggest`."""
    from unify.verbs.suggest import suggest

    check_means(options.get("memory_limit"), options.get("threads"))
    read, folder = load_project(project)
    return suggest(read, base=Path(base) if base is not None else folder, **options)


def check_means(memory_limit: str | None = None, threads: int | None = None) -> None:
    """SpecError for what is no amount of memory, or no number of threads."""
    if memory_limit is not None and not AMOUNT_OF_MEMORY.match(memory_limit):
        hint = "write a number and a unit, e.g. 4GB or 512MiB"
        raise SpecError(f"{memory_limit!r} is no amount of memory", where="memory_limit", hint=hint)
    if threads is not None and threads < 1:
        raise SpecError(f"{threads} threads cannot work", where="threads", hint="write 1 or more, or leave it out")


def load_project(project: ProjectLike) -> tuple[Project, Path]:
    """The project and the folder that its paths are relative to."""
    if isinstance(project, Project):
        return project, Path.cwd()
    if isinstance(project, Mapping):
        return project_of(dict(project)), Path.cwd()
    path = Path(project)
    return read_project(path), path.resolve().parent
