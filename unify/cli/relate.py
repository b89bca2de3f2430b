"""Commands about one customer and about how entities hang together: customer, timeline, relationship."""

from typing import Annotated

import typer

from unify.cli import draw_relations
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import jsonable, show
from unify.cli.where import opened

ACustomer = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="A CustomerId, or a record: crm.Contacts:C-1, or C-1.",
        show_default=False,
    ),
]


def customer(key: ACustomer, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Who a customer is: unified values, records, activities by type."""
    with opened(instance) as acme:
        found = acme.customer(key)
    show(jsonable(found.model_dump()), lambda: draw_relations.card(found), as_json=as_json)


def timeline(
    key: ACustomer,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on, e.g. 2024-01-31; UTC.", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Up to then, and without it.", show_default=False),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type", "-t", metavar="TYPE", help="Activities of this type; may be repeated.", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Activities to print.")] = 100,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What happened to a customer, newest first."""
    with opened(instance) as acme:
        found = acme.timeline(key, since=since, until=until, types=kinds or None, limit=limit)
    show([jsonable(row) for row in found.rows()], lambda: draw_relations.timeline(found), as_json=as_json)


relationship = typer.Typer(
    help="How entities hang together: relationships, and the paths through them.", no_args_is_help=True
)


@relationship.command("list")
def list_(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Relationships of the project, and those that conflation made."""
    with opened(instance) as acme:
        found, declared = acme.relationships(), acme.project().relationships
    document = [
        {
            "name": hop.relationship,
            "from": hop.ends[0],
            "to": hop.ends[1],
            "cardinality": "OneToMany" if hop.system else declared[hop.relationship].cardinality,
            "source": "system" if hop.system else "user",
        }
        for hop in found
    ]
    show(document, lambda: draw_relations.relationships(document), as_json=as_json)


@relationship.command("paths")
def paths(
    start: Annotated[str, typer.Argument(metavar="FROM", help="An entity, e.g. web.Orders.", show_default=False)],
    end: Annotated[str, typer.Argument(metavar="TO", help="Another one, or Customer.")] = "Customer",
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Ways from one entity to another that pass no entity twice, short ones first."""
    with opened(instance) as acme:
        found = acme.relationship_paths(start, end)
    document = [
        {
            "path": [hop.relationship for hop in path],
            "to_one": all(hop.to_one for hop in path),
            "hops": [{"relationship": hop.relationship, "from": hop.ends[0], "to": hop.ends[1]} for hop in path],
        }
        for path in found
    ]
    show(document, lambda: draw_relations.paths(start, end, found), as_json=as_json)
