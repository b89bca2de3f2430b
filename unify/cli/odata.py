"""unify odata: a request in OData on the command line."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from unify.cli.options import AnInstance, AsJson

if TYPE_CHECKING:
    from segments.odata.answers.result import ODataAnswer


def odata(
    request: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST",
            help="What stands behind the service root, e.g. \"Customer?$filter=City eq 'Bern'\"; a next link too.",
            show_default=False,
        ),
    ],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV instead of JSON.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Follow next links to the last page.")] = False,
    page_size: Annotated[
        int | None, typer.Option(min=1, metavar="ROWS", help="Rows a page; otherwise 100.", show_default=False)
    ] = None,
    clock: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="What now() is, e.g. 2024-01-31T12:00Z; otherwise now.", show_default=False),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Answer an OData request: one JSON document, or CSV. docs/odata.md says what is answered."""
    if as_csv and as_json:
        raise typer.BadParameter("CSV and a JSON document cannot both go to stdout", param_hint="--csv")
    from unify.cli.where import opened

    at = _clock(clock)
    with opened(instance) as acme:
        first = acme.odata(request, clock=at, page_size=page_size)
        if as_csv:
            _print_csv(first, everything=everything)
        elif everything and isinstance(first.value, list):
            _print_all(first)
        elif first.status != 204:
            text = first.body()
            print(text, end="" if text.endswith("\n") else "\n")


def _wants_csv(answer: "ODataAnswer") -> bool:
    return answer.content_type.startswith("text/csv")


def _clock(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    from segments.customer_card import moment_of

    return moment_of(text, "--clock")


def _print_csv(first: "ODataAnswer", *, everything: bool) -> None:
    for i, page in enumerate(first.pages() if everything else [first]):
        print(page.csv(header=i == 0), end="")


def _print_all(first: "ODataAnswer") -> None:
    """One document with the rows of every page, written page by page."""
    if _wants_csv(first):
        _print_csv(first, everything=True)
        return
    from segments.odata.answers.formats import json_text

    head = {k: v for k, v in first.document().items() if k not in ("value", "@odata.nextLink")}
    opening = json_text(head, ieee754=first.format.ieee754)[:-1]
    print(f'{opening}{"," * bool(head)}"value":[', end="")
    between = ""
    for page in first.pages():
        for row in page.value:
            print(between + json_text(row, ieee754=page.format.ieee754), end="")
            between = ","
    print("]}")
