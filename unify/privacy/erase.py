"""Erasing somebody.

    ledger ─▶ written rows, files ─▶ catalog, members ─▶ a generation without them ─▶ old generations removed ─▶ compact

The ledger is on disk before the first deletion. A process that ends in the middle leaves either somebody who is still
found, and is erased by asking again, or a new generation that does not hold them beside old ones that do: those are
removed by whatever erases next, or by `finish`. There is no way back: kept generations go, and with them rollbacks.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pyroaring import BitMap

from segments.membership.codec import from_bytes, to_bytes
from unify.batch import Job, run_job
from unify.core.reports import Report
from unify.instance import Instance
from unify.packages.housekeeping import shed
from unify.privacy import files, ledger
from unify.privacy.person import Person, person
from unify.privacy.records import erase_records
from unify.privacy.scrub import Scrub
from unify.records import RecordStore
from unify.spec import Project
from unify.store import Store
from unify.store.scrubbing import compact, remove_old, scrub_catalog, scrub_members
from unify.store.written import WrittenRows

if TYPE_CHECKING:
    from unify.store.lease import Lease

SNAPSHOTS = "snapshots"
"""Of the query service: a cache, made anew."""
EXPORTS = "exports"
"""Files that jobs of the query service wrote; the next job of export writes them anew."""


class Erasure(Report):
    """What an erasure did.

    id            in the ledger
    records       rows of sources that made the customer; related: rows that hung on them
    generation    the one that was published without them; removed: files of generations and members that went
    rewritten     uploaded and rejected files that lost rows
    left          what still holds them and is not ours to change: sources outside the instance, and files that could
                  not be read. Later runs leave the rows out all the same
    """

    id: str
    customers: int
    records: int
    related: int
    generation: int
    removed: int
    rewritten: list[str] = []
    left: list[str] = []


def erase(
    acme: Instance, customer: str, *, reason: str, wait: float | None = None, memory_limit: str | None = None
) -> Erasure:
    """Take a customer out of everything. QueryError for nobody, LeaseHeldError while somebody writes.

    memory_limit   of DuckDB while the generation is built
    """
    who = person(acme, customer)
    store, project = acme.store, acme.project()
    sources = _sources_outside(acme, project)
    acme.close()
    with store.lease("erase", wait) as lease:
        id_ = ledger.add(store, who.rows, reason)
        rewritten, left = _scrub(store, lease, project, who)
    clean = Project.model_validate(Scrub(who).value(project.model_dump(mode="json", by_alias=True)))
    job = Job(
        clean, Path.cwd(), ingest=False, conflate=True, lists=False, full=True, memory_limit=memory_limit, erasing=who
    )
    report = run_job(store, job, wait=wait)
    removed = finish(store, wait=wait)
    acme.close()
    return Erasure(
        id=id_,
        customers=len(who.ids),
        records=sum(map(len, who.records.values())),
        related=sum(map(len, who.related.values())),
        generation=report.run,
        removed=removed,
        rewritten=rewritten,
        left=[*left, *sources],
    )


def finish(store: Store, *, wait: float | None = None) -> int:
    """Remove what erasures left behind when a process ended too early: every generation but the published one, and
    the pages of the catalog that are no longer used. How many files went."""
    with store.lease("erase", wait) as lease:
        gone = remove_old(store, lease)
        shutil.rmtree(store.path / SNAPSHOTS, ignore_errors=True)
        shutil.rmtree(store.path / EXPORTS, ignore_errors=True)
        shed(store.path)
        ledger.finished(store)
        compact(store)
    return len(gone)


def _scrub(store: Store, lease: "Lease", project: Project, who: Person) -> tuple[list[str], list[str]]:
    """All that names them but generations; what was rewritten, and what could not be read."""
    written = WrittenRows(store.path)
    for entity, keys in who.rows.items():
        written.erase(entity, keys)
    erase_records(RecordStore(store.path), project, who)
    keyed = {(project.entity(entity).key, key) for entity, keys in who.rows.items() for key in keys}
    rewritten, left = files.without(store.path, lambda column, cell: cell in who.values or (column, cell) in keyed)
    scrub = Scrub(who)
    scrub_catalog(store, lease, scrub.json, spared=frozenset((ledger.KIND,)))
    ordinals = BitMap(who.ordinals)

    def without(content: bytes) -> tuple[bytes, int]:
        members = from_bytes(content)
        kept = members - ordinals
        return (content if len(kept) == len(members) else to_bytes(kept)), len(kept)

    scrub_members(store, lease, without)
    return rewritten, left


def _sources_outside(acme: Instance, project: Project) -> list[str]:
    """Where files of sources lie that are not the instance's own."""
    named = [(name, file) for name, entity in project.entities.items() for file in entity.files]
    return [f"{name}: {file}" for name, file in named if not str(Path(file)).startswith(str(acme.path))]
