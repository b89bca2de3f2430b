"""Commands about one person: what is held about them, and its erasure."""

from pathlib import Path
from typing import Annotated

import typer

from unify.cli.options import AnInstance, AsJson, Wait
from unify.cli.output import show
from unify.cli.where import opened

ACustomer = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="A CustomerId or a record, crm.Contacts:C-1.", show_default=False)
]


def subject(
    customer: ACustomer,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write it there: .json or .html.", show_default=False),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Everything that is held about one person: JSON on stdout, or a file, also as a page."""
    from unify.core.errors import SpecError, StoreError

    if out is not None and out.suffix not in (".json", ".html"):
        raise SpecError("is neither .json nor .html", where=str(out))
    with opened(instance) as acme:
        found = acme.subject(customer)
    if out is None:
        print(found.json())
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(found.html() if out.suffix == ".html" else found.json())
    except FileExistsError:
        raise StoreError("is there already", where=str(out), hint="choose another name") from None
    out.chmod(0o600)
    show({"path": str(out)}, lambda: f"wrote {out}", as_json=as_json)


def erase(
    customer: ACustomer,
    reason: Annotated[str, typer.Option(help="Kept in the ledger: a reference, not a name.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
    instance: AnInstance = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Erase one person from everything; kept generations go too. Later runs leave them out."""
    with opened(instance) as acme:
        if not yes:
            typer.confirm(
                f"Erase {acme.customer_id(customer)}, and every generation but the new one?", abort=True, err=True
            )
        done = acme.erase(customer, reason=reason, wait=wait)
    left = "".join(f"\nstill in {place}" for place in done.left)
    text = (
        f"erased {done.records} records and {done.related} rows that hung on them; generation {done.generation} is "
        f"published, {done.removed} files are gone, {len(done.rewritten)} rewritten (ledger: {done.id}){left}"
    )
    show(done.as_dict(), lambda: text, as_json=as_json)
