"""Keys, principals, how columns are shown, and the audit log: for admins."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import Field

from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.service.access.changes import Changes, Given
from unify.service.access.classes import Schema
from unify.service.access.register import Principal, Register
from unify.service.access.visibility import joined
from unify.service.access.words import role_of
from unify.service.caller import EVERYWHERE, Caller, Role
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.management.depends import Ruling, TheCaller, TheService
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import Wire

of_all = area("Access")
of_one = area("Access")

Slot = Literal["primary", "secondary"]
Shown = Literal["clear", "masked", "hidden"]
Top = Annotated[int, Query(ge=1, le=10_000)]


async def _over_all(caller: TheCaller) -> Caller:
    if not caller.may(EVERYWHERE, Role.ADMIN):
        raise ServiceError(403, "this takes the role admin for all instances")
    return caller


RulingAll = Annotated[Caller, Depends(_over_all)]


class KeyRequest(Wire):
    """A new key. `days`: until it ends; `rate`: requests a second, `burst` at once; `dailyRows`: rows a day, UTC."""

    principal_id: str
    slot: Slot = "primary"
    days: float | None = Field(default=None, gt=0, le=36_500)
    rate: float | None = Field(default=None, gt=0, le=1_000_000)
    burst: int | None = Field(default=None, ge=1, le=1_000_000)
    daily_rows: int | None = Field(default=None, ge=1, le=10**15)


class KeyGiven(Wire):
    """A key, shown this once."""

    key_id: str
    key: str
    principal_id: str
    slot: Slot


class KeyInfo(Wire):
    """A key without its secret. Times of `expires` and `revoked`: seconds since 1970."""

    key_id: str
    principal_id: str
    slot: Slot
    created: str
    expires: float | None = None
    revoked: float | None = None
    rate: float | None = None
    burst: int | None = None
    daily_rows: int | None = None


class PrincipalInfo(Wire):
    """What a principal was given. Written: what is not said stays.

    columns    classes shown in clear beside what the role shows: pii, sensitive, or email, phone, name, address,
               birthdate, id, other
    segments   instance → segments whose customers alone are shown; instances that are not named show all
    roles      instance (`*`: all) → reader, analyst, steward, admin; null takes the role there away
    """

    principal_id: str | None = None
    principal_type: Literal["user", "group", "app"] | None = None
    columns: tuple[str, ...] | None = None
    segments: dict[str, tuple[str, ...]] | None = None
    roles: dict[str, str | None] | None = None


class ColumnRule(Wire):
    """How a column is shown to an audience: empty for all but admins, `role:reader`, or `principal:<id>`.

    `shown` null takes the rule back: then what the column tells decides.
    """

    table: str
    column: str
    audience: str = ""
    shown: Shown | None = None


class ColumnInfo(Wire):
    """A column of the published generation, how much of a person it tells, and the rules about it."""

    table: str
    column: str
    pii: Literal["none", "pii", "sensitive"]
    kind: str | None = None
    rules: dict[str, Shown]


class AuditEntry(Wire):
    """A request that is on record. `shape`: what was asked, with `?` in the place of every value."""

    number: int
    at: str
    who: str
    key: str
    method: str
    route: str
    shape: str
    instance: str
    status: int
    rows: int | None = None
    generation: int | None = None
    ms: float


class Verification(Wire):
    """How far the audit log holds together. `trouble`: empty when to its end."""

    entries: int
    head: str
    trouble: str


@of_all.get("/access/keys", operation_id="get_all_keys", summary="API keys")
async def get_all_keys(admin: RulingAll, service: TheService) -> list[KeyInfo]:
    """Revoked ones too; never the secrets."""
    register: Register = await asyncio.to_thread(service.guard.registry.look)
    return [
        told(
            KeyInfo, key_id=k.key, principal_id=k.principal, slot=k.slot, created=k.created, expires=k.expires,
            revoked=k.revoked, rate=k.rate, burst=k.burst, daily_rows=k.daily_rows,
        )
        for k in sorted(register.keys.values(), key=lambda k: k.number)
    ]  # fmt: skip


@of_all.post("/access/keys", operation_id="create_a_key", summary="A new API key")
async def create_a_key(body: KeyRequest, admin: RulingAll, service: TheService) -> KeyGiven:
    """Shown this once. 409 when the principal has a live key in that slot."""
    given = await asyncio.to_thread(
        Changes(service.guard).create_key, body.principal_id, slot=body.slot, days=body.days, rate=body.rate,
        burst=body.burst, daily_rows=body.daily_rows,
    )  # fmt: skip
    return _given(given)


@of_all.post("/access/keys/{keyId}/regenerate", operation_id="regenerate_a_key", summary="A key in the place of one")
async def regenerate_a_key(keyId: str, admin: RulingAll, service: TheService) -> KeyGiven:  # noqa: N803
    """By the same limits; the old one opens nothing any more."""
    return _given(await asyncio.to_thread(Changes(service.guard).regenerate, keyId))


@of_all.delete("/access/keys/{keyId}", operation_id="revoke_a_key", summary="Revoke an API key")
async def revoke_a_key(keyId: str, admin: RulingAll, service: TheService) -> bool:  # noqa: N803
    """Within a second on every worker. 409 for the last key of the last admin."""
    await asyncio.to_thread(Changes(service.guard).revoke, keyId)
    return True


@of_all.get("/access/principals", operation_id="get_all_principals", summary="Principals and what they were given")
async def get_all_principals(admin: RulingAll, service: TheService) -> list[PrincipalInfo]:
    """By id."""
    register: Register = await asyncio.to_thread(service.guard.registry.look)
    return [_principal(p) for _, p in sorted(register.principals.items())]


@of_all.put(
    "/access/principals/{principalId:path}", operation_id="update_a_principal", summary="What a principal is given"
)
async def update_a_principal(
    principalId: str,  # noqa: N803
    body: PrincipalInfo,
    admin: RulingAll,
    service: TheService,
) -> PrincipalInfo:
    """What is said of it then. 409 when nobody would be admin any more."""
    if body.principal_id not in (None, principalId):
        raise bad_request("is another than that of the path", where="principalId", hint="leave it out")
    await asyncio.to_thread(_update, service, principalId, body)
    return _principal(service.guard.registry.now.principals[principalId])


@of_all.get("/audit", operation_id="get_audit_log", summary="The audit log, newest first")
async def get_audit_log(
    admin: RulingAll,
    service: TheService,
    before: Annotated[int | None, Query(ge=1)] = None,
    top: Top = 100,
    who: str = "",
    instance: str = "",
) -> list[AuditEntry]:
    """`before`: the number of the last entry of the page before."""
    found = await asyncio.to_thread(service.record.audit.entries, before=before, limit=top, who=who, instance=instance)
    return [told(AuditEntry, **entry) for entry in found]


@of_all.get("/audit/verification", operation_id="verify_audit_log", summary="Whether the audit log holds together")
async def verify_audit_log(admin: RulingAll, service: TheService) -> Verification:
    """Follows the chain from its beginning. Keep the head elsewhere: only so can a cut end be seen."""
    found = await asyncio.to_thread(service.record.audit.verify)
    return told(Verification, entries=found.entries, head=found.head, trouble=found.trouble)


@of_one.get("/access/columns", operation_id="get_column_rules", summary="Columns, what they tell, and their rules")
async def get_column_rules(hosted: Ruling, service: TheService) -> list[ColumnInfo]:
    """Of the published generation; empty before there is one."""
    return await asyncio.to_thread(_columns, service, hosted)


@of_one.put("/access/columns", operation_id="update_a_column_rule", summary="How a column is shown to whom")
async def update_a_column_rule(body: ColumnRule, hosted: Ruling, service: TheService) -> list[ColumnInfo]:
    """All columns as they are then. 400 for a key or a column of a relationship that would be hidden: mask it."""
    await asyncio.to_thread(_rule, service, hosted, body)
    return await asyncio.to_thread(_columns, service, hosted)


def _given(given: Given) -> KeyGiven:
    return told(KeyGiven, key_id=given.id, key=given.text, principal_id=given.principal, slot=given.slot)


def _principal(p: Principal) -> PrincipalInfo:
    return told(
        PrincipalInfo,
        principal_id=p.principal,
        principal_type=p.kind,
        columns=tuple(sorted(p.columns)),
        segments=dict(sorted(p.segments.items())),
        roles={instance: role.name.lower() for instance, role in sorted(p.roles.items())},
    )


def _update(service: Any, principal: str, body: PrincipalInfo) -> None:
    roles = {instance: role_of(word) if word is not None else None for instance, word in (body.roles or {}).items()}
    changes = Changes(service.guard)
    changes.grant(principal, columns=body.columns, segments=body.segments, kind=body.principal_type)
    for instance, role in roles.items():
        if role is None:
            changes.unassign(principal, instance)
        else:
            changes.assign(principal, instance, role)


def _columns(service: Any, hosted: Hosted) -> list[ColumnInfo]:
    schema = hosted.schema()
    rules = service.guard.registry.look().rules.get(hosted.id, {})
    found = []
    for table, columns in schema.columns.items() if schema is not None else ():
        for column in columns:
            says = schema.told.get((table, column)) if schema is not None else None
            found.append(
                told(
                    ColumnInfo, table=table, column=column, pii=says.pii if says else "none",
                    kind=says.kind if says else None, rules=dict(rules.get((table, column), {})),
                )
            )  # fmt: skip
    return found


def _rule(service: Any, hosted: Hosted, body: ColumnRule) -> None:
    schema: Schema | None = hosted.schema()
    if schema is None:
        raise not_found("nothing has been published yet", hint="run a job first")
    table = body.table if body.table in schema.columns else table_of(body.table)
    if table not in schema.columns:
        raise not_found(f"there is no table {body.table[:128]!r}", where="table", hint=did_you_mean(body.table, schema.columns))  # fmt: skip # noqa: E501
    known = schema.columns[table]
    if body.column not in known:
        hint = did_you_mean(body.column, known)
        raise not_found(f"{table} has no column {body.column[:128]!r}", where="column", hint=hint)
    if body.shown == "hidden" and any((table, body.column) in group for group in joined(schema.project)):
        why = f"{table}.{body.column} is a key, or leads from one table to another"
        raise bad_request(why, where="shown", hint="write masked")
    Changes(service.guard).show(hosted.id, table, body.column, body.shown, audience=body.audience)
