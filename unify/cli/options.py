"""Options that several commands share: one wording, one meaning."""

from pathlib import Path
from typing import Annotated

import typer

BUILD, LOOK, MANAGE = "Build", "Look", "Manage"
"""Headings of `unify --help`."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
AnInstance = Annotated[
    Path | None,
    typer.Option(
        "--instance",
        "-i",
        metavar="DIR",
        envvar="UNIFY_INSTANCE",
        help="The instance; otherwise the current directory, or the one that a project.yaml in it names.",
        show_default=False,
    ),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--instance",
        "-i",
        metavar="DIR",
        envvar="UNIFY_INSTANCE",
        help="Where the result goes; otherwise `instance` of the project, or its name, beside the project file.",
        show_default=False,
    ),
]
AProject = Annotated[
    Path,
    typer.Argument(
        metavar="PROJECT.yaml",
        help="The project file, YAML or JSON.",
        show_default=False,
    ),
]
Wait = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="Wait for another writer instead of failing at once.", show_default=False
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory for tables before they spill to disk, e.g. 4GB; otherwise 60 % of the machine's.",
        show_default=False,
    ),
]  # fmt: skip
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Threads to use; otherwise one per core.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="csv, parquet, json or jsonl; otherwise by the ending.",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
NoNeutralise = Annotated[
    bool, typer.Option("--no-neutralise", help="Leave cells that a spreadsheet would run as a formula as they are.")
]
