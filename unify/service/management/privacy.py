"""What is held about one person, and its erasure; for admins. docs/service-access.md"""

import asyncio
import sqlite3
from typing import Any, Final

from fastapi import Response
from pydantic import Field

from unify.privacy import ledger
from unify.privacy.erase import erase
from unify.privacy.person import Person, person
from unify.privacy.scrub import Scrub
from unify.service.hosted import Hosted
from unify.service.management.depends import Ruling, TheService
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import Wire

router = area("Privacy")


class SubjectRequest(Wire):
    """Who: a CustomerId, or a record as `crm.Contacts:C-1`. It stands in the body, since URLs end up in logs."""

    customer: str = Field(min_length=1, max_length=1000)


class ErasureRequest(SubjectRequest):
    """Also why: a reference such as a ticket, not a name; it stays in the ledger."""

    reason: str = Field(min_length=1, max_length=1000)


class ErasureReport(Wire):
    """What an erasure did. `left`: sources outside the instance that still hold the person, for a human to look at."""

    id: str
    customers: int
    records: int
    related: int
    generation: int
    removed: int
    rewritten: tuple[str, ...]
    left: tuple[str, ...]


class ErasureEntry(Wire):
    """A line of the ledger. `done` false: a process ended in the middle, and the next erasure ends it too."""

    id: str
    at: str
    reason: str
    records: int
    done: bool


JSON_OBJECT: Final = {"application/json": {"schema": {"type": "object"}}}
A_DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": JSON_OBJECT}}


@router.post(
    "/privacy/subjects",
    operation_id="get_subject_data",
    summary="Everything that is held about one person",
    response_class=Response,
    responses=A_DOCUMENT,
)
async def get_subject_data(body: SubjectRequest, hosted: Ruling) -> Response:
    """Source rows, profile with lineage, activities, measures, memberships, history."""
    found = await hosted.ask(lambda acme: acme.subject(body.customer).json())
    return Response(found, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/privacy/erasures", operation_id="erase_subject", summary="Erase one person from everything")
async def erase_subject(body: ErasureRequest, hosted: Ruling, service: TheService) -> ErasureReport:
    """Answers when it is done; there is no way back, kept generations go too. 409 while a job is at work."""
    return await asyncio.to_thread(_erase, service, hosted, body)


@router.get("/privacy/erasures", operation_id="get_erasures", summary="The ledger of erasures")
async def get_erasures(hosted: Ruling) -> list[ErasureEntry]:
    """Oldest first; who it was is not in it."""
    return [
        told(
            ErasureEntry, id=e["id"], at=e["at"], reason=e["reason"], done=e["done"],
            records=sum(map(len, e["hashes"].values())),
        )
        for e in await asyncio.to_thread(ledger.entries, hosted.store)
    ]  # fmt: skip


def _erase(service: Any, hosted: Hosted, body: ErasureRequest) -> ErasureReport:
    from unify.instance import Instance

    means: dict[str, Any] = {"memory_limit": service.settings.limits.memory, "threads": 1}
    with Instance(hosted.store, **means) as acme:
        who = person(acme, body.customer)
        done = erase(acme, body.customer, reason=body.reason, memory_limit=service.settings.limits.memory)
    _forget(service, hosted, who)
    hosted.close()
    return told(ErasureReport, **done.as_dict())


def _forget(service: Any, hosted: Hosted, who: Person) -> None:
    """What the service itself wrote about the person: errors of jobs, webhooks that wait or were sent."""
    scrub = Scrub(who)
    with service.database.write() as db:
        db.execute("PRAGMA secure_delete = ON")
        for table, column in _texts(db):
            sql = f"SELECT DISTINCT {column} AS text FROM {table} WHERE instance = $id AND {column} IS NOT NULL"
            for row in db.execute(sql, {"id": hosted.id}).fetchall():
                clean = scrub.json(row["text"]) if isinstance(row["text"], str) else row["text"]
                if clean != row["text"]:
                    params = {"clean": clean, "text": row["text"], "id": hosted.id}
                    db.execute(
                        f"UPDATE {table} SET {column} = $clean WHERE {column} = $text AND instance = $id", params
                    )
    service.database.compact()


def _texts(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Columns of text in tables of the service about instances; who may do what stays as it is, and so does the log."""
    found = []
    for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'access%'").fetchall():
        columns = db.execute(f'PRAGMA table_info("{row["name"]}")').fetchall()
        if "instance" in {c["name"] for c in columns}:
            found += [(row["name"], c["name"]) for c in columns if c["type"] == "TEXT" and c["name"] != "instance"]
    return found
