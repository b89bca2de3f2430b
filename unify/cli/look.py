"""Commands that ask an instance and take no lease: status, report, explain, tables, query, export, profile, labels."""

import csv
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unify.cli import draw, draw_report
from unify.cli.options import AnInstance, AsJson, FileFormat, NoNeutralise, Overwrite
from unify.cli.output import PAGE, jsonable, show
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.answers import Answer

ROWS_SHOWN = 50
"""Rows of a drawn answer; a screen or two."""


def status(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """What is published, who is writing, and how the last run ended."""
    with opened(instance) as acme:
        found = acme.status()
        show(found.as_dict(), lambda: draw.status(found), as_json=as_json)


def report(
    run: Annotated[
        int | None,
        typer.Argument(
            metavar="RUN",
            help="A run; otherwise the one that was published.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write it as one HTML page, with a few merges; - is stdout.", show_default=False
        ),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """The report of a run: rows accounted for, yield of every rule, sizes, cuts, changes."""
    if html == "-" and as_json:
        raise typer.BadParameter("the page and a JSON document cannot both go to stdout", param_hint="--html -")
    with opened(instance) as acme:
        found = acme.report(run)
        if html is None:
            show(found.as_dict(), lambda: draw_report.run_report(found), as_json=as_json, width=PAGE)
            return
        page = acme.page(run)
    if html == "-":
        print(page)
        return
    from unify.cli.files import write_text

    target = write_text(Path(html), page)
    show(
        {"run": found.run, "html": str(target), "bytes": len(page.encode())},
        lambda: f"{target}: run {found.run}",
        as_json=as_json,
    )


def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="A CustomerId, or a record: crm.Contacts:C-1, or C-1.",
            show_default=False,
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="A second record: are they one customer, and why?",
            show_default=False,
        ),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Why two records are one customer, or why not; with one key, where every value comes from."""
    with opened(instance) as acme:
        found = acme.explain(record, other)
    show(found.as_dict(), lambda: draw.explanation(found), as_json=as_json)


def tables(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """The tables of the published generation, with their rows."""
    with opened(instance) as acme:
        found = acme.tables()
    document = [{"table": table, "rows": rows} for table, rows in found.items()]
    show(document, lambda: draw.tables(found), as_json=as_json)


class AnswerFormat(StrEnum):
    """How `query` prints its rows."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"


def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL",
            help="One SELECT; docs/tables.md lists the tables.",
            show_default=False,
        ),
    ],
    answer_format: Annotated[
        AnswerFormat, typer.Option("--format", "-f", help="How to print the rows.")
    ] = AnswerFormat.table,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"Rows to print; otherwise {ROWS_SHOWN} of a table, else all.",
            show_default=False,
        ),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Ask the published generation a question in SQL. Nothing can be changed by it.

    --json is the same as --format json: a list of objects.
    """
    with opened(instance) as acme:
        answer = acme.sql(sql)
    print_answer(answer, AnswerFormat.json if as_json else answer_format, limit)


def print_answer(answer: "Answer", kind: AnswerFormat, limit: int | None) -> None:
    """Rows on stdout; `limit` None: a screen or two of a table, else all."""
    names = draw.unique(answer.columns)
    if kind is AnswerFormat.table:
        shown = ROWS_SHOWN if limit is None else limit
        show(None, lambda: draw.answer(names, draw.rows_of(answer, shown), len(answer)), as_json=False)
        return
    rows = draw.rows_of(answer, limit)
    if kind is AnswerFormat.csv:
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(names)
        out.writerows([draw.csv_cell(v) for v in row] for row in rows)
    elif kind is AnswerFormat.jsonl:
        for row in rows:
            print(draw.json_line(dict(zip(names, row, strict=True))))
    else:
        show([jsonable(dict(zip(names, row, strict=True))) for row in rows], lambda: "", as_json=True)


def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TABLE|SQL",
            help="A table, an entity, or a SELECT.",
            show_default=False,
        ),
    ],
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="The file; .gz or .zst behind its ending compress it.",
            show_default=False,
        ),
    ],
    file_format: FileFormat = None,
    overwrite: Overwrite = False,
    no_neutralise: NoNeutralise = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Write a table or the answer to a SELECT to a file: CSV, Parquet, JSON or JSON lines."""
    with opened(instance) as acme:
        done = acme.export(what, path, format=file_format, neutralise=not no_neutralise, overwrite=overwrite)
    document = {"path": str(done.path), "format": done.format, "rows": done.rows, "bytes": done.bytes}
    rows = f"{done.rows:,} {'row' if done.rows == 1 else 'rows'}"
    show(document, lambda: f"{done.path}: {rows}, {done.bytes:,} bytes", as_json=as_json)


AnEntity = Annotated[
    str | None,
    typer.Argument(
        metavar="ENTITY",
        help="One entity, e.g. crm.Contacts; otherwise all.",
        show_default=False,
    ),
]


def profile(entity: AnEntity = None, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """What is in every column of an entity: counts, values, quantiles, and which column looks like the key."""
    with opened(instance) as acme:
        found = [acme.profile(name) for name in ([entity] if entity else acme.entities())]
    show([p.as_dict() for p in found], lambda: draw.profiles(found), as_json=as_json)


def labels(entity: AnEntity = None, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Semantic labels that columns seem to have. They apply once you write them under `labels:` of the entity."""
    with opened(instance) as acme:
        project = acme.project()
        names = [entity] if entity else acme.entities()
        found = [
            {"entity": name, "column": column, "label": s.label, "confidence": s.confidence, "reason": s.reason,
             "declared": project.entities[name].labels.get(column) if name in project.entities else None}
            for name in names for column, s in acme.suggest_labels(name).items()
        ]  # fmt: skip
    show(found, lambda: draw.labels(found), as_json=as_json)
