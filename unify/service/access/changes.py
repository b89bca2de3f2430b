"""Changes of who may do what; blocking. Each is one transaction, and none leaves nobody in charge."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.service.access.classes import CLASSES
from unify.service.access.guard import Guard
from unify.service.access.keys import SLOTS, hashed, new_id, new_secret
from unify.service.access.visibility import Shown
from unify.service.caller import EVERYWHERE, Role
from unify.service.errors import ServiceError, bad_request, not_found

PRINCIPAL: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,254}[^\s\x00-\x1f\x7f])?")
"""Anything that a directory may call somebody, up to 256 characters."""
KINDS: Final = ("user", "group", "app")
AUDIENCE: Final = re.compile(r"|role:(reader|analyst|steward)|principal:.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Given:
    """A key as it is shown once."""

    id: str
    text: str
    principal: str
    slot: str


class Changes:
    """The verbs. ServiceError says what cannot be done."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._guard.database.write() as db:
            yield db
        self._guard.registry.look()

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_key(
        self,
        principal: str,
        *,
        slot: str = "primary",
        days: float | None = None,
        rate: float | None = None,
        burst: int | None = None,
        daily_rows: int | None = None,
        roles: Mapping[str, Role] | None = None,
        kind: str = "app",
    ) -> Given:
        """A key for a principal, who is made when not there; `roles` are added to what is held.

        ServiceError 409 when the slot has a live key: regenerate or revoke that one.
        """
        _check_limits(days, rate, burst, daily_rows)
        _check_word("slot", slot, SLOTS)
        with self._change() as db:
            _principal(db, principal, kind)
            for instance, role in (roles or {}).items():
                _assign(db, principal, instance, role)
            return self._new_key(db, principal, slot, _until(days), rate, burst, daily_rows)

    def regenerate(self, key: str) -> Given:
        """Another secret and id in the place of a key, by the same limits; the old one opens nothing any more."""
        with self._change() as db:
            old = _live_key(db, key)
            db.execute("UPDATE access_keys SET revoked = $now WHERE key = $key", {"now": time.time(), "key": key})
            life = None if old["expires"] is None else old["expires"] - _seconds(old["created"])
            until = None if life is None else time.time() + life
            return self._new_key(db, old["principal"], old["slot"], until, old["rate"], old["burst"], old["daily_rows"])

    def revoke(self, key: str) -> None:
        """A key opens nothing any more. ServiceError 409 for the last key of the last admin of the service."""
        with self._change() as db:
            _live_key(db, key)
            led = _led(db)
            db.execute("UPDATE access_keys SET revoked = $now WHERE key = $key", {"now": time.time(), "key": key})
            _still_led(db, led, "this is the last key of the last admin")

    def _new_key(
        self,
        db: sqlite3.Connection,
        principal: str,
        slot: str,
        until: float | None,
        rate: float | None,
        burst: int | None,
        daily_rows: int | None,
    ) -> Given:
        id_, secret = new_id(), new_secret()
        expired = (
            "UPDATE access_keys SET revoked = expires WHERE principal = $p AND revoked IS NULL AND expires <= $now"
        )
        db.execute(expired, {"p": principal, "now": time.time()})
        row = {
            "key": id_, "principal": principal, "slot": slot, "hash": hashed(secret, self._guard.pepper),
            "created": _now(), "expires": until, "rate": rate, "burst": burst, "daily_rows": daily_rows,
        }  # fmt: skip
        try:
            db.execute(
                f"INSERT INTO access_keys ({', '.join(row)}) VALUES ({', '.join('$' + name for name in row)})", row
            )
        except sqlite3.IntegrityError:
            hint = "regenerate it, revoke it, or use the other slot"
            raise ServiceError(409, f"{principal} has a {slot} key", hint=hint) from None
        return Given(id_, f"{id_}_{secret}", principal, slot)

    # ── roles ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def assign(self, principal: str, instance: str, role: Role, *, kind: str | None = None) -> None:
        """Give a role in an instance, in the place of the one held there; ServiceError 409 for the last admin."""
        with self._change() as db:
            led = _led(db, instance)
            _principal(db, principal, kind)
            _assign(db, principal, instance, role)
            _still_led(db, led, f"{principal} is the last admin", instance)

    def unassign(self, principal: str, instance: str) -> None:
        """Take the role in an instance away; ServiceError 404 when none is held there, 409 for the last admin."""
        with self._change() as db:
            led = _led(db, instance)
            params = {"principal": principal, "instance": instance}
            gone = db.execute(
                "DELETE FROM access_roles WHERE principal = $principal AND instance = $instance", params
            ).rowcount
            if not gone:
                hint = "it holds one in every instance; that is taken away with `unify access role`" if db.execute(
                    "SELECT 1 FROM access_roles WHERE principal = $p AND instance = '*'", {"p": principal}
                ).fetchone() else ""  # fmt: skip
                raise not_found(f"{principal[:256]!r} holds no role here", hint=hint, key="rbacUserNotFound")
            _still_led(db, led, f"{principal} is the last admin", instance)

    # ── columns and rows ─────────────────────────────────────────────────────────────────────────────────────────────

    def grant(
        self,
        principal: str,
        *,
        columns: Sequence[str] | None = None,
        segments: Mapping[str, Sequence[str]] | None = None,
        kind: str | None = None,
    ) -> None:
        """Column classes that a principal sees in clear, and instance → segments whose customers it sees; None: as is.

        An instance that `segments` does not name shows all its customers; one with an empty list shows none.
        """
        for word in columns or ():
            _check_word("columns", word, CLASSES)
        with self._change() as db:
            _principal(db, principal, kind)
            if columns is not None:
                db.execute(
                    "UPDATE access_principals SET columns = $columns WHERE principal = $principal",
                    {"columns": json.dumps(sorted(set(columns))), "principal": principal},
                )
            if segments is not None:
                db.execute("DELETE FROM access_segments WHERE principal = $principal", {"principal": principal})
            for instance, names in (segments or {}).items():
                db.execute(
                    "INSERT INTO access_segments VALUES ($principal, $instance, $segments)",
                    {"principal": principal, "instance": instance, "segments": json.dumps(sorted(set(names)))},
                )

    def show(self, instance: str, table: str, column: str, shown: Shown | None, *, audience: str = "") -> None:
        """How a column is shown to an audience, `` (all but admins), `role:reader` or `principal:…`; None: as it tells.

        Whoever knows the columns of the instance checks names first.
        """
        if not AUDIENCE.fullmatch(audience):
            hint = "empty for all, role:reader, role:analyst, role:steward, or principal:<id>"
            raise bad_request(f"{audience[:64]!r} is no audience", hint=hint)
        place = {"instance": instance, "table": table, "column": column, "audience": audience}
        with self._change() as db:
            db.execute(
                "DELETE FROM access_columns WHERE instance = $instance AND table_name = $table"
                " AND column_name = $column AND audience = $audience",
                place,
            )
            if shown is not None:
                _check_word("shown", shown, ("clear", "masked", "hidden"))
                db.execute(
                    "INSERT INTO access_columns VALUES ($instance, $table, $column, $audience, $shown)",
                    {**place, "shown": shown},
                )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _until(days: float | None) -> float | None:
    return None if days is None else time.time() + days * 86_400


def _check_limits(*limits: float | None) -> None:
    if any(limit is not None and not 0 < limit < 1e12 for limit in limits):
        raise bad_request("days, rate, burst and daily rows are above zero")


def _check_word(what: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise bad_request(f"{what}: {word[:64]!r} is none", hint=did_you_mean(word[:64], known))


def _principal(db: sqlite3.Connection, principal: str, kind: str | None) -> None:
    """Make sure of it; `kind` None: as it is, or app."""
    if not PRINCIPAL.fullmatch(principal):
        raise bad_request("a principal is 1 to 256 characters, none of them a control character")
    _check_word("kind", kind or "app", KINDS)
    db.execute(
        "INSERT INTO access_principals (principal, kind, created) VALUES ($principal, coalesce($kind, 'app'), $now)"
        " ON CONFLICT (principal) DO UPDATE SET kind = coalesce($kind, kind)",
        {"principal": principal, "kind": kind, "now": _now()},
    )


def _assign(db: sqlite3.Connection, principal: str, instance: str, role: Role) -> None:
    db.execute(
        "INSERT INTO access_roles VALUES ($principal, $instance, $role)"
        " ON CONFLICT (principal, instance) DO UPDATE SET role = $role",
        {"principal": principal, "instance": instance, "role": int(role)},
    )


def _live_key(db: sqlite3.Connection, key: str) -> Any:
    row = db.execute("SELECT * FROM access_keys WHERE key = $key AND revoked IS NULL", {"key": key}).fetchone()
    if row is None:
        raise not_found(f"there is no live key {key[:64]!r}", hint="`unify access key list` shows them")
    return row


def _led(db: sqlite3.Connection, instance: str = EVERYWHERE) -> bool:
    """Whether somebody is in charge: an admin of the instance who can come in.

    One whose keys are all revoked or expired cannot; one who never had a key comes with tokens of an issuer.
    """
    sql = """
    SELECT 1 FROM access_roles AS r WHERE r.instance IN ($instance, '*') AND r.role = 4 AND (
      NOT EXISTS (SELECT 1 FROM access_keys AS k WHERE k.principal = r.principal)
      OR EXISTS (SELECT 1 FROM access_keys AS k WHERE k.principal = r.principal AND k.revoked IS NULL
                 AND (k.expires IS NULL OR k.expires > $now)))
    LIMIT 1"""
    return db.execute(sql, {"instance": instance, "now": time.time()}).fetchone() is not None


def _still_led(db: sqlite3.Connection, before: bool, why: str, instance: str = EVERYWHERE) -> None:
    if before and not _led(db, instance):
        hint = "make another admin first"
        raise ServiceError(409, why, hint=hint, key="rbacCanNotRevokePermissionFromInstance")


__all__ = ["EVERYWHERE", "Changes", "Given"]
