"""What the commands about packages share: keys as they are typed, progress, files of rows in error."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from unify.cli.output import show

if TYPE_CHECKING:
    from unify.packages import EntityDefinition, Execution, Packages


def keys_of(said: list[str]) -> dict[str, tuple[str, ...]]:
    """`Customer groups=id,company` as the entity and its key columns. typer.BadParameter."""
    found: dict[str, tuple[str, ...]] = {}
    for one in said:
        name, _, columns = one.partition("=")
        names = tuple(column.strip() for column in columns.split(",") if column.strip())
        if not name.strip() or not names:
            raise typer.BadParameter(f"{one!r} is not ENTITY=COLUMN[,COLUMN]", param_hint="--key")
        found[name.strip()] = names
    return found


@contextmanager
def told(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What a run of packages says while it goes on, where somebody sits and looks."""
    from unify.cli.progress import progress_of

    with progress_of(quiet=quiet) as progress:
        yield lambda sentence: progress("packages", sentence)


def report(packages: "Packages", done: "Execution", folder: Path, stem: str, *, as_json: bool) -> None:
    """Print what came of an import; write files of what did not arrive. Leaves with 3 when anything did not."""
    from unify.cli import draw_packages
    from unify.core.errors import SourceError
    from unify.packages import Status

    files = list(_error_files(packages, done, folder, stem))
    document = done.as_dict() | {"error_files": [{"what": what, "path": str(path)} for what, path in files]}
    show(document, lambda: draw_packages.execution(done, [(w, str(p)) for w, p in files]), as_json=as_json)
    if done.status is not Status.SUCCEEDED:
        raise typer.Exit(SourceError.exit_code)


def _error_files(packages: "Packages", done: "Execution", folder: Path, stem: str) -> Iterator[tuple[str, Path]]:
    """Copies of the files of errors: those of the instance are gone after seven days."""
    for entity in dict.fromkeys(run.entity for run in done.entities):
        plain = "".join(c if c.isalnum() or c in " -_." else "_" for c in entity).strip(" .") or "entity"
        for kind, what, path in (
            ("unread", "rows that cannot be read", packages.staging_error_file(done.id, entity)),
            ("refused", "keys of rows that are refused", packages.target_keys_file(done.id, entity)),
        ):
            if path is not None:
                copy = folder / f"{stem}.{plain}.{kind}.csv"
                yield f"{entity}: {what}", _copied(path, copy)


def _copied(path: Path, copy: Path) -> Path:
    from unify.core.errors import StoreError

    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    except OSError as error:
        hint = "say where: --errors DIR; the import itself is done"
        raise StoreError(
            f"the file of errors cannot be written: {error.strerror}", where=str(copy), hint=hint
        ) from None
    return copy


def entity_document(one: "EntityDefinition") -> dict[str, Any]:
    """An entity as `--json` prints it."""
    from dataclasses import asdict

    said = asdict(one)
    said["columns"] = [column | {"kind": column["kind"].value} for column in said["columns"]]
    return said
