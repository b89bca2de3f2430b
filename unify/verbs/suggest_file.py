"""Writing a proposal as a project file."""

from pathlib import Path

from unify.core.errors import SpecError
from unify.core.suggestions import Suggestion


def refuse_place(out: Path, project: Path | None, *, force: bool) -> None:
    """SpecError when the file may not be written there: paths in a project are relative to its own folder."""
    if out.exists() and not force:
        raise SpecError("is there already", where=str(out), hint="choose another name, or --force")
    if project is not None and out.resolve().parent != project.resolve().parent:
        hint = f"paths in it are relative to its folder: write it to {project.resolve().parent}"
        raise SpecError("is not beside the project file", where=str(out), hint=hint)
    if not out.resolve().parent.is_dir():
        raise SpecError("its folder is not there", where=str(out), hint="make the folder first")


def write_suggestion(suggestion: Suggestion, out: Path) -> None:
    """Write the project file of a proposal."""
    out.write_text(suggestion.text, encoding="utf-8")
