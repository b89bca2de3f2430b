"""Commands about measures: list, show, values, history, preview, templates."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli import draw_measures
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import jsonable, show
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.verbs.measures import MeasureHandle

AMeasure = Annotated[str, typer.Argument(metavar="NAME", help="Of a measure of the project.", show_default=False)]
Limit = Annotated[int, typer.Option(min=0, help="Rows to print.")]

measure = typer.Typer(help="Values worked out per customer, or over the business.", no_args_is_help=True)


def _document(handle: "MeasureHandle") -> dict[str, Any]:
    declared = handle.definition()
    said = declared.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"kind"})
    return {
        "name": handle.name,
        "kind": handle.kind,
        "table": handle.table,
        "title": declared.title,
        "active": declared.active,
        "definition": said,
    }


@measure.command("list")
def list_(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Measures of the project."""
    with opened(instance) as acme:
        found = [_document(handle) for handle in acme.measures()]
    show(found, lambda: draw_measures.measures(found), as_json=as_json)


@measure.command("show")
def show_(
    name: AMeasure,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements that make it, too.")] = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What a measure is, and its figures; of a template, the measure that it stands for."""
    with opened(instance) as acme:
        handle = acme.measure(name)
        document = _document(handle)
        if handle.definition().template is not None:
            ordinary = handle.ordinary().model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"kind"})
            document["definition"] |= {"stands for": ordinary}
        reports, statements = handle.report(), handle.sql if sql else ""
    document |= {"figures": [r.as_dict() for r in reports]} | ({"sql": statements} if sql else {})
    show(document, lambda: draw_measures.shown(document, reports, statements), as_json=as_json)


@measure.command("values")
def values(name: AMeasure, limit: Limit = 20, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Every customer's value, or the rows of the measure's own table. `unify export` writes them all to a file."""
    with opened(instance) as acme:
        found = acme.measure(name).values()
    rows = found.arrow().slice(0, limit).to_pylist()
    show(jsonable(rows), lambda: draw_measures.rows(found.columns, rows, "no rows"), as_json=as_json)


@measure.command("history")
def history(
    name: AMeasure,
    customer: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="A customer: its values in every kept generation.", show_default=False),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Figures of a measure in every run that worked it out, oldest first."""
    with opened(instance) as acme:
        found = acme.measure(name).history(customer)
    rows = found.rows()
    show(jsonable(rows), lambda: draw_measures.rows(found.columns, rows, "no run has worked it out"), as_json=as_json)


@measure.command("preview")
def preview(
    definition: Annotated[
        str,
        typer.Argument(
            metavar="MEASURE",
            help="As in a project, e.g. '{sum: Total, of: web.Orders}', or an expression: 'TotalSpend div Orders'.",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option(help="What it would be called.")] = "Preview",
    limit: Limit = 20,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements instead of rows.")] = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What a measure would be on the published generation; nothing is kept."""
    from unify.core.documents import measure_of_text

    with opened(instance) as acme:
        found = acme.preview_measure(measure_of_text(name, definition), name=name, limit=limit)
    document = {"figures": [r.as_dict() for r in found.reports], "rows": found.rows.to_pylist(), "sql": found.sql}
    show(jsonable(document), lambda: found.sql if sql else draw_measures.preview(found), as_json=as_json)


@measure.command("templates")
def templates(as_json: AsJson = False) -> None:
    """Templates: measures over a mapped activity, said in one word."""
    from segments.measures.templates import TEMPLATES, fields_of

    found = [
        {"template": name, "title": row.title, "types": list(row.types), "fields": fields_of(row)}
        for name, row in TEMPLATES.items()
    ]
    show(found, lambda: draw_measures.templates(found), as_json=as_json)
