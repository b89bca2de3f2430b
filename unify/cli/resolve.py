"""The command about records that are not there yet: resolve."""

from typing import Annotated

import typer

from unify.cli import draw
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import show
from unify.cli.where import opened


def resolve(
    record: Annotated[
        str,
        typer.Argument(
            metavar="RECORD",
            help='JSON, e.g. \'{"EMail": "ada@example.com"}\'; @FILE or - (stdin) for JSON or JSON lines.',
            show_default=False,
        ),
    ],
    entity: Annotated[
        str,
        typer.Option("--entity", "-e", metavar="ENTITY", help="Of which it is, e.g. crm.Contacts.", show_default=False),
    ],
    brief: Annotated[bool, typer.Option("--brief", help="The customer and the links, without the reasons.")] = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Which customer a record belongs to that is not there yet, and why: what a run would decide, without one."""
    from unify.verbs.resolve import records_of

    records, alone = records_of(record)
    with opened(instance) as acme:
        found = acme.resolve_all(entity, records, why=not brief)
    if alone:
        show(found[0].as_dict(), lambda: draw.lines_of(found[0].lines()), as_json=as_json)
        return
    lines = [line for one in found for line in ([one.summary] if brief else [*one.lines(), ""])]
    show([one.as_dict() for one in found], lambda: draw.lines_of(lines), as_json=as_json)
