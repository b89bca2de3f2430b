"""Which instance is meant: said, in the environment, here, or named by the project file."""

from pathlib import Path
from typing import TYPE_CHECKING

from unify.core.errors import InstanceNotFoundError

if TYPE_CHECKING:
    from unify.instance import Instance
    from unify.spec import Project

CATALOG = "catalog.sqlite"
"""A directory that holds it is an instance (docs/instance.md)."""
PROJECT_FILES = ("project.yaml", "project.yml", "project.json")


def target_of(project: "Project", file: Path, said: Path | None) -> Path:
    """Where a run of this project file goes."""
    return said or file.resolve().parent / (project.instance or project.name)


def opened(said: Path | None) -> "Instance":
    """The instance a reading command means, opened. InstanceNotFoundError when there is none."""
    import unify

    return unify.open(found(said))


def found(said: Path | None) -> Path:
    """Its path: `said` (option or UNIFY_INSTANCE), else the current directory, else what its project file names."""
    if said is not None:
        return said
    here = Path.cwd()
    if (here / CATALOG).is_file():
        return here
    files = [here / name for name in PROJECT_FILES if (here / name).is_file()]
    if len(files) != 1:
        several = (
            f"{' and '.join(f.name for f in files)} both name one" if files else "no instance and no project.yaml here"
        )
        raise InstanceNotFoundError(
            f"which instance? {several}", where=str(here), hint="say it: `--instance DIR`, or set UNIFY_INSTANCE"
        )
    from unify.core.documents import read_project

    path = target_of(read_project(files[0]), files[0], None)
    if not (path / CATALOG).is_file():
        raise InstanceNotFoundError(
            f"{files[0].name} names an instance that is not there yet",
            where=str(path),
            hint=f"`unify run {files[0].name}` makes it; or say which: `--instance DIR`",
        )
    return path
