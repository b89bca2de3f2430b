"""Commands about who may do what in a folder of instances: keys, roles, the audit log. They need no running service."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli.options import AsJson
from unify.cli.output import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unify.service.access.changes import Changes, Given
    from unify.service.access.guard import Guard

ARoot = Annotated[Path, typer.Argument(metavar="INSTANCES_DIR", help="What `unify serve` serves.", show_default=False)]
AKey = Annotated[str, typer.Argument(metavar="KEY", help="The id of a key, uk_…", show_default=False)]
APrincipal = Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Who: any name.", show_default=False)]
ARole = Annotated[str, typer.Option("--role", help="reader, analyst, steward or admin.", show_default=False)]
OnInstance = Annotated[
    str, typer.Option("--on", metavar="INSTANCE", help="In this instance; otherwise in all.", show_default=False)
]

access = typer.Typer(help="Who may do what: keys, roles, the audit log.", no_args_is_help=True)
key = typer.Typer(help="API keys.", no_args_is_help=True)
audit = typer.Typer(help="Who asked what.", no_args_is_help=True)
access.add_typer(key, name="key")
access.add_typer(audit, name="audit")


@contextmanager
def _guard(root: Path) -> "Iterator[Guard]":
    from unify.cli.serve import _check_installed
    from unify.core.errors import StoreError

    _check_installed()
    from unify.service.access.guard import Guard
    from unify.service.database import ServiceDatabase

    if not root.is_dir():
        raise StoreError("there is no such folder", where=str(root), hint="name the folder that `unify serve` serves")
    guard = Guard(ServiceDatabase(root))
    try:
        yield guard
    finally:
        guard.close()


@contextmanager
def _changes(root: Path) -> "Iterator[Changes]":
    from unify.service.access.changes import Changes

    with _guard(root) as guard:
        yield Changes(guard)


@key.command("create")
def create(
    root: ARoot,
    principal: Annotated[str, typer.Option("--principal", "-p", metavar="NAME", help="Who gets it.")] = "admin",
    role: Annotated[
        str | None,
        typer.Option("--role", help="Also give this role: reader, analyst, steward or admin.", show_default=False),
    ] = None,
    on: OnInstance = "*",
    secondary: Annotated[
        bool, typer.Option("--secondary", help="The second key, to change the first one at ease.")
    ] = False,
    days: Annotated[
        float | None, typer.Option(metavar="N", help="It ends after so many days.", show_default=False)
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="N", help="Requests a second.", show_default=False)] = None,
    burst: Annotated[
        int | None, typer.Option(metavar="N", help="Requests at once; otherwise as the rate.", show_default=False)
    ] = None,
    daily_rows: Annotated[int | None, typer.Option(metavar="N", help="Rows a day, UTC.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """A new key. It is printed this once: what is kept is a hash."""
    from unify.service.access.words import role_of

    with _changes(root) as changes:
        given = changes.create_key(
            principal, slot="secondary" if secondary else "primary", days=days, rate=rate, burst=burst,
            daily_rows=daily_rows, roles={on: role_of(role)} if role is not None else None,
        )  # fmt: skip
    _print(given, as_json)


@key.command("list")
def list_(root: ARoot, as_json: AsJson = False) -> None:
    """Every key, revoked ones too; never the secrets."""
    with _guard(root) as guard:
        keys = sorted(guard.registry.now.keys.values(), key=lambda k: k.number)
        found = [
            {"id": k.key, "principal": k.principal, "slot": k.slot, "created": k.created, "expires": k.expires,
             "revoked": k.revoked, "rate": k.rate, "burst": k.burst, "daily_rows": k.daily_rows}
            for k in keys
        ]  # fmt: skip
    show(found, lambda: _lines(found, ("id", "principal", "slot", "created", "state")), as_json=as_json)


@key.command("regenerate")
def regenerate(root: ARoot, id_: AKey, as_json: AsJson = False) -> None:
    """A new key in the place of one, by the same limits; the old one opens nothing any more."""
    with _changes(root) as changes:
        given = changes.regenerate(id_)
    _print(given, as_json)


@key.command("revoke")
def revoke(root: ARoot, id_: AKey, as_json: AsJson = False) -> None:
    """A key opens nothing any more, within a second, on every worker."""
    with _changes(root) as changes:
        changes.revoke(id_)
    show({"id": id_, "revoked": True}, lambda: f"{id_} is revoked", as_json=as_json)


@access.command("role")
def role(
    root: ARoot,
    principal: APrincipal,
    to: ARole = "",
    on: OnInstance = "*",
    remove: Annotated[bool, typer.Option("--remove", help="Take the role away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a principal a role, or take it away."""
    from unify.core.errors import SpecError
    from unify.service.access.words import role_of

    if remove == bool(to):
        raise SpecError("say either --role or --remove")
    with _changes(root) as changes:
        if remove:
            changes.unassign(principal, on)
        else:
            changes.assign(principal, on, role_of(to))
    where = "everywhere" if on == "*" else f"in {on}"
    document = {"principal": principal, "instance": on, "role": None if remove else role_of(to).name.lower()}
    held = "has no role" if remove else f"is {document['role']}"
    show(document, lambda: f"{principal} {held} {where}", as_json=as_json)


@audit.command("verify")
def verify(root: ARoot, as_json: AsJson = False) -> None:
    """Follow the chain of the audit log; exit code 4 when it is broken. Keep the head somewhere else."""
    from dataclasses import asdict

    with _guard(root) as guard:
        from unify.service.access.audit import Audit

        found = Audit(guard.database, guard.secret).verify()
    said = f"{found.trouble}; before it " if found.trouble else ""
    show(asdict(found), lambda: f"{said}{found.entries:,} entries hold, head {found.head}", as_json=as_json)
    if found.trouble:
        raise typer.Exit(4)


@audit.command("list")
def entries(
    root: ARoot,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="The last so many.")] = 20,
    who: Annotated[str, typer.Option(metavar="PRINCIPAL", help="Of this one.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """The last entries, newest first."""
    with _guard(root) as guard:
        from unify.service.access.audit import Audit

        found = Audit(guard.database, guard.secret).entries(limit=limit, who=who)
    show(found, lambda: _lines(found, ("number", "at", "who", "method", "route", "shape", "status")), as_json=as_json)


def dev_cert(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.", show_default=False)],
    days: Annotated[int, typer.Option(min=1, max=825, help="How long the certificate holds.")] = 90,
    as_json: AsJson = False,
) -> None:
    """A certificate for localhost, and an authority of your own that signs it, for TLS on a laptop."""
    from unify.cli.serve import _check_installed

    _check_installed()
    from unify.service.access.certificates import make

    made = make(folder, days)
    files = {"authority": str(made.authority), "certificate": str(made.certificate), "key": str(made.key)}
    text = (
        f"unify serve … --tls-cert {made.certificate} --tls-key {made.key}\n"
        f"trust {made.authority} in your client; its own key was thrown away"
    )
    show(files, lambda: text, as_json=as_json)


def _print(given: "Given", as_json: bool) -> None:
    document = {"id": given.id, "principal": given.principal, "slot": given.slot, "key": given.text}
    show(
        document, lambda: f"{given.text}\n{given.slot} key of {given.principal}; it is not shown again", as_json=as_json
    )


def _lines(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    state = [{**r, "state": "revoked" if r.get("revoked") else "live"} for r in rows]
    return (
        "\n".join("  ".join(str(r.get(c) if r.get(c) is not None else "-") for c in columns) for r in state) or "none"
    )
