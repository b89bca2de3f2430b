"""The commands of `unify`, in the order and groups of its help."""

from typing import Annotated

import typer

from unify.cli import (
    access,
    build,
    look,
    manage,
    measure,
    odata,
    package,
    privacy,
    relate,
    resolve,
    review,
    segment_convert,
    serve,
    suggest,
)
from unify.cli.options import BUILD, LOOK, MANAGE
from unify.cli.parsing import InitCommand

app = typer.Typer(
    name="unify",
    help="Customer data unification: export files in, one master customer dataset out.",
    epilog="Exit codes, environment and every command: docs/cli.md",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from unify import __version__

        print(f"unify {__version__}")
        raise typer.Exit


@app.callback()
def _unify(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("init", rich_help_panel=BUILD, cls=InitCommand)(build.init)
app.command("suggest", rich_help_panel=BUILD)(suggest.suggest)
app.command("validate", rich_help_panel=BUILD)(build.validate)
app.command("run", rich_help_panel=BUILD)(build.run)
app.command("ingest", rich_help_panel=BUILD)(build.ingest)
app.command("conflate", rich_help_panel=BUILD)(build.conflate)
app.command("refresh", rich_help_panel=BUILD)(build.refresh)
app.command("status", rich_help_panel=LOOK)(look.status)
app.command("report", rich_help_panel=LOOK)(look.report)
app.command("explain", rich_help_panel=LOOK)(look.explain)
app.command("resolve", rich_help_panel=LOOK)(resolve.resolve)
app.command("review", rich_help_panel=LOOK)(review.review)
app.command("decisions", rich_help_panel=LOOK)(review.decisions)
app.command("tables", rich_help_panel=LOOK)(look.tables)
app.command("query", rich_help_panel=LOOK)(look.query)
app.command("odata", rich_help_panel=LOOK)(odata.odata)
app.command("export", rich_help_panel=LOOK)(look.export)
app.command("profile", rich_help_panel=LOOK)(look.profile)
app.command("labels", rich_help_panel=LOOK)(look.labels)
app.command("customer", rich_help_panel=LOOK)(relate.customer)
app.command("timeline", rich_help_panel=LOOK)(relate.timeline)
app.add_typer(segment_convert.segment, name="segment", rich_help_panel=LOOK)
app.add_typer(measure.measure, name="measure", rich_help_panel=LOOK)
app.add_typer(package.package, name="package", rich_help_panel=BUILD)
app.add_typer(relate.relationship, name="relationship", rich_help_panel=LOOK)
app.command("serve", rich_help_panel=MANAGE)(serve.serve)
app.add_typer(access.access, name="access", rich_help_panel=MANAGE)
app.command("subject", rich_help_panel=MANAGE)(privacy.subject)
app.command("erase", rich_help_panel=MANAGE)(privacy.erase)
app.command("dev-cert", rich_help_panel=MANAGE)(access.dev_cert)
app.command("runs", rich_help_panel=MANAGE)(manage.runs)
app.command("generations", rich_help_panel=MANAGE)(manage.generations)
app.command("rollback", rich_help_panel=MANAGE)(manage.rollback)
app.command("doctor", rich_help_panel=MANAGE)(manage.doctor)
